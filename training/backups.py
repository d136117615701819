"""Backup and restore: the database at one moment, the files that it names, and a manifest with a sha256 of each.

The database comes first and the files after it: whatever a row of that moment names was there, and files are written
once. What must be there (weights that were not deleted, snapshots) is looked at before the manifest is written, last;
a folder without manifest.json is no backup. A restore checks every hash before it writes anything, and goes into an
empty database and empty folders only.
"""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder

from labeling.errors import Refusal
from training.backup_files import Kept, Links, copy_folder, lead_anew, problems_of
from training.base_models import folder_of
from training.models import Checkpoint, Snapshot
from training.rlhf.contract.run_folder import file_sha256
from training.snapshots import path_of

MANIFEST = "manifest.json"
FORMAT = 1
FOLDERS = ("runs", "snapshots", "exports", "imports", "models")
"""Each is settings.<NAME>_DIR."""


class BackupRefused(Refusal):
    """A backup cannot be made there, or cannot be restored here."""

    code = "backup_refused"


@dataclass(frozen=True)
class Report:
    files: int
    bytes: int
    rows: int


def place_of(name: str) -> Path:
    return Path(getattr(settings, f"{name.upper()}_DIR"))


# --- backup -----------------------------------------------------------------------------------------------------------


def back_up(folder: Path) -> Report:
    """Writes a backup into a folder that is empty or not there. Raises BackupRefused."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupRefused(f"{folder} is not empty. Name a folder that is empty or not there.")
    for name in FOLDERS:
        if folder.resolve().is_relative_to(place_of(name).resolve()):
            raise BackupRefused(f"{folder} lies in {place_of(name)}, which is backed up. Name a folder elsewhere.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    rows, dump = _dump(folder)
    kept = [Kept(dump.name, dump.stat().st_size, file_sha256(dump))]
    links: Links = {}
    for name in FOLDERS:
        kept += copy_folder(place_of(name), folder / name, name=name, links=links)
    missing = [told for told, path in named_files() if path not in {one.path for one in kept}]
    if missing:
        raise BackupRefused(
            f"{len(missing)} files that the database names are not on the disk: {', '.join(missing[:5])}. "
            f"The folder {folder} is no backup."
        )
    manifest = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "database": connection.vendor,
        "migrations": _migrations(),
        "rows": rows,
        "places": {name: str(place_of(name).resolve()) for name in FOLDERS},
        "files": [asdict(one) for one in kept],
    }
    _write_last(folder / MANIFEST, manifest)
    return Report(len(kept), sum(one.bytes for one in kept), sum(rows.values()))


def named_files() -> Iterator[tuple[str, str]]:
    """What the database says is on the disk: in words, and its path in a backup."""
    for snapshot in Snapshot.objects.order_by("pk").iterator():
        if path_of(snapshot).is_relative_to(place_of("snapshots")):
            yield f"snapshot {snapshot.pk} ({snapshot.uri})", f"snapshots/{snapshot.uri}"
    for checkpoint in Checkpoint.objects.filter(removed_at=None, job__stage__round__recorded="").order_by("pk"):
        weights = folder_of(checkpoint)
        if weights is not None and weights.is_relative_to(place_of("runs")):
            yield f"model {checkpoint.name}", f"runs/{weights.relative_to(place_of('runs'))}/config.json"


def _migrations() -> list[str]:
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def _write_last(path: Path, value: object) -> None:
    temporary = path.with_name(f"tmp-{path.name}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _dump(folder: Path) -> tuple[dict[str, int], Path]:
    """Rows of each table, and the file of all of them, both of one moment."""
    if connection.vendor == "sqlite":
        path = folder / "database.sqlite3"
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(path)])
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as copy:
            # The names are the database's own.
            counted = [(table, copy.execute(f'SELECT count(*) FROM "{table}"')) for table in _tables()]
            return {table: found.fetchone()[0] for table, found in counted}, path
    path = folder / "database.dump"
    with _one_moment() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        [moment] = cursor.fetchone()
        rows = {table: _count(cursor, table) for table in _tables()}
        _tool("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={moment}", f"--file={path}")
    return rows, path


@contextmanager
def _one_moment() -> Iterator[Any]:
    """A transaction of its own that sees one state all along, whatever the caller's is at."""
    with connection.get_new_connection(connection.get_connection_params()) as opened, opened.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield cursor
        cursor.execute("ROLLBACK")


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        return sorted(connection.introspection.table_names(cursor))


def _count(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
    return int(cursor.fetchone()[0])


def _tool(name: str, *arguments: str) -> None:
    """A program of PostgreSQL, told where the database is by its environment: the password is no argument."""
    told = connection.settings_dict
    given = {
        "PGHOST": told["HOST"], "PGPORT": told["PORT"], "PGUSER": told["USER"], "PGPASSWORD": told["PASSWORD"],
        "PGDATABASE": told["NAME"], "PGSSLMODE": told["OPTIONS"].get("sslmode"),
    }  # fmt: skip
    try:
        subprocess.run(
            [name, *arguments], check=True, capture_output=True, text=True,
            env={**os.environ, **{variable: str(value) for variable, value in given.items() if value}},
        )  # fmt: skip
    except FileNotFoundError:
        raise BackupRefused(f"There is no {name} on the PATH. On Debian: apt install postgresql-client.") from None
    except subprocess.CalledProcessError as error:
        raise BackupRefused(f"{name} failed: {error.stderr.strip()[:2000]}") from None


# --- restore ----------------------------------------------------------------------------------------------------------


def restore(folder: Path) -> Report:
    """Brings a backup into this empty database and these empty folders, and counts the rows.

    Raises BackupRefused, and then nothing was changed; where PostgreSQL refuses the dump, the files are taken away
    again.
    """
    manifest = _read_manifest(folder)
    kept = [Kept(**one) for one in manifest["files"]]
    _refuse_what_is_not_empty()
    problems = problems_of(folder, kept)
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise BackupRefused(f"{folder} is damaged: {'; '.join(problems[:5])}{more}. Nothing was restored.")
    links: Links = {}
    try:
        for name in FOLDERS:
            if (folder / name).is_dir():
                list(copy_folder(folder / name, place_of(name), name=name, links=links))
                lead_anew(place_of(name), {Path(manifest["places"][one]): place_of(one).resolve() for one in FOLDERS})
        _load(folder, kept[0].path)
    except (OSError, BackupRefused) as error:
        for name in FOLDERS:
            shutil.rmtree(place_of(name), ignore_errors=True)
        raise BackupRefused(f"{error} Nothing was restored.") from error
    _follow_models(Path(manifest["places"]["models"]))
    rows = {table: _count_here(table) for table in manifest["rows"]}
    if rows != manifest["rows"]:
        other = [table for table, many in manifest["rows"].items() if rows[table] != many]
        raise BackupRefused(f"The rows of {', '.join(other)} are not as many as the manifest says; do not use this.")
    return Report(len(kept), sum(one.bytes for one in kept), sum(rows.values()))


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BackupRefused(f"{folder} is no whole backup: it has no {MANIFEST} that can be read.") from None
    if manifest.get("format") != FORMAT:
        raise BackupRefused(f"The backup's format is {manifest.get('format')!r}; this version reads {FORMAT}.")
    if manifest["database"] != connection.vendor:
        raise BackupRefused(
            f"The backup is of {manifest['database']}, and this database is {connection.vendor}. "
            f"Name one of its kind in DATABASE_URL."
        )
    if any(Path(one["path"]).is_absolute() or ".." in Path(one["path"]).parts for one in manifest["files"]):
        raise BackupRefused(f"The manifest of {folder} names files outside of it.")
    return manifest


def _refuse_what_is_not_empty() -> None:
    tables = _tables()
    if tables:
        raise BackupRefused(
            f"The database {connection.settings_dict['NAME']} has {len(tables)} tables. Restore into one that was just "
            "made (createdb), without migrate."
        )
    for name in FOLDERS:
        if place_of(name).is_dir() and any(place_of(name).iterdir()):
            raise BackupRefused(f"{place_of(name)} is not empty. Move it away, then restore.")


def _load(folder: Path, dump: str) -> None:
    if connection.vendor == "sqlite":
        connections.close_all()
        shutil.copyfile(folder / dump, connection.settings_dict["NAME"])
        return
    arguments = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _tool("pg_restore", *arguments, f"--dbname={connection.settings_dict['NAME']}", str(folder / dump))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _follow_models(old: Path) -> None:
    """Base models are named by their whole path."""
    new = place_of("models").resolve()
    for checkpoint in Checkpoint.objects.filter(uri__startswith=f"{old}/"):
        checkpoint.uri = str(new / Path(checkpoint.uri).relative_to(old))
        checkpoint.save(update_fields=["uri"])


def _count_here(table: str) -> int:
    with connection.cursor() as cursor:
        return _count(cursor, table)
