"""The places of a project that its masthead leads to: one line each, in the order shown.

A page belongs to the place whose address its own begins with, so that a page below a place marks it as current.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from labeling.access import LABELS, READS_DATA, RESEARCHES, REVIEWS
from labeling.models import Membership, Role


@dataclass(frozen=True)
class Place:
    """name: of the address, which takes the project's slug. roles: who may open it. alone: nothing lies below it.
    also: names of other addresses that belong to this place. rehearsal: in simulated projects only."""

    name: str
    words: str | Promise
    roles: frozenset[str]
    alone: bool = False
    also: tuple[str, ...] = ()
    rehearsal: bool = False


REPORTS: tuple[str, ...] = ("quality", "matrix", "bias")
"""Pages that lie beside agreement: what the judgments say of those who made them."""

PLACES = (
    Place("queue", gettext_lazy("Work"), LABELS, alone=True),
    Place("my_work", gettext_lazy("My work"), LABELS),
    Place(
        "project",
        gettext_lazy("Overview"),
        RESEARCHES,
        also=("project_settings", "delete_project", "tokens", "webhooks", "status"),
    ),
    Place("campaigns", gettext_lazy("Campaigns"), RESEARCHES),
    Place("guidelines", gettext_lazy("Guidelines"), RESEARCHES),
    Place("prompts", gettext_lazy("Prompts"), RESEARCHES),
    Place("data", gettext_lazy("Data"), READS_DATA),
    Place("review_queue", gettext_lazy("Review"), REVIEWS),
    Place("rehearse", gettext_lazy("Rehearse"), RESEARCHES, rehearsal=True),
    Place("rounds", gettext_lazy("Rounds"), RESEARCHES),
    Place("jobs", gettext_lazy("Jobs"), RESEARCHES, also=("workers",)),
    Place("checkpoints", gettext_lazy("Models"), RESEARCHES, also=("disk",)),
    Place("agreement", gettext_lazy("Agreement"), RESEARCHES, also=REPORTS),
    Place("people", gettext_lazy("People"), RESEARCHES, also=("cohorts", "qualifications", "erasures")),
    Place("tokens", gettext_lazy("API tokens"), READS_DATA - RESEARCHES | {Role.CUSTOMER}),
)


@dataclass(frozen=True)
class Link:
    """current: for aria-current: "page" for the page itself, "true" for one below it, empty for another."""

    address: str
    words: str
    current: str


def links_for(membership: Membership, path: str) -> list[Link]:
    """What the masthead of the page at path offers to this member."""
    slug = membership.project.slug
    found = []
    for place in PLACES:
        if membership.role in place.roles and (membership.project.simulated or not place.rehearsal):
            address = reverse(place.name, args=[slug])
            beginnings = [] if place.alone else [address, *(reverse(name, args=[slug]) for name in place.also)]
            below = "true" if path.startswith(tuple(beginnings)) else ""
            found.append(Link(address, str(place.words), "page" if path == address else below))
    return found


def place_of_request(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: the project it belongs to, whether labelers have no part in it, and where its visitor
    can go."""
    membership: Membership | None = getattr(request, "membership", None)
    roles: frozenset[str] = getattr(request, "roles", frozenset())
    return {
        "project": getattr(request, "project", None),
        "membership": membership,
        "in_console": bool(roles) and Role.LABELER not in roles,
        "places": links_for(membership, request.path) if membership else [],
    }
