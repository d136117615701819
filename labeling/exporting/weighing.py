"""Which labelers an export takes by their weight: how well they agree with the others, as training may weigh them.

The weight is that of docs/agreement.md (ability), reckoned when it is asked for from all that counts in the project.
Who has not judged enough beside others has none, and weighs 1.
"""

from labeling.agreement.ability import HEAVIEST, LIGHTEST
from labeling.models import Labeler, Project
from labeling.reports.agreement import AgreementReport
from labeling.reports.judgments import judgments_in
from labeling.reports.quality import quality_report
from labeling.reports.scope import Scope

__all__ = ["HEAVIEST", "LIGHTEST", "labelers_of_weight"]


def labelers_of_weight(project: Project, least: float, *, simulated: bool) -> frozenset[int]:
    """Keys of the project's labelers who weigh so much or more. simulated: programs are weighed with the people."""
    scope = Scope(project=project, raters="both" if simulated else "people")
    weights = {
        name: one.weight
        for name, one in quality_report(scope, AgreementReport(scope, judgments_in(scope))).abilities.items()
    }
    everybody = Labeler.objects.filter(project=project).values_list("pk", "pseudonym")
    return frozenset(pk for pk, pseudonym in everybody if weights.get(pseudonym, 1.0) >= least)
