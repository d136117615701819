"""The console's pages about prompts: the list of them, and one of them with every response."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from labeling.access import RESEARCHES, ProjectRequest, project_page
from labeling.browsing.aside import why_aside
from labeling.browsing.filters import PromptFilters
from labeling.browsing.prompts import as_lines, author_of, found_prompts, prompt_sheet, tally_of
from labeling.browsing.searching import MOST_WORDS, Found
from labeling.browsing.sheets import sheet_of
from labeling.distress import say_what_it_holds, sum_of
from labeling.models import Content, Prompt
from labeling.screens import language_in_words


@never_cache
@require_safe
@project_page(RESEARCHES)
def prompt_list(request: ProjectRequest) -> HttpResponse:
    """The newest prompts, or those that the filters leave. A filter that cannot be is answered with 400."""
    filters = PromptFilters(request.GET, project=request.project)
    said = filters.said
    found = found_prompts(request.project, said) if filters.is_valid() else Found(Prompt.objects.none())
    context = {
        "filters": filters,
        "narrowed": bool(said),
        "tally": tally_of(request.project),
        "many": found.rows.count() if said else None,
        "among": found.among,
        "most_words": MOST_WORDS if len(said.get("q", "").split()) > MOST_WORDS else None,
        "sheet": sheet_of(as_lines(found.rows), request.GET),
    }
    return render(request, "prompts/list.html", context, status=200 if filters.is_valid() else 400)


@never_cache
@require_safe
@project_page(RESEARCHES)
def prompt(request: ProjectRequest, prompt_id: int) -> HttpResponse:
    rows = Prompt.objects.filter(project=request.project).annotate(aside=why_aside())
    rows = rows.select_related("submission__assignment__labeler")
    found = get_object_or_404(rows, pk=prompt_id)
    context = {
        "sheet": prompt_sheet(found),
        "author": author_of(found),
        "language": language_in_words(found.language),
        "holds": [(kind.name, kind.words, bool(found.content & kind)) for kind in Content],
    }
    return render(request, "prompts/prompt.html", context)


@require_POST
@project_page(RESEARCHES)
def say_content(request: ProjectRequest, prompt_id: int) -> HttpResponse:
    """What the prompt, or what was written to it, holds that is announced to labelers first."""
    found = get_object_or_404(Prompt, project=request.project, pk=prompt_id)
    say_what_it_holds(found, sum_of(request.POST.getlist("kind")))
    messages.success(request, "Saved. Labelers are told before they see it.")
    return redirect("prompt", request.project.slug, found.pk)
