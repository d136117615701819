"""Following metrics.jsonl: whole lines, once each, and from the start again where the file was cut."""

from pathlib import Path

import pytest

from labeling.models import Project
from training.following import MetricsTail, last_lines, store_metrics
from training.models import Job, Metric


def line(step: int, loss: float = 1.0) -> str:
    return f'{{"step":{step},"attempt":1,"loss":{loss}}}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def steps(tail: MetricsTail) -> list[int]:
    return [found["step"] for found in tail.read()]


def test_a_file_that_is_not_there_yet_has_no_lines(path: Path) -> None:
    assert steps(MetricsTail(path)) == []


def test_each_line_is_read_once(path: Path) -> None:
    tail = MetricsTail(path)
    path.write_text(line(1) + line(2))
    assert steps(tail) == [1, 2]
    with path.open("a") as file:
        file.write(line(3))
    assert steps(tail) == [3]
    assert steps(tail) == []


def test_half_a_line_waits_for_its_other_half(path: Path) -> None:
    tail = MetricsTail(path)
    path.write_text(line(1) + line(2)[:9])
    assert steps(tail) == [1]
    path.write_text(line(1) + line(2))
    assert steps(tail) == [2]


def test_a_file_that_was_cut_is_read_from_its_start(path: Path) -> None:
    tail = MetricsTail(path)
    path.write_text(line(1) + line(2) + line(3))
    tail.read()
    path.write_text(line(1))
    assert steps(tail) == [1]


def test_a_file_that_was_cut_and_has_grown_past_the_old_end_is_noticed(path: Path) -> None:
    tail = MetricsTail(path)
    path.write_text(line(1) + line(2, loss=0.5))
    tail.read()
    path.write_text(line(1) + line(2, loss=0.25) + line(3))
    assert steps(tail) == [1, 2, 3]


def test_what_is_stored_past_the_end_of_a_file_begun_anew_is_known_to_be_stale(path: Path) -> None:
    tail = MetricsTail(path)
    tail.read()
    assert tail.stale_after is None
    path.write_text(line(1) + line(2) + line(3))
    tail.read()
    assert tail.stale_after == 3
    tail.read()
    assert tail.stale_after is None
    path.write_text(line(1))
    tail.read()
    assert tail.stale_after == 1
    path.write_text("")
    tail.read()
    assert tail.stale_after == -1


def test_a_line_that_is_no_metric_is_left_out(path: Path) -> None:
    path.write_text("{broken\n[1]\n" + line(4))
    assert steps(MetricsTail(path)) == [4]


@pytest.mark.django_db
@pytest.mark.sqlite
def test_of_one_key_the_last_line_counts(project: Project) -> None:
    job = Job.objects.create(project=project, kind="sft", config={})
    store_metrics(
        job.pk, [{"step": 1, "loss": 3.0}, {"step": 1, "split": "valid", "loss": 9.0}, {"step": 1, "loss": 2.0}]
    )
    store_metrics(job.pk, [{"step": 1, "loss": 1.0}])
    assert set(Metric.objects.values_list("split", "values__loss")) == {("train", 1.0), ("valid", 9.0)}


def test_the_end_of_a_log_is_short_and_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert last_lines(path, lines=3) == ""
    path.write_bytes(b"x" * 100_000 + b"\n" + b"\n".join(str(n).encode() for n in range(50)) + b"\xff")
    assert last_lines(path, lines=2) == "48\n49�"
