"""The steps of one PPO iteration: policy and value model improved on its rollouts, minibatch by minibatch.

A minibatch is one optimizer step of each model. It is cut into micro-batches that fit, and every loss is divided by
the count of response tokens in the whole minibatch, so that the cut changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.rlhf.batching import Batching, responses_of
from training.rlhf.contract.stages import Ppo
from training.rlhf.kl import approximate_kl
from training.rlhf.layouts import Layout, response_logits
from training.rlhf.losses import policy_loss, token_logprobs_and_entropy, value_loss
from training.rlhf.rollouts import Rollouts
from training.rlhf.steps import take_step

Sums = dict[str, Tensor]
"""Of one micro-batch: sums over its response tokens, and under `ratio_max` and `ratio_error` largest values."""


@dataclass(frozen=True)
class Learner:
    """A model that takes steps, with its optimizer."""

    model: nn.Module
    optimizer: torch.optim.Optimizer


def improve(
    rollouts: Rollouts,
    *,
    policy: Learner,
    value: Learner,
    batching: Batching,
    settings: Ppo,
    clip_norm: float,
    order: torch.Generator,
    iteration: int = 1,
    names: Sequence[str] | None = None,
    before_batch: Callable[[], object] = lambda: None,
    add_more: Callable[[Sequence[int]], object] = lambda minibatch: None,
    after_step: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """`settings.epochs` times over the rollouts. Returns means over their tokens and optimizer steps, for the log.

    order: which prompts share a minibatch; a generator on the CPU. iteration, names: for complaints; names of prompts.
    before_batch, after_step: called before each micro-batch, and after each optimizer step.
    add_more: called once a minibatch with its prompts, when their gradients are there and before the step: it may add
    the gradient of another loss to the policy's.
    Raises NotFinite before a gradient that is not finite touches the weights.
    """
    prompts_per_step = settings.minibatch_episodes // settings.responses_per_prompt
    told: list[Sums] = []
    norms: list[tuple[float, float]] = []
    first_error = 0.0
    for _ in range(settings.epochs):
        shuffled = torch.randperm(len(rollouts.exchanges), generator=order).tolist()
        for start in range(0, len(shuffled), prompts_per_step):
            minibatch = shuffled[start : start + prompts_per_step]
            seen = add_gradients(
                rollouts, minibatch, policy=policy.model, value=value.model, batching=batching, settings=settings,
                before_batch=before_batch,
            )  # fmt: skip
            add_more(minibatch)
            if not told:
                first_error = max(float(sums["ratio_error"]) for sums in seen)
            told += seen
            prompts = [str(number) if names is None else names[number] for number in minibatch]
            norms.append(_step_both(policy, value, seen, clip_norm=clip_norm, iteration=iteration, prompts=prompts))
            after_step()
    tokens = int(rollouts.mask.sum()) * settings.epochs
    return {
        **summarise(told, tokens=tokens),
        "ratio_first_error": first_error,
        "gradient_norm": sum(norm for norm, _ in norms) / len(norms),
        "value_gradient_norm": sum(norm for _, norm in norms) / len(norms),
    }


def _step_both(
    policy: Learner, value: Learner, seen: Sequence[Sums], *, clip_norm: float, iteration: int, prompts: Sequence[str]
) -> tuple[float, float]:
    """One step of each model, each gradient cut by itself. Returns their norms before the cut."""
    norms = []
    for learner, name in ((policy, "policy_loss"), (value, "value_loss")):
        loss = torch.stack([sums[name] for sums in seen]).sum()
        _, norm = take_step(
            [learner.optimizer], list(learner.model.parameters()), loss=loss, clip_norm=clip_norm, step=iteration,
            prompts=prompts,
        )  # fmt: skip
        norms.append(norm)
    return norms[0], norms[1]


def add_gradients(
    rollouts: Rollouts,
    minibatch: Sequence[int],
    *,
    policy: nn.Module,
    value: nn.Module,
    batching: Batching,
    settings: Ppo,
    before_batch: Callable[[], object] = lambda: None,
) -> list[Sums]:
    """Backward through both models for the prompts of a minibatch; what was seen, by micro-batch."""

    def responses(prompts: Sequence[int]) -> Tensor:
        return responses_of(prompts, responses_per_prompt=settings.responses_per_prompt, device=batching.device)

    tokens = rollouts.mask[responses(minibatch)].sum()
    told = []
    for batch, layout in batching.layouts(rollouts.exchanges, among=minibatch):
        before_batch()
        told.append(
            add_gradients_of_batch(
                rollouts, layout, responses(batch), policy=policy, value=value, tokens=tokens, settings=settings
            )
        )
    return told


def add_gradients_of_batch(
    rollouts: Rollouts,
    layout: Layout,
    among: Tensor,
    *,
    policy: nn.Module,
    value: nn.Module,
    tokens: Tensor,
    settings: Ppo,
) -> Sums:
    """Backward through both models for the responses numbered `among`, in the order of the layout.

    tokens: response tokens in the whole minibatch.
    """
    mask = rollouts.mask[among]
    old_logprobs = rollouts.logprobs[among][mask]
    logprobs, entropy = token_logprobs_and_entropy(
        response_logits(policy, layout), layout.targets, temperature=settings.temperature
    )
    policy_losses = policy_loss(
        logprobs=logprobs,
        old_logprobs=old_logprobs,
        advantages=rollouts.advantages[among][mask],
        clip_range=settings.clip_range,
    )
    (policy_losses.sum() / tokens).backward()
    value_losses = value_loss(
        values=value(layout, layout.before),
        returns=rollouts.returns[among][mask],
        old_values=rollouts.values[among][mask],
        clip_range=settings.value.clip_range,
    )
    (value_losses.sum() / tokens).backward()
    log_ratio = logprobs.detach() - old_logprobs
    ratio = log_ratio.exp()
    return {
        "policy_loss": policy_losses.detach().sum(),
        "value_loss": value_losses.detach().sum(),
        "entropy": entropy.sum(),
        "approx_kl": approximate_kl(log_ratio).sum(),
        "clip_share": ((ratio - 1).abs() > settings.clip_range).sum(),
        "ratio_max": ratio.max(),
        "ratio_error": (ratio - 1).abs().max(),
    }


def summarise(told: Sequence[Sums], *, tokens: int) -> dict[str, float]:
    """Means per token of an iteration's update, and the largest ratio."""
    means = {
        name: float(torch.stack([sums[name] for sums in told]).sum()) / tokens
        for name in ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_share")
    }
    return means | {"ratio_max": float(torch.stack([sums["ratio_max"] for sums in told]).max())}
