"""What a labeler did: by day and campaign, and the last ones to look at or correct. Nothing of others."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from labeling.access import LABELS, ProjectRequest, project_page
from labeling.assigning import labeler_of
from labeling.history import by_day_and_campaign
from labeling.own_pages import own_pages
from labeling.questions import answers_for
from labeling.standing import Done, done_since, recent_submissions, start_of_week
from labeling.submitting import may_correct

A_PAGE = 40
ANSWERS_SHOWN = 10


@never_cache
@require_safe
@project_page(LABELS)
def my_work(request: ProjectRequest) -> HttpResponse:
    labeler = labeler_of(request.membership)
    page = Paginator(by_day_and_campaign(labeler), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "pseudonym": labeler.pseudonym,
        "week": done_since(labeler, start_of_week()),
        "page": page,
        "rows": [row | {"active": Done(row["submissions"], row["active_ms"] or 0)} for row in page.object_list],
        "own_pages": own_pages(labeler),
        "answers": answers_for(labeler)[:ANSWERS_SHOWN],
        "recent": [(one, may_correct(one, timezone.now())) for one in recent_submissions(labeler)],
    }
    return render(request, "labeling/my_work.html", context)
