"""A rehearsed round played to its end once, and its recording; every test loads that into a database of its own."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from labeling.assigning import claim, labeler_of
from labeling.checking import Said, Work
from labeling.models import Generator, Membership, Project, Prompt, Response, User
from tests.labeling.work import submit_now
from tests.recorded.pages import Shown, everything_shown
from tests.rehearsed.conftest import TEXTS, sample, train
from tests.training.conftest import own_folders  # noqa: F401
from training.founding import found_rehearsal
from training.models import Job, Metric, Round, Stage
from training.rating import open_rating_campaign
from training.recorded.loading import load_recorded_rehearsal
from training.recorded.recording import record_rehearsal
from training.rehearsing import Settings, rehearse
from training.rlhf.contract.strict import dump_json
from training.run_folders import run_folder
from training.sweeping import keep_going, sweep

STEPS = 12
HELD_OUT = 12
NOTE = "two cores"
REMARK = "What Rita thinks of this response."


@dataclass(frozen=True)
class Recorded:
    """file: what was written; again: the same, once more. shown: what the pages of the rounds themselves show."""

    file: Path
    again: Path
    shown: Shown


@pytest.fixture(scope="session")
def recorded(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("recorded")
    found = Recorded(folder / "rounds.jsonl.gz", folder / "again.jsonl.gz", {})
    with (
        django_db_blocker.unblock(),
        override_settings(RUNS_DIR=folder / "runs", SNAPSHOTS_DIR=folder / "snapshots", REDIS_URL=""),
        transaction.atomic(),
    ):
        owner = User.objects.create_user(username="rita")
        project = found_rehearsal([(owner, "owner")])
        play(project)
        for file in (found.file, found.again):
            record_rehearsal(project, file, note=NOTE)
        found.shown.update(everything_shown(project, owner))
        transaction.set_rollback(True)
    return found


def play(project: Project) -> None:
    """A base model and a round, as workers and simulated labelers would have made them; a person ranks one task too,
    and another round is open."""
    sweep()
    train(project, "pretrain", Round.objects.get(project=project, number=1))
    round_ = rehearse(project, Settings(prompts=60, by_hand=5))
    sweep()
    train(project, "sft", round_)
    sweep()
    sample(round_, prompts=60)
    keep_going()
    rank_by_hand(round_)
    for kind in ("reward", "ppo"):
        sweep()
        train(project, kind, round_)
    sweep()
    answer_held_out(round_)
    keep_going()
    assert set(round_.stages.values_list("state", flat=True)) == {Stage.State.DONE}
    rehearse(project, Settings(prompts=60))
    for job in Job.objects.filter(project=project, state=Job.State.DONE):
        leave_a_trail(job)


def rank_by_hand(round_: Round) -> None:
    campaign = round_.stages.get(kind="rank").campaign
    assert campaign is not None
    held = claim(campaign, labeler_of(Membership.objects.get(project=round_.project)))
    assert held is not None
    said = {letter: Said(rank=place) for place, letter in enumerate("ABCD"[: len(held.order)], start=1)}
    submit_now(held, Work(responses=said, note=REMARK))


def answer_held_out(round_: Round) -> None:
    """Base, SFT and policy answer held-out prompts, and their answers are handed to raters."""
    job = Job.objects.get(stage__round=round_, stage__kind="evaluate")
    prompts = Prompt.objects.filter(project=round_.project, split="test").order_by("pk")[:HELD_OUT]
    generators = {one.kind: one for one in Generator.objects.filter(project=round_.project)}
    texts = {"base": TEXTS[3], "sft": TEXTS[1], "policy": TEXTS[0]}
    Response.objects.bulk_create(
        Response(
            prompt=prompt, generator=generators[kind], text=text.format(prompt.group_key), finish_reason="stop",
            token_count=5, sampling={"job": job.pk, "temperature": 1.0, "token_ids": [1, 2], "logprob": -3.25},
        )
        for prompt in prompts
        for kind, text in texts.items()
    )  # fmt: skip
    report = {"responses": HELD_OUT * 3, "temperature": 1.0, "rating": open_rating_campaign(job)}
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE, report=report)


def leave_a_trail(job: Job) -> None:
    """Times, a report, curves, texts and a log, as far as a stage of this kind leaves them."""
    now = timezone.now()
    accuracy = {"mean": 0.6875, "low": 0.625, "high": 0.75}
    report = job.report or {"train_loss": 1.5, "validation": {"accuracy": accuracy}, "gain": {"score": accuracy}}
    Job.objects.filter(pk=job.pk).update(
        started_at=now - timedelta(seconds=90), finished_at=now, attempt=1, step=STEPS, steps=STEPS, report=report
    )
    job.project.checkpoints.filter(job=job).update(metrics=report)
    Metric.objects.bulk_create(
        Metric(job=job, step=step, split="train", values={"loss": 1 / step, "score_mean": step / 3, "kl_sequence": 0.5})
        for step in range(1, STEPS + 1)
    )
    job.attempt = 1
    folder = run_folder(job)
    folder.rank_log(1).parent.mkdir(parents=True)
    folder.rank_log(1).write_text("The stage begins.\n")
    folder.events.write_text(dump_json({"kind": "start", "attempt": 1, "at": "2026-11-23T08:00:00Z", "step": 0}) + "\n")
    samples = [
        {
            "step": step,
            "prompt": "12",
            "prompt_text": "What does the newt eat?",
            "text": f"Mint, {step}.",
            "score": 0.25,
        }
        for step in range(0, STEPS, 3)
    ]
    folder.samples.write_text("".join(dump_json(row) + "\n" for row in samples))


@pytest.fixture
def rita(db: None) -> User:
    return User.objects.create_user(username="rita", email="rita@example.org")


@pytest.fixture
def loaded(recorded: Recorded, rita: User) -> Project:
    """The recorded rounds beside a project of other rows, so that no number is what it was."""
    other = Project.objects.create(name="Other", slug="other")
    Prompt.objects.create(
        project=other, messages=[{"role": "user", "content": "?"}], origin="import", group_key="g", split="train",
        fingerprint="0" * 64,
    )  # fmt: skip
    return load_recorded_rehearsal([(rita, "owner")], path=recorded.file)
