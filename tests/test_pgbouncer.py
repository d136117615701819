"""Behind PgBouncer in transaction mode each transaction meets another connection of the server: with ACCORD_POOLED all
that Accord does holds there too. Claims lock rows and skip locked ones, an export reads through a cursor and by COPY in
one look, a bulk of prompts is staged in a temporary table; all at once, on fewer connections than there are people."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from config.env import read_database
from labeling.assigning import claim
from labeling.bulk_intake import take_prompts
from labeling.exporting.asked import read_asked
from labeling.exporting.streaming import Stream
from labeling.models import Labeler, Project, Prompt, Submission
from labeling.records import Kind
from labeling.recounting import drifted
from tests.labeling.test_races import assert_slots_are_exact, at_once
from tests.labeling.work import make_campaign, make_labeler, ranked, submit_now
from tests.training.workers import free_port, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
PEOPLE, CONNECTIONS, TURNS = 8, 3, 3


@pytest.fixture
def pooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every new connection of this process goes through a PgBouncer of its own, with the settings of ACCORD_POOLED."""
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed (Debian: apt install pgbouncer)")
    here, port = connection.settings_dict, free_port()
    written = {
        "host": here["HOST"], "port": here["PORT"] or 5432, "dbname": here["NAME"], "user": here["USER"],
        "password": here["PASSWORD"],
    }  # fmt: skip
    target = " ".join(f"{name}='{value}'" for name, value in written.items() if value)
    config, log = tmp_path / "pgbouncer.ini", tmp_path / "pgbouncer.log"
    config.write_text(
        f"[databases]\npooled = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\n"
        "ignore_startup_parameters = options\n"
    )
    # It refuses to be root.
    becomes: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    ours = os.open(config, os.O_RDONLY)
    with log.open("ab") as words:
        process = subprocess.Popen(
            [PGBOUNCER, f"/dev/fd/{ours}"], stdout=words, stderr=words, cwd="/", pass_fds=[ours], **becomes
        )
    os.close(ours)
    try:
        wait_until(lambda: b"process up" in log.read_bytes(), log=log)
        monkeypatch.setenv("DATABASE_URL", f"postgresql://accord@127.0.0.1:{port}/pooled")
        settings = connections.settings["default"]
        asked = read_database("DATABASE_URL", sqlite_path=tmp_path, pooled=True)
        for name, value in {**asked, "CONN_MAX_AGE": 0, "TEST": settings["TEST"]}.items():
            monkeypatch.setitem(settings, name, value)
        yield
    finally:
        process.terminate()
        process.wait(10)


def work(person: Labeler, campaign: Any) -> Callable[[], int]:
    def labels() -> int:
        done = 0
        while (assignment := claim(campaign, person)) is not None:
            submit_now(assignment, ranked(1, 2, 2, 4))
            done += 1
        return done

    return labels


def looks(project: Project, campaign: Any) -> Callable[[], int]:
    """What a researcher's pages and programs do meanwhile."""

    def reads() -> int:
        for turn in range(TURNS):
            lines = b"".join(Stream(read_asked(project, Kind.RANKING, {}))).splitlines()
            pairs = b"".join(Stream(read_asked(project, Kind.COMPARISON, {}))).splitlines()
            assert all(json.loads(line) for line in [*lines, *pairs])
            taken = take_prompts(project, [prompt_record(f"{turn}-{number}") for number in range(20)], whole=True)
            assert taken.count("created") == 20
            assert list(drifted()) == []
        return 0

    return reads


def prompt_record(name: str) -> dict[str, Any]:
    return {"id": name, "messages": [{"role": "user", "content": f"What is {name}?"}], "use_case": "open_qa"}


def test_people_label_and_programs_read_through_a_pool_of_transactions(project: Project, pooled: None) -> None:
    campaign = make_campaign(project, tasks=6, overlap=4)
    people = [make_labeler(project, f"person-{number}") for number in range(PEOPLE)]
    before = Prompt.objects.count()
    done = at_once([*(work(person, campaign) for person in people), looks(project, campaign)])
    assert sum(done) == 6 * 4 == Submission.objects.filter(counted=True).count()
    assert_slots_are_exact(campaign)
    assert Prompt.objects.count() == before + 20 * TURNS
