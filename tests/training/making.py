"""Records, folders and jobs for the tests of the machines' side."""

import hashlib
import sys
from itertools import count
from pathlib import Path
from typing import Any

from labeling.models import Campaign, Generator, Labeler, Project, Prompt, Response
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now
from training.models import Job

NUMBERS = count(1)

TINY_SFT: dict[str, Any] = {"sft": {"epochs": 1, "sequences_per_step": 4}, "hardware": {"device": "cpu", "threads": 1}}


def prompt(project: Project, text: str = "", *, split: str = "train", group: str = "", **more: object) -> Prompt:
    number = next(NUMBERS)
    return Prompt.objects.create(
        project=project, messages=[{"role": "user", "content": text or f"How are {number} and {number + 1} alike?"}],
        group_key=group or f"author {number}", split=split,
        fingerprint=hashlib.sha256(f"prompt {number}".encode()).hexdigest(),
        **({"origin": "import"} | more),
    )  # fmt: skip


def writer(project: Project, name: str = "Ada", *, source: str = "imported") -> Labeler:
    return Labeler.objects.get_or_create(project=project, pseudonym=name, defaults={"source": source})[0]


def demonstrations(project: Project, number: int, *, split: str = "train", by: Labeler | None = None) -> list[Response]:
    labeler = by or writer(project)
    return [
        Response.objects.create(prompt=prompt(project, split=split), labeler=labeler, text=f"They are alike {place}.")
        for place in range(number)
    ]


def rankings(project: Project, number: int, *, overlap: int = 1, shown: int = 3) -> Campaign:
    """A ranking campaign whose every task was ranked by `overlap` labelers, each in the order of storage."""
    campaign = make_campaign(project, tasks=number, shown=shown, overlap=overlap)
    for place in range(overlap):
        labeler = make_labeler(project, f"ranker {campaign.pk} {place}")
        for _ in range(number):
            rank_in_order(must_claim(campaign, labeler))
    return campaign


def rank_in_order(assignment, *, ranks=None):  # type: ignore[no-untyped-def]
    """Ranks the responses as they are stored (or as `ranks` says, by storage), whatever order was shown."""
    stored = sorted(assignment.order)
    wanted = ranks or list(range(1, len(stored) + 1))
    by_response = dict(zip(stored, wanted, strict=True))
    return submit_now(assignment, ranked(*(by_response[pk] for pk in assignment.order)))


def base_model_folder(folder: Path) -> Path:
    """Files where those of a model would be; no stage could load it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"\0" * 64)
    return folder


def generator(project: Project, name: str = "gpt") -> Generator:
    return Generator.objects.get_or_create(project=project, name=name, defaults={"kind": "external"})[0]


def reload(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def script_stage(monkeypatch, source: str) -> None:  # type: ignore[no-untyped-def]
    """Lets the supervisor run this Python source instead of a stage; its RUN_DIR is sys.argv[1]."""
    from training import launching

    def command(config, folder):  # type: ignore[no-untyped-def]
        return [sys.executable, "-c", SCRIPT_HEAD + source, str(folder.root)]

    monkeypatch.setattr(launching, "stage_command", command)


SCRIPT_HEAD = """
import json, os, signal, sys, time
from pathlib import Path
from typing import Any
root = Path(sys.argv[1])
attempt = json.loads((root / "control.json").read_text())["attempt"]

def say(state, step=0, error=None, checkpoint_step=None):
    note = None if error is None else {"code": error[0], "message": error[1], "rank": 0}
    status = {"format": 1, "attempt": attempt, "pid": os.getpid(), "host": "h", "state": state, "phase": "train",
              "step": step, "steps": 40, "beat": "now", "step_at": None, "seconds_left": None,
              "checkpoint_step": checkpoint_step, "error": note}
    (root / "status.tmp").write_text(json.dumps(status))
    os.replace(root / "status.tmp", root / "status.json")

def log(step, **values):
    with (root / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "attempt": attempt, **values}) + "\\n")

def release():
    (root / "model").mkdir()
    (root / "model" / "config.json").write_text("{}")
    (root / "model" / "model.safetensors").write_bytes(b"weights")
    (root / "report.json").write_text(json.dumps({"loss": 1.5}))

def control():
    return json.loads((root / "control.json").read_text())["request"]
"""
