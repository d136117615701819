"""Alarms on the page of a round: which are to be read, and that somebody has read one."""

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from labeling.access import RESEARCHES, ProjectRequest, project_page
from training.models import Alarm, Round


def alarms_of(round_: Round) -> QuerySet[Alarm]:
    """Those of its stages and of their jobs, the newest first; with what the page shows of each."""
    found = Alarm.objects.filter(Q(job__stage__round=round_) | Q(stage__round=round_))
    return found.select_related("job__stage", "stage", "seen_by").defer("job__config", "job__report")


@never_cache
@require_POST
@project_page(RESEARCHES)
def seen(request: ProjectRequest, alarm_id: int) -> HttpResponse:
    """It moves below those that nobody has read. A second time changes nothing."""
    mine = Q(job__project=request.project) | Q(stage__round__project=request.project)
    alarm = get_object_or_404(
        Alarm.objects.filter(mine).select_related("job__stage__round", "stage__round"), pk=alarm_id
    )
    Alarm.objects.filter(pk=alarm.pk, seen_at=None).update(seen_at=timezone.now(), seen_by=request.user)
    stage = alarm.of_stage
    if stage is None:
        return redirect("job", request.project.slug, alarm.job_id)
    return redirect("round", request.project.slug, stage.round.number)
