"""The table for whoever pays: a row a member and day, for owners only, safe to open in a spreadsheet."""

import csv

import pytest
from django.utils import timezone

from labeling.assigning import labeler_of
from labeling.cells import neutral
from labeling.leaving import leave
from labeling.models import Labeler, Membership, Project, Role, Submission, User
from tests.conftest import make_member, signed_in
from tests.labeling.work import make_campaign, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAY = "/projects/helpdesk/people/pay.csv"
TODAY = {"from": "2026-03-01", "to": "2026-03-01"}


def work(project: Project, user: User, day: str, tasks: int = 1) -> Labeler:
    worker, campaign = (
        labeler_of(Membership.objects.get(user=user, project=project)),
        make_campaign(project, tasks=tasks),
    )
    for _ in range(tasks):
        done = submit_now(must_claim(campaign, worker), ranked(1, 2, 3, 4)).submission
        Submission.objects.filter(pk=done.pk).update(submitted_at=f"{day}T12:00Z", active_ms=90_000)
    return worker


def table(user: User, **query: str) -> list[dict[str, str]]:
    answer = signed_in(user).get(PAY, query)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(answer.content.decode().splitlines()))


def test_it_has_a_row_a_member_and_day_within_the_period(project: Project, owner: User, labeler: User) -> None:
    worker = work(project, labeler, "2026-03-01", tasks=2)
    work(project, labeler, "2026-03-02")
    work(project, labeler, "2026-03-03")
    assert table(owner, **{"from": "2026-03-01", "to": "2026-03-02"}) == [
        {
            "day": day,
            "pseudonym": worker.pseudonym,
            "user_name": "lars",
            "submissions": number,
            "counted": number,
            "surplus": "0",
            "active_minutes": minutes,
        }
        for day, number, minutes in (("2026-03-01", "2", "3.0"), ("2026-03-02", "1", "1.5"))
    ]


def test_who_left_is_still_paid(project: Project, owner: User, labeler: User) -> None:
    work(project, labeler, "2026-03-01")
    leave(labeler.memberships.get())
    assert [row["user_name"] for row in table(owner, **TODAY)] == ["lars"]


def test_imported_labelers_are_paid_nothing(project: Project, owner: User, labeler: User) -> None:
    work(project, labeler, "2026-03-01")
    Labeler.objects.update(membership=None, user=None, source=Labeler.Source.IMPORTED)
    assert table(owner, **TODAY) == []


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", '=HYPERLINK("x")'])
def test_a_name_that_a_spreadsheet_would_run_is_neutralised(project: Project, owner: User, name: str) -> None:
    worker = work(project, make_member(project, "eva", Role.LABELER), "2026-03-01")
    User.objects.filter(username="eva").update(username=name)
    Labeler.objects.filter(pk=worker.pk).update(pseudonym=name)
    [row] = table(owner, **TODAY)
    assert row["user_name"] == row["pseudonym"] == f"'{name}"


def test_numbers_are_left_as_they_are() -> None:
    assert [neutral(cell) for cell in (-1, "ada", "", "a=b")] == ["-1", "ada", "", "a=b"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "expected a day like 2026-03-01"),
        ({"from": "yesterday", "to": "2026-03-01"}, "from is &#x27;yesterday&#x27;"),
        ({"from": "2026-03-01", "to": "2026-02-30"}, "to is &#x27;2026-02-30&#x27;"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "swap the days"),
        ({"from": "2020-01-01", "to": "2026-03-01"}, "more than a year"),
        ({"from": "0001-01-01", "to": "0001-01-02"}, "from 2000 to 2999"),
    ],
)
def test_days_that_are_no_period_come_back_with_a_sentence(owner: User, query: dict[str, str], words: str) -> None:
    answer = signed_in(owner).get(PAY, query)
    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_the_people_page_offers_it_for_this_month(owner: User) -> None:
    html = signed_in(owner).get("/projects/helpdesk/people/").content.decode()
    assert f'value="{timezone.localdate().replace(day=1)}"' in html
    assert f'action="{PAY}"' in html
