"""A round that tells cohorts apart, opened, evaluated told each, and read two by two, in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from labeling.models import Cohort, Project, User
from tests.browser.axe import faults_in_both_looks
from tests.training.evaluated import held_out, rating_guideline, trained
from tests.training.making import base_model_folder, demonstrations
from tests.training.test_told_evaluation import answered_as_told, in_two_cohorts, know, rate_all
from training.models import Job, Round, Stage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

ROUNDS = "/projects/helpdesk/rounds/"


@pytest.fixture
def begun(project: Project, settings: Any, tmp_path: Path) -> Project:
    settings.RUNS_DIR = tmp_path / "runs"
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    settings.MODELS_DIR = tmp_path / "models"
    settings.REDIS_URL = ""
    base_model_folder(settings.MODELS_DIR / "base")
    demonstrations(project, 1)
    in_two_cohorts(project)
    rating_guideline(project)
    held_out(project, 12)
    return project


def test_a_round_for_two_cohorts_is_opened_evaluated_and_read(
    begun: Project, researcher: User, visit: Callable, settings: Any
) -> None:
    visitor = visit(researcher)
    visitor.expected.append("status of 400")  # of the round that is refused below
    page = visitor.open(ROUNDS)
    page.get_by_label("Base model").fill("base")
    page.get_by_label("Several cohorts, told apart").check()
    page.get_by_role("button", name="Open the round").click()
    expect(page.get_by_role("alert")).to_contain_text("told apart are 2 to 12, and 0 are named")
    expect(page.get_by_label("Several cohorts, told apart")).to_be_checked()
    for name in ("Terse", "Warm"):
        page.get_by_role("group", name="Which cohorts").get_by_label(name).check()
    assert faults_in_both_looks(page) == []
    page.get_by_role("button", name="Open the round").click()
    expect(page.locator("main")).to_contain_text("Told apart: Terse and Warm.")
    page.close()

    round_ = trained(Round.objects.get(), settings)
    know(round_, "ppo")
    page = visitor.open(f"{ROUNDS}1/?stage=evaluate")
    expect(page.get_by_label("Policy, told Terse")).to_be_checked()
    faults = faults_in_both_looks(page)
    page.get_by_label("Base model", exact=False).first.uncheck()
    page.get_by_label("SFT", exact=False).first.uncheck()
    page.get_by_label("Labelers a response").fill("10")
    page.get_by_role("button", name="Launch Evaluate").click()
    expect(page).to_have_url(f"{visitor.base}{ROUNDS}1/?stage=evaluate#live")
    page.close()

    answered_as_told(Job.objects.latest("pk"))
    rate_all(round_)
    Stage.objects.filter(round=round_, kind="evaluate").update(state="done")
    Cohort.objects.filter(name="Terse").update(name="Brief")
    page = visitor.open(f"{ROUNDS}1/evaluation/")
    told = page.get_by_role("region", name="Told for whom to write")
    expect(told).to_contain_text("It can be claimed that Brief and Warm, in the mean of the two, prefer")
    expect(told.get_by_role("row")).to_have_count(6)
    expect(told.get_by_role("columnheader", name="rated by Brief")).to_be_visible()
    expect(told.get_by_role("rowheader", name="told nothing", exact=True)).to_be_visible()
    page.get_by_label("Difference that matters").fill("0.1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("Difference that matters")).to_have_value("0.1")
    assert faults + faults_in_both_looks(page) == []
