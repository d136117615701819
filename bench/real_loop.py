"""The whole loop on real input, once: import, pretrain, SFT, sample, reward, PPO, through a round and its worker.

    python bench/real_loop.py --data ../shared/data --minutes 12

Models are tiny and trained from scratch, so accuracy near chance is an acceptable, honest result; a falling loss and a
score that rises at bounded KL are not optional, and the exit status says so. --minutes chooses a preset of fixed
steps measured to take about that long on two cores; no stage ends by the clock. The site is one of its own, in
a folder that is removed afterwards (--keep DIR keeps it, to be looked at with ACCORD_STATE_DIR=DIR make run).
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.loop_presets import PRESETS, Preset, preset_for  # noqa: E402
from bench.loop_report import broken_claims, job_seconds, report  # noqa: E402
from bench.reporting import machine, table, versions, write_json  # noqa: E402

if TYPE_CHECKING:
    from training.models import Job, Round

SLUG = "real-loop"
RECORD_FILES = (
    "demos_self_instruct", "demos_oasst", "demos_dolly", "rankings_fgrlhf", "rankings_oasst", "prompts_oasst",
)  # fmt: skip
POLL_SECONDS = 0.5


class LoopFailed(Exception):
    """A stage did not end well, or a claim does not hold; the sentence says which."""


def main() -> int:
    options = read_arguments()
    began = time.monotonic()
    preset = preset_for(options.minutes)
    print(f"# The loop on real input: {preset.title}\n\n{machine()}; {versions(*SHOWN)}\n")
    with state_folder(options.keep) as state:
        set_up_site(state)
        imported = import_everything(options.data, state)
        print(imported_table(imported), flush=True)
        jobs = run_round(preset, state)
        text, figures = report(jobs, seconds=time.monotonic() - began)
    print(text)
    if options.json:
        write_json(options.json, figures)
    if options.write:
        write_page(options.write, preset, imported_table(imported), text)
    wrong = broken_claims(figures)
    for sentence in wrong:
        print(f"does not hold: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the trial data")
    parser.add_argument(
        "--minutes", type=int, choices=sorted(name for name in PRESETS if name), help="without it, the long preset"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures under plain names")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page, as docs/real_loop.md")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the site's state in this new folder")
    options = parser.parse_args()
    missing = [name for name in (*RECORD_FILES, "pretrain_text") if not (options.data / f"{name}.jsonl.gz").is_file()]
    if missing:
        parser.error(f"--data {options.data} lacks {missing[0]}.jsonl.gz; expected the folder of the trial data")
    if options.keep and options.keep.exists():
        parser.error(f"--keep {options.keep} exists already; name a new folder")
    return options


@contextmanager
def state_folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="accord-real-loop-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def set_up_site(state: Path) -> None:
    """A site of its own on SQLite, polled by a worker: what `make run` gives."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ.update(ACCORD_MODE="local", ACCORD_STATE_DIR=str(state), DJANGO_SETTINGS_MODULE="config.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from labeling.models import Project

    Project.objects.create(name="The loop on real input", slug=SLUG)


# --- in ---------------------------------------------------------------------------------------------------------------


def import_everything(data: Path, state: Path) -> list[dict[str, Any]]:
    """Rows, records, seconds of each file, all through the commands a person would use."""
    from django.core.management import call_command

    from bench.adapters.__main__ import adapt

    folder = state / "records"
    folder.mkdir()
    done = []
    for name in RECORD_FILES:
        path = folder / f"{name}.jsonl"
        written, source = adapt(name, data=data, out=path)
        began = time.monotonic()
        call_command("import_records", SLUG, str(path), verbosity=0, stdout=open(os.devnull, "w"))  # noqa: SIM115
        done.append(
            {
                "file": name, "rows": source.rows_in, "records": written, "seconds": time.monotonic() - began,
                "left_out": dict(source.left_out),
            }
        )  # fmt: skip
    began = time.monotonic()
    call_command("import_text", SLUG, str(data / "pretrain_text.jsonl.gz"), stdout=open(os.devnull, "w"))  # noqa: SIM115
    from training.models import Snapshot

    rows = sum(Snapshot.objects.filter(kind="text").values_list("rows", flat=True))
    done.append(
        {
            "file": "pretrain_text", "rows": rows, "records": rows, "seconds": time.monotonic() - began,
            "left_out": {},
        }
    )  # fmt: skip
    return done


def imported_table(imported: list[dict[str, Any]]) -> str:
    rows = [
        (
            entry["file"], entry["rows"], entry["records"], round(entry["seconds"], 1),
            "; ".join(f"{count:,} {reason}" for reason, count in entry["left_out"].items()) or "none",
        )
        for entry in imported
    ]  # fmt: skip
    return table(("file", "rows", "records imported", "seconds", "rows left out by the adapter"), rows)


# --- the round --------------------------------------------------------------------------------------------------------


def run_round(preset: Preset, state: Path) -> "dict[str, Job]":
    """Launches the stages one after another and waits for the worker to end each. Raises LoopFailed."""
    from labeling.models import Project
    from training import rounds

    round_ = rounds.open_round(Project.objects.get(slug=SLUG), recipe="tiny")
    with worker(state):
        return {kind: run_stage(round_, kind, overrides) for kind, overrides in preset.stages.items()}


@contextmanager
def worker(state: Path) -> Iterator[None]:
    """The worker of `make run`; it goes when this process goes, however that may be."""
    from training.local_site import start_child, stop, worker_command

    with (state / "worker.log").open("wb") as log:
        process = start_child(worker_command(), folder=ROOT, log=log)
        try:
            yield
        finally:
            stop([process])


def run_stage(round_: "Round", kind: str, overrides: dict[str, Any]) -> "Job":
    from training import rounds

    print(f"\n{kind} …", end=" ", flush=True)
    job = rounds.launch(round_, kind, overrides=overrides)
    while job.state in ("queued", "running"):
        time.sleep(POLL_SECONDS)
        job.refresh_from_db()
    print(f"{job.state} after {job_seconds(job):.0f} s, attempt {job.attempt}", flush=True)
    if job.state != "done":
        raise LoopFailed(f"{kind} is {job.state}: {(job.error or {}).get('message', 'no reason given')}")
    return job


# --- out --------------------------------------------------------------------------------------------------------------


def write_page(path: Path, preset: Preset, imported: str, text: str) -> None:
    """docs/real_loop.md: what was run, where, and what it gave."""
    minutes = next((minutes for minutes, known in PRESETS.items() if known is preset), None)
    command = "python bench/real_loop.py --data ../shared/data" + (f" --minutes {minutes}" if minutes else "")
    path.write_text(
        PAGE.format(command=command, machine=machine(), versions=versions(*SHOWN), imported=imported, text=text)
    )


SHOWN = ("torch", "transformers", "django")
PAGE = """# The loop on real input

Made by `{command}`: one run, one seed.
{machine}; {versions}.

Text of 24 public-domain books trains a base model of about one million parameters from scratch; demonstrations by
people make it answer; people's rankings of other models' answers train a reward model; PPO improves the policy against
it. All of it goes through the commands and the round that a user has, on SQLite, with one worker. Models this small
know next to nothing: accuracy near chance is what one expects of them. What has to hold is that each loss falls, and
that the policy's score rises at bounded KL.

## In

{imported}

## Stages

{text}
"""


if __name__ == "__main__":
    sys.exit(main())
