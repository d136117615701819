"""Responses on a work screen: the same questions under each of them, filled in or not, so the empty ones are kept."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from django import template
from django.template.context import Context
from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from labeling.models import Campaign
from labeling.screens import ShownResponse

register = template.Library()

CARD = "labeling/_response.html"
TEXT = "\N{OBJECT REPLACEMENT CHARACTER}the text of the response\N{OBJECT REPLACEMENT CHARACTER}"
KEPT = 512


class _Key:
    """Equal for cards that look alike before anything is filled in; holds what the first of them is made from."""

    def __init__(self, response: ShownResponse, context: Context) -> None:
        self.response, self.context = response, context
        preview, campaign, screen = context.get("preview"), context["campaign"], context["screen"]
        self.alike = (
            campaign.pk, campaign.created_at, context["guideline"].pk, response.letter, len(screen.responses),
            bool(context.get("locked")), bool(context.get("submitted")), bool(preview), get_language(),
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash(self.alike)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.alike == self.alike


@register.simple_tag(takes_context=True)
def response_card(context: Context, response: ShownResponse) -> SafeString:
    """_response.html for one response. As labelers first meet it only the text differs from task to task, and a page of
    nine has thousands of questions' parts: then it is made once for the campaign, and the text put in."""
    campaign = context["campaign"]
    if not response.is_fresh or campaign.state == Campaign.State.DRAFT or context["guideline"].published_at is None:
        return mark_safe(_made(response, context))
    card = _kept(_Key(response, context))
    return mark_safe(card.replace(TEXT, response.html))


def _made(response: ShownResponse, context: Context) -> str:
    told: dict[Any, Any] = context.flatten() | {"response": response}
    return get_template(CARD).template.render(Context(told, autoescape=context.autoescape))  # type: ignore[attr-defined]


@lru_cache(KEPT)
def _kept(key: _Key) -> str:
    card = _made(replace(key.response, html=mark_safe(TEXT)), key.context)
    # The page that the first one was made for is not kept with it.
    key.response, key.context = replace(key.response, html=mark_safe("")), Context()
    return card
