"""Faults of PPO that the bandit shows: each stands in for a function of the code and misses the optimum.

Not seen there: EOS left out of the policy loss, a wrong temperature in the update, a mean per sequence (rules 7, 11 and
20 have tests for those), and a shift of all advantages, which moves no optimum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from training.rlhf import improving, rollouts
from training.rlhf.advantages import whiten
from training.rlhf.kl import approximate_kl, token_rewards
from training.rlhf.losses import policy_loss


def one_position_early(*, mask: Tensor, scores: Tensor, **given: Any) -> Tensor:
    rewards = token_rewards(mask=mask, scores=torch.zeros_like(scores), **given)
    rewards[torch.arange(len(scores)), (mask.sum(1) - 2).clamp(min=0)] += scores
    return rewards


def past_the_stop(*, mask: Tensor, scores: Tensor, **given: Any) -> Tensor:
    rewards = token_rewards(mask=mask, scores=torch.zeros_like(scores), **given)
    rewards[torch.arange(len(scores)), mask.sum(1).clamp(max=mask.shape[1] - 1)] += scores
    return torch.where(mask, rewards, 0.0)


def low_variance_estimate(*, logprobs: Tensor, ref_logprobs: Tensor, kl_coef: float, **given: Any) -> Tensor:
    rewards = token_rewards(logprobs=logprobs, ref_logprobs=ref_logprobs, kl_coef=0.0, **given)
    return rewards - kl_coef * torch.where(given["mask"], approximate_kl(ref_logprobs - logprobs), 0.0)


def made_positive(*, logprobs: Tensor, ref_logprobs: Tensor, **given: Any) -> Tensor:
    away = (logprobs - ref_logprobs).abs()
    return token_rewards(logprobs=away, ref_logprobs=torch.zeros_like(away), **given)


def mean_over_the_response(*, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor, **given: Any) -> Tensor:
    away = (logprobs - ref_logprobs) / mask.sum(1, keepdim=True)
    return token_rewards(logprobs=away, ref_logprobs=torch.zeros_like(away), mask=mask, **given)


def clipped_score(*, scores: Tensor, **given: Any) -> Tensor:
    return token_rewards(scores=scores.clamp(-0.5, 0.5), **given)


def shifted_whitening(*, mask: Tensor, **given: Any) -> Tensor:
    rewards = token_rewards(mask=mask, **given)
    valid = rewards[mask]
    return torch.where(mask, (rewards - valid.mean()) / valid.std(), 0.0)


def no_penalty(*, kl_coef: float, **given: Any) -> Tensor:
    return token_rewards(kl_coef=0.0, **given)


def penalty_of_the_other_sign(*, kl_coef: float, **given: Any) -> Tensor:
    return token_rewards(kl_coef=-kl_coef, **given)


def inverted_ratio(*, logprobs: Tensor, old_logprobs: Tensor, **given: Any) -> Tensor:
    return policy_loss(logprobs=old_logprobs, old_logprobs=logprobs, **given)


def whitened_by_response(advantages: Tensor, *, mask: Tensor) -> Tensor:
    rows = [whiten(row[None], mask=kept[None]) for row, kept in zip(advantages, mask, strict=True)]
    return torch.cat(rows)


@dataclass(frozen=True)
class BanditFault:
    """instead stands in for the function of this name in the module that calls it."""

    module: ModuleType
    name: str
    instead: Callable[..., Tensor]


FAULTS = (
    *(
        BanditFault(rollouts, "token_rewards", instead)
        for instead in (
            one_position_early, past_the_stop, low_variance_estimate, made_positive, mean_over_the_response,
            clipped_score, shifted_whitening, no_penalty, penalty_of_the_other_sign,
        )
    ),
    BanditFault(improving, "policy_loss", inverted_ratio),
    BanditFault(rollouts, "whiten", whitened_by_response),
)  # fmt: skip
