"""What a page asks of a job while it runs: pause, cancel, resume; its newest metrics, its log."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from training import jobs
from training.errors import JobRefused
from training.models import Job
from training.views.curves import metric_rows
from training.views.logs import log_of, printed_of
from training.views.sheet import LOG_LINES
from training.views.stage_cards import card_of

WHOLE_LOG_LINES = 20_000


def _job_or_404(request: ProjectRequest, number: int, job_id: int) -> Job:
    found = Job.objects.select_related("stage__round", "stage__campaign", "stage__job", "project")
    return get_object_or_404(found, project=request.project, stage__round__number=number, pk=job_id)


def _asks(act: Callable[[Job], None]) -> Callable[..., HttpResponse]:
    """A view that asks something of a job and goes back to the page of its round."""

    @never_cache
    @require_POST
    @project_page(RESEARCHES)
    def view(request: ProjectRequest, number: int, job_id: int) -> HttpResponse:
        job = _job_or_404(request, number, job_id)
        try:
            act(job)
        except JobRefused as refused:
            messages.error(request, str(refused))
        page = redirect("round", request.project.slug, number)
        return redirect(f"{page.url}?stage={job.kind}#live")

    return view


cancel = _asks(jobs.ask_cancel)
pause = _asks(jobs.ask_pause)
resume = _asks(jobs.resume)


@never_cache
@require_safe
@project_page(RESEARCHES)
def metrics(request: ProjectRequest, number: int, job_id: int) -> HttpResponse:
    """Where the job stands, its metrics from step `after` on (that step again), and the end of its log.

    Rows are [step, split, {key: value}]; null is a number that was not finite.
    """
    job = _job_or_404(request, number, job_id)
    after = request.GET.get("after", "-1")
    if not after.lstrip("-").isdecimal() or len(after) > 15:
        return JsonResponse({"code": "bad_step", "message": f"after is {after[:40]!r}; expected a step."}, status=400)
    assert job.stage is not None
    card = card_of(job.stage)
    return JsonResponse(
        {
            "state": job.state, "wanted": job.wanted, "attempt": job.attempt, "step": job.step, "steps": job.steps,
            "ended": job.state in jobs.ENDED or job.state == Job.State.PAUSED, "words": card.words, "facts": card.facts,
            "part": card.part, "rows": metric_rows(job, after=int(after)), "log": log_of(job, lines=LOG_LINES),
        }
    )  # fmt: skip


@never_cache
@require_safe
@project_page(RESEARCHES)
def log(request: ProjectRequest, number: int, job_id: int) -> HttpResponse:
    """The newest attempt's log as plain text: what a browser shows and never runs."""
    job = _job_or_404(request, number, job_id)
    return HttpResponse(printed_of(job, lines=WHOLE_LOG_LINES), content_type="text/plain; charset=utf-8")
