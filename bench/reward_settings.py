"""Sizes and settings of bench/reward_models.py: what one core does in under 40 minutes, and what was tried of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ALL_FIVE = "all_five"
FORMAT = {"format": 1, "job": "reward-models"}
HARDWARE = {"threads": 1, "device": "cpu", "micro_batch_tokens": 4096}
# Nothing here resumes: a run that is cut off is made anew.
CHECKPOINTS = {"every_steps": 100_000, "every_seconds": 1e6}


@dataclass(frozen=True)
class Size:
    """text_steps: of pretraining. candidates: names of those to choose among; choosing: the sets they are tried on.
    rows, documents: at most so many of each set and of the text, None for all."""

    layers: int
    width: int
    vocabulary: int
    text_steps: int
    sequence_tokens: int
    lengths: Mapping[str, int]
    candidates: tuple[str, ...]
    choosing: tuple[str, ...]
    folds: tuple[int, ...] = (0, 1, 2)
    rows: int | None = None
    documents: int | None = None
    tokens_per_step: int = 4096


@dataclass(frozen=True)
class Candidate:
    """One way to train the reward models. head_init_std: of the fresh head; None: scores begin with a spread of 1."""

    learning_rate: float
    epochs: int
    head_init_std: float | None = None

    def told(self) -> str:
        head = "" if self.head_init_std is None else f", head begins at {self.head_init_std:g}"
        return f"rate {self.learning_rate:g}, {self.epochs} epoch" + ("s" if self.epochs > 1 else "") + head


CANDIDATES = {
    "loud": Candidate(learning_rate=1e-3, epochs=1),
    "quiet": Candidate(learning_rate=1e-3, epochs=1, head_init_std=0.01),
    "slow": Candidate(learning_rate=3e-4, epochs=2, head_init_std=0.01),
}

LONG = {"prompt_tokens": 512, "response_tokens": 640, "context_tokens": 768}
SIZES = {
    "full": Size(
        layers=2, width=128, vocabulary=4096, text_steps=200, sequence_tokens=512, lengths=LONG,
        candidates=tuple(CANDIDATES), choosing=("pairs_pandalm", "rankings_fgrlhf"),
    ),
    "small": Size(
        layers=1, width=32, vocabulary=512, text_steps=4, sequence_tokens=128, lengths=LONG, candidates=("quiet",),
        choosing=("pairs_pandalm",), folds=(0,), rows=40, documents=20, tokens_per_step=512,
    ),
}  # fmt: skip


def pretrain_config(size: Size, *, seed: int) -> dict[str, Any]:
    return {
        **FORMAT, "stage": "pretrain", "seed": seed, "hardware": HARDWARE, "checkpoints": CHECKPOINTS,
        "lengths": size.lengths, "data": {"train": ["text"], "validation": ["held_out"]},
        "optimizer": {"learning_rate": 3e-3, "warmup_steps": 20},
        "pretrain": {
            "steps": size.text_steps, "tokens_per_step": size.tokens_per_step,
            "sequence_tokens": size.sequence_tokens, "vocabulary": size.vocabulary, "validate_every_steps": 100_000,
            "shape": {"layers": size.layers, "width": size.width, "heads": 4},
        },
    }  # fmt: skip


def reward_config(size: Size, candidate: Candidate, *, seed: int) -> dict[str, Any]:
    return {
        **FORMAT, "stage": "reward", "seed": seed, "hardware": HARDWARE, "checkpoints": CHECKPOINTS,
        "lengths": size.lengths, "models": {"init": "models/base"},
        "data": {"train": ["train"], "validation": ["held_out"]},
        "optimizer": {
            "learning_rate": candidate.learning_rate, "warmup_steps": 5,
        },
        "reward": {
            "epochs": candidate.epochs, "prompts_per_step": 8, "head_init_std": candidate.head_init_std,
            "score_validation": True,
        },
    }  # fmt: skip
