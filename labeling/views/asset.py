"""A stylesheet or a script put into one; no sign-in, for the sign-in page has one too."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from labeling.assets import Asset
from labeling.scripts import script
from labeling.sheets import sheet

FOR_GOOD = "public, max-age=31536000, immutable"
NOT_KEPT = "no-cache"


@require_safe
def serve_sheet(request: HttpRequest, name: str, mark: str) -> HttpResponse:
    try:
        return _serve(request, sheet(name), mark, "text/css; charset=utf-8")
    except KeyError:
        raise Http404("There is no such stylesheet.") from None


@require_safe
def serve_script(request: HttpRequest, name: str, mark: str) -> HttpResponse:
    try:
        return _serve(request, script(name), mark, "text/javascript; charset=utf-8")
    except KeyError:
        raise Http404("There is no such script.") from None


def _serve(request: HttpRequest, found: Asset, mark: str, content_type: str) -> HttpResponse:
    """mark: of the content that the page was made for; another's page gets what there is now, and does not keep it."""
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    answer = HttpResponse(found.packed if packed else found.content, content_type=content_type)
    if packed:
        answer["Content-Encoding"] = "gzip"
    patch_vary_headers(answer, ["Accept-Encoding"])
    answer["Cache-Control"] = FOR_GOOD if mark == found.mark else NOT_KEPT
    return answer
