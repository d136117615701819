"""The answer to what nobody foresaw: a number, and under it the log says what it was."""

import logging
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import render_to_string

log = logging.getLogger(__name__)


def failed(request: HttpRequest) -> HttpResponse:
    """handler500: called while the error is being handled. No context of a request: that may be what broke."""
    number = getattr(request, "request_id", "") or uuid4().hex
    log.error("error %s", number, exc_info=True)
    try:
        page: str = render_to_string("500.html", {"number": number})
    except (TemplateDoesNotExist, TemplateSyntaxError):
        page = number
    return HttpResponse(page, status=500)
