"""Before a launch: everything that can be known without starting it. Nothing is written, and nothing is frozen.

The launch itself refuses what cannot work (preflight.py); this says besides what will be left out, how much room and
time it will want, and who would do it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

from django.template.defaultfilters import filesizeformat

from labeling.backgrounds import FEWEST_SHOWN
from labeling.intake import beginning
from labeling.models import Prompt
from training import sizes
from training.audience import audience_of
from training.base_models import check_readable, folder_of
from training.durations import duration
from training.errors import LaunchRefused
from training.following import worked_seconds
from training.models import Checkpoint, Job, JobInput, Stage, Worker
from training.preflight import DataNeed, compose, counted, least_rows, narrowed, needs_met, query_of
from training.recipes import Sections
from training.rlhf.contract.config import RunConfig
from training.snapshot_rows import Counts, rows_of
from training.voices import voices_of

Verdict = Literal["good", "notice", "bad"]
EARLIER = 5
"""Jobs whose pace is looked at."""
TIGHT = 0.7
"""Of the memory or disk that is there: from here on it is said."""


@dataclass(frozen=True)
class Item:
    """One line of the report. bad: the launch will be refused, or the job will fail."""

    name: str
    value: str
    verdict: Verdict = "good"
    note: str = ""


def report_of(stage: Stage, sections: Sections, models: Mapping[str, Checkpoint], **more: Any) -> list[Item]:
    """In the order in which a launch would go: config and models, data, room, time, and who does it.

    more: fields of the query for its required records, as for a launch. Raises LaunchRefused where there is no config
    to speak of. Reads all records of the stage once.
    """
    needs = list(needs_met(stage, sections))
    config = compose(stage, sections, models=dict(models), needs=needs)
    found, measured = [], {}
    for role, checkpoint in models.items():
        item, size = _model(role, checkpoint)
        found.append(item)
        if size is not None:
            measured[role] = size
    rows: dict[str, int] = {}
    for need in needs:
        item, rows[need.name] = _data(stage, need, dict(models), config, more)
        found.append(item)
    found += _voices(stage, needs)
    found += _overlap(stage, needs)
    workers = [one for one in Worker.objects.up() if queue_of(config) in one.queues]
    found.append(_room("Memory", sizes.memory_bytes(config, measured), _memory_of(workers, queue_of(config))))
    disk = max((one.disk_free_bytes for one in workers if one.disk_free_bytes is not None), default=None)
    found.append(_room("Disk", sizes.disk_bytes(config, measured), disk))
    used = [name for use in ("train", "prompts") for name in config.to_json()["data"].get(use, [])]
    found.append(_time(stage, config, sum(rows.get(name, 0) for name in used)))
    found.append(_worker(workers, queue_of(config)))
    return found


def queue_of(config: RunConfig) -> str:
    return str(Job.Queue.CPU if config.hardware.device == "cpu" else Job.Queue.GPU)


def _model(role: str, checkpoint: Checkpoint) -> tuple[Item, sizes.ModelSize | None]:
    name = f"Model ({role})"
    folder = folder_of(checkpoint)
    if folder is None:
        return Item(name, checkpoint.name, "notice", "on a hub: the worker fetches it"), None
    try:
        check_readable(checkpoint, role=role)
        size = sizes.size_of(folder)
    except LaunchRefused as refused:
        return Item(name, checkpoint.name, "bad", str(refused)), None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Item(name, checkpoint.name, "bad", f"its files cannot be read: {error}"), None
    return Item(name, checkpoint.name, note=f"{size.parameters:,} parameters"), size


def _data(
    stage: Stage, need: DataNeed, models: dict[str, Checkpoint], config: RunConfig, more: Mapping[str, Any]
) -> tuple[Item, int]:
    """How many records would be frozen, and why others would not."""
    name = f"{need.kind.capitalize()}, {need.split}"
    least = least_rows(config) if need.required else 0
    if need.kind == "text":
        there = counted(stage.round, need)
        return Item(name, f"{there:,} bytes", "good" if there >= least else "bad", f"at least {least:,} are needed"), 0
    counts = Counts()
    asked = narrowed(stage, need, models, config) | (dict(more) if need.required else {})
    query = replace(query_of(stage.round, need), **asked)
    rows = sum(1 for _ in rows_of(stage.round.project, query, counts))
    said = [f"left out: {number:,} {reason}" for reason, number in sorted(counts.left_out.items())]
    if counts.labelers:
        said.insert(0, f"by {len(counts.labelers):,} labeler{'s' if len(counts.labelers) > 1 else ''}")
    if rows < least:
        said.insert(0, f"at least {least:,} are needed")
    verdict: Verdict = "bad" if rows < least else "notice" if counts.left_out else "good"
    return Item(name, f"{rows:,}", verdict, "; ".join(said)), rows


def _voices(stage: Stage, needs: list[DataNeed]) -> Iterator[Item]:
    """Whether every cohort that the round is trained for is heard. Below five people nothing is counted."""
    learned = {Stage.Kind.REWARD: "rankings", Stage.Kind.SFT: "demonstrations"}.get(Stage.Kind(stage.kind))
    if audience_of(stage.round).mode == "alone" and learned != "rankings":
        return
    for need in needs:
        if need.kind != learned or need.use != "train":
            continue
        for one in voices_of(stage.round, need):
            name = f"{need.kind.capitalize()} by {one.name}"
            few = f"by fewer than {FEWEST_SHOWN} labelers; {FEWEST_SHOWN} or more would do"
            if not one.are_few:
                yield Item(name, f"{one.prompts:,} prompts", note=f"by {one.labelers:,} labelers")
            elif learned == "rankings":
                yield Item(name, "too few", "bad", few)
            else:
                yield Item(name, "few or none", "notice", f"{few}; SFT hardly learns this cohort's message")


def _overlap(stage: Stage, needs: list[DataNeed]) -> Iterator[Item]:
    """Held-out prompts of the project that begin like a training prompt: no stage is measured on them."""
    if not any(need.split != "train" for need in needs):
        return
    learned: set[str] = set()
    alike = held_out = 0
    prompts = Prompt.objects.filter(project=stage.round.project_id).order_by().values_list("split", "messages")
    for messages in _messages(prompts.filter(split=Prompt.Split.TRAIN)):
        learned.add(beginning(messages))
    for messages in _messages(prompts.exclude(split=Prompt.Split.TRAIN)):
        held_out += 1
        alike += beginning(messages) in learned
    note = "they begin alike and are left out" if alike else "none begins like a training prompt"
    yield Item("Held-out prompts met in training", f"{alike:,} of {held_out:,}", "notice" if alike else "good", note)


def _messages(prompts: Any) -> Iterator[Any]:
    for _, messages in prompts.iterator(chunk_size=1000):
        yield messages


def _memory_of(workers: list[Worker], queue: str) -> int | None:
    """Of the largest that could take it: of its GPU where the stage wants one and there is one."""
    found = []
    for one in workers:
        gpus = [gpu["memory_bytes"] for gpu in one.gpus] if queue == Job.Queue.GPU else []
        if gpus or one.memory_bytes:
            found.append(max(gpus) if gpus else one.memory_bytes)
    return max((one for one in found if one is not None), default=None)


def _room(name: str, wanted: int, there: int | None) -> Item:
    about = f"about {filesizeformat(wanted)}"
    if there is None:
        return Item(name, about, note="no worker that would take it has said how much it has")
    of = f"of {filesizeformat(there)}"
    if wanted > there:
        return Item(name, about, "bad", f"{of}: take fewer tokens a micro-batch, fewer checkpoints, or another worker")
    return Item(name, about, "notice" if wanted > TIGHT * there else "good", of)


def _time(stage: Stage, config: RunConfig, rows: int) -> Item:
    """By the pace of earlier jobs of this kind in the project."""
    paces = [pace for job in _earlier(stage) if (pace := pace_of(job)) is not None]
    if not paces:
        return Item("Time", "not known", note="no stage of this kind has run here yet")
    seconds = median(paces) * sizes.amount(config.to_json(), rows)
    many = f"the last {len(paces)} runs" if len(paces) > 1 else "the last run"
    return Item("Time", f"about {duration(seconds)}", note=f"at the pace of {many} here")


def _earlier(stage: Stage) -> list[Job]:
    done = Job.objects.filter(
        project=stage.round.project_id, stage__kind=stage.kind, stage__round__recorded="", state=Job.State.DONE,
        started_at__isnull=False, finished_at__isnull=False,
    )  # fmt: skip
    return list(done.order_by("-pk").defer("report")[:EARLIER])


def pace_of(job: Job) -> float | None:
    """Seconds a unit of work: of work, where the stage said so, and not of pauses and queues."""
    if job.started_at is None or job.finished_at is None or "stage" not in job.config:
        return None
    data = job.config.get("data") or {}
    names = [name for use in ("train", "prompts") for name in data.get(use, [])]
    inputs = JobInput.objects.filter(job=job, role__in=names, snapshot__isnull=False)
    rows = sum(inputs.values_list("snapshot__rows", flat=True))
    seconds = worked_seconds(job.pk) or (job.finished_at - job.started_at).total_seconds()
    return seconds / sizes.amount(job.config, rows)


def _worker(workers: list[Worker], queue: str) -> Item:
    if not workers:
        note = f"start one: python manage.py work --queue {queue}"
        return Item("Worker", f"none of queue {queue} is up", "notice", note)
    busy = Job.objects.filter(state=Job.State.RUNNING, owner__in=[one.name for one in workers]).values("owner")
    free = len(workers) - busy.distinct().count()
    return Item("Worker", f"{len(workers)} of queue {queue}", note=f"{free} free" if free > 0 else "all at work")
