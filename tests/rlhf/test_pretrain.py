"""Pretraining: a tokenizer and a model from text, in a fixed number of steps, to the same bits every time."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.rlhf import pretrain
from training.rlhf.contract.config import load_config
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.run_folder import model_identity, read_error, read_status
from training.rlhf.contract.settings import Conditioning, Tokens
from training.rlhf.contract.stages import Pretrain
from training.rlhf.models import load_causal_lm
from training.rlhf.texts import read_windows
from training.rlhf.tokens import CHAT_TEMPLATE, END_OF_TEXT, load_tokenizer, prepare_tokens

from .tiny_runs import (
    KILL_IN_CHECKPOINT,
    TEXTS,
    finish,
    lines,
    numbers,
    pretrain_run,
    run_in_a_process,
    tiny_tokens,
    weights_of,
)


def losses(folder: Path, split: str | None = None) -> list[float]:
    return [line["loss"] for line in lines(folder / "metrics.jsonl") if line.get("split") == split]


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_the_loss_falls_on_text_that_is_learned_and_on_text_that_is_held_out(kind: str, tmp_path: Path) -> None:
    settings = {
        "steps": 30, "tokens_per_step": 256, "sequence_tokens": 16, "vocabulary": 300, "kind": kind,
        "validate_every_steps": 10, "shape": {"layers": 2, "width": 32, "heads": 4},
    }  # fmt: skip
    folder = pretrain_run(tmp_path, pretrain=settings, optimizer={"learning_rate": 0.01})
    assert finish(folder, "pretrain", pretrain.train) == ExitCode.DONE
    learned, held_out = losses(folder.root), losses(folder.root, "valid")
    assert learned[0] == pytest.approx(5.70, abs=0.1)  # log 300: a fresh model knows nothing
    assert learned[-1] < learned[0] / 2
    assert held_out[-1] < held_out[0] < learned[0]
    assert len(held_out) == 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed."""
    folder = pretrain_run(tmp_path_factory.mktemp("pretrain") / "run")
    assert finish(folder, "pretrain", pretrain.train) == ExitCode.DONE
    return folder.root


@pytest.mark.rule(28)
def test_two_runs_of_one_config_give_the_same_numbers_and_weights_to_the_bit(finished: Path, tmp_path: Path) -> None:
    again = pretrain_run(tmp_path)
    finish(again, "pretrain", pretrain.train)
    assert numbers(again) == numbers(replace(again, root=finished))
    assert weights_of(again.model) == weights_of(finished / "model")
    assert (again.model / "tokenizer.json").read_bytes() == (finished / "model" / "tokenizer.json").read_bytes()


@pytest.mark.rule(28)
def test_a_run_killed_while_it_saves_goes_on_to_the_same_numbers_to_the_bit(finished: Path, tmp_path: Path) -> None:
    folder = pretrain_run(tmp_path)
    killed = run_in_a_process(folder, "pretrain", before=KILL_IN_CHECKPOINT.format(step=4))
    assert killed.returncode == -9, killed.stderr
    status = read_status(folder)
    assert status is not None
    assert (status.state, status.checkpoint_step) == ("running", 2)
    assert finish(folder, "pretrain", pretrain.train) == ExitCode.DONE
    assert [line["attempt"] for line in lines(folder.metrics)] == [1, 1, 2, 2, 2, 2, 2, 2]
    assert numbers(folder) == numbers(replace(folder, root=finished))
    assert model_identity(folder.model) == model_identity(finished / "model"), "weights, tokenizer and all"


def test_the_model_has_the_asked_shape_one_embedding_matrix_and_our_chat_template(finished: Path) -> None:
    model = load_causal_lm(finished / "model", device=torch.device("cpu"))
    config = model.config
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (2, 32, 4)
    assert config.max_position_embeddings == 64
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert (finished / "model" / "chat_template.jinja").read_text() == CHAT_TEMPLATE
    tokenizer = load_tokenizer(finished / "model")
    assert config.vocab_size == len(tokenizer) <= 300
    prepare_tokens(tokenizer, Tokens(), Conditioning())
    assert config.vocab_size == len(tokenizer)  # SFT has no token to add


def test_every_text_can_be_written_in_its_bytes() -> None:
    tokens = tiny_tokens()
    text = "naïve 日本 \U0001f43b \x00\t\r\n"
    assert tokens.text(tokens.text_ids(text)) == text


def test_it_says_of_its_model_what_it_is_and_where_it_came_from(finished: Path) -> None:
    facts = json.loads((finished / "model" / "accord.json").read_text())
    assert (facts["kind"], facts["parents"], facts["step"], facts["ema"]) == ("base", [], 6, False)
    assert [entry["name"] for entry in facts["data"]] == ["text", "held_out"]
    report = json.loads((finished / "report.json").read_text())
    assert report["tokens"] == 6 * 128
    assert report["validation_loss"] == losses(finished, "valid")[-1]


def test_muon_moves_the_matrices_and_adam_everything_else(finished: Path) -> None:
    config = load_config(finished / "config.json")
    model = load_causal_lm(finished / "model", device=torch.device("cpu"))
    assert config.pretrain is not None
    muon, adam = pretrain.make_optimizers(model, config, config.pretrain)
    moved = [weight for optimizer in (muon, adam) for group in optimizer.param_groups for weight in group["params"]]
    assert {id(weight) for weight in moved} == {id(weight) for weight in model.parameters()}
    assert len(moved) == len(list(model.parameters()))
    by_muon = {id(weight) for group in muon.param_groups for weight in group["params"]}
    names = {name for name, weight in model.named_parameters() if id(weight) in by_muon}
    assert all("layers." in name and "norm" not in name for name in names)
    assert len(names) == 2 * 7


@pytest.mark.rule(20)
def test_gradients_do_not_depend_on_the_cut_into_micro_batches(finished: Path) -> None:
    config = load_config(finished / "config.json")
    model = load_causal_lm(finished / "model", device=torch.device("cpu")).double()
    batch = read_windows(tiny_tokens(), TEXTS, window_tokens=16, seed=0).take(range(8))

    class Cut:
        device = torch.device("cpu")

        def __init__(self, micro_batch_tokens: int) -> None:
            self.config, self.micro_batch_tokens = config, micro_batch_tokens

        def poll(self) -> None: ...

    gradients = []
    for windows in (8, 2, 1):
        model.zero_grad()
        pretrain.add_gradients(Cut(windows * 17), model, batch)  # type: ignore[arg-type]
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]))
    for cut in gradients[1:]:
        # the softmax is in float32 on purpose, so that float64 weights do not make the sum exact
        torch.testing.assert_close(cut, gradients[0], atol=1e-5 * float(gradients[0].abs().max()), rtol=0)


def test_text_that_does_not_fill_a_step_is_refused_with_the_counts(tmp_path: Path) -> None:
    settings = {"steps": 2, "tokens_per_step": 65536, "sequence_tokens": 16, "vocabulary": 300}
    folder = pretrain_run(tmp_path, pretrain=settings)
    assert finish(folder, "pretrain", pretrain.train) == ExitCode.DATA_REFUSED
    error = read_error(folder, 1)
    assert error is not None
    assert "tokens in 118 documents; one step of pretrain.tokens_per_step takes 65536" in error.message


def test_windows_show_each_part_of_the_text_once_before_any_twice() -> None:
    windows = read_windows(tiny_tokens(), TEXTS[:20], window_tokens=16, seed=0)
    size = len(windows) // 2
    first = windows.of_step(1, size=size) + windows.of_step(2, size=size)
    assert len(set(first)) == 2 * size
    assert windows.of_step(1, size=size) == windows.of_step(1, size=size)
    taken = windows.take([0, 1])
    assert torch.equal(taken[0, -1], taken[1, 0])  # the last of one is what the first of the next is predicted from


def test_documents_are_ended_and_shuffled() -> None:
    tokens = tiny_tokens()
    windows = read_windows(tokens, TEXTS[:20], window_tokens=16, seed=0)
    assert int((windows.stream == tokens.tokenizer.convert_tokens_to_ids(END_OF_TEXT)).sum()) == 20
    assert not torch.equal(windows.stream, read_windows(tokens, TEXTS[:20], window_tokens=16, seed=1).stream)


def test_no_more_text_is_encoded_than_the_steps_will_see() -> None:
    tokens = tiny_tokens()
    some = read_windows(tokens, TEXTS, window_tokens=16, seed=0, enough_tokens=100)
    assert 100 < len(some.stream) < 200


def test_the_vocabulary_is_bounded_even_where_the_text_would_give_more() -> None:
    tokenizer = pretrain.train_tokenizer(TEXTS, Pretrain(steps=1, vocabulary=264), seed=0)
    assert len(tokenizer) == 264
