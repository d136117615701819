"""What is backed up comes back the same: every row, every file. A restore overwrites nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.upgrade.test_upgrade import DUMPS

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("runs", "snapshots", "exports", "imports", "models")
SERVER = os.environ.get("DATABASE_URL", "").rpartition("/")[0]
pytestmark = pytest.mark.postgres


class Site:
    """A database and a state directory of its own."""

    def __init__(self, database: str, state: Path) -> None:
        self.database, self.state, self.url = database, state, f"{SERVER}/{database}"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
            env={**os.environ, "DATABASE_URL": self.url, "ACCORD_STATE_DIR": str(self.state)},
        )  # fmt: skip

    def rows(self) -> dict[str, list[str]]:
        """Of every table, as text, sorted."""
        with psycopg.connect(self.url) as opened:
            asked = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            tables = [name for (name,) in opened.execute(asked)]
            return {name: sorted(t for (t,) in opened.execute(f'SELECT t::text FROM "{name}" t')) for name in tables}

    def files(self) -> dict[str, bytes]:
        found = [path for name in FOLDERS for path in (self.state / name).rglob("*")]
        return {str(path.relative_to(self.state)): path.read_bytes() for path in found if path.is_file()}


@pytest.fixture(scope="module")
def server() -> Iterator[psycopg.Connection]:
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as opened:
        yield opened


def database(server: psycopg.Connection, name: str) -> str:
    name = f"accord_backup_{os.getpid()}_{name}"
    server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    server.execute(f"CREATE DATABASE {name}")
    return name


@pytest.fixture(scope="module")
def full(server: psycopg.Connection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with data and files; it stays as it is."""
    site = Site(database(server, "from"), tmp_path_factory.mktemp("from"))
    with psycopg.connect(site.url) as opened:
        opened.execute(DUMPS[-1].read_text())
    migrated = site.run("migrate", "-v0")
    assert migrated.returncode == 0, migrated.stderr
    put_files(site)
    yield site
    server.execute(f"DROP DATABASE {site.database} WITH (FORCE)")


@pytest.fixture(scope="module")
def backup(full: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups") / "first"
    made = full.run("backup", str(folder))
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def kept(backup: Path, tmp_path: Path) -> Path:
    """A copy to be harmed."""
    shutil.copytree(backup, tmp_path / "kept", symlinks=True)
    return tmp_path / "kept"


@pytest.fixture
def empty(server: psycopg.Connection, tmp_path: Path) -> Iterator[Site]:
    site = Site(database(server, "to"), tmp_path / "to")
    yield site
    server.execute(f"DROP DATABASE {site.database} WITH (FORCE)")


def put_files(site: Site) -> None:
    """A file for each snapshot, a finished run with links, a base model, and what is half written."""
    with psycopg.connect(site.url) as opened:
        for (uri,) in opened.execute("SELECT uri FROM training_snapshot").fetchall():
            (site.state / "snapshots" / uri).parent.mkdir(parents=True, exist_ok=True)
            (site.state / "snapshots" / uri).write_text(f"the rows of {uri}\n")
        [(project, job)] = opened.execute("SELECT project_id, id FROM training_job LIMIT 1").fetchall()
        add = """INSERT INTO training_checkpoint (project_id, kind, name, uri, sha256, metrics, job_id, created_at)
                 VALUES (%s, %s, %s, %s, '', '{}', %s, now())"""
        opened.execute(add, [project, "base", "trained", f"{job}/model", job])
        opened.execute(add, [project, "base", "brought", str(site.state / "models" / "small"), None])
    run, small = site.state / "runs" / str(job), site.state / "models" / "small"
    for folder in (run / "model", run / "data", run / "models", run / "checkpoints" / "tmp-5", small):
        folder.mkdir(parents=True)
    (run / "model" / "config.json").write_text("{}")
    (run / "model" / "model.safetensors").write_bytes(bytes(range(256)) * 9000)
    (run / "checkpoints" / "tmp-5" / "half").write_text("half")
    snapshot = next((site.state / "snapshots").rglob("*.jsonl"))
    os.link(snapshot, run / "data" / "text.jsonl")
    (small / "config.json").write_text("{}")
    (run / "models" / "init").symlink_to(small, target_is_directory=True)


def test_every_row_and_every_file_comes_back(full: Site, empty: Site, backup: Path) -> None:
    rows, files = full.rows(), {name: held for name, held in full.files().items() if "tmp-" not in name}
    assert backup.stat().st_mode & 0o077 == 0
    back = empty.run("restore", str(backup))
    assert back.returncode == 0, back.stderr
    moved = {name: [row.replace(str(full.state), str(empty.state)) for row in held] for name, held in rows.items()}
    assert sum(map(len, rows.values())) > 200
    assert empty.rows() == moved
    assert empty.files() == files
    [run] = (empty.state / "runs").iterdir()
    assert (run / "models" / "init").resolve() == empty.state / "models" / "small"
    assert (run / "data" / "text.jsonl").stat().st_nlink == 2
    assert empty.run("migrate", "--check").returncode == 0


def test_it_restores_over_nothing(full: Site, empty: Site, backup: Path) -> None:
    before = full.rows(), full.files()
    refused = full.run("restore", str(backup))
    assert refused.returncode == 1
    assert "tables. Restore into one that was just made" in refused.stderr
    assert (full.rows(), full.files()) == before
    (empty.state / "runs" / "7").mkdir(parents=True)
    refused = empty.run("restore", str(backup))
    assert "runs is not empty" in refused.stderr
    assert empty.rows() == {}


@pytest.mark.parametrize("harm", ["changed", "cut", "gone", "no manifest", "outside"])
def test_a_damaged_backup_restores_nothing(empty: Site, kept: Path, harm: str) -> None:
    weights, manifest = next(kept.rglob("model.safetensors")), kept / "manifest.json"
    if harm == "changed":
        weights.write_bytes(b"\1" + weights.read_bytes()[1:])
    elif harm == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif harm == "gone":
        weights.unlink()
    elif harm == "outside":
        told = json.loads(manifest.read_text())
        told["files"][1]["path"] = "../elsewhere"
        manifest.write_text(json.dumps(told))
    else:
        manifest.unlink()
    refused = empty.run("restore", str(kept))
    assert refused.returncode == 1
    named = {"no manifest": "no manifest.json", "outside": "outside of it"}.get(harm, "model.safetensors")
    assert named in refused.stderr
    assert (empty.rows(), empty.files()) == ({}, {})


def test_it_is_no_backup_where_a_file_that_is_named_is_missing(full: Site, tmp_path: Path) -> None:
    there = next((full.state / "snapshots").rglob("*.jsonl"))
    away = there.rename(tmp_path / "away")
    try:
        refused = full.run("backup", str(tmp_path / "kept"))
    finally:
        away.rename(there)
    assert refused.returncode == 1
    assert "not on the disk: snapshot" in refused.stderr
    assert not (tmp_path / "kept" / "manifest.json").exists()


def test_it_writes_into_an_empty_folder_elsewhere(full: Site, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "letter").write_text("mine")
    assert "is not empty" in full.run("backup", str(tmp_path / "used")).stderr
    assert "which is backed up" in full.run("backup", str(full.state / "runs" / "kept")).stderr
