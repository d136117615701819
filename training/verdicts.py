"""What can be claimed of an evaluation and what cannot: paired tests, how much more it would take, and whether it
depends on who rates."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from labeling.agreement.figures import Figure
from labeling.evaluating import Settling, contrast, holm, mean_rating, paired_p_value, settling
from training.authors import Author
from training.evaluation import Evaluation

SURE = 0.05


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


def paired_tests(found: Evaluation) -> list[Paired]:
    """Every author beside the baseline, on overall quality."""
    others = [author for author in found.authors if author != found.baseline]
    ratings = found.ratings()
    tests = [paired_p_value(ratings, generator=one.key, baseline=found.baseline.key) for one in others]
    known = [place for place, test in enumerate(tests) if test.value is not None]
    adjusted = dict(zip(known, holm([tests[place].known() for place in known]), strict=True))
    return [
        Paired(
            author, found.difference(author), test, adjusted.get(place),
            settling(ratings, generator=author.key, baseline=found.baseline.key),
        )
        for place, (author, test) in enumerate(zip(others, tests, strict=True))
    ]  # fmt: skip


@dataclass(frozen=True)
class Interaction:
    """Two models by two cohorts of raters. figure: by how much more the first cohort prefers the subject to the
    baseline than the second does. quality: the mean of each model over both cohorts, which must not be lower for it."""

    one: str
    other: str
    figure: Figure
    quality: list[tuple[Author, Figure]]


def interactions(found: Evaluation) -> list[Interaction]:
    """Of every two cohorts with raters; nothing where one model is spoken of. A rater in both at once is left out."""
    if found.subject == found.baseline:
        return []
    quality = [
        (author, mean_rating(found.ratings(), generator=author.key)) for author in (found.subject, found.baseline)
    ]
    return [
        Interaction(one, other, _interaction(found, one, other), quality)
        for one, other in combinations(found.cohorts, 2)
    ]


def _interaction(found: Evaluation, one: str, other: str) -> Figure:
    inside = [found.cohorts[name] & ~found.cohorts[second] for name, second in ((one, other), (other, one))]
    said = found.said.only(inside[0] | inside[1])
    ratings = found.ratings(among=said)
    keys = [(str(key), name) for name in (one, other) for key in ratings.names]
    raters = np.where(inside[0], 0, 1)[inside[0] | inside[1]]
    cells: dict[Hashable, float] = {
        (found.subject.key, one): 1.0, (found.baseline.key, one): -1.0,
        (found.subject.key, other): -1.0, (found.baseline.key, other): 1.0,
    }  # fmt: skip
    in_cells = replace(ratings, generators=ratings.generators + len(ratings.names) * raters, names=tuple(keys))
    return contrast(in_cells, cells)


def verdict_of(found: Evaluation, tests: list[Paired], *, subject: str, baseline: str) -> str:
    """One sentence of what can be claimed and what cannot. subject, baseline: as a sentence speaks of them."""
    one = next((test for test in tests if test.author == found.subject), None)
    if one is None or one.difference.value is None:
        return f"Nothing can be claimed of {subject} beside {baseline}: no prompt was rated for both."
    if one.adjusted is None:
        return f"Nothing can be claimed of {subject} beside {baseline} yet: {_lower(one.p_value.reason)}"
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
        f"{more_words(one.settles)}"
    )


def more_words(settles: Settling | str) -> str:
    """How many more ratings would do."""
    if isinstance(settles, str):
        return settles
    if not settles.more_ratings:
        return "By itself it would be settled; beside the other comparisons of this page it is not."
    with_whom = "" if settles.same_labelers_suffice else f" by {settles.labelers:,} labelers in all"
    return (
        f"About {settles.more_ratings:,} more ratings{with_whom} would settle a difference of {settles.difference:.2f} "
        f"in four studies of five, on {settles.prompts:,} prompts."
    )


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
