"""Loads recorded rounds into a project of their own, to be looked at: nothing in it can be launched or trained from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, transaction

from labeling.intake import fingerprint
from labeling.models import Campaign, Membership, Project, Prompt, Submission, User
from training.errors import RecordingRefused
from training.models import Checkpoint, Job, Metric, Round, Snapshot
from training.recorded.files import RECORDED, Recording, read_recording
from training.recorded.folders import write_run
from training.recorded.inserting import ready, reserve
from training.recorded.tables import TABLES, Table, time_at

NAME, SLUG = "Rehearsal, recorded", "rehearsal-recorded"
ABOUT = "Recorded rounds of a rehearsal: watch people’s tastes turn into a model. Nothing runs here."


def load_recorded_rehearsal(people: Sequence[tuple[User, str]], *, path: Path = RECORDED) -> Project:
    """The project of the recorded rounds: loaded, or as it is where it is there already. people: with roles.

    Raises RecordingRefused with one sentence, and nothing was written.
    """
    there = Project.objects.filter(slug=SLUG).first()
    if there is not None:
        return there
    recording = read_recording(path)
    try:
        loaded = _Loaded(recording, *_numbers(recording))
        tables = [ready(table.model, recording.rows(table.name), loaded.columns(table)) for table in TABLES]
        with _folders_of_a_whole_load() as made, transaction.atomic():
            project = Project.objects.create(pk=loaded.project, name=NAME, slug=SLUG, simulated=True, about=ABOUT)
            for user, role in people:
                Membership.objects.create(user=user, project=project, role=role)
            for table in tables:
                table.insert()
            _write_runs(loaded, made)
    except OSError as error:
        raise RecordingRefused(f"What {path.name} has of the jobs' folders cannot be written: {error}.") from error
    except (DatabaseError, ValidationError, LookupError, TypeError, ValueError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise RecordingRefused(
            f"{path.name} cannot be loaded ({reason}). Record it anew, or fetch it again."
        ) from error
    return project


def _numbers(recording: Recording) -> tuple[int, dict[type[models.Model], list[int]]]:
    """What the project and every row will be called, by its place."""
    rows = {table.model: reserve(table.model, recording.rows(table.name)) for table in TABLES}
    return reserve(Project, 1)[0], rows


@contextmanager
def _folders_of_a_whole_load() -> Iterator[list[Path]]:
    """Run folders made in the block go again where it fails."""
    made: list[Path] = []
    try:
        yield made
    except BaseException:
        for folder in made:
            rmtree(folder, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Loaded:
    """A recording on its way into the database. project: its number."""

    recording: Recording
    project: int
    numbers: Mapping[type[models.Model], list[int]]

    def to(self, model: type[models.Model], place: int) -> int:
        if not 0 <= place < len(self.numbers[model]):
            raise LookupError(f"there is no {model._meta.verbose_name} in place {place}")
        return self.numbers[model][place]

    def columns(self, table: Table) -> dict[str, Sequence[Any]]:
        """Values by the name of a field, as they go into the database."""
        told = self.recording.tables[table.name]
        found: dict[str, Sequence[Any]] = {name: self._column(table, name, told[name]) for name in table.columns}
        return found | self._set_anew(table, found) | {"id": self.numbers[table.model]}

    def _column(self, table: Table, name: str, values: list[Any]) -> list[Any]:
        link = table.link(name)
        if link is not None:
            return [None if value is None else self.to(link, value) for value in values]
        if table.is_time(name):
            times = {value: time_at(value) for value in values if value is not None}
            return [times.get(value) for value in values]
        if name in table.numbers:
            return [table.numbers[name](value, self.to) for value in values]
        return values

    def _set_anew(self, table: Table, found: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
        """What belongs to this place and not to the rounds."""
        many = self.recording.rows(table.name)
        anew: dict[str, Sequence[Any]] = {}
        if any(one.name == "project" for one in table.model._meta.local_concrete_fields):
            anew["project"] = [self.project] * many
        if table.model is Prompt:
            anew["fingerprint"] = [fingerprint(messages) for messages in found["messages"]]
        elif table.model is Round:
            commands = {one["number"]: one["command"] for one in self.recording.header["rounds"]}
            anew["recorded"] = [commands[number] for number in found["number"]]
        elif table.model is Campaign:
            anew["state"] = [Campaign.State.CLOSED] * many
        elif table.model is Checkpoint:
            reports = dict(zip(self.numbers[Job], self.recording.tables["job"]["report"], strict=True))
            anew["metrics"] = [reports[job] for job in found["job"]]
            anew["uri"] = [f"{job}/model" for job in found["job"]]
        elif table.model is Submission:
            anew["key"] = [uuid4() for _ in range(many)]
        elif table.model is Snapshot:
            anew["uri"] = [
                f"{self.project}/{kind}-{sha256}.jsonl"
                for kind, sha256 in zip(found["kind"], found["sha256"], strict=True)
            ]
        return anew


def _write_runs(loaded: _Loaded, made: list[Path]) -> None:
    """Texts and logs where pages look for them. made: grows by each folder."""
    jobs = {job.pk: job for job in Job.objects.filter(project=loaded.project)}
    metrics: dict[int, list[Metric]] = {pk: [] for pk in jobs}
    for metric in Metric.objects.filter(job__project=loaded.project).order_by("step"):
        metrics[metric.job_id].append(metric)
    runs = Path(settings.RUNS_DIR)
    for place, run in loaded.recording.runs.items():
        job = jobs[loaded.to(Job, place)]
        folder = runs / str(job.pk)
        if folder.exists():
            raise RecordingRefused(
                f"The folder of job {job.pk} is there already, of an earlier site. Move it away first."
            )
        made.append(folder)
        write_run(job.pk, job.attempt, run, metrics[job.pk], runs=runs)
