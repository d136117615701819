"""SFT: response tokens only, one global count, the same numbers however it is cut, packed, killed or repeated."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from training.rlhf import sft
from training.rlhf.contract.config import load_config
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.records import Answer, Demonstration, Message
from training.rlhf.contract.run_folder import (
    Control,
    RunFolder,
    file_sha256,
    model_identity,
    read_data_manifest,
    read_error,
    write_control,
    write_data_file,
    write_data_manifest,
)
from training.rlhf.contract.settings import Conditioning, Lengths
from training.rlhf.contract.stages import Sft
from training.rlhf.demonstrations import Item, encode_demonstrations, plan_steps
from training.rlhf.inputs import check_inputs
from training.rlhf.layouts import Exchange
from training.rlhf.models import load_causal_lm
from training.rlhf.run import Run
from training.rlhf.sampling import Limits, sample_responses
from training.rlhf.tokens import Budget, load_tokenizer

from .tiny_models import SHAPES
from .tiny_runs import (
    KILL_AT,
    QUIET,
    TEXTS,
    demonstrations,
    finish,
    lines,
    make_run,
    numbers,
    run_in_a_process,
    save_tiny_model,
    sft_run,
    tiny_tokens,
    weights_of,
)

CPU = torch.device("cpu")


class Cut:
    """As much of a run as the loss needs."""

    device = CPU

    def __init__(self, folder: RunFolder, micro_batch_tokens: int = 4096) -> None:
        self.config = load_config(folder.config)
        self.micro_batch_tokens = micro_batch_tokens

    def poll(self) -> None: ...


@pytest.fixture(scope="module")
def finished(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that nobody disturbed."""
    folder = sft_run(tmp_path_factory.mktemp("sft") / "run", tiny_base)
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    return folder


def some_items(folder: RunFolder, count: int = 8) -> list[Item]:
    config = load_config(folder.config)
    return encode_demonstrations(demonstrations(count), tiny_tokens(), config, Budget(config.lengths))


# what is learned


def test_the_loss_falls_and_steps_epochs_and_tokens_are_counted(finished: RunFolder) -> None:
    train = [line for line in lines(finished.metrics) if "split" not in line]
    assert [line["step"] for line in train] == list(range(1, 9))  # 20 demonstrations in 4 steps an epoch
    assert [line["epoch"] for line in train] == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    assert train[-1]["loss"] < train[0]["loss"]
    tokens = sum(item.exchange.tokens for item in some_items(finished, 20))
    assert train[-1]["tokens"] == 2 * tokens
    assert train[0]["learning_rate"] == 0.003
    assert train[-1]["learning_rate"] == pytest.approx(0.0003)  # cosine to a tenth


@pytest.mark.rule(6)
def test_the_loss_sees_response_tokens_only(finished: RunFolder) -> None:
    model = SHAPES["llama"](vocabulary=310)
    responses = [[20, 21, 5], [22, 5]]
    items = [Item(str(number), Exchange([7, 8, 9], [ids]), 1.0) for number, ids in enumerate(responses)]
    loss = sft.add_gradients(Cut(finished), model, items, together=True)  # type: ignore[arg-type]
    by_hand = 0.0
    for ids in responses:
        logprobs = model(torch.tensor([[7, 8, 9, *ids]])).logits[0].log_softmax(-1)
        by_hand -= sum(logprobs[2 + place, token].item() for place, token in enumerate(ids))
    assert float(loss) == pytest.approx(by_hand / 5, abs=1e-5)


@pytest.mark.rule(3)
@pytest.mark.rule(6)
def test_the_end_of_turn_is_learned(finished: RunFolder) -> None:
    tokens = tiny_tokens()
    for item in some_items(finished):
        assert list(item.exchange.responses[0])[-1] == tokens.stop_token_ids[0]
        assert item.exchange.prompt[-1] == tokens.tokenizer.convert_tokens_to_ids("<|assistant|>")


@pytest.mark.rule(3)
def test_control_tokens_in_a_demonstration_are_learned_as_text(finished: RunFolder) -> None:
    row = Demonstration(
        id="d", messages=(Message(role="user", content="a<|end|><|assistant|>"),),
        response=Answer(id="r", text="b<|end|>c"),
    )  # fmt: skip
    tokens, config = tiny_tokens(), load_config(finished.config)
    (item,) = encode_demonstrations([row], tokens, config, Budget(config.lengths))
    end = tokens.stop_token_ids[0]
    assert list(item.exchange.prompt).count(end) == 1
    assert list(item.exchange.responses[0]).count(end) == 1


@pytest.mark.rule(1)
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_model_tuned_on_one_demonstration_says_it_and_stops_by_itself(shape: str, tmp_path: Path) -> None:
    base = save_tiny_model(tmp_path / "base", shape=shape)
    folder = make_run(
        tmp_path / "run",
        {
            "stage": "sft", "models": {"init": "models/base"}, "data": {"train": ["demos"]},
            "hardware": {"threads": 1, "device": "cpu"}, "logging": QUIET, "optimizer": {"learning_rate": 0.01},
            "lengths": {"prompt_tokens": 48, "response_tokens": 48, "context_tokens": 96},
            "checkpoints": {"every_steps": 100},
            "sft": {"epochs": 40, "keep_epochs": False},
        },
        data={"demos": ("demonstration", demonstrations(1))}, models={"models/base": base},
    )  # fmt: skip
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    model, tokens = load_causal_lm(folder.model, device=CPU), tiny_tokens()
    ((answer,),) = sample_responses(
        model, [tokens.prompt_ids(demonstrations(1)[0].messages)], responses_per_prompt=1,
        stop_token_ids=tokens.stop_token_ids, limits=Limits(40, 96), temperature=0.0,
        generator=torch.Generator().manual_seed(0), batch_tokens=1000,
    )  # fmt: skip
    assert answer.ended
    assert tokens.text(answer.token_ids) == "It eats mint."
    ids = torch.tensor([tokens.prompt_ids(demonstrations(1)[0].messages)])
    generated = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40)
    assert tokens.text(generated[0, ids.shape[1] :].tolist()) == "It eats mint."


def gradients_of(model: PreTrainedModel, run: Cut, items: list[Item], *, together: bool) -> torch.Tensor:
    model.zero_grad()
    sft.add_gradients(run, model, items, together=together)  # type: ignore[arg-type]
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


@pytest.mark.rule(20)
@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("together", [True, False])
def test_gradients_do_not_depend_on_micro_batches(shape: str, together: bool, finished: RunFolder) -> None:
    model = SHAPES[shape](vocabulary=310)
    items = [
        replace(item, weight=weight)
        for item, weight in zip(some_items(finished), [1, 1, 2, 1, 0.5, 1, 1, 1], strict=True)
    ]
    width = max(item.exchange.tokens for item in items)
    whole, *cuts = (
        gradients_of(model, Cut(finished, rows * width), items, together=together) for rows in (8, 2, 1)
    )  # fmt: skip
    for cut in cuts:
        torch.testing.assert_close(cut, whole, atol=1e-5 * float(whole.abs().max()), rtol=0)


@pytest.mark.rule(20)
def test_in_float64_the_cut_into_micro_batches_leaves_no_trace(
    finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exact_logprobs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]

    monkeypatch.setattr(sft, "token_logprobs", exact_logprobs)  # ours is float32 on purpose (rule 21)
    model = SHAPES["llama"](vocabulary=310).double()
    items = some_items(finished)
    width = max(item.exchange.tokens for item in items)
    whole, *cuts = (gradients_of(model, Cut(finished, rows * width), items, together=True) for rows in (8, 2, 1))
    for cut in cuts:
        assert float((cut - whole).norm() / whole.norm()) < 1e-10


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_packed_demonstrations_give_the_gradients_of_a_row_each(shape: str, finished: RunFolder) -> None:
    model, items = SHAPES[shape](vocabulary=310), some_items(finished)
    packed = sft.lay_out(items, together=True, tokens=10_000)
    assert sum(len(rows) for rows in packed) < len(items)
    apart, together = (gradients_of(model, Cut(finished), items, together=both) for both in (False, True))
    torch.testing.assert_close(together, apart, atol=1e-5 * float(apart.abs().max()), rtol=0)


def test_a_demonstration_weighs_as_much_as_it_is_told(finished: RunFolder) -> None:
    model = SHAPES["llama"](vocabulary=310)
    first, second = some_items(finished)[:2]
    run = Cut(finished)
    losses = [
        float(sft.add_gradients(run, model, batch, together=False))  # type: ignore[arg-type]
        for batch in ([first], [second], [replace(first, weight=3.0), second])
    ]
    counts = first.response_tokens, second.response_tokens
    expected = (3 * counts[0] * losses[0] + counts[1] * losses[1]) / (3 * counts[0] + counts[1])
    assert losses[2] == pytest.approx(expected, abs=1e-5)


# the order of things


@pytest.mark.rule(28)
def test_two_runs_of_one_config_give_the_same_numbers_and_weights_to_the_bit(
    finished: RunFolder, tiny_base: Path, tmp_path: Path
) -> None:
    again = sft_run(tmp_path, tiny_base)
    finish(again, "sft", sft.train)
    assert numbers(again) == numbers(finished)
    assert weights_of(again.model) == weights_of(finished.model)


@pytest.mark.rule(28)
@pytest.mark.parametrize("step", [1, 5])
def test_a_killed_run_goes_on_to_the_same_numbers_to_the_bit(
    step: int, finished: RunFolder, tiny_base: Path, tmp_path: Path
) -> None:
    folder = sft_run(tmp_path, tiny_base)
    killed = run_in_a_process(folder, "sft", before=KILL_AT.format(step=step))
    assert killed.returncode == -9, killed.stderr
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    assert numbers(folder) == numbers(finished)
    assert weights_of(folder.model) == weights_of(finished.model)


@pytest.mark.rule(28)
def test_a_run_with_dropout_and_mixed_in_text_resumes_to_the_bit(tiny_base: Path, tmp_path: Path) -> None:
    def mixed(root: Path) -> RunFolder:
        config: dict[str, Any] = {
            "stage": "sft", "models": {"init": "models/base"}, "data": {"train": ["demos"], "pretraining": ["text"]},
            "hardware": {"threads": 1, "device": "cpu"}, "logging": QUIET, "optimizer": {"learning_rate": 0.01},
            "lengths": {"prompt_tokens": 48, "response_tokens": 48, "context_tokens": 64},
            "checkpoints": {"every_steps": 3},
            "sft": {"epochs": 2, "tokens_per_step": 150, "residual_dropout": 0.2, "pretrain_fraction": 0.4},
        }  # fmt: skip
        data: Any = {"demos": ("demonstration", demonstrations(9)), "text": ("text", TEXTS)}
        return make_run(root, config, data=data, models={"models/base": tiny_base})

    calm, disturbed = mixed(tmp_path / "calm"), mixed(tmp_path / "disturbed")
    assert finish(calm, "sft", sft.train) == ExitCode.DONE

    class Bang(Exception): ...

    def fail(run: sft.Run) -> None:
        whole = run.log

        def log(step: int, values: Any, **more: Any) -> None:
            whole(step, values, **more)
            if step == 5:
                raise Bang

        run.log = log  # type: ignore[method-assign]
        sft.train(run)

    assert finish(disturbed, "sft", fail) == ExitCode.BUG
    assert finish(disturbed, "sft", sft.train) == ExitCode.DONE
    assert numbers(disturbed) == numbers(calm)
    assert weights_of(disturbed.model) == weights_of(calm.model)


def items_of(sizes: list[int]) -> list[Item]:
    return [Item(f"i{number}", Exchange([1], [[2] * size]), 1.0) for number, size in enumerate(sizes)]


def test_every_epoch_has_each_demonstration_once_in_an_order_of_its_own() -> None:
    items = items_of([3] * 10)
    one, two = plan_steps(items, [], Sft(epochs=2, sequences_per_step=4), seed=5)
    orders = [[item.id for step in epoch for item in step] for epoch in (one, two)]
    assert [sorted(order) for order in orders] == [sorted(item.id for item in items)] * 2
    assert orders[0] != orders[1]
    assert [len(step) for step in one] == [4, 4, 2]


def test_a_step_may_be_measured_in_tokens() -> None:
    (epoch,) = plan_steps(items_of([3, 5, 9, 2, 30, 1]), [], Sft(epochs=1, tokens_per_step=16), seed=0)
    for step in epoch:
        assert len(step) == 1 or sum(item.exchange.tokens for item in step) <= 16


def test_pretraining_text_is_the_asked_share_of_the_rows() -> None:
    texts = [replace(item, id="text") for item in items_of([5] * 50)]
    settings = Sft(epochs=1, sequences_per_step=10, pretrain_fraction=0.25)
    (epoch,) = plan_steps(items_of([3] * 30), texts, settings, seed=0)
    ids = [item.id for step in epoch for item in step]
    assert len(ids) == 40
    assert ids.count("text") == 10


# which epoch, and what is told


@pytest.fixture
def worse_after_the_second_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([3.0, 2.0, 2.0, 5.0, 4.0, 6.0])
    monkeypatch.setattr(sft, "validate", lambda *arguments, **more: next(losses))


SIX_EPOCHS = {"epochs": 6, "sequences_per_step": 6}


@pytest.mark.usefixtures("worse_after_the_second_epoch")
def test_the_epoch_that_predicts_held_out_demonstrations_best_is_released(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, rows=6, sft=SIX_EPOCHS)
    finish(folder, "sft", sft.train)
    report = json.loads(folder.report.read_text())
    assert report["best"] == {"step": 2, "validation_loss": 2.0, "reward_score": None}
    assert report["model"] == {"step": 2, "sha256": model_identity(folder.model)}
    assert weights_of(folder.model) == weights_of(folder.checkpoint(2) / "model")
    assert weights_of(folder.model) != weights_of(folder.checkpoint(6) / "model")
    assert sorted(path.name for path in folder.checkpoints.glob("step-*")) == [f"step-{n:08d}" for n in range(1, 7)]


@pytest.mark.usefixtures("worse_after_the_second_epoch")
def test_without_keeping_epochs_only_the_best_and_the_last_two_stay(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, rows=6, sft={**SIX_EPOCHS, "keep_epochs": False})
    finish(folder, "sft", sft.train)
    assert {int(path.name[5:]) for path in folder.checkpoints.glob("step-*")} == {2, 5, 6}


@pytest.mark.parametrize("keep_epochs", [True, False])
def test_a_resumed_run_still_has_its_best_epoch_to_release(
    keep_epochs: bool, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, whole = iter([1.0, 2.0, 3.0]), sft.take_step
    monkeypatch.setattr(sft, "validate", lambda *arguments, **more: next(losses))
    folder = sft_run(
        tmp_path, tiny_base, rows=9, checkpoints={"every_steps": 1},
        sft={"epochs": 3, "sequences_per_step": 3, "keep_epochs": keep_epochs},
    )  # fmt: skip

    def pause_in_the_second_epoch(*arguments: Any, step: int, **more: Any) -> tuple[float, float]:
        if step == 4:
            write_control(folder, Control(request="pause"))
        return whole(*arguments, step=step, **more)

    monkeypatch.setattr(sft, "take_step", pause_in_the_second_epoch)
    write_control(folder, Control())
    assert finish(folder, "sft", sft.train) == ExitCode.PAUSED
    monkeypatch.setattr(sft, "take_step", whole)
    write_control(folder, Control(attempt=2))
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    assert json.loads(folder.report.read_text())["model"]["step"] == 3
    assert weights_of(folder.model) == weights_of(folder.checkpoint(3) / "model")


@pytest.mark.usefixtures("worse_after_the_second_epoch")
def test_the_last_epoch_is_released_where_that_is_asked_for(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, rows=6, sft={**SIX_EPOCHS, "select": "last"})
    finish(folder, "sft", sft.train)
    assert json.loads(folder.report.read_text())["model"]["step"] == 6


def test_records_that_are_too_long_are_counted_named_and_left_out_whole(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, lengths={"prompt_tokens": 48, "response_tokens": 20, "context_tokens": 96})
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    counted = json.loads(folder.report.read_text())["demonstrations"]["train"]
    assert counted["rows"] == 20
    assert 0 < counted["left_out"] == counted["response_too_long"] == 20 - counted["used"]
    noted = [event for event in lines(folder.events) if event["kind"] == "records_left_out"]
    assert noted[0]["use"] == "train"
    assert noted[0]["left_out"] == counted["left_out"]
    assert noted[0]["examples"][0].startswith("d0")


def test_a_set_in_which_everything_is_too_long_is_refused_with_the_counts(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, lengths={"prompt_tokens": 2, "response_tokens": 8, "context_tokens": 16})
    assert finish(folder, "sft", sft.train) == ExitCode.DATA_REFUSED
    error = read_error(folder, 1)
    assert error is not None
    assert error.message.startswith("data.train has 20 demonstrations and none that can be learned from: 20 are longer")


@pytest.mark.rule(30)
def test_a_prompt_to_learn_from_that_is_held_out_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base)
    rows = demonstrations(3, first=100, question="And the {}?")  # the words of held-out ones, under other ids
    more = write_data_file(folder, "demos", "demonstration", [*demonstrations(8), *rows])
    held_out = read_data_manifest(folder)[1]
    write_data_manifest(folder, [more, held_out])
    assert finish(folder, "sft", sft.train) == ExitCode.DATA_REFUSED
    told = str(read_error(folder, 1))
    assert "row d100 of data.train and 2 more have the messages of held-out rows (the first those of d500)" in told


def test_an_empty_set_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, rows=0)
    assert finish(folder, "sft", sft.train) == ExitCode.DATA_REFUSED
    assert "data.train has 0 demonstrations" in str(read_error(folder, 1))


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_rows(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = sft.rows_loss, iter(range(1, 100))

    def break_down(*arguments: Any) -> torch.Tensor:
        loss = whole(*arguments)
        return loss * float("nan") if next(calls) == 3 else loss

    monkeypatch.setattr(sft, "rows_loss", break_down)
    folder = sft_run(tmp_path, tiny_base)
    assert finish(folder, "sft", sft.train) == ExitCode.NOT_FINITE
    error = read_error(folder, 1)
    assert error is not None
    assert error.message.startswith("loss is nan at step 3, learning from d0")
    assert (folder.checkpoint(2) / "manifest.json").exists()


def test_a_base_model_learns_from_plain_prompts(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, tokens={"prompt_format": "plain"})
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    facts = json.loads((folder.model / "accord.json").read_text())
    assert facts["prompt_format"] == "plain"
    assert facts["stop_token_ids"] == [load_tokenizer(folder.model).eos_token_id]


def test_a_condition_is_told_on_half_of_its_rows(finished: RunFolder) -> None:
    conditioning = Conditioning(mode="message", conditions={"terse": "Be brief."})
    config = replace(load_config(finished.config), conditioning=conditioning, lengths=Lengths())
    tokens = tiny_tokens(conditioning=conditioning)
    rows = [replace(row, condition="terse" if number < 300 else None) for number, row in enumerate(demonstrations(400))]
    items = encode_demonstrations(rows, tokens, config, Budget(config.lengths))
    told = [item.exchange.prompt[0] == tokens.tokenizer.convert_tokens_to_ids("<|system|>") for item in items]
    assert 110 < sum(told[:300]) < 190
    assert not any(told[300:])


def test_held_out_rows_are_always_told_their_condition(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base)
    conditioning = Conditioning(mode="message", conditions={"terse": "Be brief."})
    config = replace(load_config(folder.config), conditioning=conditioning, lengths=Lengths())
    rows = [replace(row, condition="terse") for row in demonstrations(40, question="And the {}?")]
    entries = [entry for entry in read_data_manifest(folder) if entry.name != "held_out"]
    write_data_manifest(folder, [*entries, write_data_file(folder, "held_out", "demonstration", rows)])
    tokens = tiny_tokens(conditioning=conditioning)
    run = SimpleNamespace(config=config, inputs=check_inputs(folder, config), event=lambda *given, **facts: None)
    _, held_out, _ = sft.read_demonstrations(run, tokens)  # type: ignore[arg-type]
    system = tokens.tokenizer.convert_tokens_to_ids("<|system|>")
    assert [item.exchange.prompt[0] for item in held_out] == [system] * 40


def test_samples_are_written_for_people_to_read(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, logging={"samples_every_steps": 4, "samples": 2})
    finish(folder, "sft", sft.train)
    samples = lines(folder.samples)
    assert [sample["step"] for sample in samples] == [4, 4, 8, 8]
    assert samples[0]["prompt"] == "And the hare?"


def test_looking_at_samples_changes_no_number(finished: RunFolder, tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, logging={"samples_every_steps": 1, "samples": 2})
    finish(folder, "sft", sft.train)
    assert numbers(folder) == numbers(finished)


def test_its_model_names_the_model_and_the_data_it_came_from(finished: RunFolder, tiny_base: Path) -> None:
    facts = json.loads((finished.model / "accord.json").read_text())
    assert facts["kind"] == "sft"
    assert facts["parents"] == [{"role": "init", "sha256": model_identity(tiny_base)}]
    assert facts["data"][0] == {"name": "demos", "sha256": file_sha256(finished.data("demos"))}
    assert facts["config_sha256"] == file_sha256(finished.config)


def test_under_bfloat16_it_learns_and_keeps_float32_weights(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, precision={"compute": "bfloat16"})
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    losses = [line["loss"] for line in lines(folder.metrics) if line.get("split") != "valid"]
    assert losses[-1] < losses[0]
    assert {weight.dtype for weight in load_file(folder.model / "model.safetensors").values()} == {torch.float32}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_gpu_it_learns_and_resumes(tiny_base: Path, tmp_path: Path) -> None:
    folder = sft_run(tmp_path, tiny_base, hardware={"threads": 1, "device": "auto"})
    killed = run_in_a_process(folder, "sft", before=KILL_AT.format(step=5))
    assert killed.returncode == -9, killed.stderr
    assert finish(folder, "sft", sft.train) == ExitCode.DONE
    assert {event["device"] for event in lines(folder.events) if event["kind"] in ("start", "resume")} == {"cuda"}
    losses = [line["loss"] for line in lines(folder.metrics) if line.get("split") != "valid"]
    assert losses[-1] < losses[0]


def test_demonstrations_of_weight_0_are_counted_and_told_where_none_is_left(tmp_path: Path, tiny_base: Path) -> None:
    folder = sft_run(tmp_path / "run", tiny_base)
    rows = demonstrations(6)
    told: list[dict[str, Any]] = []

    def read(run: Run) -> None:
        told.append(sft.read_demonstrations(run, tiny_tokens())[2]["train"])

    for weightless in (2, 6):
        there = [replace(row, weight=0.0) if number < weightless else row for number, row in enumerate(rows)]
        entries = [entry for entry in read_data_manifest(folder) if entry.name != "demos"]
        write_data_manifest(folder, [*entries, write_data_file(folder, "demos", "demonstration", there)])
        folder.lock.unlink(missing_ok=True)
        finish(folder, "sft", read)
    assert (told[0]["rows"], told[0]["used"], told[0]["without_weight"]) == (6, 4, 2)
    (event,) = [event for event in lines(folder.events) if event["kind"] == "records_left_out"]
    assert event["without_weight"] == 2
    error = read_error(folder, 2)
    assert error is not None
    assert "6 have the weight 0" in error.message
