"""Score against KL: what PPO has to be set beside before its gain is claimed.

The reference itself at lower temperatures, and the best of n of its responses by the same reward model, on the same
held-out prompts. Best-of-n needs no training: what PPO gains has to be more for the same distance.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from training.rlhf.batching import Batching, responses_of, score
from training.rlhf.chance import generator
from training.rlhf.contract.exit_codes import NotFinite
from training.rlhf.contract.stages import Beside
from training.rlhf.intervals import interval
from training.rlhf.layouts import Exchange, response_logits
from training.rlhf.losses import token_logprobs
from training.rlhf.prompts import EncodedPrompts
from training.rlhf.rollouts import Cast
from training.rlhf.sampling import Limits, sample_responses

Point = dict[str, Any]
"""kind: policy, temperature or best_of. at: the iteration, the temperature or n. kl (nats a response), score and
response_tokens: intervals over prompts; the kl of best_of is an upper bound and has none."""


def kl_of_best_of(n: int) -> float:
    """log n - (n - 1)/n nats: at most this far is the best of n responses from the distribution they were drawn from.

    Source: Stiennon et al. 2020, appendix G.3; that it bounds: Beirami et al. 2024 (https://arxiv.org/abs/2401.01879).
    """
    return math.log(n) - (n - 1) / n


def expected_best(scores: Sequence[float], also: Sequence[float], *, n: int) -> tuple[float, float]:
    """Mean of the best score over all ways to draw n of these N, and the mean of what else the best one has.

    Of N draws once, without the noise of choosing n of them. Raises ValueError if n is more than N.
    """
    many = len(scores)
    if n > many:
        raise ValueError(f"n is {n}; expected at most the {many} responses there are")
    order = sorted(range(many), key=lambda place: (scores[place], -place))
    weights = [math.comb(rank, n - 1) / math.comb(many, n) for rank in range(many)]
    return (
        sum(weight * scores[place] for weight, place in zip(weights, order, strict=True)),
        sum(weight * also[place] for weight, place in zip(weights, order, strict=True)),
    )


@torch.no_grad()
def reference_points(
    cast: Cast,
    prompts: EncodedPrompts,
    beside: Beside,
    *,
    temperature: float,
    stop_token_ids: Sequence[int],
    limits: Limits,
    batching: Batching,
    sampling_tokens: int,
    seed: int,
    before_batch: Callable[[], object] = lambda: None,
) -> list[Point]:
    """The reference at each temperature and its best of each n. temperature: what distances are measured from."""

    def draw(at: float, copies: int) -> list[Exchange]:
        answers = sample_responses(
            cast.reference, prompts.token_ids, responses_per_prompt=copies, stop_token_ids=stop_token_ids,
            limits=limits, temperature=at, generator=generator(seed, f"beside {at:g}"), batch_tokens=sampling_tokens,
            before_batch=before_batch,
        )  # fmt: skip
        return [
            Exchange(prompt, [one.token_ids for one in group])
            for prompt, group in zip(prompts.token_ids, answers, strict=True)
        ]

    def scored(exchanges: list[Exchange]) -> list[list[float]]:
        shifts = [cast.reward.shift(condition) for condition in prompts.conditions]
        return score(cast.reward, exchanges, batching=batching, before_batch=before_batch, shifts=shifts)

    points = []
    for at in beside.temperatures:
        exchanges = draw(at, 1)
        kl = distances(cast, exchanges, at=at, temperature=temperature, batching=batching, before_batch=before_batch)
        points.append(_point("temperature", at, interval(kl), [said[0] for said in scored(exchanges)],
                             [float(len(one.responses[0])) for one in exchanges]))  # fmt: skip
    if beside.best_of:
        exchanges = draw(temperature, max(beside.best_of))
        scores = scored(exchanges)
        lengths = [[float(len(response)) for response in exchange.responses] for exchange in exchanges]
        for n in beside.best_of:
            best = [expected_best(said, long, n=n) for said, long in zip(scores, lengths, strict=True)]
            points.append(
                _point("best_of", n, {"mean": kl_of_best_of(n)}, [one for one, _ in best], [long for _, long in best])
            )
    return points


def distances(
    cast: Cast,
    exchanges: Sequence[Exchange],
    *,
    at: float,
    temperature: float,
    batching: Batching,
    before_batch: Callable[[], object] = lambda: None,
) -> list[float]:
    """How far the reference at one temperature is from itself at another, in nats a response, one response a prompt.

    Signed estimates at sampled tokens, as everywhere. At 0 the token is certain, and its own log p is 0.
    Raises NotFinite for a distance that is infinite or none, as where logits are divided by next to nothing.
    """
    found = torch.zeros(len(exchanges), device=batching.device)
    for batch, layout in batching.layouts(exchanges):
        before_batch()
        logits = response_logits(cast.reference, layout)
        own = token_logprobs(logits, layout.targets, temperature=at) if at else 0.0
        apart = own - token_logprobs(logits, layout.targets, temperature=temperature)
        among = responses_of(batch, responses_per_prompt=1, device=batching.device)
        found.index_add_(0, among[layout.response], apart)
    if not bool(found.isfinite().all()):
        raise NotFinite(
            f"the distance of the reference at temperature {at:g} from itself at {temperature:g} is not finite for "
            f"{int((~found.isfinite()).sum())} of {len(found)} prompts; leave this temperature out of ppo.beside"
        )
    return [float(one) for one in found]


def policy_point(iteration: int, measured: dict[str, list[float]], *, among: Sequence[int]) -> Point:
    """What was measured of the policy after this iteration, on the prompts of these numbers."""
    kl, scores, lengths = ([measured[name][place] for place in among] for name in ("kl", "score", "response_tokens"))
    return _point("policy", iteration, interval(kl), scores, lengths)


def _point(kind: str, at: float, kl: Any, scores: Sequence[float], lengths: Sequence[float]) -> Point:
    return {
        "kind": kind, "at": at, "kl": dict(kl), "score": dict(interval(scores)),
        "response_tokens": dict(interval(lengths)),
    }  # fmt: skip
