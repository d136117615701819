"""PPO beside best-of-n and lower temperatures; scores divided by their spread; text whose weight is set by norms."""

import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.rlhf.run_folders import make_language_model, make_reward_model, read_json, read_lines, run_here
from tests.rlhf.test_ppo import error_of, make
from training.rlhf import ppo
from training.rlhf.batching import Batching
from training.rlhf.contract.exit_codes import ExitCode, NotFinite
from training.rlhf.contract.metrics import deterministic
from training.rlhf.ensemble import Ensemble
from training.rlhf.frontier import distances, expected_best, kl_of_best_of
from training.rlhf.layouts import Exchange
from training.rlhf.mixing import gradient_norm
from training.rlhf.models import load_causal_lm
from training.rlhf.scaling import RunningSpread


@pytest.mark.rule(29)
def test_the_best_of_n_is_expected_over_all_ways_to_draw_n() -> None:
    scores, lengths = [3.0, 1.0, 2.0, 5.0], [10.0, 20.0, 30.0, 40.0]
    for n in (1, 2, 3, 4):
        ways = list(itertools.combinations(range(4), n))
        best = [max(way, key=lambda place: scores[place]) for way in ways]
        found = expected_best(scores, lengths, n=n)
        assert found[0] == pytest.approx(sum(scores[place] for place in best) / len(ways))
        assert found[1] == pytest.approx(sum(lengths[place] for place in best) / len(ways))
    with pytest.raises(ValueError, match="n is 5; expected at most the 4"):
        expected_best(scores, lengths, n=5)


@pytest.mark.rule(29)
def test_the_bound_of_best_of_n() -> None:
    assert kl_of_best_of(1) == 0
    assert kl_of_best_of(4) == pytest.approx(math.log(4) - 0.75)


@pytest.mark.rule(29)
def test_the_policy_stands_beside_lower_temperatures_and_best_of_n(tmp_path: Path) -> None:
    beside = {"prompts": 5, "temperatures": [1.0, 0.0], "best_of": [2, 8], "measures": 1}
    folder = make(tmp_path, beside=beside)
    assert run_here(folder, ppo) == ExitCode.DONE
    report = read_json(folder.report)
    told = report["beside"]
    assert told["prompts"] == 5
    points = {(point["kind"], point["at"]): point for point in told["points"]}
    assert list(points) == [
        ("policy", 2), ("policy", 4), ("temperature", 1.0), ("temperature", 0.0), ("best_of", 2), ("best_of", 8),
    ]  # fmt: skip
    assert points["temperature", 1.0]["kl"]["mean"] == pytest.approx(0, abs=1e-6)
    assert points["temperature", 0.0]["kl"]["mean"] > 1  # every word certain, out of dozens
    assert points["best_of", 8]["score"]["mean"] > points["best_of", 2]["score"]["mean"]
    assert points["best_of", 8]["kl"]["mean"] == pytest.approx(math.log(8) - 7 / 8)
    assert points["policy", 4]["kl"]["prompts"] == 5


def test_the_running_spread_is_that_of_all_scores_and_shifts_nothing() -> None:
    batches = [torch.tensor([1.0, 5.0]), torch.tensor([9.0]), torch.tensor([-3.0, 2.0, 2.0])]
    spread = RunningSpread()
    for batch in batches:
        spread = spread.with_more(batch)
    assert spread.value == pytest.approx(float(torch.cat(batches).std(correction=0)))
    assert RunningSpread().value == 1
    assert RunningSpread().with_more(torch.tensor([4.0, 4.0])).value == 1


@pytest.mark.rule(16)
def test_scores_are_divided_by_their_spread_where_asked(tmp_path: Path) -> None:
    folder = make(tmp_path, scale_rewards=True)
    assert run_here(folder, ppo) == ExitCode.DONE
    lines = read_lines(folder.metrics)
    first = lines[0]
    # No response was cut off and charged for in a different way than by the constant 1: within a factor of the spread.
    assert all(line["score_scale"] > 0 for line in lines)
    assert len({line["score_scale"] for line in lines}) == 4
    plain = make(tmp_path / "plain")
    assert run_here(plain, ppo) == ExitCode.DONE
    other = read_lines(plain.metrics)[0]
    assert first["score_mean"] == other["score_mean"]  # what is told stays what the reward model said
    assert first["explained_variance"] != other["explained_variance"]
    assert "score_scale" not in other


def test_the_weight_of_text_is_set_once_by_the_ratio_of_the_gradients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def keep(gradients: Any) -> float:
        told.append(gradient_norm(gradients))
        return told[-1]

    monkeypatch.setattr("training.rlhf.mixing.gradient_norm", keep)
    folder = make(tmp_path, pretraining=["text"], ptx={"calibrate": 0.5, "ratio": 1})
    assert run_here(folder, ppo) == ExitCode.DONE
    assert len(told) == 4  # two minibatches of the first iteration, two gradients each
    expected = 0.5 * (told[0] + told[2]) / (told[1] + told[3])
    assert [line["ptx_coef"] for line in read_lines(folder.metrics)] == pytest.approx([expected] * 4)


def test_a_given_coefficient_and_one_set_to_the_same_learn_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.rlhf.mixing.gradient_norm", lambda gradients: 1.0)
    one = make(tmp_path / "set", pretraining=["text"], ptx={"calibrate": 3.0, "ratio": 1})
    other = make(tmp_path / "given", pretraining=["text"], ptx={"coef": 3.0, "ratio": 1})
    assert run_here(one, ppo) == ExitCode.DONE
    assert run_here(other, ppo) == ExitCode.DONE
    for name in ("ptx_loss", "gradient_norm", "kl_sequence"):
        set_, given = ([line[name] for line in read_lines(folder.metrics)] for folder in (one, other))
        assert set_ == pytest.approx(given, rel=1e-3, abs=1e-5), name


def test_a_coefficient_and_its_calibration_together_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path, pretraining=["text"], ptx={"coef": 1.0, "calibrate": 0.5})
    assert run_here(folder, ppo) == ExitCode.CONFIG_REFUSED
    assert "ppo.ptx.calibrate is 0.5; expected it or coef (1.0), not both" in error_of(folder)


def test_calibration_without_text_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path, ptx={"calibrate": 0.5})
    assert run_here(folder, ppo) == ExitCode.CONFIG_REFUSED
    assert "data.pretraining is missing" in error_of(folder)


def test_an_ensemble_scores_by_its_mean_and_conditions_by_their_zero(tmp_path: Path) -> None:
    policy = make_language_model(tmp_path / "policy")
    members = [Ensemble.load(make_reward_model(tmp_path / f"r{seed}", seed=seed), device=torch.device("cpu")).each[0]
               for seed in (7, 8)]  # fmt: skip
    from tests.rlhf.run_folders import make_tokens

    told = {}
    for name, some in (("both", members), ("first", members[:1]), ("second", members[1:])):
        Ensemble(some).save(make_tokens(), tmp_path / name)
        folder = make(tmp_path / f"run-{name}", models={"policy": policy, "reward": tmp_path / name / "model"})
        assert run_here(folder, ppo) == ExitCode.DONE
        told[name] = read_lines(folder.metrics)[0]
    assert told["both"]["score_mean"] == pytest.approx(
        (told["first"]["score_mean"] + told["second"]["score_mean"]) / 2, abs=1e-5
    )
    assert told["both"]["score_spread"] > 0
    assert "score_spread" not in told["first"]


@pytest.mark.rule(28)
def test_scale_weight_and_what_was_measured_on_the_way_resume_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {
        "scale_rewards": True, "pretraining": ["text"], "ptx": {"calibrate": 0.5, "ratio": 1},
        "beside": {"prompts": 3, "temperatures": [0.5], "best_of": [2], "measures": 3},
    }  # fmt: skip
    whole, cut = make(tmp_path / "whole", **settings), make(tmp_path / "cut", **settings)
    assert run_here(whole, ppo) == ExitCode.DONE
    real = ppo.learn

    def stumble(job: ppo.Job, rollouts: Any, iteration: int) -> dict[str, float]:
        if iteration == 4:
            raise KeyError("pulled the plug")
        return real(job, rollouts, iteration)

    monkeypatch.setattr(ppo, "learn", stumble)
    assert run_here(cut, ppo) == ExitCode.BUG
    monkeypatch.setattr(ppo, "learn", real)
    assert run_here(cut, ppo) == ExitCode.DONE
    assert [deterministic(line) for line in read_lines(cut.metrics)] == [
        deterministic(line) for line in read_lines(whole.metrics)
    ]
    one, other = (json.dumps(read_json(folder.report)["beside"]) for folder in (whole, cut))
    assert one == other


def test_a_distance_that_is_not_finite_is_refused_by_its_temperature(tmp_path: Path) -> None:
    reference = load_causal_lm(make_language_model(tmp_path / "sft"), device=torch.device("cpu"))
    with torch.no_grad():
        next(reference.parameters()).fill_(float("nan"))
    with pytest.raises(NotFinite, match="reference at temperature 0 from itself at 1 is not finite for 1 of 1 prompts"):
        distances(
            SimpleNamespace(reference=reference), [Exchange([5, 6], [[7, 8]])], at=0.0, temperature=1.0,  # type: ignore[arg-type]
            batching=Batching(tokens=64, shared=False),
        )  # fmt: skip
