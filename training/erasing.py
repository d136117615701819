"""Erasure on request (rule 8): a person's words go from the database, and from the files of snapshots and run folders
that held them; jobs that read those cannot go on, and the models made from them are named.

Files first, the database's commit last: who is interrupted starts anew, and finds the words in their rows. Weights are
not unlearned, and backups made before still hold what was in them.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from labeling.audit.recording import record
from labeling.erasing import Erased, erase_words, recall_exports, withdraw_judgments
from labeling.errors import Refusal
from labeling.models import AuditKind, Labeler, Project, Submission, User
from labeling.rendering import forget_rendered
from training.jobs import ACTIVE
from training.models import Checkpoint, Erasure, Job, JobInput, Snapshot
from training.rlhf.contract.run_folder import RunFolder, file_sha256
from training.snapshot_rows import prompt_id, response_id
from training.snapshots import path_of

SHORTEST = 20
"""Characters: a shorter text is blanked where it is all of a string, and not inside of others' sentences."""


class ErasureRefused(Refusal):
    """Nothing can be erased now: a job reads it."""

    code = "erasure_refused"
    status = 409


@dataclass(frozen=True)
class Blanks:
    """What is looked for in files: ids of rows, and the words themselves. inside: those that may be part of a longer
    string, the longest first; looked for where a stage wrote texts to be read, which are few."""

    ids: frozenset[str]
    words: frozenset[str]
    inside: tuple[str, ...] = ()

    @classmethod
    def of(cls, erased: Erased) -> "Blanks":
        ids = [*map(prompt_id, erased.prompts), *map(response_id, erased.responses)]
        return cls(frozenset(ids), frozenset(erased.words))

    def also_inside(self) -> "Blanks":
        long = sorted((word for word in self.words if len(word) >= SHORTEST), key=len, reverse=True)
        return replace(self, inside=tuple(long))

    def blanked(self, value: Any) -> Any:
        """The same value without the words: of a row with one of the ids all texts and tokens, elsewhere the words."""
        if isinstance(value, str):
            return self._without_words(value)
        if isinstance(value, list):
            return [self.blanked(one) for one in value]
        if not isinstance(value, dict):
            return value
        found = {key: self.blanked(one) for key, one in value.items()}
        if found.get("id") in self.ids and "text" in found:
            found["text"] = ""
        if found.get("id") in self.ids and isinstance(found.get("messages"), list):
            found["messages"] = [{**turn, "content": ""} for turn in found["messages"]]
        if found.get("text") != value.get("text") and value.get("token_ids"):
            found["token_ids"] = []
        return found

    def _without_words(self, text: str) -> str:
        if text in self.words:
            return ""
        for word in self.inside:
            text = text.replace(word, "")
        return text


def erase(labeler: Labeler, *, by: User | None, judgments: bool = True) -> Erasure:
    """Erases what the labeler wrote and who they were. judgments: withdrawn from the data too.

    Raises LastOwner; ErasureRefused where a job that has not ended reads what is to be erased. Then nothing changed,
    except in files where the process was interrupted: they are found anew.
    """
    project = labeler.project
    submissions = list(Submission.objects.filter(assignment__labeler=labeler).values_list("pk", flat=True))
    with transaction.atomic():
        erased = erase_words(labeler)
        if judgments:
            erased.counts["withdrawn"] = withdraw_judgments(labeler)
        blanks = Blanks.of(erased)
        held = [one for one in Snapshot.objects.filter(project=project).order_by("pk") if _holds(one, blanks)]
        _refuse_what_is_read(held)
        recall_exports(project)
        for snapshot in held:
            _blank_snapshot(snapshot, blanks)
        erased.counts["files"] = len(held) + _blank_runs(project, blanks)
        learned = Snapshot.objects.filter(submissions__in=submissions) if judgments else Snapshot.objects.none()
        made = Erasure.objects.create(project=project, labeler=labeler, by=by, counts=erased.counts)
        made.snapshots.set(held)
        facts = {"act": "words", "erasure": made.pk, "judgments": judgments}
        record(AuditKind.ERASURE, project=project.pk, by=by.pk if by else None, facts=facts)
        made.checkpoints.set(made_from({one.pk for one in held} | set(learned.values_list("pk", flat=True))))
        transaction.on_commit(lambda: forget_rendered(erased.words))
    return made


def made_from(snapshots: set[int]) -> list[Checkpoint]:
    """Models whose jobs read one of these snapshots, and all that were made from those."""
    jobs = JobInput.objects.filter(snapshot__in=snapshots).values_list("job", flat=True)
    found: dict[int, Checkpoint] = {}
    fresh = list(Checkpoint.objects.filter(job__in=list(jobs)))
    while fresh:
        found |= {one.pk: one for one in fresh}
        fresh = list(Checkpoint.objects.filter(parents__in=fresh).exclude(pk__in=found).distinct())
    return sorted(found.values(), key=lambda one: one.pk)


def _refuse_what_is_read(held: list[Snapshot]) -> None:
    using = Job.objects.filter(inputs__snapshot__in=held, state__in=[*ACTIVE, Job.State.PAUSED])
    names = [f"{job} ({job.state})" for job in using.distinct().order_by("pk")[:5]]
    if names:
        raise ErasureRefused(f"{', '.join(names)} reads what is to be erased. Cancel it or wait for its end first.")


def _blank_runs(project: Project, blanks: Blanks) -> int:
    """Rows, outputs and samples in the run folders of the project's jobs; returns how many files held something."""
    found, inside = 0, blanks.also_inside()
    for pk in Job.objects.filter(project=project).values_list("pk", flat=True):
        folder = RunFolder(Path(settings.RUNS_DIR) / str(pk))
        for path in (*folder.root.glob("data/*.jsonl"), *folder.root.glob("output/*.jsonl")):
            found += _blank_file(path, blanks)
        if folder.samples.is_file():
            found += _blank_file(folder.samples, inside)
    return found


def _holds(snapshot: Snapshot, blanks: Blanks) -> bool:
    """Or was blanked by somebody who was interrupted before the row was written."""
    path = path_of(snapshot)
    if not path.is_file():
        return False
    return any(_changed(line, blanks) is not None for line in _lines(path)) or file_sha256(path) != snapshot.sha256


def _blank_snapshot(snapshot: Snapshot, blanks: Blanks) -> None:
    path = path_of(snapshot)
    _blank_file(path, blanks)
    snapshot.first_sha256 = snapshot.first_sha256 or snapshot.sha256
    snapshot.sha256, snapshot.bytes = file_sha256(path), path.stat().st_size
    snapshot.save(update_fields=["first_sha256", "sha256", "bytes"])


def _blank_file(path: Path, blanks: Blanks) -> bool:
    """Whether it held any of it. A file is replaced as a whole: another name of it keeps the words until its turn."""
    temporary = path.with_name(f"tmp-{path.name}")
    changed = False
    try:
        with temporary.open("wb") as file:
            for line in _lines(path):
                other = _changed(line, blanks)
                changed = changed or other is not None
                file.write(line if other is None else other)
            file.flush()
            os.fsync(file.fileno())
        if changed:
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return changed


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _changed(line: bytes, blanks: Blanks) -> bytes | None:
    """The line as it is to be, None where it stays."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    other = blanks.blanked(value)
    if other == value:
        return None
    return json.dumps(other, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"
