"""Probation: what gold that somebody met in their first real work says of them, asked once, when the last of it is in.

Who looks after each task and stops at the first bad moment suspends one in two of those who are right often enough; and
pairs of one ranking are right or wrong together. So there is one look, at an upper bound with tasks as clusters.
"""

from collections.abc import Sequence

import numpy as np
from django.utils import timezone

from labeling.agreement.shares import ratio_interval
from labeling.models import Assignment, GoldAnswer, Qualification, QualificationTry
from labeling.reports.beside import answers_of, pairs_right, usable

BY_CHANCE = 0.05
"""How often at most somebody is suspended who is right exactly as often as is asked; who is right more often, less."""


def upper_bound(tallies: Sequence[tuple[int, int]]) -> float | None:
    """Above the share that somebody truly has right, but for BY_CHANCE; None where tasks are too few to tell.

    tallies: for each gold task how many pairs were said rightly, and how many were said.
    """
    sums = np.array([one for one in tallies if one[1]], dtype=np.float64).reshape(-1, 2)
    if not len(sums):
        return None
    found = ratio_interval(float(sums[:, 0].sum() / sums[:, 1].sum()), sums, level=1 - 2 * BY_CHANCE)
    return None if isinstance(found, str) else found.high


def end_probation(qualification: Qualification, current: QualificationTry) -> None:
    """Decides whether a try that was passed stays so, where that is due, and notes in its scores that it was looked at:
    what gold says later, or somebody corrects, suspends nobody. One query until it is due, none afterwards."""
    if not qualification.probation or "probation" in current.scores:
        return
    real = Assignment.objects.filter(
        labeler=current.labeler_id, campaign__requires=qualification, campaign__screening_of__isnull=True,
        current_submission__submitted_at__gt=current.decided_at or current.began_at,
    ).order_by("pk")  # fmt: skip
    first = list(real.values_list("pk", flat=True)[: qualification.probation])
    if len(first) < qualification.probation:
        return
    met_gold = GoldAnswer.objects.filter(task__assignments__in=first)
    others = Assignment.objects.exclude(labeler=current.labeler_id)
    gold = {one.task_id: one for one in usable(met_gold, others)}
    met = Assignment.objects.filter(pk__in=first, task__in=gold)
    tallies = [pairs_right(gold[one.task_id], said) for one, said in answers_of(met)]
    right, certain = (sum(of_one) for of_one in zip(*tallies, strict=True)) if tallies else (0, 0)
    bound = upper_bound(tallies)
    changes: dict[str, object] = {"scores": {**current.scores, "probation": right / certain if certain else None}}
    if bound is not None and 100 * bound < qualification.comparisons:
        changes |= {
            "state": QualificationTry.State.SUSPENDED,
            "decided_at": timezone.now(),
            "why": f"{right} of {certain} pairs of gold met during probation were ordered as gold has them: at most "
            f"{100 * bound:.0f} % with chance allowed for, and {qualification.comparisons} % are asked.",
        }
    QualificationTry.objects.filter(pk=current.pk, state=QualificationTry.State.PASSED).update(**changes)
