"""The parts of bench/training.py that need no peer: one set of ids at both sides, one first loss, turns in order."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForSequenceClassification

from bench import training_runs
from bench.duels import ROOT, Side, SideFailed, duel
from bench.peers.turns import Turns
from bench.training_contests import LossesDiffer, ours, refuse_different_losses
from bench.training_models import MadeModels, Shape, make_models
from bench.training_runs import base_config, demonstration_ids, make_run, ranking_ids
from training.rlhf.contract.records import Answer, Ranking, RankingJudgment
from training.rlhf.models import load_causal_lm

from .tiny_runs import demonstrations

SHAPE = Shape(vocabulary=300, width=32, feed_forward=64, layers=2, heads=4, taught_steps=1)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> MadeModels:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_runs, "THREADS", 1)
        return make_models(tmp_path_factory.mktemp("models"), SHAPE, demonstrations(24))


def first_loss(folder: Path, stage: str, run: training_runs.RunFolder) -> float:
    with ours(folder, stage, run, [1.0], steps=1, name="Accord") as side:
        return float(side.facts["first_loss"])


def test_a_peer_is_given_the_ids_that_sft_learns_from(tmp_path: Path, models: MadeModels) -> None:
    """The mean surprise of the response tokens of the first step's rows, by a plain forward pass of each."""
    config = base_config("sft", models={"init": "models/init"}, data={"train": ["rows"]})
    config["sft"] = {"epochs": 2, "sequences_per_step": 8}
    data = {"rows": ("demonstration", demonstrations(20))}
    run = make_run(tmp_path / "run", config, models={"init": models.language}, data=data)  # type: ignore[arg-type]
    plan = demonstration_ids(run, models.tokens)
    assert len(plan.rows) == 20
    assert sum(plan.tokens_of_step) == sum(len(row["prompt"] + row["response"]) for row in plan.rows)
    model, total, count = load_causal_lm(models.language, device=torch.device("cpu")), 0.0, 0
    for row in plan.rows[:8]:
        logits = model(input_ids=torch.tensor([row["prompt"] + row["response"]])).logits[0]
        targets = torch.tensor(row["response"])
        total += float(F.cross_entropy(logits[len(row["prompt"]) - 1 : -1], targets, reduction="sum").detach())
        count += len(targets)
    assert first_loss(tmp_path, "sft", run) == pytest.approx(total / count, rel=1e-5)


def test_a_peer_is_given_the_ids_and_the_weights_that_the_reward_model_learns_from(
    tmp_path: Path, models: MadeModels
) -> None:
    rows = [
        Ranking(
            id=row.id, messages=row.messages,
            responses=tuple(Answer(id=f"{n}", text=row.response.text + " Yes." * n) for n in range(3)),
            judged=(RankingJudgment(labeler="one", ranks=(1, 2, 3)),),
        )
        for row in demonstrations(12)
    ]  # fmt: skip
    config = base_config("reward", models={"init": "models/init"}, data={"train": ["rows"]})
    config["reward"] = {"prompts_per_step": 4}
    data = {"rows": ("ranking", rows)}
    run = make_run(tmp_path / "run", config, models={"init": models.language}, data=data)  # type: ignore[arg-type]
    model = AutoModelForSequenceClassification.from_pretrained(models.peer_reward, num_labels=1).eval()
    losses = []
    for row in ranking_ids(run, models.tokens)[:4]:
        scores = [
            float(model(input_ids=torch.tensor([row["prompt"] + ids])).logits.detach()) for ids in row["responses"]
        ]
        losses += [-F.logsigmoid(torch.tensor(scores[a] - scores[b])) for a in range(3) for b in range(a + 1, 3)]
    assert first_loss(tmp_path, "reward", run) == pytest.approx(float(torch.stack(losses).mean()), rel=1e-4)


WORKER = """
import sys
sys.path.insert(0, {root!r})
from bench.peers.turns import Turns
turns = Turns(warm_steps=1, steps=2)
turns.facts["first_loss"] = {loss}
print("something else")
while True:
    turns.after_step(3, {{"update": 0.5}})
"""


def side(folder: Path, name: str, *, loss: float = 1.0, code: str = WORKER) -> Side:
    return Side(name, [sys.executable, "-c", code.format(root=str(ROOT), loss=loss)], log=folder / f"{name}.log")


def test_sides_take_turns_and_a_ratio_is_of_neighbouring_turns(tmp_path: Path) -> None:
    with side(tmp_path, "a") as a, side(tmp_path, "b") as b:
        found = duel(a, b, pairs=3, before_turns=lambda: refuse_different_losses(a, b))
    assert [turn.units for turn in a.turns] == [6.0] * 3
    assert a.phases() == {"update": 1.0}
    turns = list(zip(a.turns, b.turns, strict=True))
    assert found.ratios["b"] == [one.rate / other.rate for one, other in turns]
    assert found.processor_ratios["b"] == [one.processor_rate / other.processor_rate for one, other in turns]
    assert all(0 < turn.processor_seconds < 60 for turn in a.turns)


def test_no_speed_is_compared_where_the_first_losses_differ(tmp_path: Path) -> None:
    with side(tmp_path, "a") as a, side(tmp_path, "b", loss=1.01) as b:
        with pytest.raises(LossesDiffer, match=r"1\.0 with a and 1\.01 with b"):
            duel(a, b, pairs=1, before_turns=lambda: refuse_different_losses(a, b))
        assert not a.turns


def test_a_side_that_fails_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(SideFailed, match="b ended with 1: .*no such thing"),
        side(tmp_path, "b", code="raise SystemExit('no such thing')"),
    ):
        pass


def test_an_answer_is_of_the_steps_since_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    turns = Turns(warm_steps=2, steps=1)
    turns.after_step(5)
    assert capsys.readouterr().out == ""
    assert json.loads(json.dumps(turns.facts)) == {}
