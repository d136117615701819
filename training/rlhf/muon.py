"""Muon: a matrix is moved along its orthogonalised momentum, so that every direction of it learns at one pace.

As torch.optim.Muon, but for how the orthogonalising is computed. There it is in bfloat16, which a processor without
instructions for it multiplies 10 to 30 times slower than float32: nine tenths of the time that a small model took.
Here it is in float32 on a processor, and matrices of one shape go through it together.
"""

import math
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of Newton and Schulz's iteration, https://kellerjordan.github.io/posts/muon/: the steepest at zero, so that few
iterations do; singular values end up between about 0.7 and 1.2 rather than at 1, which costs nothing."""
ITERATIONS = 5
SMALLEST_NORM = 1e-7


class Muon(torch.optim.Optimizer):
    """Of matrices only. Nesterov momentum; decoupled weight decay; tall matrices move further by the square root of
    rows over columns. State and groups have torch.optim.Muon's names, so that its checkpoints go on here."""

    def __init__(
        self, matrices: Iterable[nn.Parameter], *, lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.ndim != 2:
                    raise ValueError(f"Muon moves matrices; there is a parameter of shape {tuple(matrix.shape)}")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along the gradients that are there; a closure is not called."""
        for group in self.param_groups:
            moved = [matrix for matrix in group["params"] if matrix.grad is not None]
            for shape, alike in groupby(sorted(moved, key=_shape), key=_shape):
                self._move(list(alike), group, stretch=math.sqrt(max(1.0, shape[0] / shape[1])))

    def _move(self, matrices: list[nn.Parameter], group: dict[str, Any], *, stretch: float) -> None:
        """matrices: of one shape."""
        directions = orthogonalised(torch.stack([self._momentum(one, group["momentum"]) for one in matrices]))
        for matrix, direction in zip(matrices, directions, strict=True):
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            matrix.add_(direction, alpha=-group["lr"] * stretch)

    def _momentum(self, matrix: nn.Parameter, momentum: float) -> Tensor:
        """The gradient, looked ahead along the moving average, which takes it in."""
        assert matrix.grad is not None
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix.grad)
        average: Tensor = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(average, momentum)


def _shape(matrix: Tensor) -> tuple[int, ...]:
    return tuple(matrix.shape)


def orthogonalised(matrices: Tensor) -> Tensor:
    """(N, rows, columns) -> the same, each with its singular vectors kept and its singular values brought near 1."""
    found = matrices.float() if matrices.device.type == "cpu" else matrices.bfloat16()
    tall = found.shape[1] > found.shape[2]
    found = found.mT if tall else found
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=SMALLEST_NORM)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return (found.mT if tall else found).to(matrices.dtype)
