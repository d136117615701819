"""What one iteration of PPO learns from: sampled responses, read once by every model, turned into advantages.

A response is a row of T columns, its tokens from the left, a bool mask where they are. Everything that the update
needs is computed here, before the first step, and stays as it is; improving.py takes the steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from training.rlhf.advantages import generalised_advantages, whiten
from training.rlhf.batching import Batching, responses_of
from training.rlhf.contract.exit_codes import NotFinite
from training.rlhf.contract.stages import MissingStop, Ppo
from training.rlhf.ensemble import Ensemble, spread_of
from training.rlhf.kl import token_rewards
from training.rlhf.layouts import Exchange, response_logits, response_mask, to_rows
from training.rlhf.losses import token_logprobs
from training.rlhf.models import ScalarModel
from training.rlhf.scaling import RunningSpread
from training.rlhf.steps import named


@dataclass(frozen=True)
class Cast:
    """The models of a run and the part each plays. All in evaluation mode: dropout would make every ratio noise.

    policy and reference are causal language models; the others give a number where they are asked to. The value model
    starts from the reward model; of an ensemble, from its first member.
    """

    policy: PreTrainedModel
    reference: PreTrainedModel
    value: ScalarModel
    reward: Ensemble
    watch: tuple[Ensemble, ...] = ()

    def eval(self) -> "Cast":
        for model in (self.policy, self.reference, self.value, self.reward, *self.watch):
            model.eval()
        return self


@dataclass(frozen=True, slots=True)
class Rollouts:
    """One iteration: P prompts, R = P * K responses in their order; (R, T) tensors are 0 outside the mask.

    ended: (R,) bool, whether a response stopped by itself.
    scores: (R,) as the reward model gives them. final_scores: (R,) after what a missing stop costs.
    spread: (R,) how far the members of the reward model are apart; 0 for a lone one.
    watched: (R,) scores of each reward model that is only watched.
    advantages, returns: (R, T), of `final_scores` and the KL penalty.
    scale: what final_scores are divided by, these scores in it; None where they are left alone.
    """

    exchanges: Sequence[Exchange]
    mask: Tensor
    ended: Tensor
    logprobs: Tensor
    ref_logprobs: Tensor
    values: Tensor
    scores: Tensor
    spread: Tensor
    watched: tuple[Tensor, ...]
    final_scores: Tensor
    advantages: Tensor
    returns: Tensor
    scale: RunningSpread | None


@torch.no_grad()
def read_rollouts(
    exchanges: Sequence[Exchange],
    *,
    ended: Sequence[bool],
    cast: Cast,
    batching: Batching,
    settings: Ppo,
    kl_coef: float,
    step: int = 0,
    names: Sequence[str] | None = None,
    conditions: Sequence[str | None] | None = None,
    scale: RunningSpread | None = None,
    before_batch: Callable[[], object] = lambda: None,
    logprobs: Sequence[Sequence[float]] | None = None,
) -> Rollouts:
    """Every model reads every micro-batch once; then come the rewards and advantages of the whole iteration.

    logprobs: of each response's tokens by the sampler, where they may stand in the rollouts (trust.py): the policy then
    reads nothing here. In bfloat16 they may not: another engine's are off by percents.
    step, names: the iteration and the ids of its prompts, to be named in a complaint.
    conditions: what each prompt tells, where reward models have a zero of their own for it.
    scale: the spread of earlier scores, where scores are to be divided by it and these ones' together.
    Raises NotFinite if a model answers with a number that is none.
    """
    cast.eval()
    lengths = torch.tensor([len(response) for e in exchanges for response in e.responses], device=batching.device)
    mask = response_mask(lengths)
    policy_logprobs, ref_logprobs, values = (torch.zeros(mask.shape, device=batching.device) for _ in range(3))
    readers = [(ref_logprobs, cast.reference)]
    if logprobs is None:
        readers.append((policy_logprobs, cast.policy))
    else:
        sampled = torch.tensor([one for response in logprobs for one in response], device=batching.device)
        policy_logprobs = to_rows(sampled, mask=mask)
    scores = torch.zeros(1 + len(cast.watch), len(lengths), device=batching.device)
    spread = torch.zeros(len(lengths), device=batching.device)
    for batch, layout in batching.layouts(exchanges):
        before_batch()
        among = responses_of(batch, responses_per_prompt=settings.responses_per_prompt, device=batching.device)
        for rows, model in readers:
            logits = response_logits(model, layout)
            said = token_logprobs(logits, layout.targets, temperature=settings.temperature)
            rows[among] = to_rows(said, mask=mask[among])
        values[among] = to_rows(cast.value(layout, layout.before), mask=mask[among])
        for place, scorer in enumerate((cast.reward, *cast.watch)):
            of_members = scorer.of_members(layout, layout.last)
            scores[place, among] = of_members.mean(0)
            if place == 0:
                spread[among] = spread_of(of_members)
    if conditions is not None:
        for column, scorer in zip(scores, (cast.reward, *cast.watch), strict=True):
            shifts = torch.tensor([scorer.shift(condition) for condition in conditions], device=batching.device)
            column += shifts.repeat_interleave(settings.responses_per_prompt)
    ids = [str(number) for number in range(len(exchanges))] if names is None else names
    for what, numbers in (("scores", scores.T), ("values", values), ("logprobs", policy_logprobs + ref_logprobs)):
        refuse_not_finite(what, numbers, step=step, prompts=ids)
    stopped = torch.tensor(ended, device=batching.device)
    final_scores = charge_missing_stops(scores[0], ended=stopped, missing_stop=settings.missing_stop)
    if scale is not None:
        scale = scale.with_more(final_scores)
        final_scores = final_scores / scale.value
    rewards = token_rewards(
        scores=final_scores, logprobs=policy_logprobs, ref_logprobs=ref_logprobs, mask=mask, kl_coef=kl_coef
    )
    advantages, returns = generalised_advantages(
        rewards=rewards, values=values, mask=mask, gamma=settings.gamma, gae_lambda=settings.gae_lambda
    )
    if settings.whiten_advantages == "iteration":
        advantages = whiten(advantages, mask=mask)
    return Rollouts(
        exchanges=exchanges, mask=mask, ended=stopped, logprobs=policy_logprobs, ref_logprobs=ref_logprobs,
        values=values, scores=scores[0], spread=spread, watched=tuple(scores[1:]), final_scores=final_scores,
        advantages=advantages, returns=returns, scale=scale,
    )  # fmt: skip


def refuse_not_finite(what: str, numbers: Tensor, *, step: int, prompts: Sequence[str]) -> None:
    """Raises NotFinite, naming the prompts, if a row of numbers (R, N) is not finite. R: the responses to P prompts."""
    bad = ~numbers.isfinite().all(1)
    if bad.any():
        responses_per_prompt = len(numbers) // len(prompts)
        ids = dict.fromkeys(prompts[int(row) // responses_per_prompt] for row in bad.nonzero())
        raise NotFinite(f"{what} are not finite at step {step}, of responses to {named(list(ids))}")


def charge_missing_stops(scores: Tensor, *, ended: Tensor, missing_stop: MissingStop) -> Tensor:
    """(R,) scores, those of responses that were cut off lowered by a fixed amount (or, by config, replaced)."""
    if missing_stop.mode == "replace":
        return torch.where(ended, scores, missing_stop.value)
    return torch.where(ended, scores, scores - missing_stop.value)
