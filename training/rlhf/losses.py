"""The losses of SFT, the reward model and PPO: pure functions that return one value per unit of their stage.

Nothing here averages over a batch. A unit is a response token in SFT and PPO and a prompt in the reward model; whoever
takes the step adds the values up and divides by the count of the whole step, so that a loss does not depend on how the
step was cut into micro-batches or spread over processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from training.rlhf.logprobs import TargetLogprobs


def token_logprobs(logits: Tensor, targets: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Log probability of each target, (N,) in nats, from logits (N, V) divided by the temperature; in float32.

    The same temperature has to stand in sampling, reference and update passes: otherwise the ratio compares two
    different distributions. The softmax of bfloat16 logits is wrong in the second digit, hence float32.
    """
    logprobs, _ = TargetLogprobs.apply(_tempered(logits, temperature), targets, False)
    return logprobs


def token_logprobs_and_entropy(logits: Tensor, targets: Tensor, *, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """`token_logprobs`, and the entropy of each distribution in nats, (N,), without gradient: it is for watching."""
    logprobs, entropy = TargetLogprobs.apply(_tempered(logits, temperature), targets, True)
    return logprobs, entropy


def _tempered(logits: Tensor, temperature: float) -> Tensor:
    logits = at_least_float32(logits)
    return logits if temperature == 1.0 else logits / temperature


def at_least_float32(tensor: Tensor) -> Tensor:
    """bfloat16 becomes float32, float64 stays."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


@dataclass(frozen=True, slots=True)
class Pairs:
    """The comparisons that rankings yield: each says that one response is better than another.

    better, worse: indices of responses among those of the batch.
    prompt: which prompt of the batch the comparison belongs to, from 0.
    weight: how much a comparison counts among those of its prompt.
    """

    better: list[int]
    worse: list[int]
    prompt: list[int]
    weight: list[float]

    @property
    def prompts(self) -> int:
        return self.prompt[-1] + 1 if self.prompt else 0


def untied_pairs(ranks: Sequence[int | None]) -> list[tuple[int, int]]:
    """(better, worse) for every pair of responses that one labeler told apart. Rank 1 is best; None is "not ranked".

    A tie gives no pair, and so does a response that was not ranked.
    """
    return [
        (first, second)
        for first, rank in enumerate(ranks)
        for second, other in enumerate(ranks)
        if rank is not None and other is not None and rank < other
    ]


def collect_pairs(orders_of_prompts: Sequence[Sequence[tuple[Sequence[int | None], float]]]) -> Pairs:
    """All untied pairs of a batch of prompts. For each prompt: the (ranks, weight) of every labeler who judged it.

    Responses are numbered through the batch, prompt after prompt, K of each.
    Raises ValueError for a prompt whose labelers disagree on how many responses there are, or told none apart: such a
    prompt has no loss, and counting it would make the others weigh less.
    """
    pairs = Pairs([], [], [], [])
    first_response = 0
    for prompt, orders in enumerate(orders_of_prompts):
        sizes = {len(ranks) for ranks, _ in orders}
        if len(sizes) != 1:
            raise ValueError(f"the orders of prompt {prompt} are of {sorted(sizes)} responses; expected one number")
        found = [(pair, weight) for ranks, weight in orders for pair in untied_pairs(ranks)]
        if not found:
            raise ValueError(f"prompt {prompt} is all tied: it gives no pair and must be left out")
        for (better, worse), weight in found:
            pairs.better.append(first_response + better)
            pairs.worse.append(first_response + worse)
            pairs.prompt.append(prompt)
            pairs.weight.append(weight)
        first_response += sizes.pop()
    return pairs


def ranking_loss(scores: Tensor, pairs: Pairs) -> Tensor:
    """K-wise Bradley-Terry loss of each prompt, (P,), in nats; log 2 where the scores tell nothing.

    scores: (R,) of all responses of the batch. For each prompt the mean over its untied pairs of
    -log sigmoid(score of the better - score of the worse): every prompt weighs the same whatever its K and however many
    labelers judged it. In float32, since bfloat16 loses the difference of close scores.
    Source: Ouyang et al. 2022, equation 1 (https://arxiv.org/abs/2203.02155).
    """
    scores, device = at_least_float32(scores), scores.device
    better, worse, prompt = (
        torch.tensor(column, device=device) for column in (pairs.better, pairs.worse, pairs.prompt)
    )
    weight = torch.tensor(pairs.weight, dtype=scores.dtype, device=device)
    surprise = -F.logsigmoid(scores[better] - scores[worse])
    total = torch.zeros(pairs.prompts, dtype=scores.dtype, device=device)
    weights = total.index_add(0, prompt, weight)
    return total.index_add(0, prompt, weight * surprise) / weights


def policy_loss(*, logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip_range: float) -> Tensor:
    """PPO's clipped surrogate of each action, (N,), to be minimised.

    logprobs under the policy of now, old_logprobs under the one that sampled, advantages: all (N,), all at one
    temperature. Where the ratio has left 1 +- clip_range in the direction that the advantage wants, the gradient is 0.
    Source: Schulman et al. 2017, equation 7 (https://arxiv.org/abs/1707.06347).
    """
    same_shapes(logprobs, old_logprobs, advantages)
    ratio = (logprobs - old_logprobs).exp()
    clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
    return -torch.minimum(ratio * advantages, clipped * advantages)


def value_loss(
    *, values: Tensor, returns: Tensor, old_values: Tensor | None = None, clip_range: float | None = None
) -> Tensor:
    """Half the squared error of each predicted return, (N,).

    With a clip_range a value may leave its old self by at most that much in one iteration (the larger error counts).
    """
    same_shapes(values, returns)
    error = (values - returns).square()
    if clip_range is not None:
        if old_values is None:
            raise ValueError("a value clip_range needs the values of before the update")
        same_shapes(values, old_values)
        near = old_values + (values - old_values).clamp(-clip_range, clip_range)
        error = torch.maximum(error, (near - returns).square())
    return error / 2


def same_shapes(first: Tensor, *others: Tensor) -> None:
    """Raises ValueError if shapes differ: (N,) against (N, 1) would silently compare all with all."""
    for other in others:
        if other.shape != first.shape:
            raise ValueError(f"shapes {tuple(first.shape)} and {tuple(other.shape)} differ")
