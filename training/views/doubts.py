"""What could be wrong with what an evaluation found, as far as its own tables show it."""

from collections.abc import Iterator

import numpy as np
from django.db.models import Avg, Count, Q

from labeling.models import Response
from labeling.views.worded import plural
from training.authors import HUMAN, author_in
from training.evaluation import Evaluation
from training.views.findings import name_of

LONGER = 1.1
"""From this ratio of mean lengths on it is worth saying."""
LARGE_SHARE = 0.3
"""Of all ratings, by one labeler."""


def doubts_of(evaluation: Evaluation, *, left_out: int, missing: int = 0) -> list[str]:
    """left_out: prompts that not every model could be asked. missing: ratings that were asked for and not waited for.
    Two queries."""
    if not len(evaluation.said):
        return []
    doubts = [*_length(evaluation), *_cut(evaluation), *_raters(evaluation), *_prompts(evaluation, left_out)]
    return [*_cut_short(missing), *doubts]


def _cut_short(missing: int) -> Iterator[str]:
    if missing:
        yield (
            f"The campaign was closed with {plural(missing, 'rating')} still to come. If the figures decided when, "
            "they find differences that are not there: intervals and tests are of studies whose end was set beforehand."
        )


def _length(evaluation: Evaluation) -> Iterator[str]:
    tokens = _tokens(evaluation)
    ours, theirs = (tokens.get(one.key) for one in (evaluation.subject, evaluation.baseline))
    if not ours or not theirs or ours == theirs:
        return
    more = max(ours / theirs, theirs / ours)
    if more >= LONGER:
        first, second = name_of(evaluation.subject), name_of(evaluation.baseline)
        longer, shorter = (first, second) if ours > theirs else (second, first)
        yield (
            f"Responses of {longer} are {more - 1:.0%} longer than those of {shorter} "
            f"({ours:.0f} and {theirs:.0f} tokens on average): length may be part of what was rated."
        ).replace("%", " %")


def _tokens(evaluation: Evaluation) -> dict[str, float]:
    """Mean tokens a response, of each author but people where known (one query)."""
    shown = Response.objects.filter(shown_in__task__campaign=evaluation.campaign, generator__isnull=False)
    means = shown.annotate(author=author_in()).values_list("author").annotate(mean=Avg("token_count")).order_by()
    return {author: mean for author, mean in means if mean}


def _cut(evaluation: Evaluation) -> Iterator[str]:
    """One query."""
    shown = Response.objects.filter(shown_in__task__campaign=evaluation.campaign, generator__isnull=False)
    counts = shown.annotate(author=author_in()).values_list("author").annotate(
        cut=Count("pk", filter=Q(finish_reason="length")), empty=Count("pk", filter=Q(text="")), number=Count("pk")
    ).order_by()  # fmt: skip
    by_key = {author: (cut, empty, number_) for author, cut, empty, number_ in counts}
    said = []
    for author in evaluation.authors:
        cut, empty, count = by_key.get(author.key, (0, 0, 0))
        if cut:
            said.append(f"{cut:,} of {count:,} of {author.label} were cut at the longest length")
        if empty:
            said.append(f"{empty:,} of {count:,} of {author.label} are empty")
    if said:
        yield f"{'; '.join(said)}. They were rated as they are."


def _raters(evaluation: Evaluation) -> Iterator[str]:
    given = np.unique(evaluation.said.labelers, return_counts=True)[1]
    busiest = int(given.max()) / len(evaluation.said)
    if len(given) == 1:
        yield "One labeler gave all ratings: what is said of labelers in general cannot be told from one."
    elif len(given) > 3 and busiest > LARGE_SHARE:
        yield f"One of {len(given)} labelers gave {busiest:.0%} of the ratings.".replace("%", " %")
    if evaluation.raters != "people" and evaluation.by_source.get("simulated"):
        count = evaluation.by_source["simulated"]
        yield f"{plural(count, 'rater is a program', 'raters are programs')}: it says what they were made to prefer."


def _prompts(evaluation: Evaluation, left_out: int) -> Iterator[str]:
    said = evaluation.said
    rated = np.zeros((len(said.prompts.values), len(said.authors.values)), dtype=np.bool_)
    rated[said.prompts.codes, said.authors.codes] = True
    wanted = {one.key for one in evaluation.authors if one.key != HUMAN}
    columns = [place for place, key in enumerate(said.authors.values) if key in wanted]
    whole = int(rated[:, columns].all(axis=1).sum()) if len(columns) == len(wanted) else 0
    partly = evaluation.prompts - whole
    if partly:
        of = f"of {evaluation.prompts:,} held-out prompts"
        yield f"{partly:,} {of} {'is' if partly == 1 else 'are'} not rated for every model."
    if left_out:
        yield f"{plural(left_out, 'prompt was', 'prompts were')} left out: too long for one of the models."
