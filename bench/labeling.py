"""How fast labelers get from task to task, and whether what they say is safe, measured against the served application.

    python bench/labeling.py                                     the whole of it, about ten minutes
    python bench/labeling.py --write                             and writes docs/labeling_speed.md
    python bench/labeling.py --tasks 2000 --labelers 4 --seconds 5 --no-kill      a small one

granian serves production's settings from PostgreSQL and Redis (DATABASE_URL and REDIS_URL name the servers; the bench
makes a database of its own there, drops it afterwards, and empties the Redis database that it is given). Labelers,
each a user with a session of their own, submit judgments of K = 4 responses over HTTP and get the next task's page in
the answer: that is one loop. At the end web processes are killed while 200 labelers work. The invariants are counted
again from the rows; where one is broken the exit status is 1.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.reporting import Figure, machine, table, versions, write_json  # noqa: E402
from bench.workplace.database import OVERLAP, RESPONSES, do_half_of, fill, own_database  # noqa: E402
from bench.workplace.labelers import Person, work  # noqa: E402
from bench.workplace.recount import broken_rules  # noqa: E402
from bench.workplace.served import Served, environment, served  # noqa: E402

SLUG = "bench"
WARM_SECONDS = 3.0
KILL_EVERY_LOOPS, KILL_EVERY_SECONDS = 300, 6.5
"""By work: on a machine that is slow just now nobody would be served between two kills. And not sooner than that:
granian takes a process that dies again within 5.5 s of its start for a crash loop and gives up."""
KILLED_PEOPLE, KILLED_LOOPS, KILLED_SECONDS = 200, 6_000, 300.0
WITH_THOUGHT = 32
CSRF = "b" * 32
SHOWN = ("django", "granian", "psycopg")
PAGE = ROOT / "docs" / "labeling_speed.md"
LOOPS_A_SECOND, AIM, AT_LABELERS = 150, 250, 32
THINKING_P95_MS = 80
MORE_BUFFERS = 1.3
"""What a claim may read in the largest campaign, in times of the smallest."""
WATCH_EVERY_SECONDS = 2.0
HEADS = (
    "tasks", "labelers", "thought", "loops/s", "p50 ms", "p95 ms", "web CPU ms/loop",
    "database CPU ms/loop", "load CPU ms/loop",
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """What the rows of a size hang on: ids of the project's things, and its people with their sessions."""

    campaign: int
    guideline: int
    lone: int
    people: Sequence[Person]

    @property
    def take_next(self) -> str:
        return f"/projects/{SLUG}/campaigns/{self.campaign}/next/"


def main() -> int:
    options = read_arguments()
    print(f"# From task to task\n\n{machine()}; {versions(*SHOWN)}\n", flush=True)
    rows: list[list[Figure]] = []
    figures: dict[str, Figure] = {}
    reads: list[list[Figure]] = []
    wrong: list[str] = []
    for tasks in options.tasks:
        with (
            tempfile.TemporaryDirectory(prefix="accord-bench-") as folder,
            own_database(options.server, Path(folder)) as url,
        ):
            measure(tasks, url, Path(folder), options, rows, reads, figures, wrong)
    wrong += grown(reads)
    text = report(rows, reads, figures, wrong, options)
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
        print(f"Written to {options.write}.")
    if options.json:
        write_json(options.json, figures)
    for sentence in wrong:
        print(f"BROKEN: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tasks", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--labelers", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=15.0, help="each step, after a warm-up")
    parser.add_argument("--workers", type=int, default=2, help="web processes")
    parser.add_argument("--threads", type=int, default=8, help="of each web process")
    parser.add_argument("--no-kill", action="store_true", help="leave out the part in which web processes are killed")
    parser.add_argument("--no-thought", action="store_true", help="leave out the part with a second of thought")
    parser.add_argument(
        "--server", default=os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    )
    parser.add_argument("--redis", default=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/9"))
    parser.add_argument("--write", type=Path, nargs="?", const=PAGE, help="the report as Markdown, to this file")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def measure(
    tasks: int,
    url: str,
    folder: Path,
    options: argparse.Namespace,
    rows: list[list[Figure]],
    reads: list[list[Figure]],
    figures: dict[str, Figure],
    wrong: list[str],
) -> None:
    """One size: filled, served, worked on, counted again. Adds to what is given."""
    most = max([*options.labelers, WITH_THOUGHT, 0 if options.no_kill else KILLED_PEOPLE])
    began = time.monotonic()
    site = found_site(url, folder, options.redis, tasks, most)
    print(f"{tasks:,} tasks are there after {time.monotonic() - began:.0f} s.", flush=True)
    reads.append(claim_of_anybody(site, tasks))
    settings = environment(url, options.redis, folder)
    with served(settings, folder, workers=options.workers, threads=options.threads) as server:
        steps = [(many, 0.0) for many in options.labelers]
        steps += [] if options.no_thought else [(WITH_THOUGHT, 1.0)]
        for many, thought in steps:
            row = step(server, site, many, thought, options.seconds)
            rows.append([tasks, many, f"{thought:g} s", *row])
            name = f"{tasks}_tasks_{many}_labelers" + ("_thinking" if thought else "")
            figures |= {f"{name}_loops_per_s": row[0], f"{name}_loop_p95_ms": row[2]}
            print(table(HEADS, [rows[-1]]).splitlines()[-1], flush=True)
        if not options.no_kill:
            figures |= {f"{tasks}_tasks_{name}": value for name, value in with_kills(server, site).items()}
    acknowledged = {key: address for person in site.people for key, address in person.acknowledged.items()}
    broken, kept = broken_rules(url, acknowledged)
    figures |= {f"{tasks}_tasks_submissions_kept": kept, f"{tasks}_tasks_acknowledged": len(acknowledged)}
    wrong += [f"{tasks:,} tasks: {number:,} {name}" for name, number in broken.items() if number]
    reads.append(claim_of_the_lone(site, tasks, url))


def found_site(url: str, folder: Path, redis: str, tasks: int, people: int) -> Site:
    """A project with a campaign of so many tasks, and people with sessions."""
    os.environ.update(environment(url, redis, folder))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django
    from django.apps import apps
    from django.conf import settings
    from django.db import connections

    if not apps.ready:
        django.setup()
    connections["default"].close()
    settings.DATABASES["default"]["NAME"] = connections["default"].settings_dict["NAME"] = url.rsplit("/", 1)[1]

    from django.core.cache import cache

    from labeling.guidelines import guideline_for
    from labeling.models import Campaign, Generator, Labeler, Membership, Project, Role, User, WorkKind

    cache.clear()
    project = Project.objects.create(name="Bench", slug=SLUG)
    guideline = guideline_for(project, WorkKind.RANKING)
    campaign = Campaign.objects.create(
        project=project, name="Rank four responses", kind=WorkKind.RANKING, guideline=guideline, overlap=OVERLAP,
        required=["ranks", "ratings"], state=Campaign.State.OPEN,
    )  # fmt: skip
    generator = Generator.objects.create(project=project, name="a model", kind=Generator.Kind.SFT)
    fill(url, project=project.pk, campaign=campaign.pk, generator=generator.pk, tasks=tasks)
    lone = Labeler.objects.create(project=project, pseudonym="lone", source=Labeler.Source.SIMULATED)
    found = []
    for number in range(people):
        user = User.objects.create(username=f"labeler{number}", password="!")
        Membership.objects.create(user=user, project=project, role=Role.LABELER)
        found.append(Person(session=session_of(user), csrf=CSRF))
    return Site(campaign.pk, guideline.pk, lone.pk, found)


def session_of(user: Any) -> str:
    """The key of a new session in which this user is signed in."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from labeling.backends import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def claim_of_anybody(site: Site, tasks: int) -> list[Figure]:
    """What the first claim of a labeler reads, before anybody has worked."""
    from labeling.models import Campaign, ClaimCursor, Labeler

    project = Campaign.objects.get(pk=site.campaign).project_id
    new = Labeler.objects.create(project_id=project, pseudonym="new", source=Labeler.Source.SIMULATED)
    ClaimCursor.objects.create(campaign_id=site.campaign, labeler=new)
    return [tasks, "anybody's", *_read_by_claim(site, new.pk)]


def claim_of_the_lone(site: Site, tasks: int, url: str) -> list[Figure]:
    """What a claim reads of somebody who has done half of the campaign, all alone."""
    do_half_of(url, campaign=site.campaign, labeler=site.lone, guideline=site.guideline, tasks=tasks)
    return [tasks, "lone, half done", *_read_by_claim(site, site.lone)]


def _read_by_claim(site: Site, labeler_id: int) -> list[Figure]:
    """Statements and buffers. The first look at each page of an index after a mass load also sets hints in it; what is
    told is the second."""
    from bench.workplace.plans import read_by
    from labeling.assigning import claim
    from labeling.models import Campaign, Labeler

    campaign = Campaign.objects.select_related("project").get(pk=site.campaign)
    labeler = Labeler.objects.get(pk=labeler_id)
    read_by(lambda: claim(campaign, labeler))
    read = read_by(lambda: claim(campaign, labeler))
    return [read.statements, read.buffers]


def step(server: Served, site: Site, many: int, thought: float, seconds: float) -> list[Figure]:
    """So many labelers for so long: figures in the order of HEADS from loops/s on."""
    people = list(site.people[:many])
    before, own = server.cpu_seconds(), time.process_time()
    done = sum(len(person.acknowledged) for person in people)
    began = time.perf_counter()
    times = asyncio.run(_watched(server, people, site, seconds=seconds, thought=thought))
    took = time.perf_counter() - began
    after = server.cpu_seconds()
    loops = max(1, sum(len(person.acknowledged) for person in people) - done)
    return [
        len(times) / max(took - WARM_SECONDS, 1e-9),
        *_milliseconds(times),
        (after[0] - before[0]) * 1000 / loops,
        (after[1] - before[1]) * 1000 / loops,
        (time.process_time() - own) * 1000 / loops,
    ]


async def _watched(
    server: Served, people: Sequence[Person], site: Site, *, seconds: float, thought: float
) -> list[float]:
    async def watch() -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_SECONDS)
            server.watch()

    watching = asyncio.create_task(watch())
    try:
        return await work(
            list(people), server.port, site.take_next, warm=WARM_SECONDS, seconds=seconds, thought=thought
        )
    finally:
        watching.cancel()


def _milliseconds(seconds: Sequence[float]) -> list[Figure]:
    """Median and 95th percentile."""
    if len(seconds) < 2:
        return [None, None]
    return [median(seconds) * 1000, quantiles(seconds, n=20)[-1] * 1000]


def with_kills(server: Served, site: Site) -> dict[str, Figure]:
    """Two hundred labelers at once, and every few hundred loops a web process dies."""
    people = list(site.people[:KILLED_PEOPLE])
    done = sum(len(person.acknowledged) for person in people)
    retried = sum(person.retried for person in people)
    kills = 0

    async def all_of_it() -> None:
        nonlocal kills
        at_work = asyncio.create_task(
            work(people, server.port, site.take_next, warm=0, seconds=KILLED_SECONDS, thought=0, loops=KILLED_LOOPS)
        )
        killed_at = time.monotonic()
        while not at_work.done():
            await asyncio.sleep(0.1)
            worked = sum(len(person.acknowledged) for person in people) - done
            waited = time.monotonic() - killed_at
            if worked >= (kills + 1) * KILL_EVERY_LOOPS and waited > KILL_EVERY_SECONDS and not at_work.done():
                server.kill_one(kills)
                kills, killed_at = kills + 1, time.monotonic()
        await at_work

    asyncio.run(all_of_it())
    return {
        "killed_web_processes": kills,
        "loops_while_killed": sum(len(person.acknowledged) for person in people) - done,
        "requests_sent_again": sum(person.retried for person in people) - retried,
    }


def grown(reads: Sequence[Sequence[Any]]) -> list[str]:
    """What a claim reads may grow by MORE_BUFFERS from the smallest campaign to the largest."""
    by_who: dict[str, list[int]] = {}
    for _, who, _, buffers in reads:
        by_who.setdefault(who, []).append(buffers)
    return [
        f"a claim ({who}) reads {found[-1]} buffers in the largest campaign, {found[0]} in the smallest"
        for who, found in by_who.items()
        if found[-1] > MORE_BUFFERS * found[0]
    ]


def report(
    rows: Sequence[Sequence[Figure]],
    reads: Sequence[Sequence[Figure]],
    figures: dict[str, Figure],
    wrong: Sequence[str],
    options: argparse.Namespace,
) -> str:
    """A page of Markdown."""
    said = [
        "# From task to task",
        f"Written by `python bench/labeling.py --write` on {machine()}; {versions(*SHOWN)}; granian with"
        f" {options.workers} web processes of {options.threads} threads. PostgreSQL, Redis and the load generator share"
        f" these cores with it; the load average when it ended was {os.getloadavg()[0]:.1f}.",
        f"A loop is one submission of K = {RESPONSES} ranked, rated and flagged responses, answered with the page of"
        " the next task, packed, over HTTP, by a user with a session of their own; one in twenty is sent twice, each"
        f" task is for {OVERLAP} labelers. CPU is what the web processes, PostgreSQL's processes for this database and"
        " the load generator used, divided by all loops of the step, those of the warm-up too: where other programs"
        " use the cores, loops a second are fewer and these are nearly the same.",
        table(HEADS, rows),
        asked_for(rows),
        "Label Studio 1.23 on such a machine: 8.5 loops a second with one labeler, 13.3 with eight and 11.7 with"
        " thirty-two (median 0.11 s and 2.9 s). A submission sent twice is stored twice there; here the recount below"
        " finds it once.",
        "## What a claim reads",
        "By EXPLAIN (ANALYZE, BUFFERS) of each of its statements, planning left out; of a prepared statement the plan"
        " that reads more is told, of the one for its values and the one for any.",
        table(("tasks", "whose claim", "statements", "buffers"), reads),
        "## Whether it is safe",
    ]
    for tasks in options.tasks:
        name = f"{tasks}_tasks"
        if f"{name}_killed_web_processes" in figures:
            said.append(
                f"{tasks:,} tasks: while {KILLED_PEOPLE} labelers worked {figures[f'{name}_loops_while_killed']:,}"
                f" loops, {figures[f'{name}_killed_web_processes']} web processes were killed and"
                f" {figures[f'{name}_requests_sent_again']} requests sent again. {figures[f'{name}_acknowledged']:,}"
                f" submissions were acknowledged in all, {figures[f'{name}_submissions_kept']:,} are there."
            )
    said.append("Counted again from the rows: " + ("; ".join(wrong) + "." if wrong else "every invariant holds."))
    return "\n\n".join(said) + "\n"


def asked_for(rows: Sequence[Sequence[Any]]) -> str:
    """What is asked of the loop and whether it was kept; where it was not, what the cores allow."""
    said = []
    for tasks, many, thought, rate, _, p95, *cpu in rows:
        if many != AT_LABELERS:
            continue
        if thought != "0 s":
            kept = "kept" if p95 is not None and p95 <= THINKING_P95_MS else "not kept"
            said.append(f"{tasks:,} tasks, a second of thought: 95 of 100 within {THINKING_P95_MS} ms, {kept}.")
            continue
        spent = sum(cpu)
        kept = f"kept (aim {AIM})" if rate >= LOOPS_A_SECOND else "not kept"
        said.append(
            f"{tasks:,} tasks, {many} labelers: {LOOPS_A_SECOND} loops a second, {kept}. A loop takes {spent:.1f} ms of"
            f" processor in all, so {os.cpu_count()} cores with nothing else to do would allow"
            f" {(os.cpu_count() or 1) * 1000 / spent:.0f} a second."
        )
    return "\n".join(f"- {one}" for one in said) or "Thirty-two labelers were not asked to work in this run."


if __name__ == "__main__":
    sys.exit(main())
