"""An export is chosen and counted, then fetched at once or prepared by a worker. Both ask for the password again."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling.access import READS_DATA, ProjectRequest, project_page
from labeling.audit.recording import record
from labeling.errors import Refusal
from labeling.exporting.asked import Asked, CannotExport, read_asked
from labeling.exporting.counting import count_rows
from labeling.exporting.datasheet import as_markdown
from labeling.exporting.downloading import file_answer
from labeling.exporting.form import ExportForm
from labeling.exporting.making import name_and_type_of, note_fetched, prepare
from labeling.exporting.reading import plainly
from labeling.exporting.recalling import file_to_send
from labeling.exporting.streaming import streamed
from labeling.models import AuditKind, Export
from labeling.records import Kind

KINDS = {
    Kind.COMPARISON: "Comparisons",
    Kind.RANKING: "Rankings",
    Kind.DEMONSTRATION: "Demonstrations",
    Kind.PROMPT: "Prompts",
    Kind.RATING: "Ratings and flags",
    Kind.CANDIDATES: "Candidates",
}
SAMPLE_CHARACTERS = 1200


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(READS_DATA)
@reauthentication_required(allow_get=True)
def new_export(request: ProjectRequest) -> HttpResponseBase:
    """Counts what is chosen and shows the first row; a POST has it prepared."""
    typed = request.POST if request.method == "POST" else request.GET
    kind = _kind(typed.get("records", ""))
    asked, problem = _asked(request, kind, typed)
    if request.method == "POST" and asked is not None:
        try:
            prepare(request.project, kind, asked.query, by=request.user)
        except Refusal as refusal:
            problem = refusal.message
        else:
            messages.success(request, "It is being prepared; it stands here until it is done, and can be fetched then.")
            return redirect("data", request.project.slug)
    context = {
        "kinds": KINDS.items(),
        "kind": kind,
        "words": KINDS[kind].lower(),
        "form": ExportForm(request.project, kind, typed),
        "asked": asked,
        "rows": count_rows(asked) if asked else None,
        "sample": _sample(asked) if asked else "",
        "problem": problem,
        "address": request.build_absolute_uri(f"/api/v1/projects/{request.project.slug}/records/"),
    }
    return render(request, "data/export.html", context, status=400 if problem else 200)


def _kind(value: str) -> Kind:
    return Kind(value) if value in tuple(Kind) else Kind.COMPARISON


def _asked(request: ProjectRequest, kind: Kind, typed: QueryDict) -> tuple[Asked | None, str]:
    """What the form says, or why it cannot be. Fields of another kind's form are passed over."""
    form = ExportForm(request.project, kind, typed)
    query = {name: str(value) for name, value in typed.dict().items() if name in form.fields}
    try:
        return read_asked(request.project, kind, query), ""
    except CannotExport as refusal:
        return None, refusal.message


def _sample(asked: Asked) -> str:
    """The first row as JSON, cut."""
    for chunk in plainly(asked.project, asked.kind, asked.layout.name, asked.selection):
        first = chunk.data.split(b"\n", 1)[0].decode()
        return first if len(first) <= SAMPLE_CHARACTERS else f"{first[:SAMPLE_CHARACTERS]}…"
    return ""


@never_cache
@require_safe
@project_page(READS_DATA)
@reauthentication_required
def download(request: ProjectRequest) -> HttpResponseBase:
    """The file as it is read."""
    asked, problem = _asked(request, _kind(request.GET.get("records", "")), request.GET)
    if asked is None:
        return HttpResponse(problem, status=400, content_type="text/plain; charset=utf-8")
    record(AuditKind.EXPORT, project=request.project.pk, facts={"act": "fetched", "records": asked.kind.value})
    return streamed(asked)


def _export(request: ProjectRequest, uuid: Any) -> Export:
    found = Export.objects.filter(project=request.project, uuid=uuid).select_related("project").first()
    if found is None:
        raise Http404("There is no such page, or it is not yours.")
    return found


@require_safe
@project_page(READS_DATA)
@reauthentication_required
def export_file(request: ProjectRequest, uuid: Any) -> HttpResponseBase:
    """A prepared file, whole or in parts."""
    export = _export(request, uuid)
    path = file_to_send(export)
    if path is None:
        raise Http404("There is no such page, or it is not yours.")
    note_fetched(export)
    name, media_type = name_and_type_of(export)
    return file_answer(request, path, name=name, media_type=media_type, sha256=export.sha256)


@never_cache
@require_safe
@project_page(READS_DATA)
def export_datasheet(request: ProjectRequest, uuid: Any) -> HttpResponse:
    export = _export(request, uuid)
    if not export.datasheet:
        raise Http404("There is no such page, or it is not yours.")
    answer = HttpResponse(as_markdown(export.datasheet), content_type="text/markdown; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{request.project.slug}-{export.kind}-datasheet.md"'
    return answer
