"""What of the run folders can go, and what never does: whatever a checkpoint that is kept, a job that may go on, or a
page that shows a job needs.

What goes is the state to resume from (`checkpoints/`: weights on the way, optimizers) of jobs that no longer can be
resumed, folders of jobs that are no more, and the weights of models that were deleted. Released weights (`model/`),
configs, data, metrics, texts, logs and reports stay. Nothing is taken before it has been over for some days.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from labeling.models import Project
from training import jobs
from training.base_models import folder_of
from training.errors import CheckpointRefused
from training.models import Checkpoint, Job, JobInput, Round
from training.run_folders import run_folder

log = logging.getLogger(__name__)

DAYS = 7
"""Since the end of a job, where nobody says otherwise."""


@dataclass(frozen=True)
class Piece:
    """Something that can go. job_id: None for a folder of no job. bytes: what its going frees."""

    job_id: int | None
    path: Path
    bytes: int
    why: str


def removable(*, older_than: timedelta, project: Project | None = None) -> list[Piece]:
    """The largest first. project: of this one only; folders of no job are nobody's and belong to no project."""
    kept = needed_folders()
    pieces = [*_of_ended_jobs(older_than, project)]
    if project is None:
        pieces += _of_no_job(older_than)
    found = [piece for piece in pieces if not any(_is_within(folder, piece.path) for folder in kept)]
    return sorted(found, key=lambda piece: -piece.bytes)


def needed_folders() -> set[Path]:
    """Where the weights of all checkpoints lie that are not deleted."""
    found = (folder_of(one) for one in Checkpoint.objects.filter(removed_at=None))
    return {folder.resolve() for folder in found if folder is not None}


def _is_within(folder: Path, outer: Path) -> bool:
    return folder.is_relative_to(outer.resolve())


def _of_ended_jobs(older_than: timedelta, project: Project | None) -> Iterator[Piece]:
    ended = Job.objects.filter(
        state__in=jobs.ENDED, finished_at__lt=Now() - older_than, stage__round__recorded=""
    ) | Job.objects.filter(state__in=jobs.ENDED, finished_at__lt=Now() - older_than, stage=None)
    if project is not None:
        ended = ended.filter(project=project)
    for job in ended.select_related("stage__round", "checkpoint").order_by("pk").iterator(chunk_size=500):
        if may_be_resumed(job):
            continue
        folder = run_folder(job)
        why = f"{job.get_kind_display()} job {job.pk} is {job.state} and is not resumed any more"
        for path in _states(job, folder.checkpoints):
            yield Piece(job.pk, path, freed_bytes(path), why)
        for path in folder.root.glob("tmp-*"):
            yield Piece(job.pk, path, freed_bytes(path), f"left over from an attempt of job {job.pk}")
        checkpoint = getattr(job, "checkpoint", None)
        if checkpoint is not None and checkpoint.removed_at is not None and folder.model.is_dir():
            yield Piece(job.pk, folder.model, freed_bytes(folder.model), f"{checkpoint.name} was deleted")


def may_be_resumed(job: Job) -> bool:
    """A failed job goes on when somebody asks for it, as long as it is its stage's newest and its round is open."""
    if job.state != Job.State.FAILED:
        return False
    return job.stage is None or (job.stage.round.state == Round.State.OPEN and jobs.followed_by(job) is None)


def _states(job: Job, folder: Path) -> Iterator[Path]:
    """The folder of its checkpoints as a whole; without those that its config asks to keep, where it asks for any."""
    if not folder.is_dir():
        return
    asked = (job.config.get("checkpoints") or {}).get("keep_steps") or []
    if not asked:
        yield folder
        return
    names = {f"step-{step:08d}" for step in asked}
    yield from (path for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in names)


def _of_no_job(older_than: timedelta) -> Iterator[Piece]:
    """Folders named by a number that no job has: their project was deleted."""
    root = Path(settings.RUNS_DIR)
    folders = {int(path.name): path for path in root.iterdir() if path.name.isdigit()} if root.is_dir() else {}
    known = set(Job.objects.filter(pk__in=folders).values_list("pk", flat=True))
    before = time.time() - older_than.total_seconds()
    for number in sorted(folders.keys() - known):
        if folders[number].stat().st_mtime < before:
            yield Piece(None, folders[number], freed_bytes(folders[number]), f"there is no job {number}")


def freed_bytes(path: Path) -> int:
    """Of the files whose last name goes with it: a hard link elsewhere keeps the bytes."""
    links: dict[tuple[int, int], list[int]] = {}
    for file in path.rglob("*") if path.is_dir() else [path]:
        try:
            stat = file.lstat()
        except OSError:
            continue
        if file.is_file() and not file.is_symlink():
            found = links.setdefault((stat.st_dev, stat.st_ino), [stat.st_nlink, 0, stat.st_size])
            found[1] += 1
    return sum(size for names, inside, size in links.values() if inside >= names)


def clean(pieces: list[Piece]) -> int:
    """Removes them; returns the bytes that were freed. What has become needed meanwhile stays."""
    freed = 0
    for piece in pieces:
        with transaction.atomic():
            if piece.job_id is not None:
                job = Job.objects.select_for_update(of=("self",)).select_related("stage__round").filter(pk=piece.job_id)
                held = job.first()
                if held is None or held.state not in jobs.ENDED or may_be_resumed(held):
                    continue
            if any(_is_within(folder, piece.path) for folder in needed_folders()):
                continue
            remove(piece.path)
            freed += piece.bytes
    return freed


def remove(path: Path) -> None:
    """Under another name first: whoever looks meanwhile finds all of it or nothing."""
    going = path.with_name(f"tmp-going-{path.name}")
    try:
        path.rename(going)
    except FileNotFoundError:
        return
    shutil.rmtree(going, ignore_errors=True)
    if going.exists():
        log.warning("%s could not be removed as a whole", going)


# --- deleting a checkpoint --------------------------------------------------------------------------------------------


def rests_on(checkpoint: Checkpoint) -> list[str]:
    """What would be lost with its weights: reasons why they cannot be deleted."""
    found = []
    children = list(checkpoint.children.filter(removed_at=None).order_by("pk"))
    if children:
        names = ", ".join(one.name for one in children[:5])
        found.append(f"{names}{' and others' if len(children) > 5 else ''} {_were(len(children))} made from it")
    later = Job.objects.filter(stage=OuterRef("job__stage"), pk__gt=OuterRef("job"))
    may_go_on = Q(~Exists(later), job__state=Job.State.FAILED, job__stage__round__state=Round.State.OPEN)
    using = JobInput.objects.filter(checkpoint=checkpoint).filter(
        Q(job__state__in=[*jobs.ACTIVE, Job.State.PAUSED]) | may_go_on
    )
    for one in using.select_related("job")[:3]:
        found.append(f"job {one.job_id} ({one.job.state}) reads it")
    round_ = checkpoint.job.stage.round if checkpoint.job and checkpoint.job.stage else None
    if round_ is not None and round_.state == Round.State.OPEN:
        found.append(f"round {round_.number} is open, and its next stages start from what it made")
    for other in Round.objects.filter(project=checkpoint.project_id, state=Round.State.OPEN):
        if checkpoint.pk in _named_by(other.recipe):
            found.append(f"round {other.number} is open and starts from it or compares with it")
    return found


def _were(many: int) -> str:
    return "was" if many == 1 else "were"


def _named_by(recipe: dict[str, Any]) -> set[Any]:
    return {recipe.get("base"), recipe.get("policy"), recipe.get("watch"),
            *(recipe.get("evaluation") or {}).get("others", ())}  # fmt: skip


def delete_weights(checkpoint: Checkpoint) -> int:
    """Deletes the files of a checkpoint; its row stays, with all that was made and measured. Returns the bytes freed.

    Raises CheckpointRefused where something rests on it, or the files are not Accord's to delete.
    """
    with transaction.atomic():
        rows = Checkpoint.objects.select_for_update(of=("self",)).select_related("job__stage__round")
        held = rows.get(pk=checkpoint.pk)
        if held.removed_at is not None:
            raise CheckpointRefused(f"The weights of {held.name} were deleted on {held.removed_at:%d %B %Y} already.")
        folder = folder_of(held)
        if folder is None or held.job is None or not folder.is_relative_to(Path(settings.RUNS_DIR)):
            raise CheckpointRefused(f"The files of {held.name} at {held.uri} were not made here; nothing was deleted.")
        if held.job.stage and held.job.stage.round.recorded:
            raise CheckpointRefused(f"{held.name} was trained elsewhere; its weights are not here.")
        reasons = rests_on(held)
        if reasons:
            raise CheckpointRefused(f"{held.name} cannot be deleted: {'; '.join(reasons)}.")
        freed = freed_bytes(folder)
        Checkpoint.objects.filter(pk=held.pk).update(removed_at=timezone.now())
        transaction.on_commit(lambda: remove(folder))
    return freed
