"""A bad setting stops the start and names the variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOOD = {
    "ACCORD_MODE": "production",
    "ACCORD_SECRET_KEY": "k" * 50,
    "ACCORD_ALLOWED_HOSTS": "accord.example.org",
    "REDIS_URL": "redis://127.0.0.1:6379/9",
    "DATABASE_URL": "postgresql://accord@127.0.0.1/accord",
}


def start(**changed: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCORD_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        cwd=ROOT,
        env={**kept, **GOOD, **changed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_starts_with_everything_given() -> None:
    assert start().returncode == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCORD_MODE", "staging"),
        ("ACCORD_SECRET_KEY", "short"),
        ("ACCORD_DEBUG", "1"),
        ("ACCORD_DEBUG", "perhaps"),
        ("ACCORD_ALLOWED_HOSTS", ""),
        ("ACCORD_ALLOWED_HOSTS", "accord.example.org,*"),
        ("REDIS_URL", ""),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "sqlite:///accord.sqlite3"),
        ("DATABASE_URL", "mysql://root@127.0.0.1/accord"),
        ("DATABASE_URL", "postgresql://root@127.0.0.1/"),
        ("ACCORD_JOB_LEASE_SECONDS", "soon"),
        ("ACCORD_JOB_LEASE_SECONDS", "1"),
    ],
)
def test_it_refuses_to_start_and_names_the_variable(name: str, value: str) -> None:
    answer = start(**{name: value})
    assert answer.returncode != 0
    assert name in answer.stderr.splitlines()[-1]


def test_the_local_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    from config.local_secret import read_or_make_secret

    path = tmp_path / "state" / "secret_key"
    first = read_or_make_secret(path)
    assert len(first) >= 50
    assert read_or_make_secret(path) == first
    assert path.stat().st_mode & 0o077 == 0
