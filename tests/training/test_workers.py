"""Workers as rows: who is up, what they take, and that they say goodbye."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from tests.training.workers import wait_until
from training import workers
from training.models import Worker

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_one_that_was_heard_of_lately_is_up_and_takes_its_queues_only() -> None:
    workers.enrol("w1:1", ["cpu"], {})
    assert workers.can_take("cpu")
    assert not workers.can_take("gpu")


def test_one_that_is_silent_or_has_left_takes_nothing() -> None:
    workers.enrol("w1:1", ["cpu"], {})
    Worker.objects.update(heard_at=Now() - timedelta(minutes=1))
    assert not workers.can_take("cpu")
    workers.enrol("w1:1", ["cpu"], {})
    assert workers.can_take("cpu")
    Worker.objects.update(left_at=Now())
    assert not workers.can_take("cpu")


def test_a_week_later_it_is_forgotten() -> None:
    workers.enrol("old:1", ["cpu"], {})
    Worker.objects.update(heard_at=Now() - timedelta(days=8))
    workers.enrol("new:1", ["gpu"], {})
    assert [one.name for one in Worker.objects.all()] == ["new:1"]


def test_the_machine_is_told_as_it_is(settings: Any, tmp_path: Path) -> None:
    settings.RUNS_DIR = tmp_path / "not" / "yet"
    facts = workers.facts_of_machine()
    assert facts["cores"] >= 1
    assert facts["memory_bytes"] > 1 << 28
    assert workers.disk_free_bytes()


def test_gpus_are_read_from_the_drivers_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_answer_of", lambda command: "NVIDIA H200, 143771\nNVIDIA H200, 143771\n")
    assert workers.gpus() == [{"name": "NVIDIA H200", "memory_bytes": 143771 << 20}] * 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_is_there_while_it_works_and_says_goodbye() -> None:
    with workers.Presence(["cpu", "gpu"]) as presence:
        wait_until(lambda: Worker.objects.up().filter(name=presence.name).exists())
        assert workers.can_take("gpu")
    assert not Worker.objects.up().exists()
