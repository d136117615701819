"""From rewards and values of every action to advantages and returns: generalised advantage estimation, pure functions.

All tensors are (R, T): R responses, T the actions of the longest, with a bool mask of the actions that exist, from the
left without gaps. values[r, t] is the value of the state before action t; behind the last action there is nothing to
come, so that its value is taken as 0.
"""

import torch
from torch import Tensor

from training.rlhf.losses import same_shapes


def generalised_advantages(
    *, rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, gae_lambda: float
) -> tuple[Tensor, Tensor]:
    """(advantages, returns), both (R, T) and 0 outside the mask. With gamma = lambda = 1: return minus value.

    The sum over k of (gamma * lambda)^k * delta[t + k], delta[t] = reward[t] + gamma * value[t + 1] - value[t].
    Source: Schulman et al. 2016, equation 16 (https://arxiv.org/abs/1506.02438).
    """
    same_shapes(rewards, values, mask)
    values = torch.where(mask, values, 0.0)  # so that the value behind the last action is 0
    advantages = torch.zeros_like(values)
    later_advantage = torch.zeros_like(values[:, 0])
    later_value = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * later_value - values[:, t]
        later_advantage = torch.where(mask[:, t], delta + gamma * gae_lambda * later_advantage, 0.0)
        later_value = values[:, t]
        advantages[:, t] = later_advantage
    return advantages, torch.where(mask, advantages + values, 0.0)


def whiten(advantages: Tensor, *, mask: Tensor) -> Tensor:
    """Advantages of mean 0 and standard deviation 1 over the actions that exist, 0 elsewhere.

    For advantages only, over a whole iteration: a shift of the *rewards* would pay or fine every further token and so
    move the optimum, while an advantage's shift leaves the expected gradient where it was.
    """
    valid = advantages[mask]
    scale = valid.var(correction=0).add(1e-8).rsqrt()
    return torch.where(mask, (advantages - valid.mean()) * scale, 0.0)


def explained_variance(*, values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """Share of the returns' variance that the values foresaw: 1 all of it, 0 no better than their mean, below 0 worse.

    NaN where the returns do not vary.
    """
    same_shapes(values, returns, mask)
    variance = returns[mask].var(correction=0)
    return float(1 - (returns - values)[mask].var(correction=0) / variance) if variance > 0 else float("nan")
