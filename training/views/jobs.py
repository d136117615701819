"""What a page asks of a job while it runs: pause, cancel, resume; its newest metrics, its log."""

import re
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from training import jobs
from training.errors import JobRefused
from training.models import Alarm, Job
from training.run_folders import run_folder
from training.views.curves import metric_rows
from training.views.logs import log_of, printed_of
from training.views.samples import reading_of
from training.views.sheet import LOG_LINES
from training.views.stage_cards import cards_of

WHOLE_LOG_LINES = 20_000


def _job_or_404(request: ProjectRequest, number: int, job_id: int) -> Job:
    found = Job.objects.select_related("stage__round", "stage__campaign", "stage__job", "project")
    found = found.defer("config", "report", "stage__job__config")
    # In the same query: what every open page asks every few seconds costs one.
    unseen = Alarm.objects.filter(job=OuterRef("pk"), seen_at=None).order_by("-pk").values("pk")[:1]
    found = found.annotate(newest_alarm=Subquery(unseen))
    return get_object_or_404(found, project=request.project, stage__round__number=number, pk=job_id)


def _asks(act: Callable[[Job], None]) -> Callable[..., HttpResponse]:
    """A view that asks something of a job and goes back to the page of its round, or to the job's own (back=job)."""

    @never_cache
    @require_POST
    @project_page(RESEARCHES)
    def view(request: ProjectRequest, number: int, job_id: int) -> HttpResponse:
        job = _job_or_404(request, number, job_id)
        try:
            act(job)
        except JobRefused as refused:
            messages.error(request, str(refused))
        if request.POST.get("back") == "job":
            return redirect("job", request.project.slug, job.pk)
        page = redirect("round", request.project.slug, number)
        return redirect(f"{page.url}?stage={job.stage.kind if job.stage else job.kind}#live")

    return view


cancel = _asks(jobs.ask_cancel)
pause = _asks(jobs.ask_pause)
resume = _asks(jobs.resume)


@never_cache
@require_safe
@project_page(RESEARCHES)
def metrics(request: ProjectRequest, number: int, job_id: int) -> HttpResponse:
    """Where the job stands, its metrics from step `after` on (that step again), and the end of its log.

    Rows are [step, split, {key: value}]; null is a number that was not finite. With the `mark` of the answer before,
    {"same": true} where nothing has moved since.
    """
    job = _job_or_404(request, number, job_id)
    after = request.GET.get("after", "-1")
    if not re.fullmatch(r"-?[0-9]{1,14}", after):
        return JsonResponse({"code": "bad_step", "message": f"after is {after[:40]!r}; expected a step."}, status=400)
    mark = mark_of(job)
    if request.GET.get("mark") == mark:
        return JsonResponse({"same": True})
    return HttpResponse(ANSWERS.told(job, mark, int(after)), content_type="application/json")


class Answers:
    """What was told of a job, word for word: many pages follow one job, and each of its steps is put together once.

    Of this process only, and of the newest marks: a mark changes with whatever a page shows.
    """

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[int, str, int], bytes] = OrderedDict()
        self._held = Lock()

    def told(self, job: Job, mark: str, after: int) -> bytes:
        key = (job.pk, f"{mark} {job.created_at}", after)
        with self._held:
            if key in self._kept:
                return self._kept[key]
        answer = JsonResponse(answer_of(job, mark, after)).content
        with self._held:
            self._kept[key] = answer
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return answer


ANSWERS = Answers()


def answer_of(job: Job, mark: str, after: int) -> dict[str, Any]:
    assert job.stage is not None
    card = cards_of([job.stage])[0]
    return {
        "mark": mark, "samples": sampled_bytes(job),
        "state": job.state, "wanted": job.wanted, "attempt": job.attempt, "step": job.step, "steps": job.steps,
        "ended": job.state in jobs.ENDED or job.state == Job.State.PAUSED, "words": card.words, "facts": card.facts,
        "part": card.part, "alarm": alarm_told(job), "rows": metric_rows(job, after=after),
        "log": log_of(job, lines=LOG_LINES),
    }  # fmt: skip


def mark_of(job: Job) -> str:
    """Another one whenever something that the page shows has changed; costs no query."""
    newest = getattr(job, "newest_alarm", None)
    place = f"{job.attempt}.{job.state}.{job.wanted}.{job.step}.{job.phase}.{job.checkpoint_step}.{job.stepped_at}"
    return f"{place}.{newest}"


def alarm_told(job: Job) -> dict[str, Any] | None:
    """The newest alarm of the job that nobody has seen."""
    newest = getattr(job, "newest_alarm", None)
    alarm = Alarm.objects.filter(pk=newest).first() if newest else None
    return {"id": alarm.pk, "kind": alarm.get_kind_display(), "message": alarm.message} if alarm else None


def sampled_bytes(job: Job) -> int:
    """Grows with each text to read that the stage has written."""
    try:
        return run_folder(job).samples.stat().st_size
    except OSError:
        return 0


@never_cache
@require_safe
@project_page(RESEARCHES)
def samples(request: ProjectRequest, number: int, job_id: int) -> HttpResponse:
    """The newest texts to read, as the part of the page that they stand in."""
    job = _job_or_404(request, number, job_id)
    kept = job.stage.kind if job.stage else ""
    context = {"reading": reading_of(job, {"stage": kept}), "kind": job.kind, "kept": kept}
    return render(request, "rounds/_samples.html", context)


@never_cache
@require_safe
@project_page(RESEARCHES)
def log(request: ProjectRequest, number: int, job_id: int) -> HttpResponse:
    """The newest attempt's log as plain text: what a browser shows and never runs."""
    job = _job_or_404(request, number, job_id)
    return HttpResponse(printed_of(job, lines=WHOLE_LOG_LINES), content_type="text/plain; charset=utf-8")
