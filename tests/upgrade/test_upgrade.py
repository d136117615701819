"""A database of an earlier release, with data in it, becomes one of this release, and nothing is lost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.services import MISSING

ROOT = Path(__file__).resolve().parent.parent.parent
DUMPS = sorted(Path(__file__).parent.glob("*.sql"))
TABLES = ("prompt", "response", "task", "assignment", "submission", "judgment", "labeler", "importedrecord")

pytestmark = pytest.mark.postgres


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def restored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Environment of a site on a database that holds the release's dump."""
    if "postgres" in MISSING:
        pytest.skip(MISSING["postgres"])
    url = os.environ["DATABASE_URL"]
    name = f"accord_upgrade_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    there = url.rsplit("/", 1)[0] + f"/{name}"
    try:
        with psycopg.connect(there, autocommit=True) as database:
            database.execute(request.param.read_text(encoding="utf-8"))
        yield {**os.environ, "DATABASE_URL": there, "ACCORD_MODE": "local", "ACCORD_STATE_DIR": str(tmp_path)}
    finally:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(environment: dict[str, str], *arguments: str) -> str:
    answer = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def counts(environment: dict[str, str]) -> dict[str, int]:
    with psycopg.connect(environment["DATABASE_URL"]) as database:
        found = {}
        for table in TABLES:
            row = database.execute(f"SELECT count(*) FROM labeling_{table}").fetchone()
            assert row is not None
            found[table] = row[0]
    return found


def test_there_is_a_dump_to_upgrade_from() -> None:
    assert "0.1.0" in [path.stem for path in DUMPS]


def test_an_earlier_release_migrates_and_keeps_every_row(restored: dict[str, str]) -> None:
    before = counts(restored)
    assert all(before.values()), before
    manage(restored, "migrate", "--no-input", "-v", "0")
    assert counts(restored) == before
    manage(restored, "migrate", "--check")


def test_what_was_said_before_the_upgrade_is_in_the_next_snapshot(restored: dict[str, str]) -> None:
    manage(restored, "migrate", "--no-input", "-v", "0")
    script = (
        "from labeling.models import Project; from training.snapshots import freeze, read_query\n"
        "from django.conf import settings\n"
        "project = Project.objects.get(slug='garden')\n"
        "for split in ('train', 'valid', 'test'):\n"
        "    frozen = freeze(project, read_query({'kind': 'rankings', 'split': split}))\n"
        "    print((settings.SNAPSHOTS_DIR / frozen.uri).read_text(), end='')\n"
    )
    rows = [json.loads(line) for line in manage(restored, "shell", "-v", "0", "-c", script).splitlines()]
    ranks = sorted(tuple(sorted(judged["ranks"])) for row in rows for judged in row["judged"])
    assert ranks == [(1, 2, 2)] * 4 + [(1, 2, 3)] * 3
