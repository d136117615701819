"""Rankings as plain data, and the comparisons they imply."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from labeling.agreement.clusters import codes
from labeling.agreement.figures import Floats, Ints
from labeling.agreement.judged import Judged

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
    check_once(given)
    prompts = codes(one.prompt for one in given)
    most = max((len(one.ranks) for one in given), default=0)
    table = np.full((len(given), most), np.nan)
    for row, one in zip(table, given, strict=True):
        row[: len(one.ranks)] = [np.nan if rank is None else rank for rank in one.ranks]
    return comparisons_of(
        table,
        tasks=prompts,
        prompts=prompts,
        labelers=codes(one.labeler for one in given),
        names=tuple(dict.fromkeys(one.labeler for one in given)),
    )


def comparisons_of(ranks: Floats, *, tasks: Ints, prompts: Ints, labelers: Ints, names: tuple[Hashable, ...]) -> Judged:
    """The same from arrays: ranks (S, K), NaN where a response was not ranked or there are fewer; tasks, prompts and
    labelers (S,). Pairs of one task are units; the prompt is what they are clustered by. Nobody ranks a task twice."""
    signs = _signs(ranks)
    who, pair = np.nonzero(np.isfinite(signs))
    return Judged(
        units=tasks[who] * pairs_a_task(ranks) + pair,
        prompts=prompts[who],
        labelers=labelers[who],
        values=signs[who, pair].astype(np.int64) - WORSE,
        levels=ORDERS,
        names=names,
    )


def pairs_a_task(ranks: Floats) -> int:
    """How many units of comparisons_of(ranks, …) a task has."""
    return max(1, ranks.shape[1] * (ranks.shape[1] - 1) // 2)


def compared_rows(ranks: Floats) -> Ints:
    """The row of `ranks` that each judgment of comparisons_of(ranks, …) is from."""
    return np.nonzero(np.isfinite(_signs(ranks)))[0]


def _signs(ranks: Floats) -> Floats:
    """(S, pairs) -1, 0 or 1 for every pair of responses, NaN where one was not ranked."""
    first, second = np.triu_indices(ranks.shape[1], k=1)
    return np.asarray(np.sign(ranks[:, second] - ranks[:, first]), dtype=np.float64)


def check_once(rankings: Iterable[Ranking]) -> None:
    """Raises ValueError where one labeler ranked a prompt twice, or two ranked different numbers of responses to it."""
    given = list(rankings)
    check_lengths(given)
    seen: set[tuple[Hashable, Hashable]] = set()
    for one in given:
        if (one.prompt, one.labeler) in seen:
            raise ValueError(f"Labeler {one.labeler!r} ranked prompt {one.prompt!r} twice; drop the repeat.")
        seen.add((one.prompt, one.labeler))


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
