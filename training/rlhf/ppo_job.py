"""What a run of PPO works with, and how its policy answers: shared by the loop and by what is measured beside it."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from training.rlhf.batching import Batching
from training.rlhf.contract.stages import Ppo
from training.rlhf.frontier import Point
from training.rlhf.improving import Learner
from training.rlhf.kl import KlCoefficient, sequence_kl
from training.rlhf.layouts import Exchange
from training.rlhf.prompts import EncodedPrompts
from training.rlhf.rollouts import Cast, Rollouts
from training.rlhf.run import Run
from training.rlhf.sampling import Limits, sample_responses
from training.rlhf.scaling import RunningSpread
from training.rlhf.steps import Ema
from training.rlhf.texts import Windows
from training.rlhf.tokens import ChatTokens
from training.rlhf.trust import SamplerTrust

SAMPLING_TOKENS = 8
"""Times micro_batch_tokens may be held in a cache: sampling keeps no activations."""

Measured = dict[str, list[float]]
"""Of each held-out prompt's response: score, final_score, kl, response_tokens, ended."""


@dataclass(frozen=True)
class Sampled:
    """Prompts with their responses, R in all and in their order.

    logprobs: of each response's tokens as the sampler computed them. ended: whether the response stopped by itself.
    """

    exchanges: list[Exchange]
    logprobs: list[list[float]]
    ended: list[bool]


@dataclass
class Job:
    """Everything the loop works with."""

    run: Run
    tokens: ChatTokens
    cast: Cast
    policy: Learner
    value: Learner
    ema: Ema
    kl: KlCoefficient
    prompts: EncodedPrompts
    held_out: EncodedPrompts
    pretraining: Windows | None
    shared: bool
    kl_history: list[tuple[float, float]]
    """Mean KL of a response and its standard error, of the last iterations."""
    ptx_coef: float | None
    """None until the first iteration has set it, where it is to be set from gradient norms."""
    scale: RunningSpread | None
    """Of all scores learned from so far, where they are divided by it."""
    sampler: SamplerTrust
    """Whether the sampler's logprobs stand in the rollouts, or the policy reads them anew."""
    before: Measured | None = None
    on_the_way: list[Point] = field(default_factory=list)

    @property
    def settings(self) -> Ppo:
        assert self.run.config.ppo is not None
        return self.run.config.ppo

    @property
    def batching(self) -> Batching:
        return Batching(tokens=self.run.micro_batch_tokens, shared=self.shared, device=self.run.device)


def answer(
    job: Job, prompts: EncodedPrompts, among: Sequence[int], *, responses_per_prompt: int, chance: torch.Generator
) -> Sampled:
    lengths = job.run.config.lengths
    chosen = [prompts.token_ids[number] for number in among]
    answers = sample_responses(
        job.cast.policy, chosen, responses_per_prompt=responses_per_prompt,
        stop_token_ids=job.tokens.stop_token_ids, limits=Limits(lengths.response_tokens, lengths.context_tokens),
        temperature=job.settings.temperature, generator=chance,
        batch_tokens=SAMPLING_TOKENS * job.run.micro_batch_tokens, before_batch=job.run.poll,
        names=[prompts.ids[number] for number in among],
    )  # fmt: skip
    exchanges = [
        Exchange(prompt, [response.token_ids for response in group])
        for prompt, group in zip(chosen, answers, strict=True)
    ]
    responses = [response for group in answers for response in group]
    return Sampled(exchanges, [response.logprobs for response in responses], [response.ended for response in responses])


def kl_of(rollouts: Rollouts) -> torch.Tensor:
    return sequence_kl(logprobs=rollouts.logprobs, ref_logprobs=rollouts.ref_logprobs, mask=rollouts.mask)


@contextlib.contextmanager
def averaged(job: Job) -> Iterator[None]:
    """The policy with its averaged weights inside the block, and with its own again behind it."""
    own = {name: parameter.detach().clone() for name, parameter in job.cast.policy.named_parameters()}
    job.ema.copy_to(job.cast.policy)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, parameter in job.cast.policy.named_parameters():
                parameter.copy_(own[name])
