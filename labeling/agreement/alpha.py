"""Krippendorff's alpha: agreement beyond chance for any number of labelers, with judgments missing.

Source of every formula here: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", sections C and D.
"""

from typing import Literal

import numpy as np

from labeling.agreement.figures import Figure, Floats, Interval, Totals, undefined
from labeling.agreement.intervals import By, bootstrap_by_prompt, interval_with_labelers
from labeling.agreement.judged import NOBODY_TWICE, Judged
from labeling.agreement.sums import by_prompt

Metric = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(judged: Judged, *, metric: Metric, by: By = "none", mirrored: bool = False) -> Figure:
    """1 - D_o / D_e: 1 is perfect agreement, 0 is what chance gives, below 0 is worse than chance.

    With coincidences o_ck = sum over units of (ordered pairs valued c and k) / (m_u - 1), n_c = sum_k o_ck and
    n = sum_c n_c: D_o = sum o_ck d_ck / n and D_e = sum n_c n_k d_ck / (n (n - 1)).
    d_ck: nominal 0 or 1; ordinal (n_c / 2 + n_(c+1) + … + n_k / 2) squared; interval (c - k) squared.
    Units with a single judgment say nothing and are left out. `count` is n, the judgments that could be paired.
    mirrored: every judgment counts half as it is and half with its value turned over (the first level for the last).
    Of comparisons, which response is called the first is arbitrary: without it, chance agreement would be larger where
    the better ones happen to have the lower ids, and alpha smaller for the same agreement.
    """
    numbers = judged.numbers() if metric == "interval" else None
    counts, _ = judged.counts()
    paired = counts[counts.sum(axis=1) >= 2]
    if not len(paired):
        return undefined(NOBODY_TWICE)
    given = paired.sum(axis=0)
    given = given + given[::-1] if mirrored else given
    if (given > 0).sum() < 2:
        only = judged.levels[int(given.argmax())]
        return undefined(f"All judgments are {only!r}; without variation alpha cannot tell agreement from chance.")
    totals = alpha_totals(judged, metric=metric, numbers=numbers, mirrored=mirrored)
    figure = Figure(value=totals.value(), count=int(paired.sum()))
    return figure if by == "none" else figure.with_interval(_interval(judged, totals, by, mirrored))


def alpha_totals(judged: Judged, *, metric: Metric, numbers: Floats | None, mirrored: bool = False) -> Totals:
    """Coincidences summed over the units of each prompt, (G, C * C), and alpha as a function of them."""
    counts, prompts = judged.counts()
    width = counts.shape[1]
    sizes = counts.sum(axis=1)
    several = sizes >= 2
    some = counts[several].astype(np.float64)
    pairs = some[:, :, None] * some[:, None, :]
    pairs[:, np.arange(width), np.arange(width)] -= some
    if mirrored:
        pairs = (pairs + pairs[:, ::-1, ::-1]) / 2
    coincidences = pairs.reshape(len(some), width * width) / (sizes[several] - 1)[:, None]
    return Totals(
        sums=by_prompt(coincidences, prompts[several]),
        statistic=lambda sums: _alpha(sums.reshape(-1, width, width), metric, numbers),
    )


def _alpha(coincidences: Floats, metric: Metric, numbers: Floats | None) -> Floats:
    """(B, C, C) coincidences -> (B,) alphas; NaN where all values are the same."""
    each = coincidences.sum(axis=2)
    number = each.sum(axis=1)
    distance = _squared_distances(each, metric, numbers)
    observed = (coincidences * distance).sum(axis=(1, 2))
    expected = (each[:, :, None] * each[:, None, :] * distance).sum(axis=(1, 2)) / (number - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 1e-9 * number, 1 - observed / expected, np.nan)


def _squared_distances(each: Floats, metric: Metric, numbers: Floats | None) -> Floats:
    """(B, C) totals of the values -> (B, C, C). The ordinal distance is the difference of two midranks."""
    if metric == "nominal":
        return np.broadcast_to(1 - np.eye(each.shape[1]), (len(each), each.shape[1], each.shape[1]))
    if metric == "ordinal":
        place = each.cumsum(axis=1) - each / 2
    else:
        assert numbers is not None
        place = np.broadcast_to(numbers, each.shape)
    return np.asarray((place[:, :, None] - place[:, None, :]) ** 2, dtype=np.float64)


def _interval(judged: Judged, totals: Totals, by: By, mirrored: bool) -> Interval | str:
    if by == "prompts":
        return bootstrap_by_prompt(totals)
    width = len(judged.levels)

    def influence(gradient: Floats) -> Floats:
        slope = gradient.reshape(width, width)
        if mirrored:
            slope = (slope + slope[::-1, ::-1]) / 2
        return slope + slope.T

    partners = judged.sizes() - 1
    return interval_with_labelers(totals, judged, influence=influence, weights=1 / np.maximum(partners, 1))
