"""A language small enough to enumerate: three letters and an end, at most four actions, 121 responses.

The optimum of the penalised objective is known in closed form, so that PPO can be held against the truth. Models here
have the interfaces of the real ones and go through the same code.
"""

import copy
import itertools
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from tests.rlhf.tiny_models import tiny_llama
from training.rlhf.batching import Batching
from training.rlhf.contract.stages import Kl, MissingStop, Ppo
from training.rlhf.ensemble import Ensemble
from training.rlhf.improving import Learner, improve
from training.rlhf.layouts import Exchange, Layout, padded, read, response_logits
from training.rlhf.losses import token_logprobs
from training.rlhf.models import ScalarModel
from training.rlhf.rollouts import Cast, read_rollouts

START, STOP, LETTERS, ACTIONS = 4, 0, (1, 2, 3), 4
KL_COEF = 0.5
NOT_ENDED_SCORE = -1.0
EPISODES = 512
TABULAR_RATE, LLAMA_RATE = 0.05, 0.003

RESPONSES: list[list[int]] = [
    [*letters, STOP] for length in range(ACTIONS) for letters in itertools.product(LETTERS, repeat=length)
] + [list(letters) for letters in itertools.product(LETTERS, repeat=ACTIONS)]
EVERYTHING = [Exchange([START], [response]) for response in RESPONSES]

STATES = 4 ** (ACTIONS + 1)


def states(ids: Tensor) -> Tensor:
    """(B, T) ids -> (B, T) a number for everything read so far: base 4, the start as 0."""
    found = torch.zeros_like(ids)
    for column in range(1, ids.shape[1]):
        found[:, column] = (found[:, column - 1] * 4 + ids[:, column]) % STATES
    return found


class TabularPolicy(nn.Module):
    """A free row of logits for every state: what a network could at best be."""

    def __init__(self, *, spread: float, seed: int) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(spread * torch.randn(STATES, 5, generator=chance))

    def forward(self, input_ids: Tensor, logits_to_keep: Tensor, **ignored: object) -> SimpleNamespace:
        logits = self.table[states(input_ids)[logits_to_keep]]
        return SimpleNamespace(logits=torch.cat([logits[:, :4], torch.full_like(logits[:, 4:], -1e4)], dim=1))


class LlamaPolicy(nn.Module):
    """A real network of two layers, which never says the start again."""

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        self.model = tiny_llama(seed=seed, vocabulary=5)

    def forward(self, **given: Any) -> SimpleNamespace:
        logits = self.model(**given).logits
        return SimpleNamespace(logits=torch.cat([logits[..., :4], torch.full_like(logits[..., 4:], -1e4)], dim=-1))


class TabularValue(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(STATES))

    def forward(self, layout: Layout, where: Tensor) -> Tensor:
        return read(self.table[states(layout.ids)], where)


class TrueScores(nn.Module):
    """Uniform in (-1, 1) for every response that ends."""

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        self.table = torch.rand(STATES, generator=torch.Generator().manual_seed(seed)) * 2 - 1

    def forward(self, layout: Layout, where: Tensor) -> Tensor:
        return read(self.table[states(layout.ids)], where)


def tabular_cast(seed: int) -> Cast:
    reference = TabularPolicy(spread=0.5, seed=seed)
    return Cast(
        policy=copy.deepcopy(reference), reference=reference, value=TabularValue(),
        reward=Ensemble([TrueScores(seed=seed + 100)]),
    )  # fmt: skip


def llama_cast(seed: int) -> Cast:
    """Policy, reference and value model are networks; the scores stay the known ones."""
    reference = LlamaPolicy(seed=seed)
    return Cast(
        policy=copy.deepcopy(reference), reference=reference,
        value=ScalarModel.from_causal_lm(tiny_llama(seed=seed + 50, vocabulary=5), seed=seed),
        reward=Ensemble([TrueScores(seed=seed + 100)]),
    )  # fmt: skip


def train(cast: Cast, *, iterations: int, seed: int, learning_rate: float) -> None:
    """PPO on the bandit, the rate going down to 0."""
    settings = Ppo(
        episodes=iterations * EPISODES, episodes_per_iteration=EPISODES, minibatch_episodes=EPISODES // 4,
        kl=Kl(coef=KL_COEF), gae_lambda=1.0, missing_stop=MissingStop(mode="replace", value=NOT_ENDED_SCORE),
    )  # fmt: skip
    policy, value = (
        Learner(model, torch.optim.Adam(model.parameters(), betas=(0.9, 0.95), eps=1e-5))
        for model in (cast.policy, cast.value)
    )
    batching = Batching(tokens=100_000, shared=False)
    chance = torch.Generator().manual_seed(seed)
    for iteration in range(iterations):
        for learner in (policy, value):
            learner.optimizer.param_groups[0]["lr"] = learning_rate * (1 - iteration / iterations)
        exchanges, ended = draw_responses(cast.policy, EPISODES, generator=chance)
        rollouts = read_rollouts(
            exchanges, ended=ended, cast=cast, batching=batching, settings=settings, kl_coef=KL_COEF
        )
        improve(rollouts, policy=policy, value=value, batching=batching, settings=settings, clip_norm=1.0, order=chance)


def draw_responses(policy: nn.Module, count: int, *, generator: torch.Generator) -> tuple[list[Exchange], list[bool]]:
    """Responses drawn from the policy's exact distribution over all of them."""
    with torch.no_grad():
        drawn = torch.multinomial(response_logprobs(policy).exp(), count, replacement=True, generator=generator)
    responses = [RESPONSES[number] for number in drawn.tolist()]
    return [Exchange([START], [response]) for response in responses], [r[-1] == STOP for r in responses]


def response_logprobs(policy: nn.Module) -> Tensor:
    """(121,) log probability of every response."""
    layout = padded_everything()
    logprobs = token_logprobs(response_logits(policy, layout), layout.targets)
    return torch.zeros(len(RESPONSES)).index_add(0, layout.response, logprobs)


def true_scores(reward: nn.Module) -> Tensor:
    """(121,) what each response is worth, unended ones included."""
    layout = padded_everything()
    ended = torch.tensor([response[-1] == STOP for response in RESPONSES])
    return torch.where(ended, reward(layout, layout.last), NOT_ENDED_SCORE)


def distance_to_optimum(cast: Cast, *, kl_coef: float = KL_COEF) -> float:
    """KL(policy || optimum) in nats, the optimum being the reference times exp(score / kl_coef)."""
    with torch.no_grad():
        optimum = (response_logprobs(cast.reference) + true_scores(cast.reward) / kl_coef).log_softmax(0)
        policy = response_logprobs(cast.policy)
        return float((policy.exp() * (policy - optimum)).sum())


def padded_everything() -> Layout:
    return padded(EVERYTHING)
