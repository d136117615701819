"""A file is given, looked into, and brought in: what it would become is shown before anything is written."""

from typing import Any

from django.core import signing
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling.access import READS_DATA, ProjectRequest, project_page
from labeling.errors import Refusal
from labeling.foreign.sources import CSV, SOURCES
from labeling.foreign.table import PREFIX, TARGETS
from labeling.importing_files import (
    MOST_BYTES,
    AskedImport,
    CannotImport,
    Preview,
    drop_file,
    keep_file,
    kept_file,
    parameters_of,
    preview,
    queue,
    read_asked,
    take_from,
)
from labeling.models import Import

SALT = "a file that is looked into"
KEPT_SECONDS = 24 * 60 * 60
OF_FILE = ("source", "name", "writer", "generator", "labeler", "skip_bad")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@project_page(READS_DATA)
def new_import(request: ProjectRequest) -> HttpResponse:
    """A POST with a file keeps it and shows what is in it; one with kept looks again, or brings it in."""
    if request.method != "POST":
        return _form(request)
    try:
        if url := request.POST.get("url", "").strip():
            made = take_from(request.project, _asked(request, ""), url, by=request.user)
            return redirect("import", request.project.slug, made.uuid)
        kept = _kept(request)
        asked = _asked(request, kept["file_name"])
    except Refusal as refusal:
        return _form(request, problem=refusal.message, status=refusal.status)
    try:
        found = preview(kept_file(kept["path"]), asked)
    except CannotImport as refusal:
        drop_file(kept["path"])
        return _form(request, problem=refusal.message, status=refusal.status)
    if request.POST.get("act") == "bring":
        return _bring(request, asked, kept, found)
    return _look(request, asked, kept, found)


def _asked(request: ProjectRequest, file_name: str) -> AskedImport:
    """What the forms say; fields that say nothing of this source are passed over."""
    known = parameters_of(request.POST.get("source", ""))
    given = {name: value.strip() for name, value in request.POST.dict().items() if name in known}
    return read_asked(given, file_name=file_name)


def _kept(request: ProjectRequest) -> dict[str, Any]:
    """The file of this request, kept now; or that of the request before, by the signed word that its page carries."""
    if (uploaded := request.FILES.get("file")) is not None:
        path, size = keep_file(uploaded.chunks(), request.project)
        return {"path": path, "size": size, "file_name": str(uploaded.name or "")[:200]}
    try:
        kept: dict[str, Any] = signing.loads(request.POST.get("kept", ""), salt=_salt(request), max_age=KEPT_SECONDS)
    except signing.BadSignature:
        raise CannotImport("No file was chosen. Choose one, or give its address.") from None
    if not kept_file(kept["path"]).is_file():
        raise CannotImport("The file is not kept any more; choose it again.")
    return kept


def _salt(request: ProjectRequest) -> str:
    return f"{SALT}, by {request.user.pk} for {request.project.pk}"


def _form(request: ProjectRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    context = {
        "sources": SOURCES.values(),
        "typed": {name: request.POST.get(name, "") for name in (*OF_FILE, "url")},
        "most_gib": MOST_BYTES // 1024**3,
        "problem": problem,
    }
    return render(request, "data/import.html", context, status=status)


def _look(
    request: ProjectRequest, asked: AskedImport, kept: dict[str, Any], found: Preview, *, problem: str = ""
) -> HttpResponse:
    columns = [
        (f"{PREFIX}{target}", target, says, found.mapping.get(target, "")) for target, says in TARGETS.items()
    ]  # fmt: skip
    context = {
        "asked": asked,
        "found": found,
        "counts": sorted(found.counts.items()),
        "columns": columns if asked.source.name == CSV else [],
        "kept": signing.dumps(kept, salt=_salt(request)),
        "file_name": kept["file_name"],
        "said": {name: request.POST.get(name, "") for name in OF_FILE} | {"name": asked.name},
        "problem": problem,
    }
    return render(request, "data/look.html", context, status=400 if problem else 200)


def _bring(request: ProjectRequest, asked: AskedImport, kept: dict[str, Any], found: Preview) -> HttpResponse:
    try:
        made = queue(
            request.project,
            asked,
            by=request.user,
            file_name=kept["file_name"],
            path=kept["path"],
            size_bytes=kept["size"],
        )
    except CannotImport as refusal:
        return _look(request, asked, kept, found, problem=refusal.message)
    return redirect("import", request.project.slug, made.uuid)


@never_cache
@require_safe
@project_page(READS_DATA)
def import_page(request: ProjectRequest, uuid: Any) -> HttpResponse:
    """What became of a file, line by line where refused."""
    found = Import.objects.filter(project=request.project, uuid=uuid).first()
    if found is None:
        raise Http404("There is no such page, or it is not yours.")
    report = found.report
    context = {
        "found": found,
        "records": sorted(report.get("records", {}).items()),
        "new": sorted(report.get("new", {}).items()),
        "reasons": report.get("reasons", []),
        "more": max(0, report.get("refused", 0) - len(report.get("reasons", []))),
    }
    return render(request, "data/report.html", context)
