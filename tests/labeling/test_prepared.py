"""Prepared queries answer as their querysets do, and rows are written as save() and update() write them."""

from datetime import datetime, timedelta
from threading import Thread
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, QuerySet
from django.utils import timezone

from labeling.models import Assignment, Judgment, Project, Submission, Task
from labeling.prepared import Prepared
from labeling.row_writing import change, changed, insert, inserted, write
from tests.labeling.work import make_campaign, make_labeler, must_claim

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def _joined(uuid: UUID, since: datetime, name: str) -> QuerySet[Assignment]:
    found = Assignment.objects.filter(uuid=uuid, created_at__gte=since, labeler__pseudonym=name)
    found = found.select_related("task__prompt", "campaign__guideline", "current_submission")
    return found.annotate(twice=F("task__position") * 2)


JOINED = Prepared(_joined, UUID, datetime, str)


def _open_slots(campaign: int, at_least: int) -> QuerySet[Task, tuple[int, int]]:
    found = Task.objects.filter(campaign=campaign, open_slots__gte=at_least).order_by("position")
    return found.values_list("pk", "open_slots")


OPEN_SLOTS = Prepared(_open_slots, int)


def _many(campaign: int) -> QuerySet[Task, tuple[int]]:
    return Task.objects.filter(campaign=campaign).order_by().values("campaign").annotate(n=Count("pk")).values_list("n")


MANY = Prepared(_many, int)


def held(project: Project) -> Assignment:
    name = f"L-{uuid4().hex[:6]}"
    return must_claim(make_campaign(project, tasks=2), make_labeler(project, name))


def test_instances_come_with_what_is_joined_and_annotated(project: Project, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    assignment = held(project)
    values = [assignment.uuid, timezone.now() - timedelta(days=1), assignment.labeler.pseudonym]
    for _ in range(2):
        with django_assert_num_queries(1):
            [found] = JOINED.rows(values)
            assert found.task.prompt is not None
            told = (found.task.prompt.messages, found.campaign.guideline.flags, found.current_submission, found.order)
        [asked] = _joined(*values)
        assert asked.task.prompt is not None
        assert told == (asked.task.prompt.messages, asked.campaign.guideline.flags, None, asked.order)
        assert {name: value for name, value in vars(found).items() if name != "_state"} == {
            name: value for name, value in vars(asked).items() if name != "_state"
        }
    assert JOINED.first([uuid4(), *values[1:]]) is None
    assert JOINED.first([values[0], timezone.now() + timedelta(days=1), values[2]]) is None


def test_tuples_come_as_they_were_asked_for(project: Project) -> None:
    campaign = held(project).campaign
    for at_least in (0, 1):
        assert OPEN_SLOTS.rows([campaign.pk], at_least) == list(_open_slots(campaign.pk, at_least))
    assert MANY.value([campaign.pk]) == 2
    assert MANY.value([campaign.pk + 1]) is None


@pytest.mark.postgres
def test_postgresql_keeps_the_plan_and_sees_the_constants(project: Project) -> None:
    campaign = held(project).campaign
    OPEN_SLOTS.rows([campaign.pk], 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%open_slots% >= 1%'")
        assert any('"campaign_id" = $1::bigint' in text for (text,) in cursor.fetchall())


def test_after_a_transaction_that_was_taken_back_it_is_asked_as_before(project: Project) -> None:
    campaign = held(project).campaign
    for _ in range(3):
        try:
            with transaction.atomic():
                OPEN_SLOTS.rows([campaign.pk], 0)
                raise RuntimeError
        except RuntimeError:
            pass
        assert len(OPEN_SLOTS.rows([campaign.pk], 0)) == 2


@pytest.mark.django_db(transaction=True)
def test_threads_may_ask_at_once(project: Project) -> None:
    campaign = held(project).campaign
    fresh = Prepared(_open_slots, int)
    found: list[int] = []

    def ask() -> None:
        try:
            for _ in range(5):
                found.append(len(fresh.rows([campaign.pk], 0)))
        finally:
            connection.close()

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 20


def test_a_row_that_is_inserted_is_what_save_would_write(project: Project) -> None:
    assignment = held(project)
    rows = [
        Submission(
            assignment=assignment, number=number, key=uuid4(), counted=True, verdict="", active_ms=active_ms,
            guideline=assignment.worked_by, submitted_at=timezone.now(),
        )
        for number, active_ms in ((1, None), (2, 2_500))
    ]  # fmt: skip
    insert(rows[0])
    rows[1].save()
    judgments = [
        Judgment(submission=row, response_id=pk, rank=rank, ratings={"overall": 5}, flags={"hallucination": None})
        for row in rows
        for rank, pk in zip((1, None, 2, 2), assignment.order, strict=True)
    ]
    write(inserted(judgments[:4]))
    Judgment.objects.bulk_create(judgments[4:])
    for row in (*rows, *judgments):
        if isinstance(row, Judgment):
            row.pk = row.pk or Judgment.objects.get(submission=row.submission, response=row.response_id).pk
        kept = type(row)._default_manager.get(pk=row.pk)
        assert {field.attname: getattr(kept, field.attname) for field in row._meta.concrete_fields} == {
            field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields
        }
    assert Submission.objects.count() == 2
    assert Judgment.objects.count() == 8


def test_a_row_is_changed_by_its_id_and_no_other(project: Project) -> None:
    one, other = held(project), held(project)
    change(Assignment, one.pk, draft={"note": "x"}, lease_until=None, state="submitted", guideline_id=None)
    one.refresh_from_db()
    assert (one.draft, one.lease_until, one.state, one.guideline_id) == ({"note": "x"}, None, "submitted", None)
    other.refresh_from_db()
    assert (other.draft, other.state) == ({}, "live")


def test_what_is_written_together_is_all_written_or_nothing(project: Project, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    one, other = held(project), held(project)
    submission = Submission(
        assignment=one, number=1, key=uuid4(), counted=True, verdict="", guideline=one.worked_by,
        submitted_at=timezone.now(),
    )  # fmt: skip
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 3):
        drafts = [changed(Assignment, one.pk, draft={"a": "1"}), changed(Assignment, other.pk, draft={"b": "2"})]
        insert(submission, *drafts)
    assert [Assignment.objects.get(pk=pk).draft for pk in (one.pk, other.pk)] == [{"a": "1"}, {"b": "2"}]
    assert Submission.objects.get().pk == submission.pk
    again = Submission(assignment=one, number=1, key=uuid4(), counted=True, guideline=one.worked_by)
    again.submitted_at = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(again, changed(Assignment, one.pk, draft={"a": "changed"}))
    one.refresh_from_db()
    assert one.draft == {"a": "1"}
