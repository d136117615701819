"""A labeler's home: what to do now, what is left, what was done."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.assigning import labeler_of
from labeling.own_pages import own_pages
from labeling.releasing import release_expired
from labeling.reviewing import returned_to
from labeling.standing import (
    Done,
    done_by_campaign,
    done_since,
    recent_submissions,
    skipped_since,
    standings_of,
    start_of_day,
    start_of_week,
)
from labeling.submitting import may_correct

RETURNED_SHOWN = 20
"""The others follow as these are done."""


@never_cache
@require_safe
@project_page(LABELS)
def queue(request: ProjectRequest) -> HttpResponse:
    labeler = labeler_of(request.membership)
    # Or a page without a button would wait for a claim that nobody can make.
    release_expired(but_not_of=labeler)
    standings = standings_of(labeler)
    held = [standing for standing in standings if standing.held]
    held.sort(key=lambda standing: standing.held.draft_saved_at or standing.held.created_at, reverse=True)  # type: ignore[union-attr]
    this_week = done_by_campaign(labeler, start_of_week())
    context = {
        "standings": [(one, one.pace(this_week.get(one.campaign.pk))) for one in standings],
        "now": held[0] if held else next((standing for standing in standings if not standing.why), None),
        "today": done_since(labeler, start_of_day()),
        "week": Done(
            sum(done.submissions for done in this_week.values()), sum(done.active_ms for done in this_week.values())
        ),
        "own_pages": own_pages(labeler),
        "skipped": skipped_since(labeler, start_of_day()),
        "returned": returned_to(labeler)[:RETURNED_SHOWN],
        "recent": [(one, may_correct(one, timezone.now())) for one in recent_submissions(labeler)],
    }
    return render(request, "labeling/queue.html", context)
