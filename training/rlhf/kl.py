"""How far a policy is from its reference, what that costs it, and when it has gone too far.

`logprobs - ref_logprobs` of a sampled token is an unbiased, signed estimate of the KL at that token. It is never
clipped, squared or made positive: each of those moves the optimum of the penalised objective. Nats everywhere.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.rlhf.losses import same_shapes


def token_rewards(*, scores: Tensor, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor, kl_coef: float) -> Tensor:
    """The reward of every action, (R, T): the KL penalty at each, and the score on exactly the last.

    scores: (R,), what the whole response is worth. logprobs, ref_logprobs: (R, T) of the sampled tokens under the
    policy and its reference. mask: (R, T) bool, the tokens of each response, without gaps from the left.
    Outside the mask rewards are 0. Source: Ouyang et al. 2022, equation 2, without its ptx term.
    """
    same_shapes(logprobs, ref_logprobs, mask)
    rewards = torch.where(mask, -kl_coef * (logprobs - ref_logprobs), 0.0)
    rows = torch.arange(len(scores), device=scores.device)
    rewards[rows, mask.sum(1) - 1] += scores
    return rewards


def sequence_kl(*, logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor) -> Tensor:
    """(R,) signed estimates of the KL of responses, sums over tokens. Their mean estimates KL(policy || reference)."""
    same_shapes(logprobs, ref_logprobs, mask)
    return torch.where(mask, logprobs - ref_logprobs, 0.0).sum(1)


def approximate_kl(log_ratio: Tensor) -> Tensor:
    """(N,) values r - 1 - log r of samples of the old policy: a KL estimate of low variance, for watching only.

    Source: Schulman 2020, http://joschu.net/blog/kl-approx.html ("k3").
    """
    return log_ratio.expm1() - log_ratio


@dataclass
class KlCoefficient:
    """The price of a nat: fixed, or steered so that the KL of a response comes to `target_nats`.

    The adaptive rule is that of Ziegler et al. 2019, section 2.2 (https://arxiv.org/abs/1909.08593): an error of at
    most a fifth of the target, in proportion to the share of the horizon that an iteration's episodes are.
    """

    value: float
    target_nats: float | None = None
    horizon_episodes: int = 10_000

    def observe(self, *, kl: float, episodes: int) -> None:
        """After an iteration with this mean KL per response; does nothing where the coefficient is fixed."""
        if self.target_nats is not None:
            error = min(max(kl / self.target_nats - 1, -0.2), 0.2)
            self.value *= 1 + error * episodes / self.horizon_episodes


def is_impossibly_negative(iterations: list[tuple[float, float]]) -> bool:
    """Whether five iterations in a row measured a KL below minus three standard errors: (mean, standard error) of each.

    A KL is never negative; an estimate may be by chance, but not like this: it means that the logprobs of policy and
    reference are not of the same tokens or not at the temperature of the samples.
    """
    latest = iterations[-5:]
    return len(latest) == 5 and all(mean < -3 * error for mean, error in latest)
