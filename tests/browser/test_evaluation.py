"""A researcher at the page of an evaluation, in a real browser: by keyboard, wide and narrow, day and night."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from labeling.models import Project, User
from tests.browser.axe import faults_in_both_looks
from tests.labeling.work import make_labeler
from tests.training.evaluated import Rater, rate_all, rated_campaign, rating_guideline, trained
from tests.training.making import base_model_folder, demonstrations, writer
from training.models import Round
from training.rounds import open_round

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

PAGE = "/projects/helpdesk/rounds/1/evaluation/"


@pytest.fixture
def ready(project: Project, settings: Any, tmp_path: Path) -> Round:
    settings.RUNS_DIR = tmp_path / "runs"
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    settings.MODELS_DIR = tmp_path / "models"
    settings.REDIS_URL = ""
    base_model_folder(settings.MODELS_DIR / "base")
    demonstrations(project, 1)
    return trained(open_round(project, base="base"), settings)


def rated(round_: Round) -> None:
    """Four of four rated all but the last prompt, of which SFT's response is better."""
    campaign = rated_campaign(round_, ("human", "sft", "policy"), prompts=12, overlap=4)
    for number, name in enumerate("abcd"):
        overall = {("policy", place): 5 + (place + number) % 2 for place in range(11)}
        overall |= {("sft", place): 3 + (place * number) % 3 for place in range(11)}
        overall |= {("human", place): 6 for place in range(11)} | {("sft", 3): 7}
        rate_all(campaign, Rater(make_labeler(round_.project, name), overall, frozenset({("sft", 0), ("policy", 2)})))
    rate_all(campaign, Rater(writer(round_.project, "robot", source="simulated"), {("sft", 11): 2}))


def test_axe_finds_nothing_and_nothing_scrolls_sideways(ready: Round, researcher: User, visit: Callable) -> None:
    visitor = visit(researcher)
    found: dict[str, list[str]] = {}

    def check(name: str, path: str) -> None:
        page = visitor.open(path)
        found[name] = faults_in_both_looks(page)
        page.close()

    check("before", PAGE)
    rating_guideline(ready.project)
    check("launch form", "/projects/helpdesk/rounds/1/?stage=evaluate")
    rated(ready)
    check("so far", PAGE)
    check("the round", "/projects/helpdesk/rounds/1/?stage=evaluate")
    check("lower", f"{PAGE}?texts=lower&raters=both")
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_by_keyboard_another_baseline_is_chosen_and_the_lower_rated_texts_are_read(
    ready: Round, researcher: User, visit: Callable
) -> None:
    rated(ready)
    page = visit(researcher).open(PAGE)
    expect(page.get_by_role("heading", level=1)).to_contain_text("So far people rate the policy")
    page.get_by_label("Beside", exact=True).focus()
    page.keyboard.type("Human")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("below human demonstrations")
    page.go_back()
    page.get_by_role("link", name="PPO, round 1 rated lower than SFT, round 1").press("Enter")
    expect(page.locator(".compared")).to_have_count(1)
    expect(page.get_by_role("group", name="SFT, round 1", exact=True)).to_contain_text("7.0")
