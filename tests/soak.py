"""A site under steady work for half an hour while everything it stands on is killed, one after another.

    python -m tests.soak --minutes 3 --rate 12
    python -m tests.soak --write                 and writes its part of docs/load.md

A PostgreSQL and a Redis of its own. Web processes and workers are killed as the kernel would, PostgreSQL goes without a
word and comes back, Redis comes back empty. Nothing that was acknowledged may be lost or be there twice, the job goes
on, and web processes do not grow; else the exit status is 1. `make trial PART=soak` runs it.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import psycopg

from bench.labeling import SLUG, found_site
from bench.load import PAGE, SOAK_HEAD, Visitors, crowd_of, staffed
from bench.reporting import machine, table
from bench.workplace.arrivals import Step
from bench.workplace.database import own_database
from bench.workplace.machines import Fetcher, Workers, at_work
from bench.workplace.recount import broken_rules
from bench.workplace.served import Served, environment, served
from tests.faults.servers import Postgres, Redis

LABELERS, TASKS = 60, 6_000
FIRST_FAULT_AFTER, LAST_FAULT_BEFORE = 0.08, 0.6
"""Shares of the time. What comes after the last fault is undisturbed, and memory is watched there."""
SAMPLE_SECONDS = 5.0
MOST_GROWTH = 0.05
"""Of the memory of a web process in the undisturbed time; requests that never met it before still take some."""
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024


@dataclass(frozen=True)
class Growth:
    """Of one web process in the undisturbed time: MiB at its ends, MiB an hour, and the medians' growth from the first
    third to the last as a share."""

    seconds: float
    first: float
    last: float
    slope: float
    share: float


@dataclass
class Watch:
    """What happened when, and how much memory each web process had: (seconds since the begin, MiB)."""

    began: float = field(default_factory=time.monotonic)
    faults: list[tuple[float, str]] = field(default_factory=list)
    memory: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def now(self) -> float:
        return time.monotonic() - self.began

    def sample(self, server: Served) -> None:
        for pid in server.workers():
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            self.memory[pid].append((self.now(), pages * PAGE_KIB / 1024))

    def growth(self, seconds: float) -> list[Growth]:
        """After the last fault and a minute (or a tenth of the time) to settle, of processes that are still there."""
        since = self.faults[-1][0] + min(60.0, seconds / 10)
        last = max(told[-1][0] for told in self.memory.values())
        found = []
        for told in self.memory.values():
            kept = [one for one in told if one[0] >= since]
            if len(kept) < 6 or kept[-1][0] < last - 2 * SAMPLE_SECONDS:
                continue
            times, sizes = [at / 3600 for at, _ in kept], [size for _, size in kept]
            third = len(sizes) // 3
            share = median(sizes[-third:]) / median(sizes[:third]) - 1
            slope = linear_regression(times, sizes).slope
            found.append(Growth(kept[-1][0] - kept[0][0], sizes[0], sizes[-1], slope, share))
        return found


def breakages(
    server: Served, workers: Workers, postgres: Postgres, redis: Redis
) -> list[tuple[str, Callable[[], None]]]:
    def kill_worker(name: str) -> None:
        workers.kill(name)
        workers.start(name)

    def restart_postgres(*, at_once: bool) -> None:
        postgres.stop(at_once=at_once)
        postgres.start()

    def empty_redis() -> None:
        redis.kill()
        redis.start()

    return [
        ("a web process is killed", lambda: server.kill_one(0)),
        ("the worker that trains is killed", lambda: kill_worker("cpu")),
        ("Redis is killed and comes back empty", empty_redis),
        ("PostgreSQL goes without a word and comes back", lambda: restart_postgres(at_once=True)),
        ("the worker that makes exports is killed", lambda: kill_worker("files")),
        ("the worker that tends is killed", lambda: kill_worker("tend")),
        ("PostgreSQL is restarted in good order", lambda: restart_postgres(at_once=False)),
        ("a web process is killed", lambda: server.kill_one(1)),
    ]


@contextmanager
def breaking(
    watch: Watch, server: Served, acts: list[tuple[str, Callable[[], None]]], seconds: float
) -> Iterator[list[BaseException]]:
    """Breaks one thing after another, evenly, and samples memory meanwhile; errors of its own are in what it gives."""
    over, failed = threading.Event(), list[BaseException]()
    first, last = FIRST_FAULT_AFTER * seconds, LAST_FAULT_BEFORE * seconds
    due = [first + number * (last - first) / (len(acts) - 1) for number in range(len(acts))]

    def run() -> None:
        left = list(zip(due, acts, strict=True))
        try:
            while not over.wait(SAMPLE_SECONDS):
                watch.sample(server)
                if left and watch.now() >= left[0][0]:
                    _, (name, act) = left.pop(0)
                    watch.faults.append((watch.now(), name))
                    print(f"{watch.now():6.0f} s: {name}", flush=True)
                    act()
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield failed
    finally:
        over.set()
        thread.join()


def job_now(url: str, job: int) -> tuple[int, int]:
    """Its step and its attempt."""
    with psycopg.connect(url) as database:
        row = database.execute("SELECT step, attempt FROM training_job WHERE id = %s", [job]).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def main() -> int:
    options = read_arguments()
    # Servers that wait for their disks, as real ones do.
    os.environ.pop("PGOPTIONS", None)
    with tempfile.TemporaryDirectory(prefix="accord-soak-") as name:
        folder = options.keep or Path(name)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        postgres, redis = Postgres(folder), Redis(folder)
        postgres.start()
        redis.start()
        try:
            text, wrong = soak(folder, postgres, redis, options)
        finally:
            redis.kill()
            postgres.stop(at_once=True)
    print(f"\n{text}")
    if options.write:
        page = PAGE.read_text(encoding="utf-8").split(SOAK_HEAD, 1)[0]
        PAGE.write_text(page + SOAK_HEAD + "\n" + text, encoding="utf-8")
    for sentence in wrong:
        print(f"BROKEN: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=12.0, help="visitors a second")
    parser.add_argument("--write", action="store_true", help=f"the report into {PAGE.name}")
    parser.add_argument("--keep", type=Path, help="a new folder for everything, its logs too, that is left afterwards")
    return parser.parse_args()


def soak(folder: Path, postgres: Postgres, redis: Redis, options: argparse.Namespace) -> tuple[str, list[str]]:
    """The report, and what was broken."""
    seconds = options.minutes * 60
    with own_database(postgres.url, folder) as url:
        site = found_site(url, folder, redis.url, TASKS, LABELERS)
        settings = environment(url, redis.url, folder) | {"ACCORD_JOB_LEASE_SECONDS": "15"}
        job, people = staffed(site, folder)
        with (
            served(settings, folder, workers=2, threads=8) as server,
            at_work(settings, folder) as workers,
            Fetcher(server.port, SLUG, people["tokens"][-1], every_seconds=20) as fetcher,
        ):
            visitors = Visitors(crowd_of(site, server.port, people, job))
            watch = Watch()
            acts = breakages(server, workers, postgres, redis)
            with breaking(watch, server, acts, seconds) as failed:
                met = visitors.come(Step(options.rate, seconds, "soak"))
            acknowledged = visitors.go()
            step, attempt = job_now(url, job)
        broken, kept = broken_rules(url, acknowledged)
        wrong = [f"{number} {rule}" for rule, number in broken.items() if number]
        wrong += [f"the soak itself: {error!r}" for error in failed]
        growth = watch.growth(seconds)
        if len(watch.faults) != len(acts):
            wrong.append(f"{len(watch.faults)} of {len(acts)} faults were done")
        if attempt < 2:
            wrong.append("the job is in its first attempt, and its worker was killed")
        if "no answer in time" in met["wrong"]:
            wrong.append(f"{met['wrong']['no answer in time']} requests were never answered")
        if not growth or max(grown.share for grown in growth) > MOST_GROWTH:
            wrong.append(f"web processes grew by {[round(grown.share, 3) for grown in growth]}, at most {MOST_GROWTH}")
        said = told(watch, met, fetcher, growth, options)
    counted = (
        f"**{len(acknowledged):,} submissions were acknowledged, {kept:,} are in the database.** Counted again from the"
        f" rows: {'; '.join(wrong) if wrong else 'every invariant holds'}. The job went on in attempt {attempt} and was"
        f" at step {step:,}."
    )
    return "\n\n".join([said, counted]) + "\n", wrong


def told(
    watch: Watch, met: dict[str, Any], fetcher: Fetcher, growth: Sequence[Growth], options: argparse.Namespace
) -> str:
    wrong = "; ".join(f"{number} x {name}" for name, number in sorted(met["wrong"].items())) or "none"
    median_ms, p95_ms, most_ms = met["all"]
    said = [
        f"Written by `python -m tests.soak --write` on {machine()}: {options.minutes:g} minutes, {options.rate:g}"
        f" visitors a second as above, {LABELERS} labelers, PostgreSQL and Redis of its own. A visitor who meets an"
        " error sends the same again, with the same key, as the page does.",
        table(("after s", "what was done"), [[round(at), name] for at, name in watch.faults]),
        f"{met['answered']:,} requests were answered (median {median_ms:.0f} ms, 95 of 100 within {p95_ms:.0f} ms, the"
        f" longest {most_ms / 1000:.1f} s, while something was down). Met on the way: {wrong}; {met['sent_again']} sent"
        f" again after a connection ended. {len(fetcher.rows)} exports were made and fetched whole;"
        f" {len(fetcher.wrong)} were asked for in vain while something was down.",
        "Memory of the web processes after the last fault:",
        table(
            ("seconds", "first MiB", "last MiB", "slope MiB an hour", "last third over first, %"),
            [[one.seconds, one.first, one.last, one.slope, 100 * one.share] for one in growth],
        ),
    ]
    return "\n\n".join(said)


if __name__ == "__main__":
    sys.exit(main())
