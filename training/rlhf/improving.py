"""The steps of one PPO iteration: policy and value model improved on its rollouts, minibatch by minibatch.

A minibatch is one optimizer step of each model. It is cut into micro-batches that fit, and every loss is divided by
the count of response tokens in the whole minibatch, so that the cut changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.rlhf.batching import Batching, responses_of
from training.rlhf.contract.exit_codes import NotFinite
from training.rlhf.contract.stages import Ppo
from training.rlhf.kl import approximate_kl
from training.rlhf.layouts import Layout, response_logits
from training.rlhf.losses import policy_loss, token_logprobs_and_entropy, value_loss
from training.rlhf.rollouts import Rollouts

Sums = dict[str, Tensor]
"""Of one micro-batch: sums over its response tokens, and under `ratio_max` and `ratio_error` largest values."""


@dataclass(frozen=True)
class Learner:
    """A model that takes steps, with its optimizer. clip_norm: the gradient's norm is cut to this."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    clip_norm: float


def improve(
    rollouts: Rollouts,
    *,
    policy: Learner,
    value: Learner,
    batching: Batching,
    settings: Ppo,
    order: torch.Generator,
    before_batch: Callable[[], object] = lambda: None,
    after_step: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """`settings.epochs` times over the rollouts. Returns means over their tokens, for the log.

    order: which prompts share a minibatch; a generator on the CPU.
    before_batch, after_step: called before each micro-batch, and after each optimizer step.
    Raises NotFinite, naming the prompts by number, before a gradient that is not finite touches the weights.
    """
    prompts_per_step = settings.minibatch_episodes // settings.responses_per_prompt
    told: list[Sums] = []
    first_error: float | None = None
    for _ in range(settings.epochs):
        shuffled = torch.randperm(len(rollouts.exchanges), generator=order).tolist()
        for start in range(0, len(shuffled), prompts_per_step):
            minibatch = shuffled[start : start + prompts_per_step]
            told += add_gradients(
                rollouts, minibatch, policy=policy.model, value=value.model, batching=batching, settings=settings,
                before_batch=before_batch,
            )  # fmt: skip
            if first_error is None:
                first_error = max(float(sums["ratio_error"]) for sums in told)
            take_step(policy, value, prompts=minibatch)
            after_step()
    tokens = int(rollouts.mask.sum()) * settings.epochs
    return summarise(told, tokens=tokens) | {"ratio_first_error": first_error or 0.0}


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


def take_step(*learners: Learner, prompts: Sequence[int]) -> list[float]:
    """One optimizer step of each model, after cutting its gradient; the gradients are then gone. Returns their norms.

    Raises NotFinite before any weight is touched.
    """
    norms = [float(nn.utils.clip_grad_norm_(learner.model.parameters(), learner.clip_norm)) for learner in learners]
    if not all(norm < float("inf") for norm in norms):  # NaN is not below anything
        raise NotFinite(f"the gradients have norms {norms} on prompts {sorted(prompts)}")
    for learner in learners:
        learner.optimizer.step()
        learner.optimizer.zero_grad(set_to_none=True)
    return norms


def summarise(told: Sequence[Sums], *, tokens: int) -> dict[str, float]:
    """Means per token of an iteration's update, and the largest ratio."""
    means = {
        name: float(torch.stack([sums[name] for sums in told]).sum()) / tokens
        for name in ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_share")
    }
    return means | {"ratio_max": float(torch.stack([sums["ratio_max"] for sums in told]).max())}
