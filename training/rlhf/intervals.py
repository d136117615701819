"""How sure a figure is: bootstrap intervals over whole prompts.

Judgments of one prompt are alike, and so are the responses to it; drawing prompts again with all that belongs to them
keeps that in, where an interval over single pairs would be far too narrow.
"""

from collections.abc import Sequence
from typing import TypedDict

import torch

RESAMPLES = 2000
CHUNK = 100


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
