"""The ratings of a campaign as arrays, one row for what one labeler said of one response."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeling.agreement.figures import Bools, Floats, Ints
from labeling.models import Campaign, Labeler, WorkKind
from labeling.reports.columns import Codes, Joined, JoinedSeconds, numbers, parts_of, whole_numbers
from training.authors import HUMAN, author_in
from training.snapshot_rows import Query, judgments_asked_for


@dataclass(frozen=True)
class Said:
    """What one labeler said of one response. labeler: their primary key."""

    response: int
    labeler: int
    simulated: bool
    ratings: Mapping[str, int]
    flags: Mapping[str, bool | None]


@dataclass(frozen=True, kw_only=True)
class Rated:
    """(M,) each. authors: keys of whoever wrote the responses. labelers: places in `people`, primary keys, of whom
    is_simulated tells what they are. submitted: seconds since 1970. ratings, flags: codes of the parsed answers."""

    authors: Codes
    responses: Ints
    prompts: Codes
    use_cases: Codes
    labelers: Ints
    people: tuple[int, ...]
    is_simulated: tuple[bool, ...]
    submitted: Floats
    ratings: Codes
    flags: Codes

    def __len__(self) -> int:
        return len(self.responses)

    @property
    def simulated(self) -> Bools:
        return np.array(self.is_simulated, dtype=np.bool_)[self.labelers]

    def by(self, author: str) -> Bools:
        return np.asarray(np.array([key == author for key in self.authors.values] or [False])[self.authors.codes])

    def only(self, rows: Bools) -> "Rated":
        """The authors, prompts and people keep their numbers."""
        kept: dict[str, Any] = {
            name: value.only(rows) if isinstance(value, Codes) else value[rows]
            for name, value in vars(self).items()
            if isinstance(value, Codes | np.ndarray)
        }
        return replace(self, **kept)

    def rating(self, scale: str) -> Floats:
        return self._meaning(self.ratings, lambda answers: answers.get(scale))

    def flag(self, name: str) -> Floats:
        return self._meaning(self.flags, lambda answers: answers.get(name))

    def of_flags(self, meaning: Callable[[Mapping[str, bool | None]], bool | None]) -> Floats:
        """Something said by all flags of an answer together."""
        return self._meaning(self.flags, meaning)

    def _meaning(self, answers: Codes, meaning: Callable[[Any], Any]) -> Floats:
        """NaN for None. Different answers are few: each is looked at once."""
        found = [meaning(one) for one in answers.values] or [None]
        return np.array([np.nan if one is None else one for one in found], dtype=np.float64)[answers.codes]

    def said_of(self, prompts: set[int]) -> Iterator[Said]:
        """What was said of the responses to these prompts, by their primary keys."""
        wanted = np.array([pk in prompts for pk in self.prompts.values] or [False])
        for row in np.flatnonzero(wanted[self.prompts.codes]):
            labeler = int(self.labelers[row])
            yield Said(
                int(self.responses[row]), self.people[labeler], self.is_simulated[labeler],
                self.ratings.values[self.ratings.codes[row]], self.flags.values[self.flags.codes[row]],
            )  # fmt: skip


COLUMNS = {
    "order": Joined("pk"),
    "author": Joined(author_in("response__")),
    "response": Joined("response"),
    "prompt": Joined("submission__assignment__task__prompt"),
    "use_case": Joined("submission__assignment__task__prompt__use_case"),
    "labeler": Joined("submission__assignment__labeler"),
    "submitted": JoinedSeconds("submission__submitted_at"),
    "ratings": Joined("ratings"),
    "flags": Joined("flags"),
}


def rated_in(campaign: Campaign) -> Rated:
    """What everybody said whose submission counts, in the order in which it was stored (two queries)."""
    query = Query(kind="ratings", campaigns=(campaign.pk,), simulated="include")
    found = judgments_asked_for(campaign.project, query, [WorkKind.RATING])
    parts = list(parts_of(found, by="pk", columns=COLUMNS))

    def texts(name: str) -> list[str]:
        return [part[name] for part in parts]

    order = np.argsort(whole_numbers(texts("order")))
    authors = Codes.of(texts("author")).only(order)
    labelers = Codes.of_ids(whole_numbers(texts("labeler"))[order])
    programs = set(
        Labeler.objects.filter(pk__in=labelers.values, source=Labeler.Source.SIMULATED).values_list("pk", flat=True)
    )
    return Rated(
        authors=Codes(authors.codes, tuple(key or HUMAN for key in authors.values)),
        responses=whole_numbers(texts("response"))[order],
        prompts=Codes.of_ids(whole_numbers(texts("prompt"))[order]),
        use_cases=Codes.of(texts("use_case")).only(order),
        labelers=labelers.codes,
        people=labelers.values,
        is_simulated=tuple(pk in programs for pk in labelers.values),
        submitted=numbers(texts("submitted"))[order],
        ratings=_parsed(Codes.of(texts("ratings"))).only(order),
        flags=_parsed(Codes.of(texts("flags"))).only(order),
    )


def _parsed(coded: Codes) -> Codes:
    return Codes(coded.codes, tuple(json.loads(text) for text in coded.values))
