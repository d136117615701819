"""Owners read what was done in their project, narrowed and sheet by sheet, and take it with them as a file."""

import csv
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling.audit.chain import digest_of
from labeling.audit.reading import AT_ONCE
from labeling.audit.recording import link_waiting
from labeling.browsing.sheets import ROWS
from labeling.models import AuditEntry, AuditKind, AuditWaiting, Project, User
from tests.conftest import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/projects/helpdesk/audit/"


def done(
    project: Project | None, kind: AuditKind = AuditKind.ROLE, *, by: User | None = None, day: int = 1, **facts: Any
) -> None:
    at = datetime(2026, 3, day, 12, tzinfo=UTC)
    AuditWaiting.objects.create(
        kind=kind, project=project and project.pk, user=by and by.pk, facts=facts, at=at
    )  # fmt: skip
    link_waiting()


def numbers(user: User, query: str = "") -> list[int]:
    answer = signed_in(user).get(PAGE + query)
    assert answer.status_code == 200, answer.content
    return [line.entry.number for line in answer.context["lines"]]


@pytest.fixture
def just_signed_in(owner: User) -> Client:
    """Whoever takes a file is asked for the password again."""
    client = signed_in(owner)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": timezone.now().timestamp()}]
    session.save()
    return client


def fetched(client: Client, file: str, query: str = "") -> str:
    answer = client.get(f"{PAGE}entries.{file}{query}")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


def test_an_owner_reads_who_did_what_the_newest_first(project: Project, owner: User, labeler: User) -> None:
    done(project, by=owner, member=labeler.pk, role="reviewer")
    done(project, AuditKind.LAUNCH, job=7)
    answer = signed_in(owner).get(PAGE)
    launched, changed = answer.context["lines"]
    assert (launched.entry.number, launched.who) == (2, "a command or a worker")
    assert (changed.who, changed.facts) == ("olga", [("member", "lars"), ("role", "reviewer")])
    assert "changed a role" in answer.content.decode()


def test_nobody_but_owners_reads_it(project: Project, labeler: User, researcher: User, stranger: User) -> None:
    assert [signed_in(one).get(PAGE).status_code for one in (labeler, researcher, stranger)] == [403, 403, 404]
    assert [signed_in(one).get(f"{PAGE}entries.csv").status_code for one in (researcher, stranger)] == [403, 404]


def test_what_was_done_elsewhere_is_not_shown(project: Project, owner: User, stranger: User) -> None:
    done(stranger.memberships.get().project, by=stranger)
    done(None)
    done(project)
    assert numbers(owner) == [3]
    answer = signed_in(owner).get(PAGE)
    assert "stefan" not in answer.content.decode()


def test_it_is_narrowed_by_kind_person_and_days(project: Project, owner: User, labeler: User) -> None:
    done(project, AuditKind.ROLE, by=owner, day=1)
    done(project, AuditKind.TOKEN, by=labeler, day=2)
    done(project, AuditKind.TOKEN, day=3)
    assert numbers(owner, "?kind=token") == [3, 2]
    assert numbers(owner, f"?person={labeler.pk}") == [2]
    assert numbers(owner, "?person=nobody") == [3]
    assert numbers(owner, "?since=2026-03-02") == [3, 2]
    assert numbers(owner, "?until=2026-03-02") == [2, 1]
    assert numbers(owner, f"?kind=token&person={labeler.pk}&since=2026-03-02&until=2026-03-02") == [2]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?kind=weather", "weather is not one of those offered"),
        ("?person=999999", "999999 is not one of those offered"),
        ("?since=yesterday", "Expected a day like 2026-03-01."),
        ("?since=0001-01-01", "0001-01-01 is no day of this log; expected one from 2000 to 2999."),
        ("?since=2026-03-02&until=2026-03-01", "swap the days"),
        ("?kinds=role", "is no filter here; there are: kind, person, since, until."),
    ],
)
def test_what_is_no_filter_is_refused_in_a_sentence(
    project: Project, owner: User, just_signed_in: Client, query: str, says: str
) -> None:
    done(project)
    page, file = signed_in(owner).get(PAGE + query), just_signed_in.get(f"{PAGE}entries.csv{query}")
    assert (page.status_code, file.status_code) == (400, 400)
    assert says in page.content.decode()
    assert says in file.content.decode()
    assert AuditEntry.objects.filter(kind=AuditKind.EXPORT).count() == 0


def test_sheets_follow_each_other_with_their_filters(project: Project, owner: User) -> None:
    for _ in range(ROWS + 2):
        AuditWaiting.objects.create(kind=AuditKind.ROLE, project=project.pk)
    done(project, AuditKind.TOKEN)
    first = signed_in(owner).get(f"{PAGE}?kind=role")
    assert len(first.context["lines"]) == ROWS
    assert numbers(owner, first.context["sheet"].older) == [2, 1]
    assert "kind=role" in first.context["sheet"].older


def test_a_page_of_many_costs_as_many_queries_as_one_of_few(
    project: Project, owner: User, labeler: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(ROWS):
        AuditWaiting.objects.create(kind=AuditKind.ROLE, project=project.pk, user=owner.pk, facts={"member": 1})
    link_waiting()
    client = signed_in(owner)
    client.get(PAGE)
    with django_assert_max_num_queries(9):
        client.get(PAGE)


def test_who_is_gone_is_a_number(project: Project, owner: User, labeler: User) -> None:
    done(project, by=labeler)
    number = labeler.pk
    User.objects.filter(pk=labeler.pk).delete()
    [line] = signed_in(owner).get(PAGE).context["lines"]
    assert line.who == f"account {number}, which is gone"


def test_a_csv_file_has_no_formula(project: Project, just_signed_in: Client, labeler: User) -> None:
    User.objects.filter(pk=labeler.pk).update(username="=HYPERLINK(1)")
    done(project, by=labeler, member=3, digits="-1+1")
    [row, *_] = csv.DictReader(fetched(just_signed_in, "csv", f"?person={labeler.pk}").splitlines())
    assert row["user_name"] == "'=HYPERLINK(1)"
    assert (row["number"], row["kind"], row["user"]) == ("2", "role", str(labeler.pk))  # signing in was 1
    assert json.loads(row["facts"]) == {"member": 3, "digits": "-1+1"}
    assert row["at"] == "2026-03-01T12:00:00.000000Z"


def test_a_json_file_holds_what_the_digests_were_computed_over(project: Project, just_signed_in: Client) -> None:
    done(project, day=1)
    done(project, AuditKind.TOKEN, day=2, token="f2a91c07")
    rows = json.loads(fetched(just_signed_in, "json", "?since=2026-03-01&until=2026-03-31"))
    assert [row["kind"] for row in rows] == ["role", "token"]
    for row in rows:
        at = datetime.fromisoformat(row["at"])
        assert digest_of(AuditEntry(**row | {"at": at})) == row["digest"]
    assert rows[1]["previous"] == rows[0]["digest"]


def test_a_file_has_all_sheets(project: Project, just_signed_in: Client) -> None:
    waiting = [AuditWaiting(kind=AuditKind.ROLE, project=project.pk) for _ in range(AT_ONCE + 1)]
    AuditWaiting.objects.bulk_create(waiting)
    link_waiting()
    assert len(json.loads(fetched(just_signed_in, "json", "?kind=role"))) == AT_ONCE + 1
    assert len(list(csv.DictReader(fetched(just_signed_in, "csv", "?kind=role").splitlines()))) == AT_ONCE + 1


def test_a_file_without_entries_is_an_empty_list(project: Project, just_signed_in: Client) -> None:
    assert json.loads(fetched(just_signed_in, "json", "?until=2026-03-01")) == []


def test_that_it_was_fetched_is_written_down(project: Project, owner: User, just_signed_in: Client) -> None:
    fetched(just_signed_in, "csv")
    link_waiting()
    entry = AuditEntry.objects.get(kind=AuditKind.EXPORT)
    assert (entry.user, entry.project) == (owner.pk, project.pk)
    assert entry.facts == {"act": "fetched", "records": "audit.csv"}


def test_a_file_asks_for_the_password_again(project: Project, owner: User) -> None:
    owner.set_password("an old-fashioned engine")
    owner.save()
    answer = signed_in(owner).get(f"{PAGE}entries.json")
    assert answer.status_code == 302
    assert "/accounts/reauthenticate/" in answer["Location"]
