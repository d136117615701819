"""Run folders small enough to train in a second: a handful of sentences, a tokenizer and a model made from them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from training.rlhf.attempt import attempt_stage
from training.rlhf.contract import settings, stages
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.metrics import deterministic
from training.rlhf.contract.records import Answer, Demonstration, Kind, Message, Row, Text
from training.rlhf.contract.run_folder import (
    ModelEntry,
    RunFolder,
    model_identity,
    write_data_file,
    write_data_manifest,
    write_models_manifest,
)
from training.rlhf.models import grow_vocabulary, save_causal_lm
from training.rlhf.pretrain import train_tokenizer
from training.rlhf.run import Run
from training.rlhf.tokens import ChatTokens, prepare_tokens

from .tiny_models import SHAPES

ROOT = Path(__file__).parents[2]
ANIMALS = ("heron", "badger", "otter", "wren", "hare", "toad", "newt", "stoat")
FOODS = ("mint", "clover", "reeds", "seeds", "grass", "flies", "snails", "moss")
TEXTS = [
    Text(id=f"t{number}", text=f"The {animal} eats {food}. It sleeps by the {other}, and the {animal} is content.")
    for number, (animal, food, other) in enumerate(
        (animal, food, other) for animal in ANIMALS for food in FOODS[:4] for other in FOODS[4:]
    )
]


def demonstrations(count: int, *, first: int = 0, question: str = "The {}?") -> list[Demonstration]:
    """Every third answer is a long one, so that several short ones fit beside it."""
    return [
        Demonstration(
            id=f"d{number:03}",
            messages=(Message(role="user", content=question.format(ANIMALS[number % 8])),),
            response=Answer(
                id=f"r{number:03}", text=f"It eats {FOODS[number % 8]}." + " Yes." * (4 if number % 3 == 2 else 0)
            ),
        )
        for number in range(first, first + count)
    ]


def tiny_tokens(tokens: settings.Tokens | None = None, conditioning: settings.Conditioning | None = None) -> ChatTokens:
    tokenizer = train_tokenizer(TEXTS, stages.Pretrain(steps=1, vocabulary=300), seed=0)
    return prepare_tokens(tokenizer, tokens or settings.Tokens(), conditioning or settings.Conditioning())


def save_tiny_model(folder: Path, *, shape: str = "llama") -> Path:
    """Writes `folder/model`."""
    tokens = tiny_tokens()
    model = SHAPES[shape](vocabulary=tokens.vocabulary)
    grow_vocabulary(model, tokens)
    save_causal_lm(model, tokens, folder)
    return folder / "model"


def make_run(
    root: Path,
    config: dict[str, Any],
    *,
    data: dict[str, tuple[Kind, Iterable[Row]]],
    models: dict[str, Path] | None = None,
) -> RunFolder:
    """A run folder as a launcher would leave it: config, data and links to models, with their manifests."""
    root.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(root)
    folder.config.write_text(json.dumps({"format": 1, "job": "tiny", "seed": 7, **config}))
    write_data_manifest(folder, [write_data_file(folder, name, kind, rows) for name, (kind, rows) in data.items()])
    (root / "models").mkdir(exist_ok=True)
    entries = []
    for name, target in (models or {}).items():
        (root / name).symlink_to(target)
        entries.append(ModelEntry(path=name, sha256=model_identity(target)))
    write_models_manifest(folder, entries)
    return folder


CPU = {"threads": 1, "device": "cpu"}
QUIET = {"samples_every_steps": 1000, "samples": 2}


def pretrain_run(root: Path, **changes: Any) -> RunFolder:
    config: dict[str, Any] = {
        "stage": "pretrain",
        "data": {"train": ["text"], "validation": ["held_out"]},
        "hardware": CPU,
        "logging": QUIET,
        "lengths": {"context_tokens": 64},
        "optimizer": {"learning_rate": 0.01},
        "checkpoints": {"every_steps": 2},
        "pretrain": {
            "steps": 6, "tokens_per_step": 128, "sequence_tokens": 16, "vocabulary": 300, "validate_every_steps": 3,
            "shape": {"layers": 2, "width": 32, "heads": 4},
        },
    }  # fmt: skip
    data: dict[str, tuple[Kind, Iterable[Row]]] = {"text": ("text", TEXTS[10:]), "held_out": ("text", TEXTS[:10])}
    return make_run(root, config | changes, data=data)


def sft_run(root: Path, model: Path, *, rows: int = 20, held_out: int = 4, **changes: Any) -> RunFolder:
    config: dict[str, Any] = {
        "stage": "sft",
        "models": {"init": "models/base"},
        "data": {"train": ["demos"], "validation": ["held_out"]},
        "hardware": CPU,
        "logging": QUIET,
        "lengths": {"prompt_tokens": 48, "response_tokens": 48, "context_tokens": 96},
        "optimizer": {"learning_rate": 0.003},
        "checkpoints": {"every_steps": 2},
        "sft": {"epochs": 2, "sequences_per_step": 6},
    }
    data: dict[str, tuple[Kind, Iterable[Row]]] = {
        "demos": ("demonstration", demonstrations(rows)),
        "held_out": ("demonstration", demonstrations(held_out, first=500, question="And the {}?")),
    }
    return make_run(root, config | changes, data=data, models={"models/base": model})


def finish(folder: RunFolder, stage: Any, work: Callable[[Run], None]) -> ExitCode:
    """One attempt in this process."""
    return attempt_stage(folder, stage, work)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def numbers(folder: RunFolder) -> list[dict[str, object]]:
    """What a repeated run has to give again to the bit."""
    return [deterministic(line) for line in lines(folder.metrics)]


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def run_in_a_process(folder: RunFolder, stage: str, *, before: str = "") -> subprocess.CompletedProcess[str]:
    """A stage in a process of its own, as a launcher starts it. before: code that runs first, to plant a fault."""
    code = (
        f"import os, signal, sys\nimport training.rlhf.{stage} as stage\n{before}\n"
        f"from training.rlhf.attempt import run_stage\nrun_stage({stage!r}, stage.train)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(folder.root)], cwd=ROOT, capture_output=True, text=True, timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


KILL_AT = """
from training.rlhf.run import Run
whole_end_step = Run.end_step
def end_step(run, step, save):
    if step == {step}:
        os.kill(os.getpid(), signal.SIGKILL)
    whole_end_step(run, step, save)
Run.end_step = end_step
"""
"""Plants kill -9 after the work of a step and before its checkpoint."""

KILL_IN_CHECKPOINT = """
from training.rlhf import checkpoints
whole_put_in_place = checkpoints._put_in_place
def put_in_place(temporary, final):
    if final.name == "step-{step:08d}":
        os.kill(os.getpid(), signal.SIGKILL)
    whole_put_in_place(temporary, final)
checkpoints._put_in_place = put_in_place
"""
"""Plants kill -9 when all files of a checkpoint are written, before the rename that makes it one."""
