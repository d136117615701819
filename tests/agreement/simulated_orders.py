"""Simulated ratings and rankings by labelers of known ability and taste: what ordinal alpha, tau-b, Kendall's W and the
agreement of each labeler come to."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from labeling.agreement import krippendorff_alpha
from labeling.agreement.intervals import By
from labeling.agreement.pairwise import agreement_of_each
from labeling.agreement.rank_correlation import mean_concordance, mean_tau_b
from labeling.agreement.rankings import ORDERS, Ranking

from .simulated import GRID, GRID_WEIGHTS, Answers, Array, Labelers, Study, judged

STEPS = tuple(range(1, 8))
CUTS = np.array([-3.0, -1.8, -0.7, 0.3, 1.4, 2.6])
"""Between the seven steps of a scale, in log-odds."""


def rates(labelers: Labelers, differences: Array) -> Array:
    """(…, 2) quality and style -> (L, …, 7) probabilities of the ratings; who leans to the first is lenient."""
    shape = (len(labelers.ability),) + (1,) * (differences.ndim - 1)
    ability, lenient, taste = (
        trait.reshape(shape) for trait in (labelers.ability, 2 * labelers.bias, labelers.taste)
    )  # fmt: skip
    odds = ability * (differences[..., 0] + taste * differences[..., 1]) + lenient
    above = 1 / (1 + np.exp(CUTS - odds[..., None]))
    ends = np.concatenate([np.ones((*odds.shape, 1)), above, np.zeros((*odds.shape, 1))], axis=-1)
    return -np.diff(ends, axis=-1)


def true_pairs(labelers: Labelers, answers: Answers, *, these: bool) -> Array:
    """(C, C) what two different labelers are expected to say of one unit: of these, or of all for whom they stand."""
    given = np.einsum("lgc,g->lgc", answers(labelers, GRID), np.sqrt(GRID_WEIGHTS))
    number = len(labelers.ability)
    together = given.sum(axis=0)
    if not these:
        return together.T @ together / number**2
    return (together.T @ together - np.einsum("lgc,lgd->cd", given, given)) / (number * (number - 1))


def true_ordinal_alpha(pairs: Array) -> float:
    shares = pairs.sum(axis=1)
    place = shares.cumsum() - shares / 2
    apart = (place[:, None] - place[None, :]) ** 2
    return 1 - float((pairs * apart).sum()) / float((np.outer(shares, shares) * apart).sum())


@cache
def alpha_of_everybody() -> float:
    return true_ordinal_alpha(true_pairs(Labelers.drawn(5_000, np.random.default_rng(1)), rates, these=False))


def ordinal_studies(
    studies: int, *, number: int, prompts: int, overlap: int = 3, by: By, seed: int = 0
) -> Iterator[Study]:
    """Ratings 1 to 7 of three responses a prompt, by `number` labelers."""
    rng = np.random.default_rng(seed)
    for _ in range(studies):
        labelers = Labelers.drawn(number, rng)
        data = judged(labelers, rates, STEPS, prompts=prompts, overlap=overlap, rng=rng)
        of_these = by == "prompts"
        truth = true_ordinal_alpha(true_pairs(labelers, rates, these=True)) if of_these else alpha_of_everybody()
        yield Study("alpha, ordinal", krippendorff_alpha(data, metric="ordinal", by=by), truth)


def each_labeler_studies(
    studies: int, *, number: int, prompts: int, overlap: int = 3, seed: int = 0
) -> Iterator[Study]:
    """Every labeler of every study with their colleagues, an interval over prompts."""
    rng = np.random.default_rng(seed)
    for _ in range(studies):
        labelers = Labelers.drawn(number, rng)
        data = judged(labelers, Labelers.orders, ORDERS, prompts=prompts, overlap=overlap, rng=rng)
        given = np.einsum("lgc,g->lgc", labelers.orders(GRID), np.sqrt(GRID_WEIGHTS))
        others = given.sum(axis=0) - given
        truth = (given * others).sum(axis=(1, 2)) / (number - 1)
        for name, figure in agreement_of_each(data, intervals=True).items():
            yield Study("agreement of a labeler", figure, float(truth[name]))


RESPONSES = 4


def _ranked(labelers: Labelers, people: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(P, m) who ranked -> (P, m, K) ranks of responses that differ in quality and style; what is felt to be within
    half a step of 0.5 is a tie, so that who sees less ties more."""
    prompts, overlap = people.shape
    scale = np.exp(rng.normal(0, 0.4, (prompts, 1, 1)))
    quality, style = scale * rng.normal(size=(2, prompts, 1, RESPONSES))
    ability, taste = labelers.ability[people][..., None], labelers.taste[people][..., None]
    felt = ability * (quality + taste * style) + rng.normal(size=(prompts, overlap, RESPONSES))
    steps = np.round(felt / 0.5)
    return 1 + (steps[..., None, :] > steps[..., :, None]).sum(axis=-1)


def _handed_out(prompts: int, number: int, overlap: int, rng: np.random.Generator) -> np.ndarray:
    return np.argsort(rng.random((prompts, number)), axis=1)[:, :overlap]


def _true_order(labelers: Labelers, overlap: int, rng: np.random.Generator) -> dict[str, float]:
    """Over 100,000 prompts: tau-b and W of these labelers, written apart from what is tested."""
    ranks = _ranked(labelers, _handed_out(100_000, len(labelers.ability), overlap, rng), rng)
    first, second = np.triu_indices(RESPONSES, k=1)
    signs = np.sign(ranks[..., second] - ranks[..., first])
    untied = (signs**2).sum(axis=-1)
    taus = [
        (signs[:, one] * signs[:, other]).sum(axis=-1)[there] / np.sqrt(untied[:, one] * untied[:, other])[there]
        for one in range(overlap)
        for other in range(one)
        for there in [untied[:, one] * untied[:, other] > 0]
    ]
    behind, alike = (
        compare(ranks[..., :, None], ranks[..., None, :]).sum(axis=-1) for compare in (np.greater, np.equal)
    )  # fmt: skip
    middle = behind + (alike + 1) / 2
    scatter = ((middle.sum(axis=1) - overlap * (RESPONSES + 1) / 2) ** 2).sum(axis=-1)
    # The variance of one labeler's midranks, at most (K^3 - K) / 12: what ties take away is what is left of it.
    most = overlap * ((middle - (RESPONSES + 1) / 2) ** 2).sum(axis=(1, 2))
    return {"tau-b": float(np.concatenate(taus).mean()), "Kendall's W": float((scatter / most)[most > 0].mean())}


def order_studies(
    studies: int, *, number: int, prompts: int, overlap: int = 3, sets: int = 10, seed: int = 0
) -> Iterator[Study]:
    """Rankings by so many sets of labelers, studied one after another: the intervals speak of these labelers, on other
    prompts."""
    rng = np.random.default_rng(seed)
    people = [Labelers.drawn(number, rng) for _ in range(sets)]
    truths = [_true_order(labelers, overlap, rng) for labelers in people]
    for study in range(studies):
        labelers, truth = people[study % sets], truths[study % sets]
        who_ranked = _handed_out(prompts, number, overlap, rng)
        rankings = [
            Ranking(prompt=prompt, labeler=who, ranks=said)
            for prompt, (of, ranks) in enumerate(zip(who_ranked.tolist(), _ranked(labelers, who_ranked, rng).tolist(),
                                                     strict=True))
            for who, said in zip(of, ranks, strict=True)
        ]  # fmt: skip
        yield Study("tau-b", mean_tau_b(rankings, bootstrap=True), truth["tau-b"])
        yield Study("Kendall's W", mean_concordance(rankings, bootstrap=True), truth["Kendall's W"])
