"""A stylesheet put into one; no sign-in, for the sign-in page has one too."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from labeling.sheets import SHEETS, sheet

FOR_GOOD = "public, max-age=31536000, immutable"
NOT_KEPT = "no-cache"


@require_safe
def serve(request: HttpRequest, name: str, mark: str) -> HttpResponse:
    """mark: of the content that the page was made for; another's page gets what there is now, and does not keep it."""
    if name not in SHEETS:
        raise Http404("There is no such stylesheet.")
    found = sheet(name)
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    answer = HttpResponse(found.packed if packed else found.content, content_type="text/css; charset=utf-8")
    if packed:
        answer["Content-Encoding"] = "gzip"
    patch_vary_headers(answer, ["Accept-Encoding"])
    answer["Cache-Control"] = FOR_GOOD if mark == found.mark else NOT_KEPT
    return answer
