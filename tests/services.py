"""Which database and broker the tests talk to; loaded before the settings (pytest -p tests.services).

DATABASE_URL and REDIS_URL decide; without them the usual local ports are tried. What is not there is said in one line
and its tests are skipped; with CI=true it is a failure. ACCORD_TEST_DATABASE=sqlite forces SQLite.
"""

import atexit
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

DATA = Path(os.environ.get("ACCORD_TRIAL_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))
CHROMIUM = os.environ.get("ACCORD_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
CI = os.environ.get("CI", "").lower() == "true"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def database_of_its_own(url: str, process: int) -> str:
    """Each process of tests has one, or what one counts or clears is counted and gone for the other. A process inherits
    the address of the one that started it, never of another process of tests."""
    server, _, database = url.rpartition("/")
    return f"{server}/{(int(database) + process) % 16}" if database.isdecimal() else url


def choose() -> dict[str, str]:
    """Sets the environment and answers {"marker": why its tests cannot run}."""
    missing = {}
    os.environ["ACCORD_MODE"] = "local"
    state = tempfile.mkdtemp(prefix="accord-tests-")
    atexit.register(shutil.rmtree, state, ignore_errors=True)
    os.environ["ACCORD_STATE_DIR"] = state
    if os.environ.get("ACCORD_TEST_DATABASE") == "sqlite":
        os.environ.pop("DATABASE_URL", None)
        missing["postgres"] = "ACCORD_TEST_DATABASE=sqlite"
    elif not os.environ.get("DATABASE_URL"):
        if listens(5432):
            os.environ["DATABASE_URL"] = "postgresql://postgres@127.0.0.1:5432/postgres"
        else:
            missing["postgres"] = "no PostgreSQL at DATABASE_URL or 127.0.0.1:5432, SQLite instead"
    # A test waits for no disk: nothing here outlives a crash of the server, and tests that crash one start their own.
    # Nor does a check of foreign keys that was planned for an empty table read all of it for every row of a full one.
    os.environ["PGOPTIONS"] = "-c synchronous_commit=off -c plan_cache_mode=force_custom_plan"
    if not os.environ.get("REDIS_URL"):
        if listens(6379):
            # From database 9 on, so that tests and a local worker never meet.
            os.environ["REDIS_URL"] = "redis://127.0.0.1:6379/9"
        else:
            missing["redis"] = "no Redis at REDIS_URL or 127.0.0.1:6379"
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        os.environ["REDIS_URL"] = database_of_its_own(os.environ.get("REDIS_URL", ""), int(worker.removeprefix("gw")))
    if CHROMIUM is None:
        missing["browser"] = "no chromium on the PATH or in ACCORD_CHROMIUM"
    if not DATA.is_dir():
        missing["data"] = f"no trial data at {DATA}"
    return missing


MISSING = choose()


def pytest_report_header() -> str:
    if not MISSING:
        return "accord: PostgreSQL, Redis, Chromium and the trial data are there; nothing is left out"
    return "accord: not run: " + "; ".join(f"{name} ({why})" for name, why in sorted(MISSING.items()))


def pytest_configure(config: pytest.Config) -> None:
    needed = {"postgres", "redis", "browser"} & set(MISSING)
    if CI and os.environ.get("ACCORD_TEST_DATABASE") == "sqlite":
        needed.discard("postgres")
    if CI and needed:
        pytest.exit(f"CI=true, and missing: {', '.join(f'{name} ({MISSING[name]})' for name in sorted(needed))}", 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name, why in MISSING.items():
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=why))
