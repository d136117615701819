"""A language small enough to enumerate: three letters and an end, at most four actions, 121 responses.

The optimum of the penalised objective is known in closed form, so that PPO can be held against the truth. Models here
have the interfaces of the real ones and go through the same code.
"""

import itertools
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from training.rlhf.layouts import Exchange, Layout, padded, read, response_logits
from training.rlhf.losses import token_logprobs
from training.rlhf.rollouts import Cast

START, STOP, LETTERS, ACTIONS = 4, 0, (1, 2, 3), 4
KL_COEF = 0.5
NOT_ENDED_SCORE = -1.0

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
