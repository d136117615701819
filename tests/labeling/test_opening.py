"""Campaigns are filled with tasks and change their state in one place."""

import pytest
from django.db import connection

from labeling.errors import EmptyCampaign, InvalidTask, WrongState
from labeling.models import Assignment, Campaign, Guideline, Project, Response, Task, WorkKind
from labeling.opening import close_campaign, make_tasks, open_campaign, pause_campaign
from tests.labeling.work import make_campaign, make_labeler, make_prompt, make_responses, must_claim, recounted_slots

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_tasks_are_placed_one_after_another_behind_those_there_are(project: Project) -> None:
    campaign = make_campaign(project, tasks=2, overlap=3)
    prompt = make_prompt(project)
    (task,) = make_tasks(campaign, [(prompt, make_responses(prompt, ["a", "b", "c"]))])
    assert list(Task.objects.filter(campaign=campaign).values_list("position", flat=True)) == [0, 1, 2]
    assert (task.overlap, task.open_slots, task.responses.count()) == (3, 3, 3)


def test_the_number_of_queries_does_not_grow_with_the_tasks(project: Project, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    campaign = make_campaign(project, tasks=0)
    prompt = make_prompt(project)
    responses = make_responses(prompt, ["a", "b"])
    with django_assert_max_num_queries(9 if connection.vendor == "postgresql" else 11):  # SQLite: 999 values at a time
        make_tasks(campaign, [(prompt, responses)] * 200)


@pytest.mark.parametrize(
    ("kind", "shown", "says"),
    [
        (WorkKind.RANKING, 1, "Item 2 has 1 responses; a ranking task shows 2 to 9"),
        (WorkKind.RANKING, 10, "Item 2 has 10 responses"),
        (WorkKind.RATING, 2, "a rating task shows 1"),
        (WorkKind.DEMONSTRATION, 1, "a demonstration task shows 0"),
    ],
)
def test_it_refuses_a_wrong_number_of_responses_and_makes_nothing(
    project: Project, kind: str, shown: int, says: str
) -> None:
    campaign = make_campaign(project, kind=kind, tasks=1)
    right = Task.objects.get(campaign=campaign)
    assert right.prompt is not None
    prompt = make_prompt(project)
    wrong = make_responses(prompt, ["text"] * shown)
    with pytest.raises(InvalidTask, match=says):
        make_tasks(campaign, [(right.prompt, list(right.responses.all())), (prompt, wrong)])
    assert Task.objects.filter(campaign=campaign).count() == 1


def test_it_refuses_a_response_to_another_prompt_and_the_same_one_twice(project: Project) -> None:
    campaign = make_campaign(project, tasks=0)
    prompt, other = make_prompt(project), make_prompt(project)
    a, b = make_responses(prompt, ["a", "b"])
    (foreign,) = make_responses(other, ["c"])
    for responses, says in [([a, foreign], "another prompt"), ([a, b, a], "twice")]:
        with pytest.raises(InvalidTask, match=says):
            make_tasks(campaign, [(prompt, responses)])


def test_it_refuses_a_prompt_of_another_project(project: Project) -> None:
    elsewhere = Project.objects.create(name="Elsewhere", slug="elsewhere")
    campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=0)
    with pytest.raises(InvalidTask, match="another project"):
        make_tasks(campaign, [(make_prompt(elsewhere), [])])


def test_opening_publishes_the_guideline(project: Project) -> None:
    campaign = make_campaign(project)
    campaign.guideline.refresh_from_db()
    assert campaign.guideline.published_at is not None


def test_drafts_that_share_a_guideline_open_one_after_another(project: Project) -> None:
    guideline = Guideline.objects.create(project=project, kind=WorkKind.RANKING, version=1, body="Rank them.")
    for name in ("one", "two"):
        campaign = Campaign.objects.create(project=project, name=name, kind=WorkKind.RANKING, guideline=guideline)
        prompt = make_prompt(project)
        make_tasks(campaign, [(prompt, make_responses(prompt, ["a", "b"]))])
    published = []
    for campaign in list(Campaign.objects.select_related("guideline")):
        open_campaign(campaign)
        published.append(Guideline.objects.get().published_at)
    assert published[0] is not None
    assert published == [published[0]] * 2


def test_open_and_paused_lead_to_each_other_and_closed_leads_nowhere(project: Project) -> None:
    campaign = make_campaign(project)
    pause_campaign(campaign)
    open_campaign(campaign)
    close_campaign(campaign)
    for change in (open_campaign, pause_campaign, close_campaign):
        with pytest.raises(WrongState, match="closed"):
            change(campaign)
    assert Campaign.objects.get(pk=campaign.pk).state == Campaign.State.CLOSED


def test_an_imported_campaign_is_never_opened(project: Project) -> None:
    campaign = make_campaign(project)
    Campaign.objects.filter(pk=campaign.pk).update(imported=True, state=Campaign.State.DRAFT)
    campaign.refresh_from_db()
    with pytest.raises(WrongState, match="imported"):
        open_campaign(campaign)


def test_a_closed_campaign_takes_no_tasks(project: Project) -> None:
    campaign = make_campaign(project)
    close_campaign(campaign)
    prompt = make_prompt(project)
    with pytest.raises(WrongState, match="closed"):
        make_tasks(campaign, [(prompt, list[Response](make_responses(prompt, ["a", "b"])))])


def test_rating_tasks_mix_the_models_and_keep_responses_to_one_prompt_apart(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.RATING, tasks=0)
    prompts = [make_prompt(project) for _ in range(8)]
    texts = {prompt.pk: make_responses(prompt, ["base", "sft", "policy"]) for prompt in prompts}
    # One model after the other, as whoever samples them has them.
    make_tasks(campaign, [(prompt, [texts[prompt.pk][model]]) for model in range(3) for prompt in prompts])
    shown = [task.shown.get().response for task in campaign.tasks.order_by("position")]
    rounds = [shown[start : start + 8] for start in (0, 8, 16)]
    assert [len({one.prompt_id for one in round_}) for round_ in rounds] == [8, 8, 8]
    assert len({one.pk for one in shown}) == 24
    # Of 3**8 orders of a round three show one model only; the seed is fixed.
    assert [{one.text for one in round_} for round_ in rounds] == [{"base", "sft", "policy"}] * 3


def test_a_campaign_without_tasks_is_not_opened(project: Project) -> None:
    campaign = make_campaign(project)
    Campaign.objects.update(state=Campaign.State.DRAFT)
    campaign.tasks.all().delete()
    with pytest.raises(EmptyCampaign, match="nothing to hand out"):
        open_campaign(campaign)
    assert Campaign.objects.get().state == Campaign.State.DRAFT


def test_closing_takes_back_what_is_in_hand_only_where_it_is_asked_for(project: Project) -> None:
    for release, state in ((False, Assignment.State.LIVE), (True, Assignment.State.EXPIRED)):
        campaign = make_campaign(project, tasks=2, overlap=2)
        held = must_claim(campaign, make_labeler(project, f"ada-{release}"))
        Assignment.objects.filter(pk=held.pk).update(draft={"note": "kept"})
        close_campaign(campaign, release=release)
        held.refresh_from_db()
        assert (held.state, held.draft) == (state, {"note": "kept"})
        assert [task.open_slots for task in campaign.tasks.all()] == [recounted_slots(t) for t in campaign.tasks.all()]
