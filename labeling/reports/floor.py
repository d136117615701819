"""Of whom a report may not speak one by one, nor at all below five: people in cohorts that a rule fills.

A report is of such people where it is narrowed to their cohort, or to campaigns that are kept for such cohorts.
"""

import numpy as np

from labeling.agreement import Judged
from labeling.agreement.figures import Ints
from labeling.backgrounds import FEWEST_SHOWN
from labeling.models import Campaign, Cohort, Project
from labeling.reports.judgments import Judgments
from labeling.reports.scope import Scope


def cohorts_by_rule(scope: Scope, said: Judgments) -> tuple[str, ...]:
    """Names of the cohorts by a rule that all these judgments are of; none where anybody else is among them (at most
    two queries)."""
    if scope.cohort and (cohort := Cohort.objects.by_rule().filter(pk=scope.cohort).first()):
        return (cohort.name,)
    kept = kept_by_rule(scope.project)
    there = {said.of.campaigns.values[code] for code in np.unique(said.of.campaigns.codes)}
    return tuple(sorted({kept[campaign] for campaign in there})) if there <= kept.keys() else ()


def kept_by_rule(project: Project) -> dict[int, str]:
    """Campaigns whose work is given to a cohort by a rule alone, with the cohort's name (one query)."""
    filled = Cohort.objects.by_rule().filter(project=project)
    return dict(Campaign.objects.filter(cohort__in=filled).values_list("pk", "cohort__name"))


def who_share(judged: Judged) -> int:
    """Labelers of what two or more judged: those whom agreement rests on."""
    several = np.bincount(judged.units)[judged.units] > 1 if len(judged) else np.zeros(0, dtype=np.bool_)
    return len(np.unique(judged.labelers[several]))


def who_share_across(judged: Judged, sides: Ints, one: int, other: int) -> tuple[int, int]:
    """The same between two sides (N,): of each side the labelers of what both judged."""
    units = [judged.units[sides == side] for side in (one, other)]
    both = np.isin(judged.units, np.intersect1d(*units))
    first, second = (len(np.unique(judged.labelers[both & (sides == side)])) for side in (one, other))
    return first, second


def in_steps(people: int) -> int:
    """As many of these people as are told of, as by backgrounds.people_told."""
    return people - people % FEWEST_SHOWN


def are_few(*people: int) -> bool:
    """Whether any of these numbers of people, of whom some did something, is one that is not told."""
    return any(0 < number < FEWEST_SHOWN for number in people)
