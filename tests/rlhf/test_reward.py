"""The reward stage from a run folder to a model that scores."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.rlhf.run_folders import (
    WORDS,
    base_config,
    make_language_model,
    make_run,
    make_tokens,
    read_json,
    read_lines,
    run_here,
)
from training.rlhf import learners, reward
from training.rlhf.batching import Batching, score
from training.rlhf.contract.config import RunConfig, load_config
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.metrics import deterministic
from training.rlhf.contract.records import (
    Answer,
    Choice,
    Comparison,
    Demonstration,
    Message,
    Ranking,
    RankingJudgment,
)
from training.rlhf.contract.run_folder import (
    RunFolder,
    read_data_manifest,
    read_status,
    write_data_file,
    write_data_manifest,
)
from training.rlhf.contract.settings import Precision
from training.rlhf.inputs import check_inputs
from training.rlhf.layouts import Exchange, padded
from training.rlhf.losses import ranking_loss
from training.rlhf.models import ScalarModel, compute_in, load_causal_lm
from training.rlhf.rankings import answer_ids, pairs_of, read_items

CHANCE = random.Random(11)
CPU = torch.device("cpu")
FLOAT32 = Precision(compute="float32")


def text(words: int, *, good: int = 0) -> str:
    """Words of which `good` are w0, which the labelers of these tests like."""
    return " ".join(["w0"] * good + [CHANCE.choice(WORDS[1:]) for _ in range(words - good)])


def prompt(name: str) -> dict[str, Any]:
    return {"id": name, "messages": (Message(role="user", content=text(4)),), "group": name}


def ranking(name: str, *, k: int = 4, labelers: int = 1, tied: bool = False) -> Ranking:
    goods = CHANCE.sample(range(k), k)
    answers = tuple(Answer(id=f"{name}-{i}", text=text(6, good=good)) for i, good in enumerate(goods))
    ranks = tuple(1 if tied else k - good for good in goods)
    judged = tuple(RankingJudgment(labeler=f"l{i}", ranks=ranks) for i in range(labelers))
    return Ranking(**prompt(name), responses=answers, judged=judged)


def demonstration(name: str) -> Demonstration:
    return Demonstration(**prompt(name), response=Answer(id=f"{name}-d", text=text(5, good=2)), labeler="l0")


def make(tmp_path: Path, rankings: list[Any], **sections: Any) -> RunFolder:
    CHANCE.seed(3)
    return make_run(
        tmp_path / "run",
        base_config(
            "reward",
            models={"init": "models/init"},
            data={"train": ["train"], "validation": ["valid"], "demonstrations": ["demos"]},
            reward={"epochs": 2, "prompts_per_step": 8},
            **sections,
        ),
        models={"init": make_language_model(tmp_path)},
        data={
            "train": ("ranking", rankings),
            "valid": ("ranking", [ranking(f"v{i}") for i in range(20)]),
            "demos": ("demonstration", [demonstration(f"d{i}") for i in range(9)]),
        },
    )


def rankings(count: int = 48) -> list[Ranking]:
    return [ranking(f"t{i}") for i in range(count)]


def demonstration_mean(folder: RunFolder, *, precision: Precision = FLOAT32) -> float:
    model = ScalarModel.load(folder.model, device=CPU)
    tokens = make_tokens()
    rows = read_lines(folder.data("demos"))
    exchanges = [
        Exchange(
            tokens.prompt_ids([Message(**message) for message in row["messages"]]),
            [tokens.response_ids(row["response"]["text"])],
        )
        for row in rows
    ]
    with compute_in(precision, CPU):
        scores = score(model, exchanges, batching=Batching(tokens=500, shared=False))
    return sum(said[0] for said in scores) / len(scores)


def held_out_loss(folder: RunFolder, *, precision: Precision) -> float:
    """Of the released model, read from the disk again."""
    model = ScalarModel.load(folder.model, device=CPU)
    config = load_config(folder.config)
    rows = check_inputs(folder, config).rows(["valid"], "ranking")
    items = read_items(rows, tokens=make_tokens(), config=config, dropout=0.0).items
    with compute_in(precision, CPU):
        scores = score(model, [item.exchange for item in items], batching=Batching(tokens=500, shared=False))
    return float(ranking_loss(torch.tensor([said for group in scores for said in group]), pairs_of(items)).mean())


@pytest.mark.rule(15)
def test_it_learns_what_labelers_like_and_demonstrations_score_0_after_save_and_load(tmp_path: Path) -> None:
    folder = make(tmp_path, rankings(), optimizer={"learning_rate": 5e-3})
    assert run_here(folder, reward) == ExitCode.DONE
    report = read_json(folder.report)
    found = report["validation"]["accuracy"]
    assert found["mean"] > 0.85
    assert found["low"] <= found["mean"] <= found["high"]
    assert found["prompts"] == 20
    assert report["validation"]["longer_is_better"]["mean"] == 0.5  # all are of one length
    assert report["validation"]["chance"] == 0.5
    losses = [line["loss"] for line in read_lines(folder.metrics) if "split" not in line]
    assert losses[-1] < losses[0]
    assert demonstration_mean(folder) == pytest.approx(0, abs=1e-5)
    accord = read_json(folder.model / "accord.json")
    assert accord["kind"] == "reward"
    assert accord["score_bias"][""] == pytest.approx(report["demonstrations"]["score_bias"])


def test_it_writes_what_it_scores_held_out_responses_told_nothing_and_told_each_condition(tmp_path: Path) -> None:
    conditions = {"terse": "w1 w2", "warm": "w3 w4"}
    folder = make(tmp_path, rankings(8), conditioning={"mode": "message", "conditions": conditions})
    config = read_json(folder.config)
    config["reward"]["score_validation"] = True
    folder.config.write_text(json.dumps(config))
    assert run_here(folder, reward) == ExitCode.DONE
    rows = {row["id"]: row for row in read_lines(folder.output("validation_scores"))}
    assert len(rows) == 20 * 4 * 3
    first = [rows[f"v0/v0-1/{condition}"]["scores"]["reward"] for condition in ("", "terse", "warm")]
    assert len(set(first)) == 3
    model, tokens = ScalarModel.load(folder.model, device=CPU), make_tokens()
    (row,) = [row for row in read_lines(folder.data("valid")) if row["id"] == "v0"]
    exchange = Exchange(
        tokens.prompt_ids([Message(**message) for message in row["messages"]]),
        [tokens.response_ids(answer["text"]) for answer in row["responses"]],
    )
    with compute_in(FLOAT32, CPU):
        ((_, again, *_),) = score(model, [exchange], batching=Batching(tokens=500, shared=False))
    assert first[0] == pytest.approx(again, abs=1e-4)


@pytest.mark.rule(15)
def test_a_model_trained_in_bfloat16_is_after_loading_the_one_that_was_measured(tmp_path: Path) -> None:
    bfloat16 = Precision(compute="bfloat16")
    folder = make(tmp_path, rankings(16), optimizer={"learning_rate": 5e-3}, precision={"compute": "bfloat16"})
    assert run_here(folder, reward) == ExitCode.DONE
    told = read_json(folder.report)["validation"]["loss"]["mean"]
    assert demonstration_mean(folder, precision=bfloat16) == pytest.approx(0, abs=0.01)  # of scores of about 1
    assert held_out_loss(folder, precision=bfloat16) == pytest.approx(told, abs=0.01)


@pytest.mark.rule(22)
def test_ties_and_long_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    long = ranking("long")
    long = replace(long, messages=(Message(role="user", content=text(60)),))
    folder = make(tmp_path, [*rankings(8), ranking("tied", tied=True), long])
    assert run_here(folder, reward) == ExitCode.DONE
    told = read_json(folder.report)["train"]
    assert told["prompts"] == 8
    assert told["comparisons"] == 8 * 6
    assert told["all_tied"] == 1
    assert told["too_long"]["prompt_too_long"] == 1


def test_demonstrations_that_are_too_long_are_counted_and_told_where_none_is_left(tmp_path: Path) -> None:
    folder = make(tmp_path, rankings(8), lengths={"response_tokens": 7})  # six words and the end of turn
    rows = [Demonstration(**prompt(f"l{i}"), response=Answer(id=f"l{i}-d", text=text(9))) for i in range(3)]
    entries = [entry for entry in read_data_manifest(folder) if entry.name != "demos"]
    write_data_manifest(folder, [*entries, write_data_file(folder, "demos", "demonstration", rows)])
    assert run_here(folder, reward) == ExitCode.DONE
    told = read_json(folder.report)["demonstrations"]
    assert (told["used"], told["too_long"]["response_too_long"], told["score_bias"]) == (0, 3, None)
    (event,) = [event for event in read_lines(folder.events) if event["kind"] == "not_centred"]
    assert event["message"] == (
        "none of the 3 rows of data.demonstrations fits lengths: scores have no zero to refer to"
    )


@pytest.mark.rule(22)
def test_a_comparison_is_a_ranking_of_two(tmp_path: Path) -> None:
    answers = (Answer(id="a", text="w1"), Answer(id="b", text="w2"))
    judged = (Choice(labeler="a", choice=1), Choice(labeler="b", choice="tie"), Choice(labeler="c", choice=1))
    row = Comparison(**prompt("c"), responses=answers, judged=judged)
    config = RunConfig.from_json(
        base_config("reward", models={"init": "models/init"}, data={"train": ["x"]}, reward={})
    )
    (item,) = read_items([row], tokens=make_tokens(), config=config, dropout=0.0).items
    assert [list(ranks) for ranks, _ in item.orders] == [[2, 1], [1, 1], [2, 1]]
    assert item.comparisons == 2


def test_rankings_all_tied_are_refused_with_their_counts(tmp_path: Path) -> None:
    folder = make(tmp_path, [ranking(f"t{i}", tied=True) for i in range(3)])
    assert run_here(folder, reward) == ExitCode.DATA_REFUSED
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    assert "3 are all tied" in status.error.message
    assert not folder.model.exists()


@pytest.mark.rule(30)
def test_a_prompt_in_training_and_validation_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path, [*rankings(8), ranking("v3")])
    assert run_here(folder, reward) == ExitCode.DATA_REFUSED
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    assert "prompt v3" in status.error.message


@pytest.mark.rule(30)
def test_the_messages_of_a_held_out_prompt_are_refused_under_another_id_too(tmp_path: Path) -> None:
    rows = rankings(8)
    folder = make(tmp_path, rows)
    entries = [entry for entry in read_data_manifest(folder) if entry.name != "valid"]
    same = replace(ranking("v0"), messages=rows[3].messages)
    write_data_manifest(folder, [*entries, write_data_file(folder, "valid", "ranking", [same])])
    assert run_here(folder, reward) == ExitCode.DATA_REFUSED
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    assert "row t3 of data.train and 0 more have the messages of held-out rows" in status.error.message


@pytest.mark.rule(5)
def test_sampled_token_ids_are_scored_as_they_are_and_not_encoded_again() -> None:
    tokens = make_tokens()
    sampled = Answer(id="a", text="w1 w2", token_ids=(9, 9, 9))
    assert answer_ids(sampled, tokens, row_id="r") == [9, 9, 9]
    assert answer_ids(replace(sampled, token_ids=None), tokens, row_id="r")[-1] == tokens.stop_token_ids[0]


@pytest.mark.rule(3)
@pytest.mark.rule(4)
def test_the_score_is_read_at_the_stop_token_whatever_stands_beside_it(tmp_path: Path) -> None:
    tokens = make_tokens()
    language_model = make_language_model(tmp_path)
    model = ScalarModel.from_causal_lm(load_causal_lm(language_model, device=torch.device("cpu")), seed=1)
    short = Exchange([5, 6], [tokens.response_ids("w1 w2")])
    long = Exchange([7] * 20, [tokens.response_ids(text(9))])
    layout = padded([short, long], pad_token_id=tokens.pad_token_id)
    assert layout.ids.flatten()[layout.last].tolist() == [tokens.stop_token_ids[0]] * 2
    alone = model(padded([short]), padded([short]).last)
    assert model(layout, layout.last)[0].item() == pytest.approx(alone.item(), abs=1e-5)


@pytest.mark.rule(19)
@pytest.mark.parametrize(("given", "std"), [(None, 33**-0.5), (0.01, 0.01)])
def test_a_fresh_head_has_this_spread_and_no_bias(tmp_path: Path, given: float | None, std: float) -> None:
    language_model = load_causal_lm(make_language_model(tmp_path), device=torch.device("cpu"))
    heads = [ScalarModel.from_causal_lm(language_model, head_init_std=given, seed=seed).head for seed in range(40)]
    weights = torch.cat([head.weight.detach().flatten() for head in heads])
    assert float(weights.std()) == pytest.approx(std, rel=0.06)  # 1,280 numbers: standard error 2 %
    assert all(head.bias.item() == 0 for head in heads)


@pytest.mark.rule(20)
@pytest.mark.parametrize("shared", [True, False])
def test_gradients_do_not_depend_on_the_micro_batches(tmp_path: Path, shared: bool) -> None:
    config = RunConfig.from_json(
        base_config("reward", models={"init": "models/init"}, data={"train": ["x"]}, reward={})
    )
    rows = [ranking("a"), ranking("b", k=2), ranking("c", k=3, labelers=2), ranking("d", k=5)]
    items = read_items(rows, tokens=make_tokens(), config=config, dropout=0.0).items
    language_model = load_causal_lm(make_language_model(tmp_path), device=torch.device("cpu"))
    model = ScalarModel.from_causal_lm(language_model, seed=1).double()
    found = []
    for tokens in (10_000, 150, 1):  # all prompts at once, a few, one at a time
        model.zero_grad()
        loss, _ = learners.add_gradients(model, items, batching=Batching(tokens=tokens, shared=shared))
        found.append([loss, *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            assert (one - same).abs().max() <= 1e-10


@pytest.mark.rule(20)
@pytest.mark.rule(23)
def test_layout_and_micro_batches_change_nothing_in_what_is_logged(tmp_path: Path) -> None:
    told = []
    rows = rankings(24)
    for number, (layout, tokens) in enumerate([("shared_prefix", 2000), ("one_by_one", 2000), ("shared_prefix", 1)]):
        folder = make(
            tmp_path / str(number), rows, hardware={"threads": 1, "device": "cpu", "micro_batch_tokens": tokens}
        )
        config = read_json(folder.config)
        config["reward"]["layout"] = layout
        folder.config.write_text(json.dumps(config))
        assert run_here(folder, reward) == ExitCode.DONE
        told.append([line["loss"] for line in read_lines(folder.metrics) if "split" not in line])
    for other in told[1:]:
        assert other == pytest.approx(told[0], abs=1e-4)


@pytest.mark.rule(28)
def test_a_run_cut_off_and_resumed_gives_the_numbers_of_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rankings(48)
    whole, cut = make(tmp_path / "whole", rows), make(tmp_path / "cut", rows)
    assert run_here(whole, reward) == ExitCode.DONE

    real, count = reward.learn, 0

    def stumble(job: reward.Job, step: int, steps: int) -> None:
        nonlocal count
        count += 1
        if count == 6:
            raise KeyError("pulled the plug")
        real(job, step, steps)

    monkeypatch.setattr(reward, "learn", stumble)
    assert run_here(cut, reward) == ExitCode.BUG
    monkeypatch.setattr(reward, "learn", real)
    assert run_here(cut, reward) == ExitCode.DONE
    assert [deterministic(line) for line in read_lines(cut.metrics)] == [
        deterministic(line) for line in read_lines(whole.metrics)
    ]
    one, other = (ScalarModel.load(folder.model, device=torch.device("cpu")).state_dict() for folder in (whole, cut))
    assert all(torch.equal(one[name], other[name]) for name in one)
