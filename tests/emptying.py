"""How the tests' PostgreSQL is emptied after a test that commits, and what it does not do meanwhile.

Django truncates every table: a new file for each table, index and overflow, each waited for until it is on the disk,
which took more time than most tests. What holds rows is deleted instead; what no test changes (the names of the models
and their permissions) stays.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.backends.sqlite3.base import DatabaseOperations as SQLiteOperations

from labeling.audit.guards import dropping, making

KEPT = {"django_content_type", "auth_permission"}


def delete_rows(self: DatabaseOperations, style: Any, tables: list[str], **options: Any) -> list[str]:
    """In place of DatabaseOperations.sql_flush; constraints are checked at the end of its transaction."""
    named = {table: self.quote_name(table) for table in sorted(set(tables) - KEPT)}
    asked = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {name})" for table, name in named.items())
    with self.connection.cursor() as cursor:
        cursor.execute(asked)
        filled = [table for (table,) in cursor.fetchall()]
    return _despite_guards(self, filled, [f"DELETE FROM {named[table]}" for table in filled])


AUDITED = {"labeling_auditentry", "labeling_audithead"}
"""Tables from which the database lets nobody delete (labeling/audit/guards.py)."""


def _despite_guards(self: BaseDatabaseOperations, filled: list[str], statements: list[str]) -> list[str]:
    if not AUDITED.intersection(filled):
        return statements
    vendor = self.connection.vendor
    return [*dropping(vendor), *statements, *making(vendor)]


_FLUSH_OF_SQLITE = SQLiteOperations.sql_flush


def delete_rows_of_sqlite(self: SQLiteOperations, style: Any, tables: list[str], **options: Any) -> list[str]:
    return _despite_guards(self, tables, _FLUSH_OF_SQLITE(self, style, tables, **options))


def switch_autovacuum_off() -> None:
    """It counts a table as empty between two tests, and within the transaction of the next one PostgreSQL believes it,
    joins thousands of rows by nested loops and takes minutes."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"ALTER TABLE {connection.ops.quote_name(table)} SET (autovacuum_enabled = false)")


FORGET = """
UPDATE pg_class SET relpages = 0, reltuples = -1
WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace AND (relpages, reltuples) <> (0, -1)
"""


LARGE = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 65536
"""


@pytest.fixture
def analyze(django_db_blocker: Any) -> Iterator[Callable[[], None]]:
    """Lets PostgreSQL count its tables, for a test of what a query reads, and has the counts forgotten afterwards.

    They outlive the test's transaction: a table without a row at that moment would count as empty for all tests that
    follow, and a join over it goes by nested loops whatever it holds by then.
    """

    def count() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    with _beside(django_db_blocker) as beside:
        # Or an index leads through the rows that earlier tests took back.
        for (table,) in beside.execute(LARGE).fetchall():
            beside.execute(f"VACUUM (TRUNCATE false) {table}")  # cutting it would wait 5 s for the test's own locks
    yield count
    with _beside(django_db_blocker) as beside:
        beside.execute(FORGET)


@contextmanager
def _beside(django_db_blocker: Any) -> Iterator[Any]:
    """A connection of its own, outside of the test's transaction."""
    with django_db_blocker.unblock(), connection.get_new_connection(connection.get_connection_params()) as opened:
        opened.autocommit = True
        yield opened


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Any:
    if connection.vendor != "postgresql":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SQLiteOperations, "sql_flush", delete_rows_of_sqlite)
            yield
        return
    with django_db_blocker.unblock():
        switch_autovacuum_off()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", delete_rows)
        yield
