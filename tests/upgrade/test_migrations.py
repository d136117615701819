"""A migration is run while the version before still serves: that one must be able to read and write on.

django-migration-linter reads the SQL that PostgreSQL gets of each migration since release 0.1; and what all of them
leave behind is compared with the tables of that release.
"""

from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter
from django_migration_linter.sql_analyser import analyse_sql_statements

from tests.upgrade.test_upgrade import manage, restored  # noqa: F401

pytestmark = pytest.mark.postgres

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("labeling", "training")
RELEASED = "0001_initial"
LOCKS = {"CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE"}
"""Warnings that are lived with: an index is built under a lock that lets others read, and on one site's tables takes
seconds; the old version waits, and no request of it fails."""
NAMES = {"RUNPYTHON_MODEL_VARIABLE_NAME"}
"""A matter of taste."""
DEFAULTS_LATER = "its columns got their defaults in the database from defaults_for_earlier_releases, of this release"
EXCEPTIONS = {
    ("labeling", "0003_campaign_blind", "NOT_NULL"): DEFAULTS_LATER,
    ("labeling", "0004_task_room", "NOT_NULL"): DEFAULTS_LATER,
    ("training", "0002_rounds_that_run_themselves", "NOT_NULL"): DEFAULTS_LATER,
    ("training", "0003_job_asks", "NOT_NULL"): DEFAULTS_LATER,
    ("training", "0004_stage_refusal", "NOT_NULL"): DEFAULTS_LATER,
}
COLUMNS = """SELECT table_name, column_name, is_nullable = 'YES', column_default IS NOT NULL OR is_identity = 'YES'
    FROM information_schema.columns WHERE table_schema = 'public'"""


def found_in(sql: Sequence[str]) -> set[str]:
    linter = MigrationLinter(path=str(ROOT), no_cache=True, no_output=True)
    errors, _, warnings = analyse_sql_statements(linter.sql_analyser_class, list(sql), [])
    return {issue.code for issue in [*errors, *warnings]} - LOCKS - NAMES


def sql_of(migration: migrations.Migration, loader: MigrationLoader) -> list[str]:
    state = loader.project_state([(migration.app_label, migration.name)], at_end=False)
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    return list(editor.collected_sql)


def test_the_version_before_can_serve_while_any_migration_runs(db: None) -> None:
    loader = MigrationLoader(connection)
    since = [one for key, one in sorted(loader.disk_migrations.items()) if key[0] in ROOMS and key[1] != RELEASED]
    found = {(one.app_label, one.name, code) for one in since for code in found_in(sql_of(one, loader))}
    assert found == set(EXCEPTIONS), "the old version must be able to serve; else name it in EXCEPTIONS, with a reason"


@pytest.mark.parametrize(
    ("code", "operation"),
    [
        ("DROP_COLUMN", migrations.RemoveField("prompt", "language")),
        ("RENAME_COLUMN", migrations.RenameField("prompt", "language", "tongue")),
        ("NOT_NULL", migrations.AddField("prompt", "mood", models.TextField(default="calm"))),
        ("ALTER_COLUMN", migrations.AlterField("prompt", "group_key", models.IntegerField())),
        ("RENAME_TABLE", migrations.AlterModelTable("prompt", "labeling_question")),
        ("DROP_TABLE", migrations.DeleteModel("GoldAnswer")),
    ],
)
def test_a_migration_that_the_version_before_does_not_survive_is_seen(
    db: None, code: str, operation: migrations.operations.base.Operation
) -> None:
    loader = MigrationLoader(connection)
    planted = type("Migration", (migrations.Migration,), {"operations": [operation]})("9999_planted", "labeling")
    [newest] = loader.graph.leaf_nodes("labeling")
    state = loader.project_state([newest])
    with connection.schema_editor(collect_sql=True) as editor:
        planted.apply(state, editor, collect_sql=True)
    assert code in found_in(editor.collected_sql)


def columns_of(url: str) -> dict[tuple[str, str], bool]:
    """Whether a row can be written that does not name the column."""
    with psycopg.connect(url) as database:
        return {(row[0], row[1]): row[2] or row[3] for row in database.execute(COLUMNS).fetchall()}


def test_release_0_1_can_write_its_rows_into_the_tables_of_today(restored: dict[str, str]) -> None:  # noqa: F811
    url = restored["DATABASE_URL"]
    then = columns_of(url)
    manage(restored, "migrate", "--no-input", "-v", "0")
    now = columns_of(url)
    assert set(then) - set(now) == set(), "columns that it reads and writes are gone"
    tables = {table for table, _ in then}
    asked_for = {(table, name) for (table, name), can_be_left_out in now.items() if not can_be_left_out}
    assert {one for one in asked_for - set(then) if one[0] in tables} == set(), "columns that it knows nothing of"
