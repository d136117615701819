"""What cannot be learned from ends the stage with a sentence that names it, and the last good checkpoint stays."""

import errno
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.rlhf.run_folders import base_config, make_language_model, make_run, read_lines, run_here
from tests.rlhf.stage_folders import FOLDERS, demonstrations, rankings
from tests.rlhf.test_tokens import foreign_tokenizer
from training.rlhf import checkpoints, reward
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.records import Choice, Comparison, Kind, Row
from training.rlhf.contract.run_folder import (
    RunFolder,
    model_identity,
    read_data_manifest,
    read_error,
    read_models_manifest,
    read_status,
    write_data_file,
    write_data_manifest,
    write_models_manifest,
)


def folder_of(name: str, root: Path) -> RunFolder:
    return FOLDERS[name][1](root / "run")


def run(name: str, folder: RunFolder) -> tuple[ExitCode, str]:
    """The exit code, and the sentence that is shown."""
    code = run_here(folder, importlib.import_module(f"training.rlhf.{FOLDERS[name][0]}"))
    status = read_status(folder)
    assert status is not None
    return code, "" if status.error is None else status.error.message


def put(folder: RunFolder, name: str, kind: Kind, rows: list[Row]) -> None:
    """In place of a data file."""
    others = [entry for entry in read_data_manifest(folder) if entry.name != name]
    write_data_manifest(folder, [*others, write_data_file(folder, name, kind, rows)])


def change(folder: RunFolder, section: str, **values: Any) -> None:
    config = json.loads(folder.config.read_text())
    config[section] = {**config.get(section, {}), **values}
    folder.config.write_text(json.dumps(config))


# data


@pytest.mark.parametrize(
    ("stage", "file", "kind", "told"),
    [
        ("pretrain", "text", "text", "the text has 0 tokens in 0 documents"),
        ("sft", "demos", "demonstration", "data.train has 0 demonstrations"),
        ("reward", "train", "ranking", "data.train (train) hold nothing to compare: 0 are all tied"),
        ("ppo", "prompts", "prompt", "no prompt in prompts can be used"),
        ("sample", "prompts", "prompt", "no prompt in prompts can be used"),
        ("score", "responses", "response", "data.responses hold no response"),
    ],
)
def test_empty_data_are_named(tmp_path: Path, stage: str, file: str, kind: Kind, told: str) -> None:
    folder = folder_of(stage, tmp_path)
    put(folder, file, kind, [])
    code, sentence = run(stage, folder)
    assert code == ExitCode.DATA_REFUSED
    assert told in sentence


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("sft", "72 are longer than lengths allows (prompts 72,"),
        ("reward", "80 too long for lengths in config.json"),
        ("ppo", "21 are too long for lengths in config.json"),
        ("sample", "180 are too long for lengths in config.json"),
    ],
)
def test_prompts_longer_than_they_may_be_are_counted_where_none_is_left(tmp_path: Path, stage: str, told: str) -> None:
    folder = folder_of(stage, tmp_path)
    change(folder, "lengths", prompt_tokens=1)
    code, sentence = run(stage, folder)
    assert code == ExitCode.DATA_REFUSED
    assert told in sentence


def comparisons(choices: list[Any], *, turned: bool = False) -> list[Comparison]:
    """The same two responses to each prompt, in the other order where it is turned round."""
    rows = []
    for number, (row, choice) in enumerate(zip(rankings(len(choices), prefix="c"), choices, strict=True)):
        answers = row.responses[:2]
        rows.append(
            Comparison(
                id=row.id, messages=row.messages, responses=answers[::-1] if turned and number % 2 else answers,
                judged=(Choice(labeler="l", choice=choice),),
            )
        )  # fmt: skip
    return rows


def test_comparisons_of_one_class_are_refused_where_it_is_the_tie(tmp_path: Path) -> None:
    folder = folder_of("reward", tmp_path)
    put(folder, "train", "comparison", comparisons(["tie"] * 5))
    code, sentence = run("reward", folder)
    assert code == ExitCode.DATA_REFUSED
    assert "data.train (train) hold nothing to compare: 5 are all tied" in sentence


def test_which_side_was_chosen_is_no_class(tmp_path: Path) -> None:
    """Sets are often kept with the chosen response first. They are learned from like the same ones in mixed order."""
    told = []
    for turned, choices in ((False, [0] * 12), (True, [0, 1] * 6)):
        config = base_config(
            "reward", models={"init": "models/init"}, data={"train": ["train"]},
            reward={"epochs": 2, "prompts_per_step": 6},
        )  # fmt: skip
        root = tmp_path / str(turned)
        folder = make_run(
            root / "run", config, models={"init": make_language_model(root)},
            data={"train": ("comparison", comparisons(choices, turned=turned))},
        )  # fmt: skip
        assert run_here(folder, reward) == ExitCode.DONE
        told.append([line["loss"] for line in read_lines(folder.metrics)])
    assert told[0] == pytest.approx(told[1], abs=1e-5)


# tokenizers


def nameless(root: Path) -> RunFolder:
    """SFT of a model whose tokenizer names neither an end of text nor a PAD, and has no chat template."""
    folder = folder_of("sft", root)
    tokenizer = foreign_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token = None
    (entry,) = read_models_manifest(folder)
    model = (folder.root / entry.path).resolve()
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json"):
        (model / file).unlink(missing_ok=True)
    tokenizer.save_pretrained(model)
    write_models_manifest(folder, [type(entry)(path=entry.path, sha256=model_identity(model))])
    put(folder, "demos", "demonstration", demonstrations(6, prefix="d"))
    change(folder, "lengths", prompt_tokens=100, response_tokens=100, context_tokens=120)
    change(folder, "sft", epochs=1)
    return folder


def test_a_tokenizer_that_names_no_end_and_no_pad_gets_both_with_our_template(tmp_path: Path) -> None:
    folder = nameless(tmp_path)
    assert run("sft", folder) == (ExitCode.DONE, "")
    config = json.loads((folder.model / "tokenizer_config.json").read_text())
    assert config["pad_token"] == "<|pad|>"
    assert config["eos_token"] is None
    assert "<|end|>" in (folder.model / "chat_template.jinja").read_text()


def test_without_an_end_and_without_a_template_it_asks_for_a_token_that_ends_a_response(tmp_path: Path) -> None:
    folder = nameless(tmp_path)
    change(folder, "tokens", prompt_format="plain")
    code, sentence = run("sft", folder)
    assert code == ExitCode.CONFIG_REFUSED
    assert sentence == "tokens.stop_token_ids is null, and the tokenizer names no token that ends a text; name one"


# in the middle of a run


@pytest.mark.parametrize(("stage", "where"), [("pretrain", "pretrain"), ("reward", "learners")])
def test_nan_in_a_batch_is_named_and_the_last_good_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, where: str
) -> None:
    module: Any = importlib.import_module(f"training.rlhf.{where}")
    whole, calls = module.take_step, iter(range(1, 1000))

    def take_step(*arguments: Any, loss: Any, **named: Any) -> Any:
        return whole(*arguments, loss=loss * float("nan") if next(calls) == 14 else loss, **named)

    monkeypatch.setattr(module, "take_step", take_step)
    folder = folder_of(stage, tmp_path)
    code, sentence = run(stage, folder)
    assert code == ExitCode.NOT_FINITE
    assert "loss is nan at step" in sentence
    assert "learning from" in sentence
    assert checkpoints.newest_good(folder) is not None


def test_a_full_disk_at_a_checkpoint_is_told_and_the_one_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, whole = folder_of("sft", tmp_path), checkpoints._put_in_place

    def put_in_place(temporary: Path, final: Path) -> None:
        if final.name == "step-00000014":
            raise OSError(errno.ENOSPC, "No space left on device", str(temporary))
        whole(temporary, final)

    monkeypatch.setattr(checkpoints, "_put_in_place", put_in_place)
    code, sentence = run("sft", folder)
    assert code == ExitCode.CANNOT_WRITE
    assert sentence.startswith("the checkpoint of step 14 cannot be written: [Errno 28] No space left on device")
    found = checkpoints.newest_good(folder)
    assert found is not None
    assert 7 <= found.step < 14
    assert read_error(folder, 1) is not None
