"""Whether the sampler's own logprobs may stand in the rollouts, so that the policy need not read them a second time.

In bfloat16 they may not: what is sampled token by token and what is read in one pass are percents apart. In float32
both are the same to a hundred-thousandth where the sampler is the model that learns, and it is measured whether it is:
the policy reads the first iteration and every tenth, and the first minibatch of any other is compared before its step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.rlhf.rollouts import Rollouts

TOLERANCE = 1e-4
READ_EVERY = 10


@dataclass
class SamplerTrust:
    """allowed: in float32. agreed: whether sampler and policy did when they were last compared."""

    allowed: bool
    agreed: bool = False

    def reads(self, iteration: int) -> bool:
        """Whether the policy reads the rollouts of this iteration itself."""
        return not (self.allowed and self.agreed) or iteration % READ_EVERY == 0

    def compare(self, error: float) -> bool:
        """error: the largest that was seen. Returns whether trust ends here."""
        ends, self.agreed = self.agreed and not error <= TOLERANCE, error <= TOLERANCE
        return ends


def sampler_error(rollouts: Rollouts, logprobs: Sequence[Sequence[float]]) -> dict[str, float]:
    """How far the sampler's logprobs are from those that every model's reading gave, over response tokens, in nats."""
    said = torch.tensor([logprob for response in logprobs for logprob in response])
    error = (said - rollouts.logprobs[rollouts.mask].cpu()).abs()
    return {"sampler_error_max": float(error.max()), "sampler_error_mean": float(error.mean())}
