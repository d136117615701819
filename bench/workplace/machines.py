"""What a site does beside its pages while they are measured: a stage that trains, exports that are made and fetched."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.workplace.database import ROOT

NICENESS = 10
"""Of those who train and make files, as compose gives them fewer shares of the processor than the web processes."""
WORKERS = {
    "cpu": ["-Q", "cpu", "--concurrency", "1", "--prefetch-multiplier", "1"],
    "files": ["-Q", "files", "--concurrency", "1", "--prefetch-multiplier", "1"],
    "tend": ["-B", "--schedule", "FOLDER/beat", "-Q", "tend", "--concurrency", "1"],
}
STEPS = 200_000
"""Of the job: more than it has time for."""
PRETRAIN: dict[str, Any] = {
    "hardware": {"device": "cpu", "threads": 1, "micro_batch_tokens": 512},
    "checkpoints": {"every_steps": 200},
    "pretrain": {
        "steps": STEPS, "tokens_per_step": 512, "sequence_tokens": 64, "vocabulary": 300,
        "shape": {"layers": 2, "width": 64, "heads": 2},
    },
}  # fmt: skip
STOP_SECONDS = 60


class Workers:
    """Celery's processes, as compose starts them."""

    def __init__(self, settings: Mapping[str, str], folder: Path) -> None:
        self.settings = {**settings, "OMP_NUM_THREADS": "1", "ACCORD_JOB_STOP_SECONDS": "20"}
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        asked = [word.replace("FOLDER", str(self.folder)) for word in WORKERS[name]]
        command = [
            sys.executable, "-m", "celery", "-A", "config.celery", "--workdir", str(ROOT), "worker",
            "-n", f"{name}@bench", "--loglevel", "WARNING", *asked,
        ]  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=self.folder, env=self.settings, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=None if name == "tend" else lambda: os.nice(NICENESS) and None,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """With all its children, as when a container is killed."""
        process = self.running.pop(name)
        os.killpg(process.pid, 9)
        process.wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
        self.running.clear()


@contextmanager
def at_work(settings: Mapping[str, str], folder: Path) -> Iterator[Workers]:
    workers = Workers(settings, folder)
    try:
        for name in WORKERS:
            workers.start(name)
        yield workers
    finally:
        workers.stop()


def start_job(project: Any, folder: Path) -> int:
    """The id of a job that pretrains a small model for as long as it is let."""
    from training.rounds import launch, open_round
    from training.text_import import import_text

    text = folder / "text.jsonl"
    lines = (f"Story {number}. Once there was a heron at the river. " * 8 for number in range(99))
    text.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines), encoding="utf-8")
    import_text(project, text)
    job = launch(open_round(project), "pretrain", overrides=PRETRAIN)
    return int(job.pk)


class Fetcher:
    """A program that asks for an export of all rankings, waits for it, fetches its file and compares the hash; and
    again after a while."""

    def __init__(self, port: int, slug: str, token: str, *, every_seconds: float) -> None:
        self.base = f"http://127.0.0.1:{port}/api/v1/projects/{slug}/exports"
        self.token, self.every = token, every_seconds
        self.rows: list[int] = []
        self.seconds: list[float] = []
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetcher", daemon=True)

    def __enter__(self) -> "Fetcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(self.every):
            try:
                self._once()
            except (OSError, urllib.error.URLError, ValueError, KeyError) as wrong:
                self.wrong.append(f"export: {type(wrong).__name__} {wrong}")

    def _once(self) -> None:
        began = time.monotonic()
        asked = self._json(self.base, {"records": "rankings"})
        while asked["state"] not in ("done", "failed") and not self._stop.wait(1):
            asked = self._json(f"{self.base}/{asked['id']}")
        if self._stop.is_set():
            return
        if asked["state"] == "failed":
            raise ValueError(asked["error"])
        if hashlib.sha256(self._ask(f"{self.base}/{asked['id']}/file")).hexdigest() != asked["sha256"]:
            raise ValueError("the file is not what its sha256 says")
        self.rows.append(int(asked["rows"]))
        self.seconds.append(time.monotonic() - began)

    def _json(self, address: str, sent: Any = None) -> dict[str, Any]:
        return dict(json.loads(self._ask(address, sent)))

    def _ask(self, address: str, sent: Any = None) -> bytes:
        request = urllib.request.Request(
            address,
            data=None if sent is None else json.dumps(sent).encode(),
            headers={"Authorization": f"Token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answered:
            return bytes(answered.read())
