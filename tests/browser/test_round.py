"""A researcher at the page of a round, in a real browser: launches SFT, watches it, stops it."""

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from labeling.models import Project, User
from tests.browser.axe import faults_in_both_looks
from tests.rlhf.tiny_runs import save_tiny_model
from tests.training.making import base_model_folder, demonstrations
from tests.training.test_settle import sft_is_done
from tests.training.workers import PATIENCE_SECONDS, environment, started, wait_until, worker
from training.following import store_metrics
from training.models import Alarm, Job, Round
from training.rounds import open_round
from training.run_folders import run_folder

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
PATIENCE_MS = PATIENCE_SECONDS * 1000


@pytest.fixture(autouse=True)
def own_folders(settings: Any, tmp_path: Path) -> None:
    settings.RUNS_DIR = tmp_path / "runs"
    settings.SNAPSHOTS_DIR = tmp_path / "snapshots"
    settings.MODELS_DIR = tmp_path / "models"
    settings.REDIS_URL = ""


@pytest.fixture
def round_with_base(project: Project, settings: Any, own_folders: None) -> Round:
    base_model_folder(settings.MODELS_DIR / "base")
    demonstrations(project, 20)
    return open_round(project, base="base")


@pytest.mark.postgres
def test_a_researcher_launches_sft_and_sees_the_curve_move(
    project: Project, researcher: User, visit: Callable, tmp_path: Path, settings: Any
) -> None:
    shutil.copytree(save_tiny_model(tmp_path / "made"), settings.MODELS_DIR / "tiny")
    demonstrations(project, 20)
    page = visit(researcher).open(reverse("rounds", args=["helpdesk"]))
    page.get_by_label("Base model").fill("tiny")
    page.get_by_role("button", name="Open the round").click()
    page.get_by_label("Epochs").fill("8")
    page.get_by_label("Demonstrations a step").fill("4")
    page.get_by_label("Longest prompt").fill("64")
    page.get_by_label("Longest response").fill("32")
    page.get_by_text("Config as JSON").click()
    page.get_by_label("Sections of config.json").fill(
        '{"lengths": {"context_tokens": 96}, "hardware": {"device": "cpu", "threads": 1}}'
    )
    page.get_by_role("button", name="Launch SFT").click()
    expect(page.get_by_text("Queued.", exact=True)).to_be_visible()
    log = tmp_path / "worker.log"
    with started(worker("--until-idle"), log=log, env=environment()) as process:
        line = page.locator("[data-curve=loss] .line--raw")
        expect(line).to_have_attribute("d", has_many_points(3), timeout=PATIENCE_MS)
        wait_until(lambda: process.poll() is not None, log=log)
    expect(page.get_by_text("r1-sft", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    assert Job.objects.get().state == "done", log.read_text()


def has_many_points(number: int) -> Any:
    return re.compile(rf"^M(.*L){{{number},}}")


def stepped(job: Job, lines: list[dict[str, Any]]) -> None:
    """As a supervisor writes it: the rows, and where the job stands."""
    store_metrics(job.pk, lines)
    Job.objects.filter(pk=job.pk).update(step=lines[-1]["step"])


def training_its_base(project: Project) -> Job:
    """Of a round that runs, with the first row of its curve."""
    round_ = open_round(project)
    stage = round_.stages.get(kind="pretrain")
    job = Job.objects.create(
        project=project, stage=stage, kind="pretrain", config={}, state="running", attempt=1, steps=100, step=1,
        lease_until=round_.created_at,
    )  # fmt: skip
    stage.job, stage.state = job, "running"
    stage.save()
    store_metrics(job.pk, [{"step": 1, "loss": 5.0}])
    return job


def test_a_server_that_does_not_answer_is_told_of_until_it_does(
    project: Project, researcher: User, visit: Callable
) -> None:
    training_its_base(project)
    visitor = visit(researcher)
    visitor.expected.append("ERR_INTERNET_DISCONNECTED")
    page = visitor.open(reverse("round", args=["helpdesk", 1]))
    expect(page.get_by_role("button", name="Stop following")).to_be_visible()
    visitor.context.set_offline(True)
    notice = page.get_by_text(re.compile(r"Accord has not answered since \d\d:\d\d"))
    expect(notice).to_be_visible(timeout=20_000)
    visitor.context.set_offline(False)
    expect(notice).to_have_count(0, timeout=20_000)


def test_the_curve_grows_with_the_rows_and_stops_when_it_is_told_to(
    project: Project, researcher: User, visit: Callable
) -> None:
    job = training_its_base(project)
    page = visit(researcher).open(reverse("round", args=["helpdesk", 1]))
    line = page.locator("[data-curve=loss] .line--raw")
    expect(line).to_have_attribute("d", "M52.5 96.0")
    stepped(job, [{"step": 2, "loss": 4.0}, {"step": 2, "split": "valid", "loss": 4.5}])
    expect(line).to_have_attribute("d", has_many_points(1), timeout=15_000)
    expect(page.locator("[data-curve=loss] .dot--quiet")).to_have_count(1)
    page.get_by_role("button", name="Stop following").click()
    stepped(job, [{"step": 3, "loss": 3.0}])
    page.wait_for_timeout(2500)
    expect(line).not_to_have_attribute("d", has_many_points(2))
    page.get_by_role("button", name="Follow live").click()
    expect(line).to_have_attribute("d", has_many_points(2), timeout=15_000)


def test_a_bad_learning_rate_is_refused_beside_the_form_without_script(
    project: Project, researcher: User, visit: Callable, settings: Any
) -> None:
    base_model_folder(settings.MODELS_DIR / "base")
    demonstrations(project, 20)
    open_round(project, base="base")
    visitor = visit(researcher, java_script_enabled=False)
    visitor.expected.append("400")
    page = visitor.open(reverse("round", args=["helpdesk", 1]))
    page.get_by_label("Learning rate").fill("-0.001")
    page.get_by_role("button", name="Launch SFT").click()
    expect(page.get_by_role("alert")).to_contain_text("optimizer.learning_rate is -0.001; expected a number above 0")
    expect(page.get_by_label("Learning rate")).to_have_value("-0.001")


def test_a_running_stage_is_paused_resumed_and_cancelled_and_its_rollouts_come_in(
    project: Project, researcher: User, visit: Callable
) -> None:
    round_ = open_round(project)
    stage = round_.stages.get(kind="pretrain")
    job = Job.objects.create(
        project=project, stage=stage, kind="pretrain", config={}, state="running", attempt=1, steps=100, step=1,
        lease_until=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    stage.job, stage.state = job, "running"
    stage.save()
    samples = run_folder(job).samples
    samples.parent.mkdir(parents=True)
    samples.write_text('{"step": 1, "prompt": "p", "prompt_text": "What eats a heron?", "text": "Frogs."}\n')
    page = visit(researcher).open(reverse("round", args=["helpdesk", 1]))
    expect(page.get_by_text("What eats a heron?").first).to_be_visible()
    wait_until(lambda: page.evaluate("document.querySelector('[data-follow]').getAttribute('aria-pressed') === 'true'"))
    page.wait_for_timeout(500)
    with samples.open("a") as file:
        file.write('{"step": 2, "prompt": "q", "prompt_text": "Where does it sleep?", "text": "By the reeds."}\n')
    Job.objects.filter(pk=job.pk).update(step=2)
    expect(page.get_by_text("Where does it sleep?").first).to_be_visible(timeout=15_000)
    Alarm.objects.create(job=job, kind="kl", message="The KL is 31 nats.")
    expect(page.get_by_role("alert")).to_have_text("KL out of range. The KL is 31 nats.", timeout=25_000)
    page.get_by_role("button", name="Pause after this step").click()
    expect(page.get_by_text("Pausing", exact=True)).to_be_visible()
    Job.objects.filter(pk=job.pk).update(state="paused", lease_until=None, checkpoint_step=2)
    page.reload()
    page.get_by_role("button", name="Resume Base model").click()
    expect(page.get_by_text("No worker of queue")).to_be_visible()
    # One press is not enough to throw work away.
    for_good = page.get_by_role("button", name="Cancel Base model for good")
    expect(for_good).to_be_hidden()
    page.get_by_text("Cancel Base model…").click()
    expect(
        page.get_by_text("It is at step 2; the last one saved is 2. A cancelled run cannot be resumed")
    ).to_be_visible()
    assert faults_in_both_looks(page) == []
    for_good.click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()


def test_two_rounds_are_compared_and_a_model_leads_to_its_card(
    round_with_base: Round, project: Project, researcher: User, visit: Callable
) -> None:
    sft_is_done(round_with_base)
    open_round(project, base="base", changes={"sft": {"sft": {"epochs": 9}}})
    page = visit(researcher).open(reverse("round", args=["helpdesk", 2]))
    page.get_by_label("Compare with").select_option("1")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Round 2 beside round 1")
    expect(page.locator("tr", has_text="sft.epochs").first).to_contain_text("9")
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="r1-sft").first.click()
    page.get_by_role("link", name="Model card").click()
    expect(page.get_by_role("heading", name="The researchers' choices")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as markdown").click()
    assert download.value.suggested_filename == "r1-sft-card.md"
