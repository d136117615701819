"""A labeler sees what they did, by day and campaign, and nothing of others."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from labeling.assigning import labeler_of
from labeling.checking import Work
from labeling.models import Project, Review, Submission, User, WorkKind
from tests.conftest import signed_in
from tests.labeling.work import let_lapse, make_campaign, make_labeler, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/projects/helpdesk/my-work/"


def rows(user: User) -> list[list[str]]:
    """The cells of each day and campaign."""
    response = signed_in(user).get(PAGE)
    found = response.context["rows"]
    names = ("campaign", "submissions", "counting", "surplus", "accepted", "returned")
    return [[str(row["day"]), *(str(row[name]) for name in names), row["active"].active_in_words] for row in found]


def test_submissions_are_told_by_day_and_campaign(project: Project, labeler: User) -> None:
    worker, campaign = labeler_of(labeler.memberships.get()), make_campaign(project, tasks=3)
    for _ in range(3):
        submit_now(must_claim(campaign, worker), ranked(1, 2, 3, 4))
    Submission.objects.update(active_ms=120_000)
    first = Submission.objects.order_by("pk")[0]
    yesterday = timezone.now() - timedelta(days=1)
    Submission.objects.filter(pk=first.pk).update(submitted_at=yesterday)
    today = str(timezone.now().date())
    assert rows(labeler) == [
        [today, campaign.name, "2", "2", "0", "0", "0", "4 min"],
        [str(yesterday.date()), campaign.name, "1", "1", "0", "0", "0", "2 min"],
    ]


def test_a_correction_is_no_second_submission_but_its_time_is(project: Project, labeler: User) -> None:
    held = must_claim(make_campaign(project), labeler_of(labeler.memberships.get()))
    submit_now(held, ranked(1, 2, 3, 4))
    submit_now(held, ranked(2, 1, 3, 4), corrects=1, key=uuid4())
    Submission.objects.update(active_ms=60_000)
    [row] = rows(labeler)
    assert row[2:] == ["1", "1", "0", "0", "0", "2 min"]


def test_surplus_work_is_told_apart(project: Project, labeler: User) -> None:
    campaign = make_campaign(project)
    held = must_claim(campaign, labeler_of(labeler.memberships.get()))
    let_lapse(held)
    submit_now(must_claim(campaign, make_labeler(project, "quick")), ranked(1, 2, 3, 4))
    submit_now(held, ranked(1, 2, 3, 4))
    [row] = rows(labeler)
    assert row[2:5] == ["1", "0", "1"]


def test_the_newest_review_says_whether_a_text_was_accepted(project: Project, labeler: User, owner: User) -> None:
    campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION)
    held = must_claim(campaign, labeler_of(labeler.memberships.get()))
    done = submit_now(held, Work(text="A good answer.")).submission
    Review.objects.create(submission=done, reviewer=owner, state="returned", remarks="Say more.")
    assert rows(labeler)[0][5:7] == ["0", "1"]
    Review.objects.create(submission=done, reviewer=owner, state="accepted")
    assert rows(labeler)[0][5:7] == ["1", "0"]


def test_the_last_ones_can_be_looked_at_and_corrected(project: Project, labeler: User) -> None:
    held = must_claim(make_campaign(project), labeler_of(labeler.memberships.get()))
    submit_now(held, ranked(1, 2, 3, 4))
    html = signed_in(labeler).get(PAGE).content.decode()
    assert f"/projects/helpdesk/tasks/{held.uuid}/" in html
    assert ">correct</a>" in html
    Submission.objects.update(submitted_at=timezone.now() - timedelta(days=3))
    assert ">look</a>" in signed_in(labeler).get(PAGE).content.decode()


def test_nothing_of_others_is_shown(project: Project, labeler: User) -> None:
    other = make_labeler(project, "bea")
    campaign = make_campaign(project)
    submit_now(must_claim(campaign, other), ranked(1, 2, 3, 4))
    html = signed_in(labeler).get(PAGE).content.decode()
    assert rows(labeler) == []
    assert other.pseudonym not in html
    assert campaign.name not in html


def test_it_costs_the_same_for_many_days(
    project: Project, labeler: User, django_assert_max_num_queries: object
) -> None:
    worker, campaign = labeler_of(labeler.memberships.get()), make_campaign(project, tasks=12)
    for number in range(12):
        done = submit_now(must_claim(campaign, worker), ranked(1, 2, 3, 4)).submission
        Submission.objects.filter(pk=done.pk).update(submitted_at=timezone.now() - timedelta(days=number))
    client = signed_in(labeler)
    with django_assert_max_num_queries(15):  # type: ignore[operator]
        client.get(PAGE)


def test_a_stranger_finds_nothing(project: Project, stranger: User) -> None:
    assert signed_in(stranger).get(PAGE).status_code == 404
