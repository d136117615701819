"""The optimizer step: micro-batches by a token budget, one global count, clipping, the course of the rate, EMA.

A loss is summed over micro-batches and divided by the count of the whole step, so that it does not depend on how the
step was cut. Nothing here knows a stage.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from training.rlhf.contract import settings
from training.rlhf.contract.exit_codes import NotFinite

WARMUP_START = 0.1
NAMED_PROMPTS = 8


def micro_batches(widths: Sequence[int], *, tokens: int) -> list[list[int]]:
    """Cuts rows of these widths into batches whose tokens, padding included, are at most `tokens`.

    Rows of like width stand together. A row wider than the budget gets a batch of its own. Returns row indices.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(widths)), key=lambda row: (widths[row], row)):
        if batches and (len(batches[-1]) + 1) * widths[row] <= tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def rate_factor(step: int, *, steps: int, optimizer: settings.Optimizer) -> float:
    """What the highest rate is multiplied with at a step (the first is 1, the last is `steps`).

    Warm-up climbs in a straight line from a tenth; then the schedule falls to final_fraction at the last step.
    """
    done = step - 1
    if done < optimizer.warmup_steps:
        return WARMUP_START + (1 - WARMUP_START) * done / optimizer.warmup_steps
    if optimizer.schedule == "constant":
        return 1.0
    progress = (done - optimizer.warmup_steps) / max(1, steps - 1 - optimizer.warmup_steps)
    progress = min(1.0, progress)
    left = (1 + math.cos(math.pi * progress)) / 2 if optimizer.schedule == "cosine" else 1 - progress
    return optimizer.final_fraction + (1 - optimizer.final_fraction) * left


def set_rate(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> None:
    """Each parameter group's own highest rate times the factor."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("highest_lr", group["lr"]) * factor


def adam(
    parameters: Iterable[nn.Parameter], optimizer: settings.Optimizer, *, learning_rate: float | None = None
) -> torch.optim.AdamW:
    """Adam with decoupled weight decay on matrices only: a bias or a norm's gain has no reason to shrink."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": optimizer.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=optimizer.learning_rate if learning_rate is None else learning_rate,
        betas=(optimizer.betas[0], optimizer.betas[1]),
        eps=optimizer.eps,
        fused=True,
    )


def named(prompts: Sequence[str]) -> str:
    """The first few of these ids, and how many more there are."""
    more = f" and {len(prompts) - NAMED_PROMPTS} more" if len(prompts) > NAMED_PROMPTS else ""
    return ", ".join(prompts[:NAMED_PROMPTS]) + more


def need_finite(score: float, *, response: str, model: str) -> None:
    """Raises NotFinite, naming both, for a score that is none."""
    if not math.isfinite(score):
        raise NotFinite(f"{model} scores response {response} {score}; expected a number: its weights may be broken")


def take_step(
    optimizers: Sequence[torch.optim.Optimizer],
    parameters: Sequence[nn.Parameter],
    *,
    loss: Tensor,
    clip_norm: float,
    step: int,
    prompts: Sequence[str],
) -> tuple[float, float]:
    """One step along the gradients that were gathered, cut to `clip_norm`; gradients are gone afterwards.

    loss: scalar, of the whole step. prompts: ids of what the step learned from, to be named in a complaint.
    Returns loss and gradient norm (before the cut). Raises NotFinite, with the weights as they were, if either is not
    finite.
    """
    norm_tensor = nn.utils.clip_grad_norm_(parameters, clip_norm, error_if_nonfinite=False)
    value, norm = float(loss), float(norm_tensor)
    if not (math.isfinite(value) and math.isfinite(norm)):
        what = f"loss is {value}" if not math.isfinite(value) else f"the gradient norm is {norm}"
        raise NotFinite(f"{what} at step {step}, learning from {named(prompts)}")
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return value, norm


class Ema:
    """A moving average of a model's weights: decay min(decay, (1 + t)/(10 + t)) at step t, counted from 0.

    Without that warm-up a run of a few hundred steps would release little but the weights it began with.
    """

    def __init__(self, model: nn.Module, *, decay: float, warmup: bool = True) -> None:
        self.decay = decay
        self.warmup = warmup
        self.steps = 0
        self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Once after each optimizer step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.warmup else self.decay
        self.steps += 1
        for name, parameter in model.named_parameters():
            self.weights[name].lerp_(parameter.detach(), 1 - decay)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        for name, parameter in model.named_parameters():
            parameter.copy_(self.weights[name])

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.steps = state["steps"]
        for name, weight in state["weights"].items():
            self.weights[name].copy_(weight)
