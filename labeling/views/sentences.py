"""What the pages' scripts say, in another language than English: a script that stands before them."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_cache_control
from django.views.i18n import JavaScriptCatalog

KEPT_SECONDS = 3600


class Sentences(JavaScriptCatalog):
    """The language is in the address, so that a browser can keep the answer."""

    def get(self, request: HttpRequest, language: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if language not in dict(settings.LANGUAGES):
            raise Http404("There is no such language here.")
        with translation.override(language):
            answer = super().get(request, *args, **kwargs)
        patch_cache_control(answer, public=True, max_age=KEPT_SECONDS)
        return answer
