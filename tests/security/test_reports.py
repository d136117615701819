"""What a worker says of a job, forged; and two workers that want one job. Attempts are fenced: a stale one changes
nothing. The fence itself is tried in tests/training/test_claim_job.py, test_supervise.py, tests/rlhf/test_attempt.py.
"""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from labeling.models import Project, ProjectToken, Role, User
from labeling.scopes import scopes_for
from tests.security.served import Attacker, Served
from training import jobs
from training.models import Checkpoint, Job, Metric
from training.rlhf.contract.exit_codes import ExitCode
from training.run_folders import run_folder
from training.settling import Ending, settle

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.threat(16)]
API = "/api/v1/projects/helpdesk/"


@pytest.fixture
def job(project: Project) -> Job:
    return Job.objects.create(project=project, kind="sft", config={})


@pytest.fixture
def api(served: Served, project: Project, owner: User) -> Attacker:
    return served.with_token(ProjectToken.make(user=owner, project=project, scopes=scopes_for(Role.OWNER)))


def together(many: int, act: Callable[[int], None]) -> None:
    barrier = threading.Barrier(many)

    def run(number: int) -> None:
        try:
            barrier.wait()
            act(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_address_takes_a_report(served: Served, api: Attacker, job: Job, owner: User) -> None:
    """Workers write to the database and to run folders; over HTTP nobody says how a job went, not even an owner."""
    jobs.claim(job.pk, "worker")
    before = Job.objects.values().get(pk=job.pk)
    forged = {"state": "done", "step": 10**6, "attempt": 99, "owner": "eve", "report": {"win_rate": 1.0}, "error": None}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (f"jobs/{job.pk}", f"jobs/{job.pk}/metrics", "jobs", "checkpoints", "snapshots"):
            assert api.send(method, f"{API}{path}", forged).status == 405
    visitor = served.signed_in(owner)
    for path in ("jobs/", f"jobs/{job.pk}/", "workers/", "models/"):
        address = f"/projects/helpdesk/{path}"
        assert visitor.post(address, forged, form_at="/projects/helpdesk/leave/").status == 405
    assert Job.objects.values().get(pk=job.pk) == before
    assert not Metric.objects.exists()
    assert not Checkpoint.objects.exists()


def test_of_eight_workers_at_once_one_has_the_job(served: Served, job: Job) -> None:
    won: list[Any] = []
    together(8, lambda number: won.append(jobs.claim(job.pk, f"worker {number}")))
    assert [one for one in won if one is not None] == [jobs.Claim(job.pk, 1)]


def test_the_report_of_an_attempt_that_was_taken_over_changes_nothing(served: Served, job: Job, settings: Any) -> None:
    """The first worker was cut off, not dead: it comes back with results when another has the job."""
    settings.RUNS_DIR = served.environment["ACCORD_RUNS_DIR"]
    old = jobs.claim(job.pk, "cut off")
    assert old is not None
    Job.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))
    assert jobs.claim(job.pk, "second") == jobs.Claim(job.pk, 2)
    folder = run_folder(job)
    (folder.root / "model").mkdir(parents=True, exist_ok=True)
    (folder.root / "model" / "config.json").write_text("{}")
    folder.report.write_text(json.dumps({"loss": 0.0}))
    folder.metrics.write_text(json.dumps({"step": 1, "attempt": 1, "loss": 0.0}) + "\n")
    folder.status.write_text(json.dumps({"format": 1, "attempt": 2, "state": "done"}))
    before = Job.objects.values().get(pk=job.pk)
    for ending in (Ending(ExitCode.DONE, 0), Ending(ExitCode.BUG, 1), Ending(None, -9)):
        with pytest.raises(jobs.ClaimLost):
            settle(old, folder, ending, stopping=False)
    with pytest.raises(jobs.ClaimLost), jobs.holding(old, step=10**6):
        pass
    with pytest.raises(jobs.ClaimLost):
        jobs.requeue(old, counted=True)
    assert Job.objects.values().get(pk=job.pk) == before
    assert not Checkpoint.objects.exists()
    assert not Metric.objects.exists()


def test_a_message_that_names_another_job_or_none_starts_nothing(served: Served, project: Project) -> None:
    from training.launching import run_claimed

    ended = [Job.objects.create(project=project, kind="sft", config={}, state=state)
             for state in ("done", "failed", "cancelled", "paused")]  # fmt: skip
    for forged in (*(job.pk for job in ended), 0, -1, 10**9):
        assert run_claimed(forged) is False
    assert [job.state for job in Job.objects.order_by("pk")] == ["done", "failed", "cancelled", "paused"]
