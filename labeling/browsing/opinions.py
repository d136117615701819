"""What people said of responses, in short: mean rating and ranks, of what counts alone."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import F, QuerySet

from labeling.models import Judgment, Response


@dataclass(frozen=True)
class Opinion:
    """ranks: each beside the number of responses that were ranked with it, (2, 4) is second of four. rating: the mean
    of `ratings` answers on the overall scale, None without any. flags: how often each was answered yes."""

    rating: float | None = None
    ratings: int = 0
    ranks: Sequence[tuple[int, int]] = ()
    flags: Sequence[tuple[str, int]] = ()
    judges: int = 0


def counted_judgments() -> QuerySet[Judgment]:
    """Of submissions that are current, within the overlap, not withdrawn and no hidden repeat."""
    return Judgment.objects.filter(
        submission__counted=True,
        submission__withdrawn_at__isnull=True,
        submission__assignment__occurrence=0,
        submission__assignment__campaign__screening_of__isnull=True,
        submission__assignment__current_submission=F("submission"),
    )


def opinions_of(responses: Iterable[Response]) -> dict[int, Opinion]:
    """By primary key, for every response given (two queries)."""
    keys = [one.pk for one in responses]
    found = list(counted_judgments().filter(response__in=keys).order_by("submission_id"))
    ranked: dict[int, int] = defaultdict(int)
    together = Judgment.objects.filter(submission__in={one.submission_id for one in found}, rank__isnull=False)
    for submission in together.values_list("submission_id", flat=True):
        ranked[submission] += 1
    of_each: dict[int, list[Judgment]] = {key: [] for key in keys}
    for one in found:
        of_each[one.response_id].append(one)
    return {key: _opinion(said, ranked) for key, said in of_each.items()}


def _opinion(said: Sequence[Judgment], ranked: dict[int, int]) -> Opinion:
    overall = [one.ratings["overall"] for one in said if one.ratings.get("overall") is not None]
    flags: dict[str, int] = defaultdict(int)
    for one in said:
        for name, answer in one.flags.items():
            flags[name] += answer is True
    return Opinion(
        rating=sum(overall) / len(overall) if overall else None,
        ratings=len(overall),
        ranks=sorted((one.rank, ranked[one.submission_id]) for one in said if one.rank is not None),
        flags=[(name.replace("_", " "), many) for name, many in sorted(flags.items()) if many],
        judges=len(said),
    )
