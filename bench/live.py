"""What live pages cost: open pages of a running job at one web process, and curves of very many steps.

    python -m bench.live --pages 100 --seconds 60 --rows 1000000

Needs PostgreSQL at DATABASE_URL (a database of its own is made there and dropped). Each page asks as
static/js/live-curves.js does: every 3 s while something moves, more seldom while nothing does. The share is the
processor time of the web process by the clock: 1 would be a whole core.
"""

import argparse
import http.client
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EVERY, STILL, BACK_OFF = 3.0, 15.0, 1.6
"""As in live-curves.js, in seconds."""
DATABASE = "accord_bench_live"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--step-seconds", type=float, default=5.0, help="how often the job makes a step")
    parser.add_argument("--rows", type=int, default=1_000_000, help="metrics of the long job")
    return parser.parse_args()


def main(asked: argparse.Namespace) -> None:
    url = os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    server, _, _ = url.rpartition("/")
    for command in (f'DROP DATABASE IF EXISTS "{DATABASE}"', f'CREATE DATABASE "{DATABASE}"'):
        subprocess.run(["psql", "-q", url, "-c", command], check=True)
    os.environ |= {
        "DATABASE_URL": f"{server}/{DATABASE}", "DJANGO_SETTINGS_MODULE": "config.settings", "ACCORD_MODE": "local",
        "ACCORD_STATE_DIR": str(ROOT / ".cache" / "bench-live"),
    }  # fmt: skip
    os.environ.pop("REDIS_URL", None)
    import django

    django.setup()
    try:
        measure(asked)
    finally:
        from django.db import connections

        connections.close_all()
        subprocess.run(["psql", "-q", url, "-c", f'DROP DATABASE "{DATABASE}" WITH (FORCE)'], check=True)


def measure(asked: argparse.Namespace) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    project, user, short, long = fill(asked.rows)
    cookie = signed_in(user)
    print("| what | figure |\n|---|---|")
    for name, seconds in curve_seconds(long).items():
        print(f"| {name}, {asked.rows:,} steps | {seconds * 1000:.0f} ms |")
    share, asks, answer_ms = open_pages(asked, project, short, cookie)
    print(f"| one web process with {asked.pages} open pages of a running job | {share:.1%} of a core |")
    print(f"| questions a second | {asks:.1f} |")
    print(f"| median answer | {answer_ms:.0f} ms |")


def fill(rows: int) -> tuple[Any, Any, Any, Any]:
    """A project with two running jobs: one young, one with very many steps."""
    from django.db import connection
    from django.utils import timezone

    from labeling.models import Membership, Project, User
    from training.models import Job
    from training.rounds import open_round

    user = User.objects.create_user("bench", password="bench")
    project = Project.objects.create(name="Bench", slug="bench")
    Membership.objects.create(user=user, project=project, role="researcher")
    made = []
    for steps in (2000, rows):
        stage = open_round(project).stages.get(kind="pretrain")
        job = Job.objects.create(
            project=project, stage=stage, kind="pretrain", config={"stage": "pretrain"}, state="running", attempt=1,
            steps=steps, step=1, lease_until=timezone.now() + timedelta(hours=3), started_at=timezone.now(),
        )  # fmt: skip
        stage.job, stage.state = job, "running"
        stage.save()
        made.append(job)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO training_metric (job_id, step, split, values) SELECT %s, n, 'train', jsonb_build_object("
            "'loss', 5 / (1 + ln(n)) + random() / 9, 'learning_rate', 1e-3 / n, 'gradient_norm', random(), 'tokens', n)"
            " FROM generate_series(1, %s) n",
            [made[1].pk, rows],
        )
        cursor.execute(
            "INSERT INTO training_metric (job_id, step, split, values) SELECT %s, n * 1000, 'valid', "
            "jsonb_build_object('loss', 5 / (1 + ln(n + 1))) FROM generate_series(1, %s) n",
            [made[1].pk, rows // 1000],
        )
        cursor.execute("ANALYZE training_metric")
    Job.objects.filter(pk=made[1].pk).update(step=rows)
    return project, user, made[0], made[1]


def signed_in(user: Any) -> str:
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def curve_seconds(job: Any) -> dict[str, float]:
    from training.models import Job
    from training.views.curves import drawn_curves, metric_rows

    job = Job.objects.get(pk=job.pk)
    last = job.step

    def timed(act: Any) -> float:
        found = []
        for _ in range(5):
            began = time.perf_counter()
            act()
            found.append(time.perf_counter() - began)
        return median(found)

    return {
        "all curves of a page, drawn": timed(lambda: drawn_curves(job)),
        "rows for a page that opens": timed(lambda: metric_rows(job)),
        "rows since the step before": timed(lambda: metric_rows(job, after=last - 1)),
    }


def open_pages(asked: argparse.Namespace, project: Any, job: Any, cookie: str) -> tuple[float, float, float]:
    """Share of a core, questions a second, median milliseconds of an answer."""
    from tests.training.workers import free_port
    from training import local_site
    from training.following import store_metrics
    from training.models import Job

    port = free_port()
    web = subprocess.Popen(local_site.web_command("127.0.0.1", port), cwd=ROOT, stdout=subprocess.DEVNULL)
    over = threading.Event()
    times: list[float] = []
    address = f"/projects/{project.slug}/rounds/1/jobs/{job.pk}/metrics"

    def page(place: int) -> None:
        last, mark, wait = -1, "", EVERY
        time.sleep(EVERY * place / asked.pages)
        while not over.is_set():
            began = time.perf_counter()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", f"{address}?after={last}&mark={mark}", headers={"Cookie": cookie})
                answer = json_of(connection.getresponse())
                connection.close()
            except OSError:
                time.sleep(EVERY)
                continue
            times.append(time.perf_counter() - began)
            if answer.get("same"):
                wait = min(wait * BACK_OFF, STILL)
            else:
                mark, wait = answer["mark"].replace("+", "%2B").replace(" ", "%20"), EVERY
                last = max([last, *(row[0] for row in answer["rows"])])
            over.wait(wait)

    try:
        local_site_answers(port)
        pages = [threading.Thread(target=page, args=(place,), daemon=True) for place in range(asked.pages)]
        for one in pages:
            one.start()
        time.sleep(2 * EVERY)  # all have asked once, and hold what there is
        used, began, asked_before = cpu_seconds(web.pid), time.monotonic(), len(times)
        step = 1
        while time.monotonic() - began < asked.seconds:
            step += 1
            store_metrics(job.pk, [{"step": step, "loss": 5.0 / step, "learning_rate": 1e-3, "gradient_norm": 1.0}])
            Job.objects.filter(pk=job.pk).update(step=step)
            time.sleep(asked.step_seconds)
        elapsed = time.monotonic() - began
        share = (cpu_seconds(web.pid) - used) / elapsed
        answered = times[asked_before:]
        return share, len(answered) / elapsed, 1000 * median(answered)
    finally:
        over.set()
        web.terminate()
        web.wait(30)


def json_of(answer: http.client.HTTPResponse) -> dict[str, Any]:
    import json

    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"the page answered {answer.status}: {body[:300]!r}")
    return dict(json.loads(body))


def local_site_answers(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            probe = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            probe.request("GET", "/health/live")
            if probe.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the web server did not answer within two minutes")


def cpu_seconds(pid: int) -> float:
    """Of the process and the children that live."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        stat = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        waiting += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
    return total


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(arguments())
