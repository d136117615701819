"""What members did in a period, as a table for whoever pays them. Owners only."""

import csv
from datetime import date

from allauth.account.decorators import reauthentication_required
from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import ProjectRequest, project_page
from labeling.cells import neutral
from labeling.history import BadPeriod, by_labeler_and_day, read_period
from labeling.models import Project, Role
from labeling.views.people import show_people

HEAD = ("day", "pseudonym", "user_name", "submissions", "counted", "surplus", "active_minutes")


@never_cache
@require_safe
@project_page([Role.OWNER])
@reauthentication_required
def pay(request: ProjectRequest) -> HttpResponse:
    """?from=2026-03-01&to=2026-03-31"""
    typed = {"role": Role.LABELER.value} | {name: request.GET.get(name, "") for name in ("from", "to")}
    try:
        first, last = read_period(typed["from"], typed["to"])
    except BadPeriod as refusal:
        return show_people(request, typed=typed, pay_problem=refusal.message, status=refusal.status)
    return _table(request.project, first, last)


def _table(project: Project, first: date, last: date) -> HttpResponse:
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{project.slug}-work-{first}-to-{last}.csv"'
    writer = csv.writer(answer)
    writer.writerow(HEAD)
    for row in by_labeler_and_day(project, first, last).iterator():
        minutes = round((row["active_ms"] or 0) / 60_000, 1)
        counts = (row["submissions"], row["counting"], row["surplus"], minutes)
        writer.writerow([row["day"], neutral(row["pseudonym"]), neutral(row["username"] or ""), *counts])
    return answer
