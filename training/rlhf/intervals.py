"""How sure a figure is: bootstrap intervals over whole prompts.

Judgments of one prompt are alike, and so are the responses to it; drawing prompts again with all that belongs to them
keeps that in, where an interval over single pairs would be far too narrow. Where a figure is to hold for other labelers
too, they are drawn again as well.
"""

from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor

RESAMPLES = 2000
CHUNK = 100
FEWEST_OF_BOTH = 3
"""Below this many prompts or labelers, how much they differ is a guess."""


class Interval(TypedDict):
    """As it stands in report.json: the figure, its 95 % interval, and the number of prompts it stands on."""

    mean: float | None
    low: float | None
    high: float | None
    prompts: int


def interval(totals: Sequence[float], counts: Sequence[float] | None = None, *, seed: int = 0) -> Interval:
    """The sum of totals over the sum of counts, one of each a prompt (counts: 1 each), with its 95 % interval.

    Percentiles of 2,000 resamples of the prompts; the same seed gives the same interval. All null without prompts.
    """
    top = torch.tensor(totals, dtype=torch.float64)
    bottom = torch.ones_like(top) if counts is None else torch.tensor(counts, dtype=torch.float64)
    if len(top) == 0 or float(bottom.sum()) == 0:
        return Interval(mean=None, low=None, high=None, prompts=0)
    chance = torch.Generator().manual_seed(seed)
    drawn = []
    for _ in range(RESAMPLES // CHUNK):
        again = torch.randint(len(top), (CHUNK, len(top)), generator=chance)
        drawn.append(top[again].sum(1) / bottom[again].sum(1).clamp(min=1e-12))
    low, high = torch.cat(drawn).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Interval(mean=float(top.sum() / bottom.sum()), low=low, high=high, prompts=len(top))


class TwoWayInterval(Interval):
    """As above, over prompts and labelers both. low and high are null below FEWEST_OF_BOTH of either."""

    labelers: int


Row = tuple[str, str, float, float]
"""prompt, labeler, total, count."""


def two_way_interval(rows: Sequence[Row], *, seed: int = 0) -> TwoWayInterval:
    """The sum of totals over the sum of counts, with its 95 % interval where both prompts and labelers were drawn.

    Prompts and labelers are drawn again, each with all that belongs to them, and a row comes as often as its prompt
    times its labeler: an interval that is rather too wide than too narrow. Source: Owen 2007, "The pigeonhole
    bootstrap" (https://arxiv.org/abs/0712.1111).
    """
    rows = [row for row in rows if row[3]]
    prompts, labelers = _codes([row[0] for row in rows]), _codes([row[1] for row in rows])
    many, people = len(set(prompts.tolist())), len(set(labelers.tolist()))
    if not rows:
        return TwoWayInterval(mean=None, low=None, high=None, prompts=0, labelers=0)
    top, bottom = (torch.tensor([float(row[place]) for row in rows], dtype=torch.float64) for place in (2, 3))
    told = TwoWayInterval(mean=float(top.sum() / bottom.sum()), low=None, high=None, prompts=many, labelers=people)
    if min(many, people) < FEWEST_OF_BOTH:
        return told
    chance = torch.Generator().manual_seed(seed)
    drawn = []
    for _ in range(RESAMPLES // CHUNK):
        times = _times_drawn(many, chance)[:, prompts] * _times_drawn(people, chance)[:, labelers]
        totals, counts = times @ top, times @ bottom
        drawn.append((totals / counts)[counts > 0])
    low, high = torch.cat(drawn).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    told["low"], told["high"] = low, high
    return told


def _codes(names: Sequence[str]) -> Tensor:
    """(N,) numbers from 0, in the order of first meeting."""
    code: dict[str, int] = {}
    return torch.tensor([code.setdefault(name, len(code)) for name in names], dtype=torch.long)


def _times_drawn(many: int, chance: torch.Generator) -> Tensor:
    """(CHUNK, many) float64: how often each comes when as many are drawn with replacement."""
    drawn = torch.randint(many, (CHUNK, many), generator=chance)
    return torch.zeros(CHUNK, many, dtype=torch.float64).scatter_add_(1, drawn, torch.ones_like(drawn).double())
