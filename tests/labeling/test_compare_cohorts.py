"""The same tasks are given to each of several cohorts, a campaign each, so that what they say can be compared."""

import pytest

from labeling.assigning import labeler_of
from labeling.models import Campaign, Cohort, Project, Response, User
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, make_labeler, make_prompt, make_responses, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def cohorts(project: Project) -> list[Cohort]:
    return [Cohort.objects.create(project=project, name=name) for name in ("terse", "warm")]


def form(project: Project, **more: object) -> dict[str, object]:
    for _ in range(5):
        responses = make_responses(make_prompt(project), list("abcd"))
    guideline = make_campaign(project).guideline
    writer = responses[0].generator_id
    return {
        "name": "Taste", "guideline": guideline.pk, "overlap": 2, "lease_minutes": 30, "skip_policy": "to_others",
        "correction_minutes": 60, "extra": 0, "prompts": 4, "seed": 3, "writers": [writer], "shown": 4, "act": "make",
    } | more  # fmt: skip


def test_each_cohort_gets_a_campaign_with_the_same_items_in_the_same_order(
    project: Project, researcher: User, cohorts: list[Cohort]
) -> None:
    address = "/projects/helpdesk/campaigns/new/?kind=ranking"
    sent = form(project, for_each=[cohort.pk for cohort in cohorts], gold_rate="5")
    assert signed_in(researcher).post(address, sent).status_code == 302
    made = list(Campaign.objects.filter(name__startswith="Taste").order_by("name"))
    assert [(one.name, one.cohort, one.gold_rate) for one in made] == [
        ("Taste (1)", cohorts[0], 5),
        ("Taste (2)", cohorts[1], 5),
    ]
    items = [
        [(task.prompt_id, list(task.shown.values_list("response_id", flat=True))) for task in one.tasks.all()]
        for one in made
    ]
    assert len(items[0]) == 4
    assert items[0] == items[1]


@pytest.mark.parametrize(("chosen", "says"), [([0], "compared with nothing"), ([0, 1], "choose one or the other")])
def test_what_would_compare_nothing_is_refused(
    project: Project, researcher: User, cohorts: list[Cohort], chosen: list[int], says: str
) -> None:
    picked = [cohorts[place].pk for place in chosen]
    sent = form(project, for_each=picked, cohort=cohorts[0].pk if len(picked) > 1 else "")
    answer = signed_in(researcher).post("/projects/helpdesk/campaigns/new/?kind=ranking", sent)
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert not Campaign.objects.filter(name__startswith="Taste").exists()


def test_tasks_are_completed_one_after_another(project: Project) -> None:
    campaign = make_campaign(project, tasks=12, overlap=3)
    people = [make_labeler(project, f"person-{number}") for number in range(5)]
    for turn in range(20):
        submit_now(must_claim(campaign, people[turn % 5]), ranked(1, 2, 3, 4))
        begun = campaign.tasks.exclude(open_slots=0).exclude(open_slots=3).count()
        assert begun <= 2, f"{begun} tasks are begun and not finished after {turn + 1}"


def test_nobody_judges_their_own_words(project: Project, labeler: User) -> None:
    worker = labeler_of(labeler.memberships.get())
    campaign = make_campaign(project, tasks=2)
    first = campaign.tasks.order_by("position")[0]
    Response.objects.filter(shown_in__task=first, shown_in__place=2).update(generator=None, labeler=worker)
    assert must_claim(campaign, worker).task != first
