"""Simulated raters and rankers of two cohorts of opposite taste, and the figures that a claim of cohorts rests on: the
interaction of an evaluation two by two, and differences of the matrix of reward models."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from labeling.agreement.matrix import ALL, EQUAL, OWN, TOLD, WRONG, HeldOut, matrix_of
from labeling.evaluating import Ratings, contrast, for_ones_own, interaction

from .simulated import Array, Study

COHORTS = ("terse", "warm")
LIKES = {"terse": 1.0, "warm": -1.0}
"""Which way each cohort leans, of what is terse."""
STYLE = {"told terse": 1.0, "told warm": -1.0, "told nothing": 0.0}
CELLS = tuple((author, cohort) for author in STYLE for cohort in COHORTS)
INTERACTION = interaction(CELLS[0:2], CELLS[2:4])
SHARED = for_ones_own((CELLS[0], CELLS[3]), CELLS[4:6])
LARGE = 1_000_000


@dataclass(frozen=True)
class People:
    """(L,) each: leniency, noise, and how much they like what is terse. The first half are of the terse cohort."""

    leniency: Array
    noise: Array
    taste: Array

    @classmethod
    def drawn(cls, cohorts: list[str], rng: np.random.Generator) -> "People":
        number = len(cohorts)
        return cls(
            leniency=rng.normal(0, 0.5, number),
            noise=rng.uniform(0.4, 1.2, number),
            taste=0.5 * np.array([LIKES[cohort] for cohort in cohorts]) + rng.normal(0, 0.4, number),
        )

    def rate(self, quality: Array, people: np.ndarray, style: float, rng: np.random.Generator) -> Array:
        """Ratings 1 to 7 of responses of this quality by these people."""
        felt = quality + self.leniency[people] + self.taste[people] * style
        return np.clip(np.round(felt + self.noise[people] * rng.normal(size=people.shape)), 1, 7)


def qualities(prompts: int, rng: np.random.Generator) -> dict[str, Array]:
    """(P, 1) of each author's response; those to one prompt are alike."""
    topic = rng.normal(0, 0.8, (prompts, 1))
    return {author: 4.0 + topic + rng.normal(0, 0.5, (prompts, 1)) for author in STYLE}


@cache
def true_contrasts() -> dict[str, float]:
    """From the means of cells over a million raters and prompts each: exact to about 0.005."""
    rng = np.random.default_rng(3)
    everybody = np.arange(LARGE)[:, None]
    means = {}
    for author, cohort in CELLS:
        people = People(
            leniency=rng.normal(0, 0.5, LARGE), noise=rng.uniform(0.4, 1.2, LARGE),
            taste=0.5 * LIKES[cohort] + rng.normal(0, 0.4, LARGE),
        )  # fmt: skip
        means[author, cohort] = people.rate(qualities(LARGE, rng)[author], everybody, STYLE[author], rng).mean()
    return {
        name: float(sum(weight * means[cell] for cell, weight in weights.items()))
        for name, weights in (("interaction", INTERACTION), ("shared quality", SHARED))
    }


def interaction_studies(
    studies: int, *, number: int, prompts: int, overlap: int = 4, single: bool = True, seed: int = 0
) -> Iterator[Study]:
    """Three responses a prompt, rated by `overlap` of `number` raters, half of them of each cohort. single: each
    response is handed out by itself, as campaigns do; otherwise the same people rate all three."""
    rng = np.random.default_rng(seed)
    truth = true_contrasts()
    cohorts = [COHORTS[place * 2 // number] for place in range(number)]
    of_person = np.array([COHORTS.index(cohort) for cohort in cohorts])
    for _ in range(studies):
        raters = People.drawn(cohorts, rng)
        quality = qualities(prompts, rng)
        people = _handed_out(prompts, number, overlap, rng)
        generators, labelers, values = [], [], []
        for place, (author, style) in enumerate(STYLE.items()):
            who = _handed_out(prompts, number, overlap, rng) if single else people
            generators.append(2 * place + of_person[who].ravel())
            labelers.append(who.ravel())
            values.append(raters.rate(quality[author], who, style, rng).ravel())
        ratings = Ratings(
            generators=np.concatenate(generators), prompts=np.tile(np.repeat(np.arange(prompts), overlap), len(STYLE)),
            labelers=np.concatenate(labelers), values=np.concatenate(values), names=CELLS,
        )  # fmt: skip
        yield Study("interaction", contrast(ratings, INTERACTION), truth["interaction"])
        yield Study("shared quality", contrast(ratings, SHARED), truth["shared quality"])


def _handed_out(prompts: int, number: int, overlap: int, rng: np.random.Generator) -> np.ndarray:
    return np.argsort(rng.random((prompts, number)), axis=1)[:, :overlap]


RESPONSES = 4
MATRIX_FIGURES = ("told less wrong", "own less equal", "told less wrong, terse", "accuracy, told", "agreement, terse")


def _responses(prompts: int, rng: np.random.Generator) -> tuple[Array, Array, dict[tuple[str, str], Array]]:
    """(P, K) quality and style of responses, and what the models score them for each cohort. Some prompts tell more
    apart than others; what a model has wrong it has wrong for everybody."""
    scale = np.exp(rng.normal(0, 0.5, (prompts, 1)))
    quality, style, astray, too = scale * rng.normal(size=(4, prompts, RESPONSES))
    scores = {}
    for cohort, sign in LIKES.items():
        scores[ALL, cohort] = quality + 0.6 * astray
        scores[EQUAL, cohort] = quality + 0.9 * too
        scores[OWN, cohort] = quality + 0.5 * sign * style + 0.8 * astray
        scores[TOLD, cohort] = quality + 0.6 * sign * style + 0.6 * astray
        scores[WRONG, cohort] = quality - 0.6 * sign * style + 0.6 * astray
    return quality, style, scores


def _ranks(quality: Array, style: Array, taste: Array, noise: Array, rng: np.random.Generator) -> np.ndarray:
    """(…, K) -> ranks, 1 the best; what is felt to be within half a step of 0.4 is a tie."""
    felt = quality + taste[..., None] * style + noise[..., None] * rng.normal(size=quality.shape)
    steps = np.round(felt / 0.4)
    return 1 + (steps[..., None, :] > steps[..., :, None]).sum(axis=-1)


def _rankers(cohort: str, number: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Taste and noise."""
    return 0.8 * LIKES[cohort] + rng.normal(0, 0.5, number), rng.uniform(0.3, 1.5, number)


@cache
def true_matrix() -> dict[str, float]:
    """Over 300,000 prompts, each ranked by two labelers met once, of the first cohort; the two are mirror images."""
    rng = np.random.default_rng(4)
    size = 300_000
    quality, style, scores = _responses(size, rng)
    one, other = (_ranks(quality, style, *_rankers("terse", size, rng), rng) for _ in range(2))
    better, worse = np.triu_indices(RESPONSES, k=1)
    apart = np.sign(one[:, worse] - one[:, better])
    said = np.sign(other[:, worse] - other[:, better])
    told = apart != 0
    right = {
        model: (np.sign(scores[model, "terse"][:, better] - scores[model, "terse"][:, worse])[told] == apart[told])
        for model in (EQUAL, OWN, TOLD, WRONG)
    }
    shares = {model: float(some.mean()) for model, some in right.items()}
    return {
        "told less wrong": shares[TOLD] - shares[WRONG],
        "own less equal": shares[OWN] - shares[EQUAL],
        "told less wrong, terse": shares[TOLD] - shares[WRONG],
        "accuracy, told": shares[TOLD],
        "agreement, terse": float(((said[told] == apart[told]) + (said[told] == 0) / 2).mean()),
    }


def matrix_studies(studies: int, *, number: int, prompts: int, overlap: int = 2, seed: int = 0) -> Iterator[Study]:
    """`number` held-out labelers, half of each cohort; every prompt is ranked by `overlap` of each."""
    rng = np.random.default_rng(seed)
    truth = true_matrix()
    each = number // 2
    for _ in range(studies):
        quality, style, scores = _responses(prompts, rng)
        held_out = []
        for cohort in COHORTS:
            taste, noise = _rankers(cohort, each, rng)
            for prompt, people in enumerate(_handed_out(prompts, each, overlap, rng)):
                of_prompt = (np.broadcast_to(of[prompt], (overlap, RESPONSES)) for of in (quality, style))
                ranks = _ranks(*of_prompt, taste[people], noise[people], rng)
                by_model = {model: scores[model, cohort][prompt].tolist() for model in (EQUAL, OWN, TOLD, WRONG)}
                held_out += [
                    HeldOut(prompt=prompt, labeler=(cohort, who), cohort=cohort, ranks=said, scores=by_model)
                    for who, said in zip(people.tolist(), ranks.tolist(), strict=True)
                ]
        found = matrix_of(held_out, people=dict.fromkeys(COHORTS, 2 * number))
        figures = (
            found.difference(TOLD, WRONG), found.difference(OWN, EQUAL), found.difference(TOLD, WRONG, "terse"),
            found.cells[TOLD, "terse"], found.agreement["terse"],
        )  # fmt: skip
        for name, figure in zip(MATRIX_FIGURES, figures, strict=True):
            yield Study(name, figure, truth[name])
