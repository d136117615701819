"""A labeler's home says what there is to do, and why there is nothing."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from labeling import standing
from labeling.assigning import labeler_of
from labeling.distress import avoid
from labeling.models import (
    Assignment,
    BackgroundForm,
    Campaign,
    Content,
    Guideline,
    Membership,
    Project,
    Qualification,
    QualificationTry,
    Submission,
    User,
    WorkKind,
)
from labeling.opening import close_campaign, pause_campaign
from tests.conftest import signed_in
from tests.labeling.conftest import Desk
from tests.labeling.work import let_lapse, make_campaign, make_labeler, must_claim, ranked, skip_now, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

QUEUE = "/projects/helpdesk/"


def page(user: User) -> str:
    answer = signed_in(user).get(QUEUE)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_says_how_many_are_left(project: Project, labeler: User) -> None:
    make_campaign(project, tasks=5)
    assert "<b>5</b> left for you" in page(labeler)


def test_it_leads_back_to_the_task_in_hand(desk: Desk, labeler: User) -> None:
    html = page(labeler)
    assert "You are in the middle of one." in html
    assert desk.page in html


def test_taking_the_next_task_leads_to_its_page(project: Project, labeler: User) -> None:
    campaign = make_campaign(project)
    answer = signed_in(labeler).post(f"{QUEUE}campaigns/{campaign.pk}/next/")
    assert answer.url == f"{QUEUE}tasks/{Assignment.objects.get().uuid}/"


def test_a_paused_campaign_says_so_and_a_closed_one_is_gone(project: Project, labeler: User) -> None:
    paused, closed = make_campaign(project), make_campaign(project)
    pause_campaign(paused)
    close_campaign(closed)
    html = page(labeler)
    assert "Nothing is handed out until it goes on" in html
    assert closed.name not in html


def test_a_campaign_without_tasks_says_that_they_will_appear(project: Project, labeler: User) -> None:
    make_campaign(project, tasks=0)
    assert "No tasks are in it yet" in page(labeler)


def with_day(time: datetime) -> str:
    """As pages tell it: with its day where that is not today."""
    return date_format(time, "H:i" if time.date() == timezone.now().date() else "j F, H:i")


def test_it_says_when_others_hold_the_rest_and_until_when(project: Project, labeler: User) -> None:
    campaign = make_campaign(project, tasks=1)
    held = must_claim(campaign, make_labeler(project, "ben"))
    assert held.lease_until is not None
    assert f"it may come back from {with_day(held.lease_until)} on" in page(labeler)


def test_what_others_let_lapse_is_left_for_you(project: Project, labeler: User) -> None:
    campaign = make_campaign(project, tasks=1)
    let_lapse(must_claim(campaign, make_labeler(project, "ben")))
    assert "<b>1</b> left for you" in page(labeler)


def test_what_the_queue_offers_is_there_when_it_is_asked_for(project: Project, labeler: User) -> None:
    campaign = make_campaign(project, tasks=1)
    held = must_claim(campaign, make_labeler(project, "ben"))
    client, next_task = signed_in(labeler), f"{QUEUE}campaigns/{campaign.pk}/next/"
    assert client.post(next_task).url == f"{QUEUE}#campaign-{campaign.pk}"
    skip_now(held)
    assert next_task in client.get(QUEUE).content.decode()
    assert "/tasks/" in client.post(next_task).url


def test_an_own_lapsed_task_stays_in_hand(desk: Desk, labeler: User) -> None:
    let_lapse(desk.assignment)
    html = page(labeler)
    assert "Its time ran out; it is yours as long as nobody else was handed it." in html
    assert desk.page in html


def test_it_says_when_a_skipped_task_comes_back(project: Project, labeler: User) -> None:
    campaign = make_campaign(project, tasks=1, skip_policy=Campaign.SkipPolicy.BACK_LATER)
    own = labeler_of(Membership.objects.get(user=labeler))
    skip_now(must_claim(campaign, own))
    again = Assignment.objects.get().skipped_until
    assert again is not None
    assert f"it comes back at {with_day(again)}" in page(labeler)


@pytest.mark.parametrize(("hours", "says"), [(2, "until 12:00."), (20, "until 6 May, 06:00.")])
def test_a_time_that_is_not_of_today_is_told_with_its_day(
    monkeypatch: pytest.MonkeyPatch, hours: int, says: str
) -> None:
    now = datetime(2026, 5, 5, 10, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert f"until {standing._clock(now + timedelta(hours=hours))}." == says


def test_it_counts_the_work_of_today_and_lists_the_last_submissions(project: Project, labeler: User) -> None:
    campaign = make_campaign(project, tasks=3)
    own = labeler_of(Membership.objects.get(user=labeler))
    for _ in range(2):
        submit_now(must_claim(campaign, own), ranked(1, 2, 3, 4))
    html = page(labeler)
    assert "Two tasks done today" in html
    assert html.count(">correct</a>") == 2


def test_an_owner_is_told_why_ratings_are_left_to_others(project: Project, owner: User) -> None:
    make_campaign(project, kind=WorkKind.RATING)
    assert "judging models blind is left to others" in page(owner)


def test_imported_campaigns_and_drafts_are_not_shown(project: Project, labeler: User) -> None:
    campaign = make_campaign(project)
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.DRAFT)
    assert campaign.name not in page(labeler)
    assert signed_in(labeler).post(f"{QUEUE}campaigns/{campaign.pk}/next/").status_code == 404


def test_a_stranger_finds_no_project_no_campaign_and_no_guideline(project: Project, stranger: User) -> None:
    campaign = make_campaign(project)
    client = signed_in(stranger)
    assert client.get(QUEUE).status_code == 404
    assert client.post(f"{QUEUE}campaigns/{campaign.pk}/next/").status_code == 404
    assert client.get(f"{QUEUE}guidelines/{campaign.guideline_id}/").status_code == 404
    own = "/projects/elsewhere/"
    assert client.get(own).status_code == 200
    assert client.post(f"{own}campaigns/{campaign.pk}/next/").status_code == 404
    assert client.get(f"{own}guidelines/{campaign.guideline_id}/").status_code == 404


def test_whoever_is_signed_out_is_sent_to_sign_in(project: Project) -> None:
    campaign = make_campaign(project)
    for answer in (
        Client().get(QUEUE),
        Client().post(f"{QUEUE}campaigns/{campaign.pk}/next/"),
        Client().get(f"{QUEUE}guidelines/{campaign.guideline_id}/"),
    ):
        assert (answer.status_code, answer.url.split("?")[0]) == (302, "/accounts/login/")


def test_a_guideline_has_a_page_once_it_is_published(project: Project, labeler: User) -> None:
    campaign = make_campaign(project)
    unpublished = Guideline.objects.create(project=project, kind=WorkKind.RANKING, version=2, body="secret plans")
    client = signed_in(labeler)
    assert "Ties are welcome." in client.get(f"{QUEUE}guidelines/{campaign.guideline_id}/").content.decode()
    assert client.get(f"{QUEUE}guidelines/{unpublished.pk}/").status_code == 404


def test_it_says_what_is_asked_of_pairs_and_how_long_a_task_takes(project: Project, labeler: User) -> None:
    make_campaign(project, shown=9)
    pairs = make_campaign(project, shown=2, tasks=4)
    worker = labeler_of(Membership.objects.get(user=labeler))
    for _ in range(3):
        submit_now(must_claim(pairs, worker), ranked(1, 2))
    Submission.objects.update(active_ms=125_000)
    html = page(labeler)
    assert "Read 9 responses to a prompt, rate each, then rank them." in html
    assert "Read two responses to a prompt, and say which is better." in html
    assert f"Compare: {pairs.name}" in html
    assert html.count("About 2 minutes each at your pace.") == 1


def test_it_leads_to_the_background_the_qualifications_and_what_is_kept_from_one(
    project: Project, labeler: User
) -> None:
    assert "background/" not in page(labeler)  # The project asks nothing.
    BackgroundForm.objects.create(project=project, questions=[{"name": "age", "label": "Age", "choices": ["18"]}])
    tried = Qualification.objects.create(project=project, name="Desk work")
    Qualification.objects.create(project=project, name="Not open")
    worker = labeler_of(Membership.objects.get(user=labeler))
    QualificationTry.objects.create(qualification=tried, labeler=worker, state="passed")
    avoid(worker, Content.VIOLENT | Content.HATE)
    for html in (page(labeler), signed_in(labeler).get(f"{QUEUE}my-work/").content.decode()):
        said = " ".join(re.sub("<[^>]*>", " ", html).split())
        assert f"{QUEUE}background/" in html
        assert "Your background not told" in said
        assert "Desk work passed" in said
        assert "Not open" not in said
        assert "Kept from you violence and hatred of groups of people" in said
