"""Addresses of the console's pages about rounds and jobs."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
