"""The two clocks of a stage: its process lives, its loop advances. A supervisor judges both by change on its own."""

from typing import Any

import pytest

from tests.training.making import TINY_SFT, reload, script_stage
from training import following, jobs
from training.following import Pulse
from training.launching import supervise
from training.models import Alarm, Round
from training.rlhf.contract.run_folder import Status
from training.rounds import launch
from training.stopping import StopSignal


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Clock:
    settings.JOB_STALL_SECONDS = 60
    found = Clock()
    monkeypatch.setattr(following, "time", found)
    return found


def status(step: int, beat: str, *, phase: str = "train") -> Status:
    return Status(
        attempt=1, pid=1, host="h", state="running", phase=phase, step=step, steps=9, beat=beat, step_at=None  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_loop_that_stands_still_while_the_process_beats_is_stalled(clock: Clock) -> None:
    pulse = Pulse()
    assert pulse.heed(status(3, "a"))
    for second in range(1, 62):
        clock.now += 1
        assert not pulse.heed(status(3, f"beat {second}"))
    assert pulse.stalled
    assert pulse.silent_seconds == 0
    assert (pulse.step, pulse.still_seconds) == (3, 61)


def test_another_phase_is_an_advance(clock: Clock) -> None:
    pulse = Pulse()
    pulse.heed(status(3, "a"))
    clock.now += 59
    assert pulse.heed(status(3, "b", phase="checkpoint"))
    clock.now += 59
    assert not pulse.stalled


def test_slow_steps_are_given_time(clock: Clock) -> None:
    pulse = Pulse()
    pulse.heed(status(3, "a"))
    clock.now += 50
    pulse.heed(status(4, "b"))
    clock.now += 140
    assert not pulse.stalled, "three times the slowest step so far"
    clock.now += 20
    assert pulse.stalled


def test_a_process_without_a_beat_is_silent_whatever_its_hosts_clock_says(clock: Clock) -> None:
    pulse = Pulse()
    pulse.heed(status(3, "2031-01-01T00:00:00Z"))
    clock.now += 61
    pulse.heed(status(3, "2031-01-01T00:00:00Z"))
    assert pulse.silent_seconds == 61


@pytest.mark.django_db
def test_a_stage_that_gives_no_sign_of_life_is_ended_and_tried_again(
    round_with_base: Round, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.JOB_STALL_SECONDS = 0.5
    script_stage(monkeypatch, "say('running', 5)\ntime.sleep(60)\n")
    job = launch(round_with_base, "sft", overrides=TINY_SFT)
    claim = jobs.claim(job.pk, "w1")
    assert claim
    supervise(claim, stop=StopSignal())
    ended = reload(job)
    assert ended.state == "queued"
    assert ended.error is not None
    assert ended.error["code"] == "silent"
    assert "gave no sign of life" in ended.error["message"]
    assert Alarm.objects.filter(kind="stalled", step=5).count() <= 1


@pytest.mark.django_db
def test_a_bug_is_shown_with_its_traceback(round_with_base: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
note = {"code": "bug", "message": "KeyError: 3", "rank": 0, "traceback": "Traceback: line 7"}
say("failed")
status = json.loads((root / "status.json").read_text()) | {"error": note}
(root / "status.json").write_text(json.dumps(status))
sys.exit(70)
"""
    script_stage(monkeypatch, source)
    job = launch(round_with_base, "sft", overrides=TINY_SFT)
    for _ in range(2):
        claim = jobs.claim(job.pk, "w1")
        assert claim
        supervise(claim, stop=StopSignal())
    assert reload(job).error == {
        "code": "bug", "message": "KeyError: 3. The traceback is in the log.", "traceback": "Traceback: line 7",
    }  # fmt: skip
    assert Alarm.objects.get().message == "KeyError: 3. The traceback is in the log."
