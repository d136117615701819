"""A newcomer's first hour, from a fresh clone with an empty package cache: make run, label by keyboard, train, pull.

make trial PART=newcomer (about 5 minutes, most of them the install). Needs Chromium and the trial data.
"""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import FLAGS, wait_for_its_script
from tests.services import CHROMIUM, DATA

pytestmark = [pytest.mark.browser, pytest.mark.data]

ROOT = Path(__file__).resolve().parent.parent.parent
DEMONSTRATIONS = ("demos_self_instruct", "demos_dolly")
RANKINGS = "rankings_fgrlhf_questions"
DOCUMENTS = 40
PATIENCE_MS = 240_000


@dataclass
class Site:
    clone: Path
    base: str
    links: dict[str, str]

    def manage(self, *arguments: str) -> str:
        """What a command of the clone prints; the test fails where it does."""
        command = [".venv/bin/python", "manage.py", *arguments]
        answer = subprocess.run(command, cwd=self.clone, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout


ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("ACCORD_", "DJANGO_")) and name not in {"DATABASE_URL", "REDIS_URL", "VIRTUAL_ENV"}
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("newcomer")
    clone = folder / "accord"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**ENVIRONMENT, "PIP_CACHE_DIR": str(folder / "empty-cache"), "PYTHONUNBUFFERED": "1"}
    began = time.monotonic()
    process = subprocess.Popen(
        ["make", "run", f"PORT={port}", f"PYTHON={sys.executable}"],
        cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    links: dict[str, str] = {}
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if found := re.search(r"sign in as (\w+): +(http\S+)", line):
            links[found[1]] = found[2]
        if "Each link works once" in line:
            break
    print(f"\nfrom the clone to the links, install included: {time.monotonic() - began:.0f} s")
    assert set(links) == {"researcher", "labeler"}, "".join(printed)
    yield Site(clone, f"http://127.0.0.1:{port}", links)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the web server outlived Ctrl-C"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def sign_in(chromium: Browser, link: str) -> tuple[Page, list[str]]:
    page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(link)
    return page, errors


def tab_to(page: Page, words: str, *, most: int = 60) -> None:
    """Tab until the focus stands on a control with these words."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if words in str(page.evaluate("document.activeElement.innerText || ''")):
            return
    raise AssertionError(f"no Tab of {most} reaches {words!r} on {page.url}")


def import_the_trial_data(site: Site, folder: Path) -> None:
    for name in (*DEMONSTRATIONS, RANKINGS):
        out = folder / f"{name}.jsonl"
        command = [".venv/bin/python", "-m", "bench.adapters", name, "--data", str(DATA), "--out", str(out)]
        subprocess.run(command, cwd=site.clone, check=True, stdout=subprocess.DEVNULL)
        site.manage("import_records", "first", str(out))
    text = folder / "text.jsonl"
    with gzip.open(DATA / "pretrain_text.jsonl.gz", "rt", encoding="utf-8") as source, text.open("w") as short:
        short.writelines(line for _, line in zip(range(DOCUMENTS), source, strict=False))
    site.manage("import_text", "first", str(text))


def test_a_newcomer_labels_by_keyboard_trains_and_pulls_what_was_said(
    site: Site, chromium: Browser, tmp_path: Path
) -> None:
    import_the_trial_data(site, tmp_path)
    site.manage("open_campaign", "first", "--from-imported", RANKINGS, "--tasks", "3")

    ranks = rate_and_rank_by_keyboard(chromium, site.links["labeler"])
    said = ranking_over_rest(site)
    assert said == ranks

    watch_sft_in_the_browser(chromium, site.links["researcher"])
    assert ranking_in_a_snapshot(site) == ranks


def rate_and_rank_by_keyboard(chromium: Browser, link: str) -> list[int]:
    """The ranks given, best first, sorted: two responses tied at 2."""
    page, errors = sign_in(chromium, link)
    if "/projects/" not in page.url:
        tab_to(page, "First project")
        page.keyboard.press("Enter")
        page.wait_for_url("**/projects/first/")
    tab_to(page, "Take the next task")
    page.keyboard.press("Enter")
    page.wait_for_url("**/tasks/**")
    wait_for_its_script(page)
    first = page.url
    for key in ("6", "j", "4", "j", "2", "j", "4", "Enter", "Control+Enter"):
        page.keyboard.press(key)
    page.wait_for_url(lambda url: url != first and "/tasks/" in url)
    assert errors == []
    page.context.close()
    return [1, 2, 2, 3]


def watch_sft_in_the_browser(chromium: Browser, link: str) -> None:
    page, errors = sign_in(chromium, link)
    base = page.url.split("/projects/")[0].rstrip("/")
    page.goto(f"{base}/projects/first/rounds/")
    page.get_by_role("button", name="Open the round").click()
    page.wait_for_url("**/rounds/1/**")
    launch(page, f"{base}/projects/first/rounds/1/?stage=pretrain", {"pretrain.steps": "60"})
    # The one worker of the machine is at the rehearsal's base model first.
    expect(page.locator("[data-stages]")).to_contain_text("Done", timeout=3 * PATIENCE_MS)
    launch(page, f"{base}/projects/first/rounds/1/?stage=sft", {"sft.epochs": "2"})
    line = page.locator('[data-curve="loss"] .line--raw')
    lengths = set()
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while len(lengths) < 4 and time.monotonic() < deadline:
        lengths.add(len(line.get_attribute("d") or ""))
        time.sleep(0.5)
    print(f"the curve of SFT moved: its line had {sorted(lengths)} characters")
    assert len(lengths) >= 4
    assert errors == []
    page.context.close()


def launch(page: Page, url: str, values: dict[str, str]) -> None:
    page.goto(url)
    for name, value in values.items():
        page.locator(f'[name="{name}"]').fill(value)
    page.locator("form.launch .btn--main").click()
    page.wait_for_load_state()


def ranking_over_rest(site: Site) -> list[int]:
    """The member's ranking as the API gives it out, its ranks sorted."""
    token = site.manage("make_token", "researcher", "first").strip().split()[-1]
    request = urllib.request.Request(
        f"{site.base}/api/v1/projects/first/records/rankings", headers={"Authorization": f"Token {token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        records = [json.loads(line) for line in answer.read().decode().splitlines()]
    return one_members_ranks(judged for record in records for judged in record["judged"])


def ranking_in_a_snapshot(site: Site) -> list[int]:
    """The same in the next rankings snapshot that a reward model would learn from."""
    script = (
        "from labeling.models import Project; from training.snapshots import freeze, read_query\n"
        "from django.conf import settings\n"
        "for split in ('train', 'valid', 'test'):\n"
        "    frozen = freeze(Project.objects.get(slug='first'), read_query({'kind': 'rankings', 'split': split}))\n"
        "    print((settings.SNAPSHOTS_DIR / frozen.uri).read_text(), end='')\n"
    )
    rows = [json.loads(line) for line in site.manage("shell", "-v", "0", "-c", script).splitlines()]
    return one_members_ranks(judged for row in rows for judged in row["judged"])


def one_members_ranks(judged: Iterator[dict[str, object]]) -> list[int]:
    """Members go by pseudonyms of the form L-…; there is one of them, who ranked once."""
    [ranks] = [one["ranks"] for one in judged if str(one["labeler"]).startswith("L-")]
    assert isinstance(ranks, list)
    return sorted(ranks)
