"""The answer to a body that is larger than is taken; every other bad request gets Django's own answer."""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.defaults import bad_request as djangos_answer

from labeling.errors import TooLarge
from labeling.views.task import wants_json


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: 413 with the limit, as JSON to whoever sends or asks for JSON, for what is too large."""
    if not isinstance(exception, RequestDataTooBig):
        return djangos_answer(request, exception)
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE / 2**20
    says = gettext(
        "That is %(sent)s MB; at most %(most)s MB are taken at once. "
        "Nothing of it was kept: shorten it and send it again."
    )
    sent = int(request.META["CONTENT_LENGTH"]) / 2**20
    refusal = TooLarge(says % {"sent": f"{sent:.1f}", "most": f"{limit:g}"})
    if wants_json(request) or request.content_type == "application/json":
        return JsonResponse(refusal.as_json(), status=refusal.status)
    return render(request, "413.html", {"says": refusal.message}, status=refusal.status)
