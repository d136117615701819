"""A stage under its supervisor: followed, steered, ended, and never left alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from django.db import OperationalError, connection

from tests.training.making import TINY_SFT, reload, script_stage
from training import following, jobs, launching
from training.jobs import Claim
from training.launching import supervise
from training.models import Job, Metric, Round
from training.rounds import launch
from training.run_folders import prepare, run_folder
from training.stopping import StopSignal

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(launching, "BEAT_SECONDS", 0.03)


@pytest.fixture
def job(round_with_base: Round) -> Job:
    return launch(round_with_base, "sft", overrides=TINY_SFT)


def run(job: Job, stop: StopSignal | None = None) -> Job:
    claim = jobs.claim(job.pk, "test")
    assert claim
    supervise(claim, stop=StopSignal() if stop is None else stop)
    return reload(job)


def when(condition: Callable[[], object], act: Callable[[], object]) -> threading.Thread:
    """Does `act` in a thread of its own as soon as the condition holds (at most 10 s)."""

    def watch() -> None:
        deadline = time.monotonic() + 10
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        act()
        connection.close()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


DONE = "say('running', 0)\nfor step in range(1, 4): log(step, loss=4.0 / step)\nrelease()\nsay('done', 3)\n"


def test_it_takes_in_metrics_status_and_results(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    script_stage(monkeypatch, DONE)
    ended = run(job)
    assert (ended.state, ended.step, ended.report) == ("done", 3, {"loss": 1.5})
    assert list(Metric.objects.filter(job=job).values_list("step", "split", "values__loss")) == [
        (1, "train", 4.0), (2, "train", 2.0), (3, "train", 4.0 / 3),
    ]  # fmt: skip
    assert ended.checkpoint.name == "r1-sft"


def test_all_that_an_ended_stage_wrote_is_taken_in_however_much_it_is(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "READ_AT_ONCE_BYTES", 500)
    script_stage(
        monkeypatch, "say('running')\nfor step in range(1, 101): log(step, loss=1.0)\nrelease()\nsay('done')\n"
    )
    assert run(job).state == "done"
    assert Metric.objects.filter(job=job).count() == 100


@pytest.mark.parametrize("cuts_late", [False, True])
def test_steps_past_the_checkpoint_that_a_run_goes_on_from_are_forgotten(
    job: Job, monkeypatch: pytest.MonkeyPatch, cuts_late: bool
) -> None:
    """It is killed at 57, goes on from 50 and is cancelled at 52: there is no step 53."""
    source = """
        if attempt == 1:
            say("running", 57, checkpoint_step=50)
            for step in range(1, 58): log(step, loss=1.0)
            log(50, split="valid", loss=1.5)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.3 * CUTS_LATE)
        lines = (root / "metrics.jsonl").read_text().splitlines(keepends=True)
        (root / "metrics.jsonl").write_text("".join(line for line in lines if json.loads(line)["step"] <= 50))
        say("running", 50, checkpoint_step=50)
        for step in (51, 52): log(step, loss=2.0)
        time.sleep(0.2)
        say("cancelled", 52)
    """
    script_stage(monkeypatch, dedent(source).replace("CUTS_LATE", str(int(cuts_late))))
    assert run(job).state == "queued"
    assert run(job).state == "cancelled"
    kept = Metric.objects.filter(job=job)
    assert list(kept.filter(split="train").values_list("step", flat=True)) == list(range(1, 53))
    assert kept.filter(split="valid").count() == 1


def test_what_is_asked_is_passed_on_as_soon_as_it_can_be_written(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
        say("running", 1)
        for _ in range(300):
            if control() == "pause": break
            time.sleep(0.01)
        say("paused" if control() == "pause" else "cancelled", 1)
    """
    script_stage(monkeypatch, dedent(source))
    works, tries = launching.write_control, []

    def full_disk_at_first(*arguments: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(28, "No space left on device")
        works(*arguments)

    monkeypatch.setattr(launching, "write_control", full_disk_at_first)
    monkeypatch.setattr(launching, "_reason_not_to_start", lambda job: None)  # it is asked once the stage runs
    Job.objects.filter(pk=job.pk).update(wanted="pause")
    assert run(job).state == "paused"
    assert len(tries) == 3


def test_what_a_silent_database_missed_at_the_end_is_stored_when_it_answers(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = iter([OperationalError("gone")] * 3)

    def store(job_id: int, lines: Any) -> None:
        if lines and (error := next(silent, None)):
            raise error
        following.store_metrics(job_id, lines)

    monkeypatch.setattr(launching, "store_metrics", store)
    monkeypatch.setattr(launching.connection, "close", lambda: None)
    script_stage(monkeypatch, DONE)
    assert run(job).state == "done"
    assert Metric.objects.filter(job=job).count() == 3


def test_the_folder_it_makes_is_what_the_stage_expects(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    script_stage(monkeypatch, DONE)
    run(job)
    folder = run_folder(job)
    config = json.loads(folder.config.read_text())
    assert config["job"] == str(job.pk)
    (data,) = json.loads(folder.data_manifest.read_text())
    assert (data["name"], data["rows"]) == ("demonstrations_train", 20)
    assert folder.data("demonstrations_train").stat().st_size == data["bytes"]
    (model,) = json.loads(folder.models_manifest.read_text())
    assert model["path"] == config["models"]["init"] == "models/init"
    assert (folder.root / "models" / "init" / "config.json").is_file()


def test_a_stage_sees_none_of_the_sites_secrets(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORD_SECRET_KEY", "hush")
    monkeypatch.setenv("DATABASE_URL", os.environ.get("DATABASE_URL", "sqlite:///x"))
    script_stage(monkeypatch, "(root / 'env.json').write_text(json.dumps(dict(os.environ)))\n" + DONE)
    run(job)
    seen = json.loads((run_folder(job).root / "env.json").read_text())
    assert not [name for name in seen if name.startswith(("ACCORD_", "DATABASE_URL", "REDIS_URL", "DJANGO_"))]
    assert seen["OMP_NUM_THREADS"] == "1"


def test_a_failure_shows_the_stages_own_sentence(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    script_stage(monkeypatch, "say('failed', 7, error=('not_finite', 'loss is nan at step 7'))\nsys.exit(74)\n")
    ended = run(job)
    assert (ended.state, ended.error) == ("failed", {"code": "not_finite", "message": "loss is nan at step 7"})
    assert ended.stage.state == "failed"  # type: ignore[union-attr]


def test_a_killed_stage_is_tried_three_times_and_then_fails(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    script_stage(monkeypatch, "say('running')\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert [run(job).state for _ in range(3)] == ["queued", "queued", "failed"]
    assert "was killed by SIGKILL" in reload(job).error["message"]  # type: ignore[index]


def test_a_new_checkpoint_gives_a_killed_stage_new_attempts(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "say('running', attempt, checkpoint_step=attempt)\ntime.sleep(0.2)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    script_stage(monkeypatch, source)
    assert [run(job).state for _ in range(5)] == ["queued"] * 5


def test_a_bug_is_tried_twice(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    script_stage(monkeypatch, "say('failed', error=('bug', 'KeyError: 3'))\nsys.exit(70)\n")
    assert [run(job).state for _ in range(2)] == ["queued", "failed"]
    assert reload(job).error["message"] == "KeyError: 3. The traceback is in the log."  # type: ignore[index]


def test_a_config_that_this_version_refuses_fails_with_its_sentence(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(config=job.config | {"gone_since": 1})
    ended = run(job)
    assert (ended.state, ended.error["code"]) == ("failed", "config_refused")  # type: ignore[index]
    assert "gone_since is not a known key" in ended.error["message"]  # type: ignore[index]
    assert "launch the stage anew" in ended.error["message"]  # type: ignore[index]


@pytest.mark.parametrize("broken", ["prepare", "settle"])
def test_an_error_of_the_supervisors_own_is_the_attempts_end_and_not_the_workers(
    job: Job, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    really = getattr(launching, broken)
    calls = []

    def breaks(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        if broken == "settle" and len(calls) % 2 == 0:
            return really(*arguments, **more)
        raise KeyError("lost")

    monkeypatch.setattr(launching, broken, breaks)
    script_stage(monkeypatch, DONE)
    assert [run(job).state for _ in range(2)] == ["queued", "failed"]
    assert reload(job).error["code"] == "bug"  # type: ignore[index]
    assert "KeyError: 'lost'" in reload(job).error["message"]  # type: ignore[index]


def test_what_the_stage_prints_is_in_the_attempts_log(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    script_stage(monkeypatch, "print('out')\nprint('err', file=sys.stderr)\n" + DONE)
    run(job)
    assert run_folder(job).rank_log(1).read_text() == "out\nerr\n"


def test_a_folder_that_cannot_be_written_fails_with_the_remedy(
    job: Job, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    Path(settings.RUNS_DIR).write_text("a file where a folder should be")
    ended = run(job)
    assert ended.state == "failed"
    assert "cannot be written: Not a directory. Mend that, then resume the job." in ended.error["message"]  # type: ignore[index]


def test_a_snapshot_that_is_gone_fails_by_name(job: Job, settings: Any) -> None:
    for path in Path(settings.SNAPSHOTS_DIR).rglob("*.jsonl"):
        path.unlink()
    ended = run(job)
    assert ended.state == "failed"
    assert ended.error["code"] == "input_missing"  # type: ignore[index]
    assert "Put it back, or launch the stage anew." in ended.error["message"]  # type: ignore[index]


@pytest.mark.parametrize(("wanted", "state"), [("cancel", "cancelled"), ("pause", "paused")])
def test_what_was_asked_while_nobody_had_the_job_is_done_without_a_start(job: Job, wanted: str, state: str) -> None:
    Job.objects.filter(pk=job.pk).update(wanted=wanted)
    assert run(job).state == state
    assert not run_folder(job).root.exists()


def test_a_job_with_which_three_workers_were_lost_is_given_up(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(attempts_without_progress=3)
    ended = run(job)
    assert ended.state == "failed"
    assert "3 workers were lost with this job" in ended.error["message"]  # type: ignore[index]


# What follows needs other connections to see what the supervisor wrote.

LISTENS = """
signal.signal(signal.SIGTERM, lambda *_: (say("paused", 5), sys.exit(75)))
say("running", 5)
while control() == "run": time.sleep(0.01)
say({"cancel": "cancelled", "pause": "paused"}[control()], 5)
sys.exit({"cancel": 79, "pause": 75}[control()])
"""


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("transactional_db")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_job_is_nobody_elses_while_its_folder_is_made_however_long_that_takes(
    job: Job, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.JOB_LEASE_SECONDS = 2
    leases: list[Any] = []

    def slowly(job: Job, *, attempt: int) -> Any:
        leases.append(reload(job).lease_until)
        deadline = time.monotonic() + 10
        while reload(job).lease_until == leases[0] and time.monotonic() < deadline:
            time.sleep(0.05)
        leases.append(reload(job).lease_until)
        return prepare(job, attempt=attempt)

    monkeypatch.setattr(launching, "prepare", slowly)
    script_stage(monkeypatch, DONE)
    assert run(job).state == "done"
    before, after = leases
    assert after > before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease of job")]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("ask", "state"), [(jobs.ask_cancel, "cancelled"), (jobs.ask_pause, "paused")])
def test_what_a_person_asks_for_reaches_the_running_stage(
    job: Job, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Job], None], state: str
) -> None:
    script_stage(monkeypatch, LISTENS)
    asking = when(lambda: reload(job).step == 5, lambda: ask(job))
    assert run(job).state == state
    asking.join()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_told_to_stop_pauses_the_stage_and_hands_the_job_back(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_stage(monkeypatch, LISTENS)
    stop = StopSignal()
    stopping = when(lambda: reload(job).step == 5, stop.set)
    ended = run(job, stop)
    stopping.join()
    assert (ended.state, ended.wanted, ended.attempts_without_progress) == ("queued", "run", 0)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_stage_that_does_not_listen_is_killed_in_the_end(
    job: Job, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.JOB_STOP_SECONDS = 0.2
    script_stage(monkeypatch, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay('running', 5)\ntime.sleep(60)\n")
    asking = when(lambda: reload(job).step == 5, lambda: jobs.ask_cancel(job))
    assert run(job).state == "cancelled"
    asking.join()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.threat(16)
def test_a_supervisor_that_lost_its_claim_ends_the_stage_and_writes_nothing(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_stage(monkeypatch, "say('running', 5)\n(root / 'pid').write_text(str(os.getpid()))\ntime.sleep(60)\n")

    def take_over() -> None:
        Job.objects.filter(pk=job.pk).update(attempt=9, owner="other", step=77)

    taking = when(lambda: reload(job).step == 5, take_over)
    ended = run(job)
    taking.join()
    assert (ended.state, ended.attempt, ended.owner, ended.step) == ("running", 9, "other", 77)
    with pytest.raises(ProcessLookupError):
        os.kill(int((run_folder(job).root / "pid").read_text()), 0)


def test_a_stage_ends_with_its_supervisor_however_that_ends(tmp_path: Path) -> None:
    """A supervisor of its own process, killed with SIGKILL; the stage is not its child for long."""
    stage = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    source = f"""
import os, subprocess, sys, time
from training.launching import _end_with_parent
subprocess.Popen([sys.executable, "-c", {stage!r}], cwd={str(tmp_path)!r}, start_new_session=True,
                 preexec_fn=_end_with_parent(os.getpid()))
time.sleep(60)
"""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    setup = "import django; django.setup()\n"
    supervisor = subprocess.Popen([sys.executable, "-c", setup + source], env=environment)
    pid_file = tmp_path / "pid"
    deadline = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int(pid_file.read_text())
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.threat(16)
def test_a_stale_claim_is_settled_in_silence(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.claim(job.pk, "old")
    Job.objects.filter(pk=job.pk).update(attempt=2)
    script_stage(monkeypatch, DONE)
    supervise(Claim(job.pk, 1), stop=StopSignal())
    assert (reload(job).state, reload(job).attempt) == ("running", 2)
    assert not Metric.objects.exists()
