"""Which epoch of SFT is released where a reward model chooses."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from training.rlhf import sft
from training.rlhf.contract.config import load_config
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.run_folder import ModelEntry, RunFolder, model_identity, read_status, write_models_manifest
from training.rlhf.contract.settings import Conditioning, Lengths
from training.rlhf.demonstrations import encode_demonstrations
from training.rlhf.ensemble import Ensemble
from training.rlhf.models import ScalarModel, load_causal_lm
from training.rlhf.tokens import CHAT_TEMPLATE, Budget

from .run_folders import make_reward_model
from .tiny_runs import demonstrations, finish, lines, numbers, sft_run, tiny_tokens

CPU = torch.device("cpu")


def with_judge(root: Path, base: Path, *, judge: Path | None = None, epochs: int = 4) -> RunFolder:
    settings = {"epochs": epochs, "sequences_per_step": 10, "select": "reward_score"}
    models = {"init": "models/base", "reward": "models/reward"}
    folder = sft_run(root / "run", base, models=models, sft=settings)
    if judge is None:
        ScalarModel.from_causal_lm(load_causal_lm(base, device=CPU), seed=1).save(tiny_tokens(), root)
        judge = root / "model"
    (folder.root / "models" / "reward").symlink_to(judge)
    given = {"models/base": base, "models/reward": judge}
    write_models_manifest(folder, [ModelEntry(path=name, sha256=model_identity(one)) for name, one in given.items()])
    return folder


def error_of(folder: RunFolder) -> str:
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    return status.error.message


def test_the_epoch_whose_responses_score_highest_is_released(tmp_path: Path, tiny_base: Path) -> None:
    folder = with_judge(tmp_path, tiny_base)
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    held_out = [line for line in lines(folder.metrics) if line.get("split") == "valid"]
    assert [line["step"] for line in held_out] == [2, 4, 6, 8]
    scores = {line["step"]: line["score_mean"] for line in held_out}
    best = max(scores, key=lambda step: scores[step])
    losses = {line["step"]: line["loss"] for line in held_out}
    assert best != min(losses, key=lambda step: losses[step])  # or the test could not tell the two apart
    report = json.loads(folder.report.read_text())
    assert report["model"]["step"] == best
    assert report["best"]["reward_score"] == scores[best]


@pytest.mark.rule(28)
def test_a_run_that_is_judged_resumes_to_the_bit(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (with_judge(tmp_path / name, tiny_base) for name in ("whole", "cut"))
    assert finish(whole, "sft", sft.train) == ExitCode.DONE
    real = sft.add_gradients

    def stumble(*arguments: Any, **named: Any) -> Any:
        if len(lines(cut.metrics)) >= 7:
            raise KeyError("pulled the plug")
        return real(*arguments, **named)

    monkeypatch.setattr(sft, "add_gradients", stumble)
    assert finish(cut, "sft", sft.train) == ExitCode.BUG
    monkeypatch.setattr(sft, "add_gradients", real)
    assert finish(cut, "sft", sft.train) == ExitCode.DONE
    assert numbers(cut) == numbers(whole)
    one, other = (json.loads(folder.report.read_text())["model"] for folder in (whole, cut))
    assert one == other


def test_a_judge_that_reads_other_tokens_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    folder = with_judge(tmp_path, tiny_base, judge=make_reward_model(tmp_path / "other"))
    assert finish(folder, "sft", sft.train) == ExitCode.CONFIG_REFUSED
    assert "models.reward has another tokenizer than models.init" in error_of(folder)


def test_a_judge_that_reads_chats_in_another_template_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    ScalarModel.from_causal_lm(load_causal_lm(tiny_base, device=CPU), seed=1).save(tiny_tokens(), tmp_path / "judge")
    judge = tmp_path / "judge" / "model"
    (judge / "chat_template.jinja").write_text(f"{CHAT_TEMPLATE}?")
    folder = with_judge(tmp_path, tiny_base, judge=judge)
    assert finish(folder, "sft", sft.train) == ExitCode.CONFIG_REFUSED
    assert "models.reward has another chat template than models.init" in error_of(folder)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sft": {"select": "reward_score"}}, "models.reward and sft.select"),
        ({"models": {"init": "models/base", "reward": "models/base"}}, "models.reward and sft.select"),
    ],
)
def test_a_judge_and_the_choice_by_it_come_together(
    tmp_path: Path, tiny_base: Path, changes: dict[str, Any], expected: str
) -> None:
    folder = sft_run(tmp_path / "run", tiny_base, **changes)
    assert finish(folder, "sft", sft.train) == ExitCode.CONFIG_REFUSED
    assert expected in error_of(folder)


def test_a_response_to_a_prompt_that_was_told_a_condition_is_scored_by_its_zero(
    tmp_path: Path, tiny_base: Path
) -> None:
    folder = sft_run(tmp_path, tiny_base)
    conditioning = Conditioning(mode="message", conditions={"terse": "Be brief.", "warm": "Be kind."})
    config = replace(
        load_config(folder.config),
        conditioning=conditioning,
        lengths=Lengths(prompt_tokens=48, response_tokens=48, context_tokens=96),
    )
    tokens = tiny_tokens(conditioning=conditioning)
    model = load_causal_lm(tiny_base, device=CPU)
    member = ScalarModel.from_causal_lm(load_causal_lm(tiny_base, device=CPU), seed=1)
    told = ["terse", None, "warm", "terse"]
    rows = [replace(row, condition=one) for row, one in zip(demonstrations(4), told, strict=True)]
    items = encode_demonstrations(rows, tokens, config, Budget(config.lengths), dropout=0.0)
    run = SimpleNamespace(config=config, device=CPU, micro_batch_tokens=400, phase=lambda name: None, poll=lambda: None)

    def mean(**bias: float) -> float:
        judge = Ensemble([member], score_bias={"": 0.25} | bias).eval()
        return sft.score_responses(run, model, tokens, items, judge)  # type: ignore[arg-type]

    plain = mean()
    assert mean(terse=1.25, warm=-3.75) - plain == pytest.approx((1 - 4 + 1) / 4, abs=1e-5)
