"""How long the reports take on a large project: pages asked for cold, one after another, and the memory they need.

    python -m bench.reports --judgments 200000 --write docs/reports_speed.md

makes a project with so many judgments of ranked responses, and as many ratings of an evaluation, in a database of its
own (beside the one of DATABASE_URL, named after it), asks for every report as a researcher would, and prints a table;
then the reports of agreement and quality of a second one, where nine responses are ranked by twenty labelers each.
Every page is asked for with empty caches. A page's seconds are those of the clock, and so grow with whatever else the
machine does; the processor's seconds of this process hardly do.
"""

import argparse
import cProfile
import os
import platform
import pstats
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("ACCORD_MODE", "local")
os.environ.setdefault("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")

import django
from django.conf import settings
from django.test.utils import setup_databases, setup_test_environment, teardown_databases

HEAD = "| report | seconds | of them on this processor | queries | kB of page | most memory so far, MB |"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--judgments", type=int, default=200_000)
    options.add_argument("--profile", default="", help="name of a report: its functions by time, instead of the table")
    options.add_argument("--limit-seconds", type=float, default=3.0, help="a slower page makes the command fail")
    options.add_argument("--keep", action="store_true", help="use the project of the last time, and leave it there")
    options.add_argument("--write", type=Path, help="a page with the table")
    asked = options.parse_args()
    django.setup()
    setup_test_environment()
    database = settings.DATABASES["default"]
    database["TEST"] = {**database.get("TEST", {}), "NAME": f"reports_of_{database['NAME']}"}
    files = Path(tempfile.gettempdir()) / database["TEST"]["NAME"]
    settings.RUNS_DIR, settings.SNAPSHOTS_DIR = files / "runs", files / "snapshots"
    made = setup_databases(verbosity=0, interactive=False, keepdb=asked.keep, serialized_aliases=[])
    try:
        return measure(asked.judgments, asked.limit_seconds, asked.profile, asked.write)
    finally:
        if not asked.keep:
            teardown_databases(made, verbosity=0)
            shutil.rmtree(files, ignore_errors=True)


def measure(judgments: int, limit: float, profiled: str, page: Path | None) -> int:
    from django.core.cache import cache

    client, pages = enter(judgments)
    if profiled:
        profiler = cProfile.Profile()
        profiler.runcall(client.get, pages[profiled])
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
        return 0
    lines = [HEAD, "|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    slow = []
    for name, address in pages.items():
        cache.clear()
        seconds, busy, queries, size = ask(client, address)
        if seconds > limit:
            slow.append(name)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(f"| {name} | {seconds:.2f} | {busy:.2f} | {queries} | {size / 1000:.0f} | {most:.0f} |")
        print(lines[-1], flush=True)
    if page:
        page.write_text(page_of(lines, judgments, limit, slow))
    return int(bool(slow))


def enter(judgments: int) -> tuple[Any, dict[str, str]]:
    """A client signed in as the owner of a large project, and the addresses of the reports by name."""
    from django.test import Client
    from django.urls import reverse

    from bench.large_project import Size, fill
    from labeling.models import Project, User

    project = Project.objects.filter(slug="large").first()
    if project is None:
        began = time.perf_counter()
        project = fill(Size(judgments))
        fill(Size(judgments, responses=9, overlap=20), name="Large overlap", evaluated=False)
        print(f"{judgments:,} judgments, twice, and as many ratings made in {time.perf_counter() - began:.0f} s\n")
    client = Client()
    client.force_login(User.objects.get(username="olga"))
    names = ("agreement", "agreement_json", "quality", "quality_json", "bias", "bias_json", "matrix", "matrix_json")
    pages = {name: reverse(name, args=[project.slug]) for name in (*names, "qualifications")}
    pages["qualification"] = reverse("qualification", args=[project.slug, project.qualifications.get().pk])
    ranked = project.campaigns.filter(kind="ranking").earliest("pk")
    pages["disputes"] = reverse("disputes", args=[project.slug, ranked.pk])
    evaluation = reverse("evaluation", args=["large-evaluation", 1])
    pages |= {"evaluation": evaluation, "evaluation_json": f"{evaluation}?as=json"}
    overlap = {f"{name}, nine responses by twenty": reverse(name, args=["large-overlap"]) for name in names[:6]}
    return client, pages | overlap


def ask(client: Any, address: str) -> tuple[float, float, int, int]:
    """Seconds by the clock, seconds of this process, queries, bytes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        began, worked = time.perf_counter(), time.process_time()
        answer = client.get(address)
        seconds, busy = time.perf_counter() - began, time.process_time() - worked
    assert answer.status_code == 200, f"{address} answered {answer.status_code}"
    return seconds, busy, len(queries), len(answer.content)


def page_of(lines: list[str], judgments: int, limit: float, slow: list[str]) -> str:
    """The table, with what it was measured on and whether every page kept within the limit."""
    load = os.getloadavg()[0]
    kept = f"Slower than {limit:g} s: {', '.join(slow)}." if slow else f"Every page came within {limit:g} s."
    return "\n".join(
        [
            "# How fast the reports are",
            "",
            f"{judgments:,} judgments of rankings by 40 labelers, four responses to a prompt and two labelers a task,",
            "and as many ratings of an evaluation of four models, one told for two cohorts too, and of people. Cohorts",
            "of twenty labelers, background answers, gold, a qualification, thirty rounds and a matrix of reward",
            "models (held-out scores drawn by lot) are there. The last rows are of another project with as many",
            "judgments of nine responses by twenty labelers a task. Each page is asked for once, with empty caches, by",
            f"`python -m bench.reports --judgments {judgments} --write docs/reports_speed.md`. Python",
            f"{platform.python_version()} and PostgreSQL on one machine with {os.cpu_count()} processors; its load was",
            f"{load:.1f} when the last page had come.",
            "",
            *lines,
            "",
            kept,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
