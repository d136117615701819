"""The addresses of the site, and one that breaks: how else would its page be seen?"""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from config.urls import handler400
from config.urls import urlpatterns as of_the_site

__all__ = ["handler400", "urlpatterns"]


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("This page breaks on purpose.")


urlpatterns = [path("broken/", broken, name="broken"), *of_the_site]
