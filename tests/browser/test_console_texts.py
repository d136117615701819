"""A researcher looks through texts, models and jobs in a real browser: by keyboard, without script, on a phone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from labeling.models import Assignment, Campaign, Labeler, Project, Prompt, User
from tests.browser.test_accessibility import MARKDOWN
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, skip_now, submit_now
from training.following import store_metrics
from training.models import Checkpoint, Job
from training.rounds import open_round
from training.run_folders import run_folder

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture(autouse=True)
def own_folders(settings: Any, tmp_path: Path) -> None:
    settings.RUNS_DIR = tmp_path / "runs"


@pytest.fixture
def campaign(project: Project) -> Campaign:
    """Nine responses, five labelers: one simulated, one surplus; a correction; somebody who skipped."""
    made = make_campaign(project, shown=9, overlap=6)
    for place, name in enumerate(("anna", "bert", "cleo", "dirk", "emil")):
        assignment = must_claim(made, make_labeler(project, name))
        submit_now(assignment, ranked(*range(1, 10)))
        if place == 0:
            submit_now(Assignment.objects.get(), ranked(*[1] * 9), corrects=1)
    skip_now(must_claim(made, make_labeler(project, "frank")))
    made.tasks.get().responses.update(text=MARKDOWN)
    Prompt.objects.update(personal_data=["email"])
    Labeler.objects.filter(user__username="dirk").update(source="simulated", membership=None, user=None)
    return made


@pytest.fixture
def ppo(project: Project, campaign: Campaign) -> Job:
    """A running PPO job with curves, and rollouts of two steps; a model that came from another."""
    round_ = open_round(project)
    stage = round_.stages.get(kind="ppo")
    job = Job.objects.create(
        project=project, stage=stage, kind="ppo", config={"seed": 1}, state="done", attempt=1, steps=40, step=40,
        report={"gain": {"score": {"mean": 1.0, "low": 0.5, "high": 1.5}}},
    )  # fmt: skip
    stage.job, stage.state = job, "done"
    stage.save()
    store_metrics(job.pk, [{"step": step, "score_mean": step / 40, "entropy": 2.0} for step in range(1, 41)])
    folder = run_folder(job)
    folder.root.mkdir(parents=True)
    rows = [
        {"step": step, "prompt": "1", "prompt_text": f"Why {step}?", "text": f"Since {step}.", "score": 1.0, "kl": 0.2}
        for step in (20, 40)
        for _ in range(8)
    ]
    folder.samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    base = Checkpoint.objects.create(project=project, name="base", kind="base", uri="0/model")
    made = Checkpoint.objects.create(project=project, name="r1-ppo", kind="policy", uri=f"{job.pk}/model", job=job)
    made.parents.add(base)
    return job


def test_a_prompt_is_searched_for_and_opened_by_keyboard_without_script(
    campaign: Campaign, researcher: User, visit: Callable
) -> None:
    page = visit(researcher, java_script_enabled=False).open(reverse("prompts", args=["helpdesk"]))
    page.get_by_label("Words").focus()
    page.keyboard.type("times TWO")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 of 1 prompts match")
    page.locator("a.lines__words").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("9 responses")
    page.get_by_role("link", name=campaign.name).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("5 labelers order")
    expect(page.get_by_text("simulated").first).to_be_visible()


def test_rollouts_of_one_step_are_read_without_script(ppo: Job, researcher: User, visit: Callable) -> None:
    page = visit(researcher, java_script_enabled=False).open(reverse("round", args=["helpdesk", 1]) + "?stage=ppo")
    expect(page.get_by_text("Since 40.").first).to_be_visible()
    page.get_by_label("Step", exact=True).select_option("20")
    page.get_by_role("button", name="Read").click()
    expect(page.get_by_text("Since 20.").first).to_be_visible()
    expect(page.get_by_text("Since 40.")).to_have_count(0)
