"""The polling worker: it lives on, whatever goes wrong around a job."""

import pytest

from tests.training.making import TINY_SFT, reload, script_stage
from training.management.commands import work
from training.models import Round
from training.rounds import launch
from training.stopping import StopSignal

pytestmark = pytest.mark.django_db


def test_a_sweep_that_fails_keeps_no_job_waiting(round_with_base: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise KeyError("a round that nobody can move on")

    monkeypatch.setattr(work, "sweep", fails)
    script_stage(monkeypatch, "say('running', 0)\nrelease()\nsay('done', 3)\n")
    job = launch(round_with_base, "sft", overrides=TINY_SFT)
    work.work(["cpu"], stop=StopSignal(), until_idle=True)
    assert reload(job).state == "done"
