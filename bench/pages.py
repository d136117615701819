"""python bench/pages.py: what a labeler's page weighs and how long it takes, in a real Chromium before a served site.

The site is served as in production (granian, 2 processes of 8 threads, collected files) from this working tree, on
PostgreSQL where DATABASE_URL names a server (a database of its own is made there and dropped), else on SQLite.
First visits have an empty cache; later ones keep it. Each figure is the median of --runs visits. Exits 1 where one is
beyond its bound, unless --no-bounds: on a machine that is busy with other work times say little.
"""

import argparse
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.reporting import machine, median_and_range, table, versions, write_json  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

CHROMIUM = os.environ.get("ACCORD_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
BOUNDS = {"over_wire_kb": 120.0, "first_paint_ms": 300.0, "usable_ms": 500.0, "next_task_ms": 150.0, "queries": 12.0}
"""What a ranking page may cost at most."""
WORDS = (
    "Measure the flour first, then the water, and leave both alone for half an hour. What happens in that time cannot "
    "be hurried: the dough takes up what it needs, and **kneading** becomes easy. Salt comes last.\n\n"
    "1. Mix until no dry flour is left.\n2. Cover the bowl.\n3. Fold it four times, `15` minutes apart.\n\n"
)
PAINTED = """() => {
  performance.clearMarks();
  window.shown = new Promise((resolve) => {
    document.addEventListener("keydown", () => performance.mark("pressed"), { capture: true, once: true });
    document.addEventListener("next-task", () => requestAnimationFrame(() => setTimeout(() => {
      resolve(performance.now() - performance.getEntriesByName("pressed")[0].startTime);
    })), { once: true });
  });
}"""
"""The time from the key to the frame that shows the next task."""
FIRST_PAINT = 'performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null'
USABLE = 'performance.getEntriesByName("usable")[0]?.startTime ?? null'


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=9, help="visits of each kind (9)")
    parser.add_argument(
        "--shown", type=int, action="append", help="responses of a task; 2, 4 and 9 where none is given"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--no-bounds", action="store_true", help="exit 0 whatever the figures are")
    return parser.parse_args()


def main() -> int:
    asked = read_arguments()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="accord-pages-") as folder, database(Path(folder)) as address:
        set_up_site(Path(folder), address)
        with served() as base:
            for shown in asked.shown or [2, 4, 9]:
                figures[f"k{shown}"] = measured(base, shown, asked.runs)
    print(f"{machine()}; {versions('django', 'granian', 'playwright')}; load {os.getloadavg()[0]:.1f}\n")
    print(
        table(
            ["", *figures], [[name, *(one[name] for one in figures.values())] for name in next(iter(figures.values()))]
        )
    )
    if asked.json:
        write_json(asked.json, {f"{of}_{name}": value for of, one in figures.items() for name, value in one.items()})
    beyond = [
        f"{of}: {name} is {one[name]:.0f}, at most {bound:.0f}"
        for of, one in figures.items()
        for name, bound in BOUNDS.items()
        if one[name] > bound
    ]
    print("", *beyond, sep="\n")
    return 1 if beyond and not asked.no_bounds else 0


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """The address of an empty database, which is gone afterwards."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield f"sqlite:////{folder / 'site.sqlite3'}"
        return
    import psycopg

    name = f"accord_pages_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            from django.db import connections

            connections.close_all()
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def set_up_site(folder: Path, address: str) -> None:
    """Migrated, its files collected. Production asks for PostgreSQL: on SQLite the site is a local one."""
    local = address.startswith("sqlite")
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ACCORD_MODE": "local" if local else "production",
        "ACCORD_STATE_DIR": str(folder),
        "ACCORD_SECRET_KEY": secrets.token_urlsafe(40),
        "ACCORD_ALLOWED_HOSTS": "localhost",
        "ACCORD_SSL_REDIRECT": "false",
        "DATABASE_URL": address,
        "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
    }
    os.environ.setdefault("REDIS_URL", "" if local else "redis://127.0.0.1:6379/0")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    if not local:
        call_command("collectstatic", verbosity=0, interactive=False)


@contextmanager
def served() -> Iterator[str]:
    """The site's address. localhost: browsers take secure cookies from there without TLS."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "2",
        "--blocking-threads",
        "8",
    ]
    command = [sys.executable, "-m", "granian", *options, "--log-level", "error", "config.wsgi:application"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ)
    try:
        wait_for(f"http://localhost:{port}/health/live")
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(address: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError), urlopen(address) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(f"{address} did not answer within {seconds:.0f} s")


def make_work(shown: int, tasks: int) -> tuple[Any, str]:
    """A labeler with an open ranking campaign: (user, its path). Texts of 60 to 600 words."""
    from labeling.models import Campaign, Generator, Guideline, Membership, Project, Prompt, Response, Role, User
    from labeling.opening import make_tasks, open_campaign

    project = Project.objects.create(name=f"Pages {shown}", slug=f"pages-{shown}")
    user = User.objects.create_user(username=f"labeler-{shown}")
    Membership.objects.create(user=user, project=project, role=Role.LABELER)
    flags = [{"name": f"flag_{letter}", "label": f"Flag {letter}", "letter": letter} for letter in "abcde"]
    guideline = Guideline.objects.create(project=project, kind="ranking", version=1, body=WORDS * 3, flags=flags)
    campaign = Campaign.objects.create(project=project, name="Bread", kind="ranking", guideline=guideline, overlap=1)
    writer = Generator.objects.create(project=project, name="sft", kind="sft")
    items = []
    for number in range(tasks):
        prompt = Prompt.objects.create(
            project=project, messages=[{"role": "user", "content": f"{number}: how is bread made? {WORDS}"}],
            origin="import", group_key=str(number), split="train", fingerprint=f"{shown}-{number}",
        )  # fmt: skip
        texts = [f"{number} {place}: {WORDS * (1 + (number + place * 3) % 10)}" for place in range(shown)]
        items.append((prompt, [Response.objects.create(prompt=prompt, generator=writer, text=text) for text in texts]))
    make_tasks(campaign, items)
    open_campaign(campaign)
    return user, f"/projects/{project.slug}/campaigns/{campaign.pk}/next/"


def measured(base: str, shown: int, runs: int) -> dict[str, float]:
    from django.conf import settings
    from django.test import Client
    from playwright.sync_api import sync_playwright

    user, take = make_work(shown, tasks=runs + 8)
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    path = client.post(take)["Location"]
    queries = count_queries(client, path)
    cookie = {
        "name": settings.SESSION_COOKIE_NAME,
        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
        "url": base,
    }
    first, later, next_task = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(runs):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            context.add_cookies([cookie])  # type: ignore[list-item]
            first.append(visit(context, base + path))
            later.append(visit(context, base + path))
            context.close()
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(base + path)
        wait_until_usable(page)  # a key that is pressed before is nobody's
        for _ in range(runs):
            next_task.append(rank_one(page, shown))
        browser.close()
    print(f"K = {shown}: next task {median_and_range(next_task)} ms", file=sys.stderr)
    return {
        "over_wire_kb": median(one["bytes"] for one in first) / 1000,
        "requests": median(one["requests"] for one in first),
        "first_paint_ms": median(one["painted"] for one in first),
        "usable_ms": median(one["usable"] for one in first),
        "again_over_wire_kb": median(one["bytes"] for one in later) / 1000,
        "again_first_paint_ms": median(one["painted"] for one in later),
        "again_usable_ms": median(one["usable"] for one in later),
        "next_task_ms": median(next_task),
        "queries": float(queries),
    }


def count_queries(client: Any, path: str) -> int:
    """Of the page, its texts rendered before."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def visit(context: "BrowserContext", address: str) -> dict[str, float]:
    """bytes: of all answers as they went over the wire, heads included. Milliseconds since the visit began."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(address, wait_until="load")
    wait_until_usable(page)
    page.evaluate("document.fonts.ready")
    times = page.evaluate(f"[{FIRST_PAINT}, {USABLE}]")
    page.wait_for_timeout(100)
    page.close()
    return {
        "bytes": sum(sizes),
        "requests": len([size for size in sizes if size]),
        "painted": times[0],
        "usable": times[1],
    }


def wait_until_usable(page: "Page") -> None:
    while not page.evaluate(f"({FIRST_PAINT}) && ({USABLE})"):  # wait_for_function needs what the page's policy forbids
        page.wait_for_timeout(20)


def rank_one(page: "Page", shown: int) -> float:
    """Decides the task by keyboard; the milliseconds from the key that submits to the next one on the screen."""
    if shown == 2:
        page.keyboard.press("ArrowLeft")
    else:
        for number in range(shown):
            page.keyboard.press(str(7 - number % 7))
            page.keyboard.press("j")
        page.keyboard.press("Enter")
    page.wait_for_timeout(700)  # The draft is on its way or there.
    page.evaluate(PAINTED)
    page.keyboard.press("Control+Enter")
    return float(page.evaluate("window.shown"))


if __name__ == "__main__":
    sys.exit(main())
