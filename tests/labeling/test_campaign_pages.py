"""Campaigns are made, opened, changed, looked at and closed in the console."""

import re
from typing import Any

import pytest
from django.test import Client

from labeling.checking import Said, Work
from labeling.guidelines import guideline_for
from labeling.models import (
    Assignment,
    Campaign,
    Generator,
    Guideline,
    Project,
    Prompt,
    Submission,
    Task,
    User,
    WorkKind,
)
from labeling.opening import pause_campaign
from tests.conftest import signed_in
from tests.labeling.work import (
    let_lapse,
    make_campaign,
    make_labeler,
    make_prompt,
    make_responses,
    must_claim,
    ranked,
    skip_now,
    submit_now,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LIST = "/projects/helpdesk/campaigns/"
SETTINGS = {
    "name": "Autumn", "overlap": "2", "lease_minutes": "30", "skip_policy": "to_others", "correction_minutes": "60",
}  # fmt: skip
CHOICE = {"prompts": "3", "seed": "1", "shown": "3"}


@pytest.fixture
def client(researcher: User) -> Client:
    return signed_in(researcher)


def text(answer: Any) -> str:
    """Without tags and line breaks."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def draft_of(campaign: Campaign) -> Campaign:
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.DRAFT)
    campaign.refresh_from_db()
    return campaign


def pages(campaign: Campaign) -> list[str]:
    acts = ("", "edit/", "delete/", "open/", "pause/", "close/", "overlap/", "preview/")
    return [LIST, f"{LIST}new/", *(f"{LIST}{campaign.pk}/{act}" for act in acts)]


def test_a_stranger_finds_no_page_and_a_labeler_may_not_open_one(
    project: Project, stranger: User, labeler: User
) -> None:
    campaign = make_campaign(project)
    for path in pages(campaign):
        assert signed_in(stranger).get(path).status_code == 404, path
        assert signed_in(labeler).get(path).status_code == 403, path
        if path not in pages(campaign)[:2]:
            assert signed_in(stranger).get(path.replace("helpdesk", "elsewhere")).status_code == 404, path
    for act in ("open", "widen", "pause", "close", "overlap", "delete"):
        assert signed_in(stranger).post(f"{LIST}{campaign.pk}/{act}/", {"to": "3"}).status_code == 404
        assert signed_in(labeler).post(f"{LIST}{campaign.pk}/{act}/", {"to": "3"}).status_code == 403
    campaign.refresh_from_db()
    assert (campaign.state, campaign.overlap) == ("open", 1)


@pytest.mark.parametrize("kind", WorkKind.values)
def test_a_campaign_of_each_kind_is_made_from_its_form(client: Client, project: Project, kind: str) -> None:
    guideline = guideline_for(project, WorkKind(kind))
    for _ in range(5):
        make_responses(make_prompt(project), ["a", "b", "c", "d"])
    fields = SETTINGS | CHOICE | {"guideline": str(guideline.pk), "writers": str(Generator.objects.get().pk)}
    fields |= {"quota": "40", "per_labeler": "5"} if kind == WorkKind.PROMPT else {}
    page = f"{LIST}new/?kind={kind}"
    if kind != WorkKind.PROMPT:
        counted = client.post(page, fields | {"act": "count", "name": ""})
        assert counted.status_code == 200
        assert "5 prompts fit; 3 tasks will be made" in text(counted)
        assert not Campaign.objects.exists()
    answer = client.post(page, fields | {"act": "make"})
    campaign = Campaign.objects.get()
    assert answer.url == f"{LIST}{campaign.pk}/"  # type: ignore[attr-defined]
    assert (campaign.kind, campaign.state, campaign.guideline) == (kind, "draft", guideline)
    assert campaign.tasks.count() == (0 if kind == WorkKind.PROMPT else 3)
    if kind == WorkKind.RANKING:
        assert {task.shown.count() for task in campaign.tasks.all()} == {3}
    if kind == WorkKind.PROMPT:
        assert (campaign.quota, campaign.per_labeler, campaign.overlap) == (40, 5, 1)


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(client: Client, project: Project) -> None:
    make_campaign(project)
    taken = Campaign.objects.get().name
    page = f"{LIST}new/?kind=ranking"
    fields = SETTINGS | CHOICE | {"guideline": "999", "name": taken, "lease_minutes": "0", "act": "make"}
    answer = client.post(page, fields)
    assert answer.status_code == 400
    said = text(answer)
    for words in (
        "already; give this one another name",
        "This is 0; expected 1 or more.",
        "Choose at least one",
        "valid choice",
    ):
        assert words in said
    assert f'value="{taken}"' in answer.content.decode()
    assert Campaign.objects.count() == 1


def test_a_choice_that_nothing_fits_is_said_and_nothing_is_made(client: Client, project: Project) -> None:
    guideline = guideline_for(project, WorkKind.DEMONSTRATION)
    fields = SETTINGS | CHOICE | {"guideline": str(guideline.pk)}
    page = f"{LIST}new/?kind=demonstration"
    assert "No prompt fits this choice" in text(client.post(page, fields | {"act": "count"}))
    answer = client.post(page, fields | {"act": "make"})
    assert answer.status_code == 400
    assert "Choose more widely" in text(answer)
    assert not Campaign.objects.exists()


def test_a_kind_without_a_published_guideline_waits_for_one(client: Client, project: Project) -> None:
    Guideline.objects.create(project=project, kind="rating", version=1, body="draft")
    assert "No rating guideline is published" in text(client.get(f"{LIST}new/?kind=rating"))


def test_the_list_says_how_far_each_is(client: Client, project: Project) -> None:
    campaign = make_campaign(project, tasks=2, overlap=2)
    submit_now(must_claim(campaign, make_labeler(project, "ada")), ranked(1, 2, 3, 4))
    must_claim(campaign, make_labeler(project, "ben"))
    said = text(client.get(LIST))
    assert "One campaign is open; 3 submissions are still wanted." in said
    assert f"{campaign.name} ranking open 1 4 1 1 0" in said


def test_the_list_costs_the_same_with_more_campaigns(
    client: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        make_campaign(project)
    with django_assert_max_num_queries(11):
        client.get(LIST)


def test_its_page_says_who_did_what_and_what_was_skipped(client: Client, project: Project) -> None:
    campaign = make_campaign(project, tasks=2, overlap=1)
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    held = must_claim(campaign, ada)
    Assignment.objects.update(created_at="2026-01-01T00:00Z")
    work = Work(responses={letter: Said(rank=1) for letter in "ABCD"}, active_ms=65_000)
    submit_now(held, work)
    late = must_claim(campaign, ada)
    let_lapse(late)
    submit_now(must_claim(campaign, ben), ranked(1, 2, 3, 4))
    submit_now(late, ranked(1, 2, 3, 4))
    skipped = make_campaign(project)
    skip_now(must_claim(skipped, ben))
    said = text(client.get(f"{LIST}{campaign.pk}/"))
    assert "2 of 2 rankings are in" in said
    assert f"{ada.pseudonym} 1 1 0 1 min 05 s" in said
    assert "1 complete 2" in said
    assert "I cannot tell what the prompt asks" in text(client.get(f"{LIST}{skipped.pk}/"))


def test_the_page_of_a_campaign_costs_the_same_with_more_labelers(
    client: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    campaign = make_campaign(project, tasks=1, overlap=8)
    for number in range(8):
        submit_now(must_claim(campaign, make_labeler(project, f"person-{number}")), ranked(1, 2, 3, 4))
    with django_assert_max_num_queries(20):
        client.get(f"{LIST}{campaign.pk}/")


def test_it_opens_as_a_pilot_and_then_to_all(client: Client, project: Project) -> None:
    campaign = draft_of(make_campaign(project, tasks=5))
    page = f"{LIST}{campaign.pk}/"
    assert client.post(f"{page}open/", {"to": "pilot", "pilot_tasks": "many"}).status_code == 400
    assert client.post(f"{page}open/", {"to": "pilot", "pilot_tasks": "9"}).status_code == 400
    client.post(f"{page}open/", {"to": "pilot", "pilot_tasks": "2"})
    campaign.refresh_from_db()
    assert (campaign.state, campaign.pilot_tasks) == ("open", 2)
    assert "Only the first 2 of 5 tasks are handed out" in text(client.get(page))
    client.post(f"{page}pause/")
    assert "as a pilot on its first 2 tasks" in text(client.post(f"{page}open/", follow=True))
    client.post(f"{page}widen/")
    campaign.refresh_from_db()
    assert (campaign.state, campaign.pilot_tasks) == ("open", None)


def test_an_empty_campaign_is_not_opened(client: Client, project: Project) -> None:
    campaign = draft_of(make_campaign(project))
    campaign.tasks.all().delete()
    answer = client.post(f"{LIST}{campaign.pk}/open/", {"to": "all"})
    assert answer.status_code == 409
    assert "nothing to hand out" in text(answer)


def test_pausing_and_closing_say_who_is_at_work(client: Client, project: Project) -> None:
    campaign = make_campaign(project, tasks=2)
    held = must_claim(campaign, make_labeler(project, "ada"))
    page = f"{LIST}{campaign.pk}/"
    assert "One person is in the middle of a task: they go on" in text(client.get(f"{page}pause/"))
    client.post(f"{page}pause/")
    assert "One person is in the middle of a task" in text(client.get(f"{page}close/"))
    client.post(f"{page}close/")
    held.refresh_from_db()
    assert (Campaign.objects.get().state, held.state) == ("closed", "live")
    assert submit_now(held, ranked(1, 2, 3, 4)).submission.counted
    for act in ("open", "pause", "close"):
        assert client.post(f"{page}{act}/").status_code == 409


def test_closing_takes_back_what_is_held_where_it_is_chosen(client: Client, project: Project) -> None:
    campaign = make_campaign(project)
    held = must_claim(campaign, make_labeler(project, "ada"))
    client.post(f"{LIST}{campaign.pk}/close/", {"held": "release"})
    held.refresh_from_db()
    assert held.state == "expired"
    assert not submit_now(held, ranked(1, 2, 3, 4)).submission.counted


def test_another_overlap_is_looked_at_before_it_is_made(client: Client, project: Project) -> None:
    campaign = make_campaign(project, tasks=2, overlap=2)
    for name in ("ada", "ben"):
        submit_now(must_claim(campaign, make_labeler(project, name)), ranked(1, 2, 3, 4))
    page = f"{LIST}{campaign.pk}/overlap/"
    assert "1 task has more than 1 already, submitted or in hand: it keeps what it has" in text(
        client.get(f"{page}?to=1")
    )
    assert Campaign.objects.get().overlap == 2
    client.post(page, {"to": "1"})
    assert Campaign.objects.get().overlap == 1
    assert list(Task.objects.order_by("position").values_list("overlap", "open_slots")) == [(2, 0), (1, 1)]
    for wrong in ("0", "101", "two", "٣", "000000001" + "9" * 30):
        assert client.post(page, {"to": wrong}).status_code == 400
        assert client.get(page, {"to": wrong}).status_code == 400


def test_settings_of_an_open_campaign_change_but_not_what_people_work_by(client: Client, project: Project) -> None:
    campaign = make_campaign(project, overlap=2)
    other = Guideline.objects.create(
        project=project, kind="ranking", version=2, body="x", published_at="2026-01-01T00:00Z"
    )
    page = f"{LIST}{campaign.pk}/edit/"
    assert "guideline" not in client.get(page).context["settings"].fields
    fields = SETTINGS | {"lease_minutes": "45", "guideline": str(other.pk), "overlap": "9", "required": "flags"}
    assert client.post(page, fields).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.name, campaign.lease_minutes, campaign.overlap) == ("Autumn", 45, 2)
    assert (campaign.guideline.version, campaign.required) == (1, [])
    answer = client.post(page, SETTINGS | {"name": ""})
    assert (answer.status_code, Campaign.objects.get().name) == (400, "Autumn")


@pytest.mark.parametrize(
    ("kind", "mark"),
    [
        (WorkKind.RANKING, 'data-screen="rank"'),
        (WorkKind.RATING, 'data-screen="rate"'),
        (WorkKind.DEMONSTRATION, 'data-screen="demonstrate"'),
        (WorkKind.PROMPT, 'data-screen="write-prompt"'),
    ],
)
def test_a_preview_is_the_work_screen_and_leaves_nothing_behind(
    client: Client, project: Project, kind: str, mark: str
) -> None:
    campaign = draft_of(make_campaign(project, kind=kind, tasks=2))
    page = f"{LIST}{campaign.pk}/preview/"
    answer = client.get(page)
    html = answer.content.decode()
    assert mark in html
    assert "Preview: nothing is submitted." in html
    assert 'data-draft=""' in html
    assert "secret-model" not in html
    if kind != WorkKind.PROMPT:
        assert 'rel="next" href="?task=2"' in html
        assert 'rel="prev"' in client.get(f"{page}?task=2").content.decode()
    for number in ("0", "3", "x"):
        assert client.get(f"{page}?task={number}").status_code == 404
    assert client.post(page, {"rank-A": "1"}).status_code == 405
    assert not Assignment.objects.exists()
    assert not Submission.objects.exists()


def test_a_preview_shows_the_same_order_at_every_look(client: Client, project: Project) -> None:
    campaign = make_campaign(project, shown=9)
    page = f"{LIST}{campaign.pk}/preview/"
    orders = [client.get(page).context["assignment"].order for _ in range(2)]
    assert orders[0] == orders[1]


@pytest.mark.parametrize("asked", ["0", "2", "x", "0000000012", "1" * 40])
def test_a_preview_of_a_task_that_is_not_there_is_not_found(client: Client, project: Project, asked: str) -> None:
    page = f"{LIST}{make_campaign(project).pk}/preview/"
    assert client.get(page, {"task": asked}).status_code == 404


def test_a_campaign_without_tasks_has_no_preview(client: Client, project: Project) -> None:
    campaign = make_campaign(project, tasks=0)
    assert "There is no task to look at yet." in text(client.get(f"{LIST}{campaign.pk}/preview/"))


def test_a_draft_is_deleted_and_an_open_one_says_why_not(client: Client, project: Project) -> None:
    campaign = make_campaign(project)
    page = f"{LIST}{campaign.pk}/delete/"
    assert "It is open. Only a draft is deleted" in text(client.get(page))
    assert client.post(page).status_code == 409
    draft_of(campaign)
    client.post(page)
    assert not Campaign.objects.exists()
    assert Prompt.objects.exists()


def test_an_imported_campaign_is_looked_at_only(client: Client, project: Project) -> None:
    campaign = make_campaign(project)
    pause_campaign(campaign)
    Campaign.objects.update(imported=True, state="closed")
    assert client.get(f"{LIST}{campaign.pk}/").status_code == 200
    assert client.get(f"{LIST}{campaign.pk}/edit/").status_code == 404
    assert client.post(f"{LIST}{campaign.pk}/open/", {"to": "all"}).status_code == 409
    assert client.post(f"{LIST}{campaign.pk}/overlap/", {"to": "3"}).status_code == 409


def test_what_is_done_already_is_said_and_not_asked_again(client: Client, project: Project) -> None:
    campaign = make_campaign(project)
    page = f"{LIST}{campaign.pk}/"
    assert "is open already." in text(client.get(f"{page}open/"))
    assert "Open it" not in text(client.get(f"{page}open/"))
    draft_of(campaign)
    assert "is a draft: there is nothing to pause." in text(client.get(f"{page}pause/"))
    assert "Open it" in text(client.get(f"{page}open/"))
    Campaign.objects.update(state=Campaign.State.CLOSED)
    for act in ("open", "close"):
        said = text(client.get(f"{page}{act}/"))
        assert "is closed already." in said
        assert "for good" not in said
