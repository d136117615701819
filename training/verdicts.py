"""What can be claimed of an evaluation and what cannot: paired tests, how much more it would take, and whether it
depends on who rates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from labeling.agreement.figures import Figure
from labeling.backgrounds import FEWEST_SHOWN, too_few
from labeling.evaluating import (
    Ratings,
    Settling,
    contrast,
    contrast_p_value,
    holm,
    paired_p_value,
    settling,
)
from labeling.reports.floor import are_few
from training.authors import Author
from training.evaluation import Evaluation, are_enough, raters_on_shared

SURE = 0.05
MARGIN = 0.25
"""Points of 1 to 7: shared quality is not lower where it is sure to be at most so much lower."""


@dataclass(frozen=True)
class Paired:
    """An author beside the baseline. p_value: of no difference; adjusted: among all comparisons of the page (Holm)."""

    author: Author
    difference: Figure
    p_value: Figure
    adjusted: float | None
    settles: Settling | str

    @property
    def is_settled(self) -> bool:
        return self.adjusted is not None and self.adjusted < SURE


def paired_tests(found: Evaluation, *, difference: float | None = None) -> list[Paired]:
    """Every author beside the baseline, on overall quality. difference: the smallest that matters, in points of 1 to 7;
    None: the one observed, which may have come out large by luck."""
    others, ratings = _others(found), found.labelled()
    tests = _p_values(found)
    return [
        Paired(
            author, found.difference(author), test, adjusted,
            settling(ratings, generator=author.label, baseline=found.baseline.label, difference=difference),
        )
        for author, test, adjusted in zip(others, tests, adjusted_by_holm(tests), strict=True)
    ]  # fmt: skip


def is_settled(found: Evaluation) -> bool:
    """Whether the subject differs from the baseline beside all other comparisons of the page."""
    adjusted = dict(zip([one.key for one in _others(found)], adjusted_by_holm(_p_values(found)), strict=True))
    own = adjusted.get(found.subject.key)
    return own is not None and own < SURE


def _others(found: Evaluation) -> list[Author]:
    return [author for author in found.authors if author != found.baseline]


def _p_values(found: Evaluation) -> list[Figure]:
    ratings = found.labelled()
    return [paired_p_value(ratings, generator=one.label, baseline=found.baseline.label) for one in _others(found)]


def adjusted_by_holm(tests: Sequence[Figure]) -> list[float | None]:
    """Among all that have a p-value (Holm); None for the others."""
    held = iter(holm([test.known() for test in tests if test.value is not None]))
    return [None if test.value is None else next(held) for test in tests]


@dataclass(frozen=True)
class Interaction:
    """Two models by two cohorts of raters. figure: by how much more the first cohort prefers the subject to the
    baseline than the second does. adjusted: its p-value among all pairs of cohorts (Holm). shared: the subject less the
    baseline in the mean of the two cohorts, each alike; quality: each model's mean so."""

    one: str
    other: str
    figure: Figure
    adjusted: float | None
    shared: Figure
    quality: list[tuple[Author, Figure]]

    @property
    def keeps_quality(self) -> bool:
        return self.shared.interval is not None and self.shared.interval.low > -MARGIN


def interactions(found: Evaluation) -> list[Interaction]:
    """Of every two cohorts with raters; nothing where one model is spoken of. A rater in both at once is left out."""
    if found.subject == found.baseline:
        return []
    pairs = [pair for pair in combinations(found.cohorts, 2) if not _too_few_alone(found, *pair)]
    cells = [in_cells(found, one, other) for one, other in pairs]
    tests = [
        contrast_p_value(ratings, _weights(found, one, other, apart=True))
        for ratings, (one, other) in zip(cells, pairs, strict=True)
    ]
    return [
        Interaction(
            one, other, contrast(ratings, _weights(found, one, other, apart=True)), adjusted,
            contrast(ratings, _weights(found, one, other, apart=False)),
            [(author, contrast(ratings, {cell_of(author, name): 0.5 for name in (one, other)}))
             for author in (found.subject, found.baseline)],
        )
        for (one, other), ratings, adjusted in zip(pairs, cells, adjusted_by_holm(tests), strict=True)
    ]  # fmt: skip


def _too_few_alone(found: Evaluation, one: str, other: str) -> str:
    """Of two cohorts the one by a rule that has fewer raters outside the other than may be told of; empty for none."""
    for name, second in ((one, other), (other, one)):
        alone = found.cohorts[name] & ~found.cohorts[second]
        if name in found.by_rule and not are_enough(found.said, alone, beside=found.baseline.key):
            return name
    inside = [found.cohorts[name] & ~found.cohorts[second] for name, second in ((one, other), (other, one))]
    cells = [alone & found.said.by(author.key) for alone in inside for author in (found.subject, found.baseline)]
    counts = raters_on_shared(found.said, cells)
    few = {one: are_few(*counts[:2]), other: are_few(*counts[2:])}
    return next((name for name in (one, other) if name in found.by_rule and few[name]), "")


def wanting_of(found: Evaluation) -> list[str]:
    """Of whom nothing is told, and what it would take."""
    said = [too_few(name, "rated each model") for name in sorted(found.by_rule - found.cohorts.keys())]
    for one, other in combinations(found.cohorts, 2):
        if name := _too_few_alone(found, one, other):
            second = other if name == one else one
            said.append(
                f"Fewer than {FEWEST_SHOWN} raters of {name} who are not in {second} rated both models on prompts that "
                f"{second} rated too; the two are not compared."
            )
    return said


def in_cells(found: Evaluation, one: str, other: str) -> Ratings:
    """The ratings of the two cohorts, by model and cohort; of a rater in both nothing."""
    inside = [found.cohorts[name] & ~found.cohorts[second] for name, second in ((one, other), (other, one))]
    ratings = found.labelled(among=found.said.only(inside[0] | inside[1]))
    names = tuple(f"{label} by {name}" for name in (one, other) for label in ratings.names)
    raters = np.where(inside[0], 0, 1)[inside[0] | inside[1]]
    return replace(ratings, generators=ratings.generators + len(ratings.names) * raters, names=names)


def cell_of(author: Author, cohort: str) -> str:
    return f"{author.label} by {cohort}"


def _weights(found: Evaluation, one: str, other: str, *, apart: bool) -> dict[str, float]:
    """Of the subject less the baseline: the first cohort's less the second's, or the mean of both. They are these two
    cohorts and no sample of cohorts, so that how far apart they are is no part of how sure their mean is."""
    each = {one: 1.0 if apart else 0.5, other: -1.0 if apart else 0.5}
    signs = ((found.subject, 1.0), (found.baseline, -1.0))
    return {cell_of(author, name): sign * weight for name, weight in each.items() for author, sign in signs}


def said_of(found: Interaction, *, subject: str, baseline: str, over: bool) -> str:
    """What can be claimed of it, in one sentence: that preference depends on who rates, and that nothing is lost."""
    if found.adjusted is None or found.figure.value is None:
        reason = found.figure.reason or found.figure.interval_reason or "it has no interval."
        return f"Nothing can be claimed: {_lower(reason)}"
    if not over:
        return NOT_YET
    first, second = (found.one, found.other) if found.figure.value > 0 else (found.other, found.one)
    if found.adjusted >= SURE:
        return f"It cannot be claimed that it matters whether {found.one} or {found.other} rates, nor that it does not."
    depends = f"{first} prefers {subject} to {baseline} by {abs(found.figure.value):.2f} more than {second} does"
    if found.keeps_quality:
        return (
            f"It can be claimed that {depends}, and that to the two together {subject} is at most {MARGIN} worse than "
            f"{baseline}."
        )
    return (
        f"It can be claimed that {depends}; it cannot that nothing is lost by it: to the two together {subject} may be "
        f"more than {MARGIN} worse than {baseline}."
    )


NOT_YET = (
    "Nothing is claimed while ratings still come in: a test that is repeated until it passes finds differences that "
    "are not there."
)


def verdict_of(found: Evaluation, tests: list[Paired], *, subject: str, baseline: str, over: bool) -> str:
    """One sentence of what can be claimed and what cannot; empty where a model stands beside itself. subject, baseline:
    as a sentence speaks of them. over: whether all ratings that will be are in."""
    if found.subject == found.baseline:
        return ""
    one = next((test for test in tests if test.author == found.subject), None)
    if one is None or one.difference.value is None:
        return f"Nothing can be claimed of {subject} beside {baseline}: no prompt was rated for both."
    if one.adjusted is None:
        return f"Nothing can be claimed of {subject} beside {baseline} yet: {_lower(one.p_value.reason)}"
    if not over:
        return NOT_YET
    who = {"people": "raters like these", "simulated": "these simulated raters", "both": "raters like these"}
    better = "better" if one.difference.value > 0 else "worse"
    limits = "not that it is so on other kinds of prompt, nor by how much to the digit"
    if one.is_settled:
        return (
            f"It can be claimed that {who[found.raters]} find {subject} {better} than {baseline} on prompts like "
            f"these; {limits}."
        )
    return (
        f"It cannot be claimed that {subject} is better or worse than {baseline}; nor that the two are alike. "
        f"{more_words(one)}"
    )


def more_words(test: Paired) -> str:
    """How many more ratings would do."""
    settles = test.settles
    if isinstance(settles, str):
        return settles
    if not settles.more_ratings and test.p_value.value is not None and test.p_value.value < SURE:
        return (
            "By itself it would be settled; beside the other comparisons of this page it is not. Evaluated anew with "
            f"fewer models, its {settles.prompts:,} prompts would do."
        )
    if not settles.more_ratings:
        return (
            f"A difference of {settles.difference:.2f} would have been settled by these ratings in four studies of "
            "five: if there is one, it is likely smaller."
        )
    with_whom = "" if settles.same_labelers_suffice else f" by {settles.labelers:,} labelers in all"
    return (
        f"About {settles.more_ratings:,} more ratings{with_whom} would settle a difference of {settles.difference:.2f} "
        f"in four studies of five, on {settles.prompts:,} prompts; asked for beforehand, and tested once."
    )


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
