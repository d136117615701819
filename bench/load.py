"""What a site bears: visitors of every kind come faster and faster, until it can no longer keep up.

    python bench/load.py                          about ten minutes
    python bench/load.py --write docs/load.md     and writes the page
    python bench/load.py --rates 10 20 --seconds 5 --tasks 500      a small one

granian serves production's settings from PostgreSQL and Redis (DATABASE_URL and REDIS_URL name the servers; the bench
makes a database of its own there and empties the Redis database that it is given). Celery's workers are there as in
docker-compose.yml: one trains all the while, one makes an export again and again. A process of its own plays the
visitors (bench/workplace/arrivals.py): they come at random at a given rate, whether or not those before them were
served. At the end every submission that was acknowledged is looked for in the database; where one is lost or a rule is
broken the exit status is 1.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.labeling import CSRF, SLUG, Site, found_site, session_of  # noqa: E402
from bench.reporting import Figure, machine, table, versions, write_json  # noqa: E402
from bench.workplace.arrivals import SHARES, Crowd, Step, order  # noqa: E402
from bench.workplace.database import own_database  # noqa: E402
from bench.workplace.machines import Fetcher, at_work, start_job  # noqa: E402
from bench.workplace.recount import broken_rules  # noqa: E402
from bench.workplace.served import Served, environment, served  # noqa: E402

PAGE = ROOT / "docs" / "load.md"
SHOWN = ("django", "granian", "celery", "psycopg")
RATES = (20, 40, 60, 80, 100, 130, 160, 200, 250, 320)
AFTER_THE_LAST = 2
"""So many steps are still tried after the first that was not held, to see what happens beyond."""
BOUND_MS = 500.0
LABELERS, RESEARCHERS, PROGRAMS = 400, 8, 8
EXPORT_EVERY_SECONDS = 15.0
WARM_RATE, WARM_SECONDS = 30.0, 20.0
CORES = os.cpu_count() or 1
BUSY = 0.9
"""Share of the machine's cores from which on the processor is what others wait for."""
HEADS = (
    "came/s", "answered/s", "p50 ms", "p95 ms", "most ms", "not as it should be", "told to come later", "at once, most",
    "web cores", "database cores", "visitors' cores", "ms of processor", "held",
)  # fmt: skip
SOAK_HEAD = "\n## Half an hour with faults\n"
"""From there on the page is written by make trial PART=soak, and kept."""


@dataclass
class Measured:
    """One step: what visitors met, and the cores that were used; busy: of the machine, by whomever."""

    rate: float
    met: dict[str, Any]
    web: float
    database: float
    visitors: float
    busy: float

    @property
    def held(self) -> bool:
        """95 of 100 within the bound, nobody met an error, and those who came were answered."""
        p95 = self.met["all"][1]
        return p95 is not None and p95 < BOUND_MS and not self.met["wrong"] and not self.met["limited"]

    @property
    def milliseconds(self) -> float:
        """Of processor for a request: web processes and PostgreSQL."""
        took = self.met["seconds"] + self.met["late_seconds"]
        return (self.web + self.database) * took * 1000 / max(1, self.met["answered"])

    def row(self) -> list[Figure]:
        return [
            self.rate, self.met["answered"] / (self.met["seconds"] + self.met["late_seconds"]), *self.met["all"],
            sum(self.met["wrong"].values()), self.met["limited"], self.met["most_waiting"],
            self.web, self.database, self.visitors, self.milliseconds, "yes" if self.held else "no",
        ]  # fmt: skip


class Visitors:
    """The process that plays them."""

    def __init__(self, crowd: Crowd) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.workplace.arrivals"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._send(order(crowd))
        self._send('{"begin": true}\n')
        self._heard()

    def come(self, step: Step) -> dict[str, Any]:
        self._send(order(step))
        return self._heard()

    def go(self) -> dict[str, str]:
        """Every submission that was acknowledged: its key, the address of its task."""
        self._send('{"end": true}\n')
        keys = self._heard()
        self._process.wait(30)
        return keys

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the visitors' process ended with status {self._process.wait()}")
        return dict(json.loads(line))


def main() -> int:
    options = read_arguments()
    print(f"# What a site bears\n\n{machine()}; {versions(*SHOWN)}\n", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="accord-load-") as name,
        own_database(options.server, Path(name)) as url,
    ):
        folder = Path(name)
        site = found_site(url, folder, options.redis, options.tasks, LABELERS)
        settings = environment(url, options.redis, folder)
        job, people = staffed(site, folder)
        with (
            served(settings, folder, workers=options.workers, threads=options.threads) as server,
            at_work(settings, folder),
            Fetcher(server.port, SLUG, people["tokens"][-1], every_seconds=EXPORT_EVERY_SECONDS) as fetcher,
        ):
            visitors = Visitors(crowd_of(site, server.port, people, job))
            steps = list(rising(server, visitors, options.rates, options.seconds))
            acknowledged = visitors.go()
        broken, kept = broken_rules(url, acknowledged)
        trained = step_of(job)
    wrong = [f"{number:,} {rule}" for rule, number in broken.items() if number] + fetcher.wrong
    text = report(steps, fetcher, len(acknowledged), kept, trained, wrong, options)
    print(f"\n{text}")
    if options.write:
        options.write.write_text(text + soak_of(options.write), encoding="utf-8")
        print(f"Written to {options.write}.")
    if options.json:
        write_json(options.json, {"held_per_s": most_held(steps), "acknowledged": len(acknowledged), "kept": kept})
    for sentence in wrong:
        print(f"BROKEN: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES), help="visitors a second, rising")
    parser.add_argument("--seconds", type=float, default=30.0, help="each step")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2, help="web processes")
    parser.add_argument("--threads", type=int, default=8, help="of each web process")
    parser.add_argument(
        "--server", default=os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    )
    parser.add_argument("--redis", default=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/9"))
    parser.add_argument("--write", type=Path, nargs="?", const=PAGE, help="the report as Markdown, to this file")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def staffed(site: Site, folder: Path) -> tuple[int, dict[str, list[str]]]:
    """A job that waits for a worker; sessions of researchers and tokens of programs."""
    from datetime import timedelta

    from labeling.models import Membership, Project, ProjectToken, Role, User
    from labeling.scopes import Scope

    project = Project.objects.get(slug=SLUG)
    sessions, tokens = [], []
    for number in range(max(RESEARCHERS, PROGRAMS)):
        user = User.objects.create(username=f"researcher{number}", password="!")
        Membership.objects.create(user=user, project=project, role=Role.OWNER)
        sessions.append(session_of(user))
        scopes = [Scope.READ, Scope.WRITE]
        tokens.append(ProjectToken.make(user=user, project=project, scopes=scopes, valid_for=timedelta(days=1)))
    people = {"sessions": sessions[:RESEARCHERS], "tokens": tokens[:PROGRAMS]}
    return start_job(project, folder), people


def crowd_of(site: Site, port: int, people: Mapping[str, Sequence[str]], job: int, *, patience: float = 90) -> Crowd:
    from labeling.sheets import sheet

    project, api = f"/projects/{SLUG}", f"/api/v1/projects/{SLUG}"
    campaign = f"{project}/campaigns/{site.campaign}/"
    pages = [
        f"{project}/overview/", f"{project}/campaigns/", campaign, f"{campaign}tasks/", f"{project}/prompts/",
        f"{project}/responses/", f"{project}/rounds/", f"{project}/rounds/1/", f"{project}/jobs/",
        f"{project}/jobs/{job}/", f"{project}/models/", f"{project}/data/",
        f"{project}/workers/", f"{project}/quality/", f"{project}/agreement/",
    ]  # fmt: skip
    reads = [
        api, f"{api}/campaigns", f"{api}/campaigns/{site.campaign}", f"{api}/prompts", f"{api}/submissions",
        f"{api}/jobs/{job}", f"{api}/rounds/1",
    ]  # fmt: skip
    return Crowd(
        port=port, slug=SLUG, take_next=site.take_next, people=[(one.session, CSRF) for one in site.people],
        researchers=people["sessions"], tokens=people["tokens"][:-1], pages=pages, stylesheet=sheet("accord").address,
        reads=reads, new_prompts=f"{api}/prompts", patience=patience,
    )  # fmt: skip


def rising(server: Served, visitors: Visitors, rates: Sequence[float], seconds: float) -> Iterator[Measured]:
    """Step by step, faster each time, a few beyond the last that was held."""
    visitors.come(Step(WARM_RATE, WARM_SECONDS if seconds > WARM_SECONDS else seconds, "warm"))
    print("\n".join(table(HEADS, [[""] * len(HEADS)]).splitlines()[:2]), flush=True)
    beyond = 0
    for rate in rates:
        before, idle = server.cpu_seconds(), idle_seconds()
        with watched(server):
            met = visitors.come(Step(rate, seconds, f"step {rate}"))
        after = server.cpu_seconds()
        took = met["seconds"] + met["late_seconds"]
        found = Measured(
            rate, met, (after[0] - before[0]) / took, (after[1] - before[1]) / took, met["cpu_seconds"] / took,
            CORES - (idle_seconds() - idle) / took,
        )  # fmt: skip
        print(table(HEADS, [found.row()]).splitlines()[-1], flush=True)
        for name, number in met["wrong"].items():
            print(f"    {number} x {name}", flush=True)
        yield found
        beyond += not found.held
        if beyond > AFTER_THE_LAST:
            return


@contextmanager
def watched(server: Served) -> Iterator[None]:
    """Looks at PostgreSQL's processes every two seconds meanwhile, since those that end tell nothing any more."""
    import threading

    over = threading.Event()

    def watch() -> None:
        while not over.wait(2):
            server.watch()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def idle_seconds() -> float:
    """For which the cores of this machine had nothing to do, since it began."""
    first = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()
    return (int(first[4]) + int(first[5])) / os.sysconf("SC_CLK_TCK")


def step_of(job: int) -> int:
    from training.models import Job

    return int(Job.objects.values_list("step", flat=True).get(pk=job))


def most_held(steps: Sequence[Measured]) -> float:
    """The highest rate before the first that was not held."""
    held = 0.0
    for step in steps:
        if not step.held:
            break
        held = step.rate
    return held


def what_gives(steps: Sequence[Measured]) -> str:
    """In the first step that was not held: who waited longest, and who used the cores."""
    over = next((step for step in steps if not step.held), None)
    if over is None:
        return "Every rate that was tried was held; what gives first was not seen."
    kinds = {name: told[2] for name, told in over.met["kinds"].items() if told[2] is not None}
    slowest = sorted(kinds, key=lambda name: -kinds[name])
    cores = {"the web processes": over.web, "PostgreSQL": over.database, "the visitors themselves": over.visitors}
    total = sum(cores.values())
    turned_away = f"{over.met['limited']} requests were told to come later (429)"
    ended = (
        f"there were errors: {over.met['wrong']}; {turned_away}"
        if over.met["wrong"]
        else turned_away
        if over.met["limited"]
        else "nobody was turned away or met an error: requests wait in a queue, and whoever comes waits longer"
    )
    what = (
        f"is the processor: {over.busy:.1f} of {CORES} cores were busy"
        if over.busy > BUSY * CORES
        else f"is not the processor: {over.busy:.1f} of {CORES} cores were busy"
    )
    return (
        f"What gives first {what} at {over.rate:g} a second, {total:.2f} of them for"
        f" {', '.join(f'{name} ({used:.2f})' for name, used in cores.items())}, the others for the job, the export and"
        f" whatever else the machine did. Slowest by their p95 then: {slowest[0]} ({kinds[slowest[0]]:,.0f} ms),"
        f" {slowest[1]} ({kinds[slowest[1]]:,.0f} ms); {ended}."
    )


def report(
    steps: Sequence[Measured],
    fetcher: Fetcher,
    acknowledged: int,
    kept: int,
    trained: int,
    wrong: Sequence[str],
    options: argparse.Namespace,
) -> str:
    """A page of Markdown."""
    of = ", ".join(f"{share} {name}" for name, share in SHARES.items())
    last = next((step for step in reversed(steps) if step.held), steps[-1])
    kinds = [[name, *told] for name, told in last.met["kinds"].items()]
    said = [
        "# What a site bears",
        f"Written by `python bench/load.py --write` on {machine()}; {versions(*SHOWN)}; granian with"
        f" {options.workers} web processes of {options.threads} threads. The visitors are played on these same cores,"
        " which PostgreSQL, Redis, the workers of Celery and whatever else the machine does share too; the load average"
        f" when it ended was {os.getloadavg()[0]:.1f}. A machine that only serves bears more.",
        f"Visitors come at random at a rate that does not depend on how fast they are served, {options.seconds:g} s a"
        f" step; of a hundred: {of}. Their time begins when they come. {LABELERS} labelers have sessions of their own"
        f" and do one thing at a time; {RESEARCHERS} people look at pages of the console, {PROGRAMS - 1} programs ask"
        " the API. All the while a stage trains on one thread, and an export of all rankings is made and fetched every"
        f" {EXPORT_EVERY_SECONDS:g} s.",
        table(HEADS, [step.row() for step in steps]),
        f"Held is a rate at which 95 of 100 are answered within {BOUND_MS:.0f} ms and nobody meets an error:"
        f" **{most_held(steps):g} requests a second**. {what_gives(steps)}",
        f"A request takes {last.milliseconds:.1f} ms of processor in the web processes and PostgreSQL together, so"
        f" {CORES} cores with nothing else to do would allow {CORES * 1000 / last.milliseconds:.0f} a second. Where"
        " other programs use the cores, times are longer; this figure less so, though a process that was just started"
        " costs more.",
        f"At {last.rate:g} a second, by kind:",
        table(("kind", "answered", "p50 ms", "p95 ms", "most ms"), kinds),
        f"{acknowledged:,} submissions were acknowledged in all and {kept:,} are in the database. Exports made and"
        f" fetched meanwhile: {len(fetcher.rows)}, each with the hash that was promised, the last with"
        f" {fetcher.rows[-1] if fetcher.rows else 0:,} rows. The job was at step {trained:,} when it was stopped.",
        "Counted again from the rows: " + ("; ".join(wrong) + "." if wrong else "every invariant holds."),
    ]
    return "\n\n".join(said) + "\n"


def soak_of(page: Path) -> str:
    """What the soak wrote on this page before."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return SOAK_HEAD + text.split(SOAK_HEAD, 1)[1] if SOAK_HEAD in text else ""


if __name__ == "__main__":
    sys.exit(main())
