"""Log probabilities of tokens under a large vocabulary, in one tensor of logits instead of five.

On a CPU a softmax over thousands of words costs less in arithmetic than in fetching memory. It is computed a few rows
at a time, so that what lies between logits and answer stays in the cache, and the gradient is written over the logits.
"""

from typing import Any

import torch
from torch import Tensor

PIECE_NUMBERS = {"cpu": 2**18, "cuda": 2**26}
"""Logits that are worked on at a time: a megabyte of float32 fits a core's cache; a GPU wants few large pieces."""


class TargetLogprobs(torch.autograd.Function):
    """(N,) log probability of each target under logits (N, V), and (N,) the entropy of each row, which has no gradient.

    The backward pass writes its gradient into the logits: nobody may read them afterwards, and it runs once.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, want_entropy: bool) -> tuple[Tensor, Tensor]:
        logprobs, entropy = logits.new_empty(len(logits)), logits.new_zeros(len(logits))
        for rows in pieces(logits):
            log_distribution = logits[rows].log_softmax(-1)
            logprobs[rows] = log_distribution.gather(1, targets[rows, None])[:, 0]
            if want_entropy:
                entropy[rows] = -(log_distribution.exp().mul_(log_distribution)).sum(-1)
        ctx.save_for_backward(logits, targets)
        ctx.mark_non_differentiable(entropy)
        return logprobs, entropy

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        """One at the target less the softmax, times the gradient of each row."""
        logits, targets = ctx.saved_tensors
        for rows in pieces(logits):
            of_row = gradient[rows, None]
            changed = logits[rows].softmax(-1).mul_(-of_row)
            logits[rows] = changed.scatter_add_(1, targets[rows, None], of_row)
        return logits, None, None


def pieces(logits: Tensor) -> list[slice]:
    """Rows that are worked on together."""
    size = max(1, PIECE_NUMBERS.get(logits.device.type, 2**26) // logits.shape[1])
    return [slice(start, start + size) for start in range(0, len(logits), size)]
