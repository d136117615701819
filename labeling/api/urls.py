"""Addresses of the REST API, below /api/v1/."""

from django.urls import path

from labeling.api.records import RecordsView
from labeling.records import Kind

RECORDS = {
    "prompts": Kind.PROMPT,
    "demonstrations": Kind.DEMONSTRATION,
    "candidates": Kind.CANDIDATES,
    "rankings": Kind.RANKING,
    "comparisons": Kind.COMPARISON,
    "ratings": Kind.RATING,
}

urlpatterns = [
    path(f"projects/<slug:slug>/{name}", RecordsView.as_view(kind=kind), name=f"api_{name}")
    for name, kind in RECORDS.items()
]
