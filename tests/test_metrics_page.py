"""What Prometheus reads: who may, what it says, and that it says the same whichever process is asked."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from labeling.models import Project
from labeling.tallies import count_submission
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now
from tests.test_start import free_port
from training.models import Job, Worker
from training.observing import note_tended

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "a-token-of-this-test-alone"


def figures(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^(accord\S*(?:\{.*\})?) (\S+)$", text, flags=re.M)}


def read(client: Client, **headers: str) -> dict[str, float]:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return figures(answer.content.decode())


@pytest.mark.django_db
class TestWhoMayRead:
    def test_nobody_where_no_token_and_no_network_is_set(self, client: Client) -> None:
        assert client.get("/metrics").status_code == 404
        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404

    def test_who_has_the_token(self, client: Client, settings: Settings) -> None:
        settings.METRICS_TOKEN = TOKEN
        assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \u00fc"):
            assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 404

    def test_who_asks_from_a_network_directly(self, client: Client, settings: Settings) -> None:
        settings.METRICS_NETWORKS = [ip_network("10.2.0.0/16")]
        assert client.get("/metrics", REMOTE_ADDR="10.2.9.9").status_code == 200
        assert client.get("/metrics", REMOTE_ADDR="10.3.0.1").status_code == 404

    def test_nobody_through_a_proxy_that_stands_in_the_network(self, client: Client, settings: Settings) -> None:
        settings.METRICS_NETWORKS = [ip_network("10.2.0.0/16")]
        through = {"X-Forwarded-For": "203.0.113.7"}
        assert client.get("/metrics", REMOTE_ADDR="10.2.9.9", headers=through).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_it_tells_of_requests_claims_submissions_jobs_queues_and_heartbeats(
    client: Client, settings: Settings, project: Project
) -> None:
    settings.METRICS_TOKEN = TOKEN
    before = read(client)
    campaign = make_campaign(project, tasks=1)
    submit_now(must_claim(campaign, make_labeler(project, "lars")), ranked(1, 2, 2))
    Job.objects.create(project=project, kind="sft", config={}, queue="gpu")
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=90))
    now = timezone.now()
    Worker.objects.create(name="host:1", queues=["gpu"], started_at=now, heard_at=now)
    note_tended()
    client.get("/health/live")
    after = read(client)

    def grew(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grew('accord_requests_total{method="GET",route="health_live",status="200"}') == 1
    assert grew('accord_request_seconds_count{route="health_live"}') == 1
    assert grew('accord_claims_total{kind="ranking",outcome="handed_out"}') == 1
    assert grew('accord_submissions_total{counted="yes",kind="ranking"}') == 1
    assert after['accord_jobs{queue="gpu",state="queued"}'] == 1
    assert 85 < after['accord_queue_wait_seconds{queue="gpu"}'] < 120
    assert after['accord_workers_up{queue="gpu"}'] == 1
    assert after['accord_worker_heard_seconds{worker="host:1"}'] < 30
    assert after["accord_tended_seconds"] < 30


@pytest.mark.django_db(transaction=True)
def test_work_that_is_rolled_back_is_not_counted(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    before = read(client)
    with transaction.atomic():
        count_submission("rating", counted=True)
        transaction.set_rollback(True)
    name = 'accord_submissions_total{counted="yes",kind="rating"}'
    assert read(client).get(name, 0) == before.get(name, 0)


@pytest.mark.django_db
def test_a_stranger_s_addresses_make_no_new_figures(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    for _ in range(3):
        client.get(f"/{uuid4()}")
    assert {name for name in read(client) if "route=" in name and "uuid" in name} == set()
    assert read(client)['accord_requests_total{method="GET",route="unknown",status="404"}'] >= 3


@pytest.mark.django_db
def test_without_the_database_it_says_so_and_tells_what_the_processes_counted(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.METRICS_TOKEN = TOKEN

    def gone() -> None:
        raise OperationalError("the server closed the connection")

    assert read(client)["accord_database_up"] == 1
    monkeypatch.setattr("training.observing.jobs_by_state", gone)
    told = read(client)
    assert told["accord_database_up"] == 0
    assert told['accord_requests_total{method="GET",route="metrics",status="200"}'] >= 1


def url_of_test_database() -> str:
    told = connection.settings_dict
    return f"postgresql://{told['USER']}:{told['PASSWORD']}@{told['HOST']}:{told['PORT'] or 5432}/{told['NAME']}"


@pytest.mark.postgres
def test_two_processes_answer_with_the_sum_of_both(tmp_path: Path, db: Any) -> None:
    port = free_port()
    site = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "2",
         "--blocking-threads", "2", "config.wsgi:application"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "DATABASE_URL": url_of_test_database(), "ACCORD_METRICS_TOKEN": TOKEN,
             "ACCORD_METRICS_DIR": str(tmp_path / "metrics")},
    )  # fmt: skip
    try:

        def get(address: str) -> str:
            asked = urllib.request.Request(f"http://127.0.0.1:{port}{address}")
            asked.add_header("Authorization", f"Bearer {TOKEN}")
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return str(answer.read().decode())

        for _ in range(200):
            try:
                get("/health/live")
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        name = 'accord_requests_total{method="GET",route="health_live",status="200"}'
        before = figures(get("/metrics"))[name]
        for _ in range(60):
            get("/health/live")
        told = {figures(get("/metrics"))[name] for _ in range(12)}
        assert told == {before + 60}
        counted_by = list((tmp_path / "metrics").glob("counter_*.db"))
        assert len(counted_by) >= 2, "one process answered everything; the test shows nothing"
    finally:
        site.terminate()
        site.wait(20)
