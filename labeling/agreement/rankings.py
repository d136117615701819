"""Rankings as plain data, and the comparisons they imply."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from labeling.agreement.judged import Judged, Row

WORSE, TIED, BETTER = -1, 0, 1
ORDERS = (WORSE, TIED, BETTER)
"""What a labeler can say of an ordered pair of responses; the first is worse, as good, or better."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """One labeler's ranks of the responses to one prompt, in the order in which the prompt lists its responses.

    ranks: 1 is best, equal numbers tie, None is "not ranked". The same prompt has the same responses for everyone;
    give two sets of responses to one text two prompts.
    """

    prompt: Hashable
    labeler: Hashable
    ranks: Sequence[int | None]


def order(first: int | None, second: int | None) -> int | None:
    """BETTER where the first rank is the better one, TIED where equal, None where one is missing."""
    if first is None or second is None:
        return None
    return (first < second) - (first > second)


def comparisons(rankings: Iterable[Ranking]) -> Judged:
    """One unit for each pair of responses, one judgment for each labeler who ranked both; values are ORDERS.

    Raises ValueError where a prompt's rankings differ in length, or where one labeler ranked a prompt twice.
    """
    given = list(rankings)
    check_lengths(given)
    return Judged.of((row for ranking in given for row in _rows(ranking)), levels=ORDERS)


def _rows(ranking: Ranking) -> Iterable[Row]:
    for (i, first), (j, second) in combinations(enumerate(ranking.ranks), 2):
        yield (ranking.prompt, i, j), ranking.prompt, ranking.labeler, order(first, second)


def check_lengths(rankings: Iterable[Ranking]) -> None:
    """Raises ValueError where two labelers ranked different numbers of responses to one prompt."""
    lengths: dict[Hashable, int] = {}
    for ranking in rankings:
        wanted = lengths.setdefault(ranking.prompt, len(ranking.ranks))
        if len(ranking.ranks) != wanted:
            raise ValueError(
                f"Prompt {ranking.prompt!r} was ranked with {wanted} and with {len(ranking.ranks)} responses; "
                "give each set of responses a prompt of its own."
            )
