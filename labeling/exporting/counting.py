"""How many rows an export would have, before anything is read."""

from django.db.models import Count, F, IntegerField, Sum

from labeling.exporting.asked import Asked
from labeling.models import Judgment
from labeling.records import Kind
from labeling.selecting import assignments_of, chosen_demonstrations, chosen_prompts, chosen_tasks


def count_rows(asked: Asked) -> int:
    """A query that counts; of comparisons, from how many responses each labeler ranked."""
    selection, project, kind = asked.selection, asked.project, asked.kind
    if kind is Kind.PROMPT:
        return chosen_prompts(project, selection).count()
    if kind is Kind.DEMONSTRATION:
        return chosen_demonstrations(project, selection).count()
    if kind is Kind.COMPARISON:
        return _pairs(asked) * (2 if asked.layout.name == "unpaired" else 1)
    if kind is Kind.RATING and asked.layout.name != "records":
        return assignments_of(project, kind, selection).count()
    return chosen_tasks(project, kind, selection).count()


def _pairs(asked: Asked) -> int:
    said = assignments_of(asked.project, asked.kind, asked.selection)
    ranked = Judgment.objects.filter(rank__isnull=False, submission__in=said.values("current_submission")).order_by()
    pairs = _chosen_two(ranked.values("submission").annotate(n=Count("pk")))
    ties = _chosen_two(ranked.values("submission", "rank").annotate(n=Count("pk")))
    return {"keep": pairs, "drop": pairs - ties, "both": pairs + ties}[asked.selection.ties]


def _chosen_two(groups: object) -> int:
    """n (n - 1) / 2, summed."""
    twice: int = groups.aggregate(twice=Sum(F("n") * (F("n") - 1), output_field=IntegerField()))["twice"] or 0  # type: ignore[attr-defined]
    return twice // 2
