"""Muon beside torch's own, which computes in bfloat16, and beside the orthogonal matrix that it approaches."""

import copy

import pytest
import torch
from torch import nn

from training.rlhf.muon import Muon, orthogonalised

SHAPES = ((6, 6), (12, 5), (5, 12), (6, 6))


def matrices(seed: int = 0) -> list[nn.Parameter]:
    chance = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=chance)) for shape in SHAPES]


def learn(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], *, steps: int) -> None:
    """Every matrix towards ones."""
    for _ in range(steps):
        optimizer.zero_grad()
        torch.stack([(one - 1).square().sum() for one in parameters]).sum().backward()
        optimizer.step()


def test_it_goes_where_torchs_own_goes() -> None:
    ours, theirs = matrices(), matrices()
    settings = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.1}
    learn(Muon(ours, **settings), ours, steps=20)
    learn(torch.optim.Muon(theirs, **settings), theirs, steps=20)
    for one, other, start in zip(ours, theirs, matrices(), strict=True):
        way = (other - start).norm()
        assert way > 0.3
        assert (one - other).norm() < 0.02 * way  # bfloat16 has three digits


@pytest.mark.parametrize("shape", [(8, 8), (16, 6), (6, 16)])
def test_it_keeps_the_directions_of_a_matrix_and_evens_out_their_strength(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    (found,) = orthogonalised(matrix[None])
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    strengths = (left.mT @ found @ right.mT).diagonal()
    assert torch.allclose(found, left @ strengths.diag() @ right, atol=1e-4)
    assert strengths.min() > 0.6
    assert strengths.max() < 1.3


def test_each_of_several_is_orthogonalised_by_itself() -> None:
    several = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(2))
    alone = torch.cat([orthogonalised(one[None]) for one in several])
    assert torch.allclose(orthogonalised(several), alone, atol=1e-6)


def test_a_checkpoint_of_torchs_own_goes_on() -> None:
    ours = matrices()
    theirs = copy.deepcopy(ours)
    before = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.0)
    learn(before, theirs, steps=3)
    after = Muon(ours, lr=0.02)
    after.load_state_dict(before.state_dict())
    assert torch.equal(after.state[ours[1]]["momentum_buffer"], before.state[theirs[1]]["momentum_buffer"])
    learn(after, ours, steps=1)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert torch.equal(orthogonalised(torch.zeros(1, 3, 4)), torch.zeros(1, 3, 4))


def test_a_vector_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is a parameter of shape \(5,\)"):
        Muon([nn.Parameter(torch.zeros(5))], lr=0.1)
