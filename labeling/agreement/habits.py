"""One labeler's habits: answering without looking, and agreeing with themself.

Signals to look at a person's work by, never verdicts: an easy stretch of prompts also makes a long run.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np

from labeling.agreement.figures import Figure, Totals, undefined
from labeling.agreement.intervals import bootstrap_by_prompt
from labeling.agreement.rankings import order

NEGLIGIBLE = 1e-12


@dataclass(frozen=True, kw_only=True)
class StraightLining:
    """How monotonous a labeler's answers are, in the order of time.

    longest_run: the most identical answers in a row, and run_answer, what they were. commonest_share: share of the
    commonest answer. run_probability: chance of a run at least as long if each answer were drawn apart, as often as
    everyone gives it (an upper bound, at most 1): small where colleagues vary and this person does not.
    """

    answers: int
    longest_run: int
    run_answer: Hashable
    commonest_share: float
    run_probability: Figure


def straight_lining(answers: Sequence[Hashable], *, everyone: Mapping[Hashable, int]) -> StraightLining | None:
    """answers: one labeler's, in the order of time: a rating, or the tuple of ranks as shown on the screen.

    everyone: how often all labelers of the campaign gave each answer. None where there is no answer at all.
    """
    if not answers:
        return None
    runs = [(len(list(run)), answer) for answer, run in groupby(answers)]
    length, answer = max(runs, key=lambda run: run[0])
    return StraightLining(
        answers=len(answers),
        longest_run=length,
        run_answer=answer,
        commonest_share=Counter(answers).most_common(1)[0][1] / len(answers),
        run_probability=_run_probability(length, len(answers), everyone),
    )


def _run_probability(length: int, answers: int, everyone: Mapping[Hashable, int]) -> Figure:
    """Sum over the answers of the chance that this one makes a run: at least the chance that any does."""
    total = sum(everyone.values())
    if not total:
        return undefined("Nobody else answered, so there is nothing to compare with.")
    # What is surely too rare to matter is not reckoned: there may be thousands of different answers.
    likely = [count / total for count in everyone.values() if answers * (count / total) ** length > NEGLIGIBLE]
    chances = [run_chance(length, answers, chance) for chance in likely]
    return Figure(value=min(1.0, sum(chances)), count=total)


def run_chance(length: int, draws: int, chance: float) -> float:
    """The probability that `draws` independent draws hold a run of at least `length` hits of probability `chance`.

    With none[n] the chance of no such run among n draws, none[n] = none[n - 1] - none[n - length - 1] (1 - chance)
    chance^length: the first run ends at n, after a miss. Source: Feller 1968, volume 1, XIII.7.
    """
    if length > draws:
        return 0.0
    none = [1.0] * length + [1.0 - chance**length]
    for n in range(length + 1, draws + 1):
        none.append(none[n - 1] - none[n - length - 1] * (1 - chance) * chance**length)
    return 1.0 - none[draws]


@dataclass(frozen=True, kw_only=True)
class HiddenRepeat:
    """What a labeler said of one unit, and again when it came back unannounced."""

    prompt: Hashable
    labeler: Hashable
    first: Hashable
    again: Hashable


def self_agreement(repeats: Iterable[HiddenRepeat]) -> Figure:
    """The share of repeats answered as before, with an interval over prompts; `count` is the repeats.

    Repeats with an unanswered side are left out. No labeler can agree with others more than with themself for long.
    """
    answered = [one for one in repeats if one.first is not None and one.again is not None]
    if not answered:
        return undefined("Nothing was shown twice to the same person and answered both times.")
    code: dict[Hashable, int] = {}
    prompts = np.array([code.setdefault(one.prompt, len(code)) for one in answered])
    same = np.array([one.first == one.again for one in answered], dtype=np.float64)
    sums = np.column_stack([np.bincount(prompts, weights=same), np.bincount(prompts)]).astype(np.float64)
    totals = Totals(sums=sums, statistic=lambda drawn: drawn[:, 0] / drawn[:, 1])
    return Figure(value=float(same.mean()), count=len(same)).with_interval(bootstrap_by_prompt(totals))


def repeated_comparisons(
    *, prompt: Hashable, labeler: Hashable, first: Sequence[int | None], again: Sequence[int | None]
) -> list[HiddenRepeat]:
    """A ranking that came back, as one repeat for each pair of its responses (in the prompt's order, not the shown)."""
    if len(first) != len(again):
        raise ValueError(f"Prompt {prompt!r} was ranked with {len(first)} and again with {len(again)} responses.")
    return [
        HiddenRepeat(prompt=prompt, labeler=labeler, first=order(first[i], first[j]), again=order(again[i], again[j]))
        for i, j in combinations(range(len(first)), 2)
    ]
