"""python -m tests.faults: every fault once, on a PostgreSQL and a Redis of its own; --write makes docs/faults.md.

Words after it choose among the faults: `python -m tests.faults kill disk`.
"""

import os
import signal
import sys
import tempfile
import time
import traceback
from argparse import ArgumentParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "faults.md"

ABOUT = """# What happens when something breaks

Made by `make trial PART=faults`, which does each of these to a real training (SFT of a tiny model, {steps} steps, a
checkpoint every {every}), with a PostgreSQL and a Redis of its own. After each of them is checked: the job ended once;
every step is in the metrics once, with no gap; the last checkpoint loads; and all metrics (but the clock's) and the
released weights are those of a run that nobody disturbed, to the bit.

| what was done | what came of it | seconds |
|---|---|---|
"""
AFTER = """
The lease was {lease} s, so that a worker that is gone is replaced soon; 60 s is the default
(`ACCORD_JOB_LEASE_SECONDS`). The run took {undisturbed:.0f} s undisturbed, its start included. The processor was shared
with other work: the seconds say which fault costs a lease, and little else.
"""
MISSING = """
Not measured to the end yet: {names}. `python -m tests.faults --write WORD` with a word of a name adds its row.
"""


def main() -> int:
    parser = ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("words", nargs="*", help="only faults whose names hold one of these words")
    parser.add_argument("--write", action="store_true", help="write docs/faults.md; with words, those rows of it")
    asked = parser.parse_args()
    # Its servers and workers end with it, also where it is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="accord-faults-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        return run(folder, asked.words, write=asked.write)


def run(folder: Path, words: list[str], *, write: bool) -> int:
    from tests.faults.servers import Postgres, Redis

    postgres, redis = Postgres(folder), Redis(folder)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings", "ACCORD_MODE": "local", "ACCORD_STATE_DIR": str(folder / "state"),
        "DATABASE_URL": postgres.url, "ACCORD_LOG_LEVEL": "ERROR", "ACCORD_JOB_LEASE_SECONDS": "6",
    }  # fmt: skip
    os.environ.pop("REDIS_URL", None)
    try:
        postgres.start()
        redis.start()
        import django

        django.setup()
        return all_of_them(folder, postgres, redis, words, write=write)
    finally:
        redis.kill()
        postgres.stop()


def all_of_them(folder: Path, postgres: object, redis: object, words: list[str], *, write: bool) -> int:
    from django.core.management import call_command

    from labeling.models import Project
    from tests.faults.scenarios import SCENARIOS, hindrance
    from tests.faults.world import World
    from tests.rlhf.tiny_runs import save_tiny_model
    from tests.training.making import demonstrations

    call_command("migrate", verbosity=0, interactive=False)
    from django.conf import settings

    save_tiny_model(folder / "made")
    Path(settings.MODELS_DIR).mkdir(parents=True)
    (folder / "made" / "model").rename(Path(settings.MODELS_DIR) / "tiny")
    project = Project.objects.create(name="Faults", slug="faults")
    demonstrations(project, 40)
    world = World(folder, postgres, redis, project)  # type: ignore[arg-type]
    began = time.monotonic()
    first = world.launch()
    with world.worker():
        world.check(first, attempts=1)
    world.undisturbed = world.numbers(first)
    undisturbed = time.monotonic() - began
    steps = max(step for step, _, _ in world.undisturbed.metrics)
    print(f"undisturbed: {steps} steps, {undisturbed:.0f} s", flush=True)
    lines: dict[str, str] = {}
    failed = 0
    for name, scenario in SCENARIOS.items():
        if words and not any(word in name for word in words):
            continue
        began = time.monotonic()
        said = hindrance(scenario)
        if said:
            said = f"not run: {said}"
        else:
            try:
                said = scenario(world)
            except Exception as error:  # noqa: BLE001 (the others are run all the same)
                failed += 1
                traceback.print_exc()
                said = f"**failed**: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        seconds = time.monotonic() - began
        print(f"{name}: {said} ({seconds:.0f} s)", flush=True)
        lines[name] = f"| {name} | {said} | {seconds:.0f} |"
        if write:
            write_page(lines, steps=steps, undisturbed=undisturbed)
    return 1 if failed else 0


def write_page(lines: dict[str, str], *, steps: int, undisturbed: float) -> None:
    """lines: by fault, what was found now; what an earlier run found of the others stays."""
    from tests.faults.scenarios import SCENARIOS
    from tests.faults.world import EVERY, LEASE_SECONDS

    rows = rows_on_the_page() | lines
    told = ABOUT.format(steps=steps, every=EVERY) + "\n".join(rows[name] for name in SCENARIOS if name in rows)
    missing = [name for name in SCENARIOS if name not in rows]
    left = MISSING.format(names="; ".join(missing)) if missing else ""
    PAGE.write_text(f"{told}\n{AFTER.format(lease=LEASE_SECONDS, undisturbed=undisturbed)}{left}")


def rows_on_the_page() -> dict[str, str]:
    """By fault: what an earlier run of the others found."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")] if PAGE.exists() else []
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}


if __name__ == "__main__":
    sys.exit(main())
