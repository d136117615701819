"""A whole round with real stages and a tiny model: base, SFT, sample, people rank, reward model, PPO, people rate."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from labeling.checking import Said, Work
from labeling.models import Project, Response
from tests.labeling.work import make_labeler, must_claim, submit_now
from tests.training.evaluated import held_out, rating_guideline
from tests.training.making import demonstrations, rank_in_order, reload
from training import jobs
from training.launching import supervise
from training.models import Checkpoint, Job, Metric, Round
from training.rating import SCALES
from training.rounds import launch, open_ranking_campaign, open_round
from training.snapshots import path_of
from training.stopping import StopSignal
from training.sweeping import sweep
from training.text_import import import_text
from training.views.figures import FIGURES, beside_of, figures_of

pytestmark = pytest.mark.django_db

CPU = {"device": "cpu", "threads": 1}
LENGTHS = {"prompt_tokens": 64, "response_tokens": 32, "context_tokens": 96}
OVERRIDES: dict[str, dict[str, Any]] = {
    "pretrain": {
        "hardware": CPU,
        "pretrain": {
            "steps": 4, "tokens_per_step": 256, "sequence_tokens": 64, "vocabulary": 300,
            "shape": {"layers": 1, "width": 16, "heads": 2},
        },
    },
    "sft": {"hardware": CPU, "lengths": LENGTHS, "sft": {"epochs": 1, "sequences_per_step": 4}},
    "sample": {"hardware": CPU, "lengths": LENGTHS, "sample": {"responses_per_prompt": 3, "limit_prompts": 6}},
    "reward": {"hardware": CPU, "lengths": LENGTHS, "reward": {"epochs": 1, "prompts_per_step": 2}},
    "ppo": {
        "hardware": CPU, "lengths": LENGTHS,
        "ppo": {"episodes": 16, "episodes_per_iteration": 8, "minibatch_episodes": 4},
    },
    "evaluate": {"hardware": CPU, "lengths": LENGTHS, "sample": {"limit_prompts": 3}},
}  # fmt: skip


OF_SEVERAL = {"validation.people", "validation.members.score_spread", "folds.learned_from", "folds.held_out"}
"""Figures of several labelers, members or folds: here is one of each."""


def run(round_: Round, kind: str) -> Job:
    job = launch(round_, kind, overrides=OVERRIDES[kind])
    claim = jobs.claim(job.pk, "test")
    assert claim
    supervise(claim, stop=StopSignal())
    ended = reload(job)
    assert ended.state == "done", ended.error
    # The page reads the reports by name: a figure that is called otherwise there would be missing here.
    expected = [one.name for one in FIGURES[ended.kind] if one.path not in OF_SEVERAL]
    beside = [one.name for one in beside_of(ended.report or {})]
    assert [one.name for one in figures_of(ended)] == expected + beside
    return ended


def rank_everything(round_: Round) -> None:
    campaign = open_ranking_campaign(round_)
    labeler = make_labeler(round_.project, "ina")
    for _ in campaign.tasks.all():
        rank_in_order(must_claim(campaign, labeler))
    sweep()


def rate_everything(round_: Round) -> None:
    campaign = round_.stages.get(kind="evaluate").campaign
    assert campaign is not None
    for name in ("ben", "eve"):
        labeler = make_labeler(round_.project, name)
        for _ in campaign.tasks.all():
            submit_now(must_claim(campaign, labeler), Work(responses={"A": Said(ratings=dict.fromkeys(SCALES, 4))}))
    sweep()


def test_a_round_goes_from_text_to_a_policy(project: Project, tmp_path: Path) -> None:
    text = tmp_path / "text.jsonl"
    text.write_text("".join(json.dumps({"text": f"Story {n}. Once there was a heron. " * 8}) + "\n" for n in range(60)))
    import_text(project, text)
    demonstrations(project, 10)
    demonstrations(project, 4, split="valid")
    project.guidelines.create(kind="ranking", version=1, body="Rank.", published_at=timezone.now())
    rating_guideline(project)
    held_out(project, 4)
    round_ = open_round(project)

    assert run(round_, "pretrain").report["parameters"] > 1000  # type: ignore[index]
    run(round_, "sft")
    sampled = run(round_, "sample")
    assert Response.objects.filter(sampling__job=sampled.pk, generator__name="r1-sft").count() == 18
    rank_everything(round_)
    reward = run(round_, "reward")
    policy = run(round_, "ppo")

    assert dict(round_.stages.values_list("kind", "state")) == {
        "pretrain": "done", "sft": "done", "sample": "done", "rank": "done", "reward": "done", "ppo": "done",
        "evaluate": "ready",
    }  # fmt: skip
    evaluated = run(round_, "evaluate")
    assert evaluated.report["rating"]["responses"] == 9  # type: ignore[index]
    rate_everything(round_)
    assert round_.stages.get(kind="evaluate").state == "done"
    # What people ranked is what the reward model was given.
    rankings = [one.snapshot for one in reward.inputs.all() if one.role.startswith("rankings")]
    assert sum(snapshot.submissions.count() for snapshot in rankings if snapshot) == 6
    texts = [answer["text"] for snapshot in rankings if snapshot for answer in _answers(path_of(snapshot))]
    assert all(answer["token_ids"] for snapshot in rankings if snapshot for answer in _answers(path_of(snapshot)))
    assert set(texts) <= set(Response.objects.filter(sampling__job=sampled.pk).values_list("text", flat=True))
    # A policy knows where it comes from.
    checkpoint = Checkpoint.objects.get(job=policy)
    assert {parent.kind for parent in checkpoint.parents.all()} == {"sft", "reward"}
    assert checkpoint.generator is not None
    assert policy.report["measured_on"]["held_out"]  # type: ignore[index]
    assert Metric.objects.filter(job=policy, values__score_mean__isnull=False).count() == 2


def _answers(path: Path) -> list[dict[str, Any]]:
    return [answer for line in path.read_text().splitlines() for answer in json.loads(line)["responses"]]
