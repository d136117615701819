"""The audit log: one entry an act, linked without gaps; the database keeps it, and what goes round that is found."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client

from labeling.audit.guards import drop_guards, make_guards
from labeling.audit.recording import link_waiting, record
from labeling.audit.verifying import Broken, Verified, verify
from labeling.models import AuditEntry, AuditHead, AuditKind, AuditWaiting

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

KIND = AuditKind.EXPORT


def write(many: int) -> None:
    for number in range(many):
        record(KIND, project=7, by=3, facts={"rows": number})
    link_waiting()


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def tamper() -> Callable[[str], None]:
    """Runs SQL as somebody who owns the tables and drops the triggers first."""

    def behind_its_back(*statements: str) -> None:
        drop_guards(connection)
        for statement in statements:
            sql(statement)
        make_guards(connection)

    return behind_its_back


def test_entries_are_numbered_from_one_and_each_names_the_one_before() -> None:
    write(3)
    entries = list(AuditEntry.objects.all())
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert [entry.previous for entry in entries] == ["0" * 64, entries[0].digest, entries[1].digest]
    assert verify() == Verified(3, entries[2].digest)
    assert not AuditWaiting.objects.exists()


def test_an_act_that_is_taken_back_leaves_no_entry() -> None:
    with transaction.atomic():
        record(KIND, by=None)
        transaction.set_rollback(True)
    link_waiting()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("text", ["Ada Lovelace", "ada@example.org", "x" * 65, 0.5, {"a": 1}])
def test_texts_do_not_get_in(text: Any) -> None:
    with pytest.raises(ValueError, match="expected ids, whole numbers or single words"):
        record(KIND, by=None, facts={"name": text})


@pytest.mark.parametrize(
    "statement",
    [
        'UPDATE labeling_auditentry SET "user" = 4 WHERE number = 2',
        "DELETE FROM labeling_auditentry WHERE number = 2",
        "UPDATE labeling_audithead SET number = 1",
        "DELETE FROM labeling_audithead",
    ],
)
def test_the_database_refuses_to_change_or_delete(statement: str) -> None:
    write(3)
    with pytest.raises(DatabaseError, match="append only"), transaction.atomic():
        sql(statement)
    assert verify().number == 3


@pytest.mark.postgres
def test_the_database_refuses_to_empty_the_table() -> None:
    write(1)
    with pytest.raises(DatabaseError, match="append only"), transaction.atomic():
        sql("TRUNCATE labeling_auditentry")


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        (["UPDATE labeling_auditentry SET \"user\" = 4 WHERE number = 2"], "Entry 2 was changed"),
        (["UPDATE labeling_auditentry SET facts = '{\"rows\":9}' WHERE number = 3"], "Entry 3 was changed"),
        (["DELETE FROM labeling_auditentry WHERE number = 2"], "Entry 2 is not there"),
        (["DELETE FROM labeling_auditentry WHERE number = 1"], "Entry 1 is not there"),
        (["DELETE FROM labeling_auditentry WHERE number > 3"], "ends with entry 3, and its head says 5: 2 at its end"),
        (["DELETE FROM labeling_auditentry"], "ends with entry 0, and its head says 5"),
        (
            [
                "UPDATE labeling_auditentry SET number = 99 WHERE number = 2",
                "UPDATE labeling_auditentry SET number = 2 WHERE number = 3",
                "UPDATE labeling_auditentry SET number = 3 WHERE number = 99",
            ],
            "Entry 2 does not follow from entry 1",
        ),
        (["UPDATE labeling_audithead SET number = 4"], "entry 5, and its head says 4|has the digest"),
        (["DELETE FROM labeling_audithead"], "entry 5, and its head says 0"),
    ],
    ids=["changed", "changed facts", "cut out", "first gone", "cut off", "emptied", "swapped", "head back", "headless"],
)  # fmt: skip
def test_what_was_done_behind_its_back_is_found(
    tamper: Callable[..., None], statements: list[str], sentence: str
) -> None:
    write(5)
    tamper(*statements)
    with pytest.raises(Broken, match=sentence):
        verify()
    with pytest.raises(CommandError, match=f"The audit log is broken.*({sentence})"):
        call_command("verify_audit")


def test_a_log_that_was_written_anew_as_a_whole_is_found_by_what_was_kept_elsewhere(
    tamper: Callable[..., None], capsys: Any
) -> None:
    write(3)
    call_command("verify_audit")
    kept = capsys.readouterr().out.strip()
    assert kept == f"3:{AuditEntry.objects.get(number=3).digest}"
    write(1)
    call_command("verify_audit", known=kept)
    tamper("DELETE FROM labeling_auditentry", "DELETE FROM labeling_audithead")
    write(4)
    AuditEntry.objects.get(number=3)
    call_command("verify_audit")
    with pytest.raises(CommandError, match="Entry 3 has the digest .*; when it was seen before it had"):
        call_command("verify_audit", known=kept)
    with pytest.raises(CommandError, match="expected NUMBER:DIGEST"):
        call_command("verify_audit", known="three")


def test_known_beyond_the_end_is_missed(tamper: Callable[..., None]) -> None:
    write(2)
    with pytest.raises(Broken, match="entry 5 was seen before"):
        verify(known=Verified(5, "a" * 64))


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_acts_of_many_at_once_are_linked_once_each_without_gaps() -> None:
    begun = threading.Barrier(8)

    def act(who: int) -> None:
        begun.wait()
        for number in range(10):
            with transaction.atomic():
                record(KIND, by=who, facts={"nth": number})
        connections.close_all()

    threads = [threading.Thread(target=act, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    link_waiting()
    assert verify().number == 80
    assert AuditHead.objects.get().number == 80
    assert len(set(AuditEntry.objects.values_list("user", "facts__nth"))) == 80


@pytest.mark.django_db(transaction=True)
def test_an_act_is_linked_once_it_is_done_and_not_before() -> None:
    with transaction.atomic():
        record(KIND, by=None)
        assert not AuditEntry.objects.exists()
    assert AuditEntry.objects.count() == 1
    assert Client().get("/health/live").status_code == 200
