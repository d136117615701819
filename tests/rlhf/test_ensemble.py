"""Several reward models as one, and folds of labelers, from a run folder to the figures."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.rlhf.run_folders import make_tokens, read_json, read_lines, run_here
from tests.rlhf.test_reward import demonstration, make, prompt, ranking, rankings, text
from training.rlhf import reward
from training.rlhf.batching import Batching, score
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.metrics import deterministic
from training.rlhf.contract.records import Answer, Demonstration, Ranking, RankingJudgment
from training.rlhf.contract.run_folder import (
    RunFolder,
    read_data_manifest,
    read_status,
    write_data_file,
    write_data_manifest,
)
from training.rlhf.ensemble import Ensemble, spread_of
from training.rlhf.layouts import Exchange
from training.rlhf.models import ScalarModel

CPU = torch.device("cpu")


def change(folder: RunFolder, **settings: Any) -> RunFolder:
    config = read_json(folder.config)
    config["reward"].update(settings)
    folder.config.write_text(json.dumps(config))
    return folder


def put(folder: RunFolder, name: str, kind: Any, rows: list[Any]) -> None:
    entries = [entry for entry in read_data_manifest(folder) if entry.name != name]
    write_data_manifest(folder, [*entries, write_data_file(folder, name, kind, rows)])


def by_two_camps(name: str, *, labelers: int = 6, cohort: str | None = None) -> Ranking:
    """The labelers of even number like w0, the others dislike it."""
    answers = tuple(Answer(id=f"{name}-{good}", text=text(6, good=good)) for good in range(4))
    judged = tuple(
        RankingJudgment(labeler=f"l{i}", ranks=(4, 3, 2, 1) if i % 2 == 0 else (1, 2, 3, 4), condition=cohort)
        for i in range(labelers)
    )
    return Ranking(**prompt(name), responses=answers, judged=judged)


def refusal(folder: RunFolder) -> str:
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    return status.error.message


def test_the_score_of_an_ensemble_is_the_mean_of_its_members_and_its_first_is_what_a_lone_model_is(
    tmp_path: Path,
) -> None:
    rows = rankings(16)
    lone, folder = make(tmp_path / "lone", rows), change(make(tmp_path / "three", rows), members=3)
    assert run_here(lone, reward) == ExitCode.DONE
    assert run_here(folder, reward) == ExitCode.DONE
    ensemble, alone = Ensemble.load(folder.model, device=CPU), ScalarModel.load(lone.model, device=CPU)
    assert len(ensemble.members) == 3
    for name, value in alone.state_dict().items():
        assert torch.equal(ensemble.each[0].state_dict()[name], value), name
    exchanges = [Exchange([5, 6], [make_tokens().response_ids(text(5)) for _ in range(3)])]
    batching = Batching(tokens=500, shared=False)
    together = torch.tensor(score(ensemble, exchanges, batching=batching)[0])
    each = torch.tensor([score(member, exchanges, batching=batching)[0] for member in ensemble.each])
    assert torch.allclose(together, each.mean(0), atol=1e-6)
    assert float(spread_of(each).min()) > 1e-4  # three heads, three orders


def test_every_member_scores_demonstrations_0_and_the_spread_is_told(tmp_path: Path) -> None:
    folder = change(make(tmp_path, rankings(16)), members=2)
    assert run_here(folder, reward) == ExitCode.DONE
    report = read_json(folder.report)
    assert report["members"] == 2
    assert report["demonstrations"]["mean_score"] == pytest.approx(0, abs=1e-5)
    told = report["validation"]["members"]
    assert [figure["prompts"] for figure in told["accuracy"]] == [20, 20]
    held_out = [line for line in read_lines(folder.metrics) if line.get("split") == "valid"]
    assert held_out[-1]["score_spread"] == pytest.approx(told["score_spread"])
    assert told["score_spread"] > 0


def test_each_fold_is_measured_on_whom_it_learned_from_and_on_whom_it_did_not(tmp_path: Path) -> None:
    rows = [by_two_camps(f"t{i}", labelers=2) for i in range(44)]  # drawn at once: `make` turns chance back
    folder = make(tmp_path, rows[:24], optimizer={"learning_rate": 5e-3})
    put(folder, "valid", "ranking", rows[24:])
    change(folder, folds=2)
    assert run_here(folder, reward) == ExitCode.DONE
    told = read_json(folder.report)["folds"]
    assert told["count"] == 2
    # Two labelers who want opposite things: who learned from one is wrong about the other.
    assert told["learned_from"]["mean"] > 0.8
    assert told["held_out"]["mean"] == pytest.approx(1 - told["learned_from"]["mean"], abs=0.01)
    assert [one["labelers_held_out"] for one in told["each"]] == [1, 1]
    lines = [line for line in read_lines(folder.metrics) if "fold" in line]
    assert [line["fold"] for line in lines] == [1] * 6 + [2] * 6
    assert read_json(folder.report)["model"]["step"] == 6 + 12


def test_the_released_model_is_the_one_that_learned_from_everybody(tmp_path: Path) -> None:
    rows = [ranking(f"t{i}", labelers=3) for i in range(16)]
    plain, folded = make(tmp_path / "plain", rows), change(make(tmp_path / "folded", rows), folds=3)
    assert run_here(plain, reward) == ExitCode.DONE
    assert run_here(folded, reward) == ExitCode.DONE
    one, other = (ScalarModel.load(folder.model, device=CPU).state_dict() for folder in (plain, folded))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_more_folds_than_labelers_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = change(make(tmp_path, rankings(8)), folds=2)
    assert run_here(folder, reward) == ExitCode.DATA_REFUSED
    assert "reward.folds is 2, but data.train holds rankings of 1 labelers" in refusal(folder)


def test_folds_without_held_out_rankings_are_refused(tmp_path: Path) -> None:
    folder = change(make(tmp_path, [by_two_camps(f"t{i}") for i in range(8)]), folds=2)
    put(folder, "valid", "ranking", [ranking("v1", tied=True)])
    assert run_here(folder, reward) == ExitCode.DATA_REFUSED
    assert "holds nothing to measure the folds on" in refusal(folder)


def test_one_fold_is_refused(tmp_path: Path) -> None:
    folder = change(make(tmp_path, rankings(8)), folds=1)
    assert run_here(folder, reward) == ExitCode.CONFIG_REFUSED
    assert "reward.folds is 1; expected 0, or 2 or more" in refusal(folder)


@pytest.mark.rule(28)
@pytest.mark.parametrize("at", [4, 9, 15])
def test_an_ensemble_with_folds_cut_off_anywhere_resumes_to_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    rows = [by_two_camps(f"t{i}", labelers=4) for i in range(24)]
    folders = [change(make(tmp_path / name, rows), folds=2, members=2) for name in ("whole", "cut")]
    whole, cut = folders
    assert run_here(whole, reward) == ExitCode.DONE

    real, count = reward.take_turn, 0

    def stumble(*arguments: Any, **named: Any) -> dict[str, float]:
        nonlocal count
        count += 1
        if count == at + 1 + min(at, 6):  # two turns a step, for six steps
            raise KeyError("pulled the plug")
        return real(*arguments, **named)

    monkeypatch.setattr(reward, "take_turn", stumble)
    assert run_here(cut, reward) == ExitCode.BUG
    monkeypatch.setattr(reward, "take_turn", real)
    assert run_here(cut, reward) == ExitCode.DONE
    assert [deterministic(line) for line in read_lines(cut.metrics)] == [
        deterministic(line) for line in read_lines(whole.metrics)
    ]
    one, other = (Ensemble.load(folder.model, device=CPU).state_dict() for folder in folders)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert read_json(cut.report)["folds"] == read_json(whole.report)["folds"]


@pytest.mark.rule(15)
def test_demonstrations_told_a_condition_score_0_under_it(tmp_path: Path) -> None:
    conditioning = {"mode": "message", "conditions": {"terse": "w1 w2", "warm": "w3 w4"}}
    folder = make(tmp_path, rankings(16), conditioning=conditioning)
    plain = [demonstration(f"d{i}") for i in range(5)]
    terse = [
        Demonstration(**prompt(f"x{i}"), response=Answer(id=f"x{i}-d", text=text(3)), condition="terse")
        for i in range(4)
    ]
    put(folder, "demos", "demonstration", [*plain, *terse])
    assert run_here(folder, reward) == ExitCode.DONE
    told = read_json(folder.report)["demonstrations"]
    assert told["used"] == 9
    assert told["mean_score"] == pytest.approx(0, abs=1e-5)
    assert {key: one["used"] for key, one in told["by_condition"].items()} == {"terse": 4, "warm": 9}
    bias = read_json(folder.model / "accord.json")["score_bias"]
    assert set(bias) == {"", "terse", "warm"}
    ensemble, tokens = Ensemble.load(folder.model, device=CPU), make_tokens()
    object.__setattr__(tokens, "conditions", conditioning["conditions"])
    exchanges = [
        Exchange(tokens.prompt_ids(row.messages, condition="terse"), [tokens.response_ids(row.response.text)])
        for row in terse
    ]
    shifts = [ensemble.shift("terse")] * 4
    scores = score(ensemble, exchanges, batching=Batching(tokens=500, shared=False), shifts=shifts)
    assert sum(said[0] for said in scores) / 4 == pytest.approx(0, abs=1e-5)
    assert ensemble.shift(None) == 0 == ensemble.shift("unheard of")
