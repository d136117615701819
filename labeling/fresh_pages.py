"""The page of a task that nobody has begun: only its texts, its keys and its counts differ from the last one's.

It is made once for all tasks of a campaign that look alike, with stand-ins where they differ, and kept in the process;
for each task its own parts are put in. It is made without the request, so there is nothing of a person in it.
"""

import re
import secrets
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import get_template
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import get_language

from labeling.models import Assignment, Campaign, Project
from labeling.rendering import render_all
from labeling.screens import ShownPrompt, ShownTurn, screen_of, shown_prompt, template_of, texts_of

KEPT = 128
"""Pages that are kept; each is some tens of kilobytes."""

# Drawn anew in each process: no text that anybody writes is taken for a stand-in.
_DRAWN = secrets.token_hex(8)
_IDS = {name: UUID(int=secrets.randbits(128)) for name in ("uuid", "lease", "key")}
_NAMES = {str(value): name for name, value in _IDS.items()}
_STAND_IN = re.compile(f"({'|'.join([f'stand-in-{_DRAWN}-[a-z]+[0-9]*-', *_NAMES])})")

_pages: dict[tuple[Any, ...], list[str]] = {}

Told = Mapping[str, Any]
Counts = Mapping[str, str]


def is_fresh(assignment: Assignment) -> bool:
    """Whether its page is as labelers first meet it: handed out, nothing saved, of a campaign whose texts are fixed."""
    return bool(
        assignment.state == Assignment.State.LIVE
        and not (assignment.draft or assignment.draft_saved_at or assignment.current_submission_id)
        and assignment.campaign.state != Campaign.State.DRAFT
        and assignment.worked_by.published_at is not None
        and assignment.task.prompt_id is not None
    )


def fresh_page(
    request: HttpRequest,
    project: Project,
    assignment: Assignment,
    context: Mapping[str, Any],
    counts: Mapping[str, str],
) -> str | None:
    """The page; None where a text is empty, which is said in words of its own.

    context: what is the same for all of the campaign, the screen left out. counts: what is told of the labeler, by the
    names that the template has for it.
    """
    prompt, texts = assignment.task.prompt, texts_of(assignment)
    assert prompt is not None
    html = render_all([*texts, *(str(message["content"]) for message in prompt.messages)])
    if not all(html):
        return None
    shown = shown_prompt(prompt, html[len(texts) :])
    said = {name: escape(count) for name, count in counts.items()} | {
        "uuid": str(assignment.uuid),
        "lease": str(assignment.lease_token),
        "key": str(uuid4()),
        "csrf": get_token(request),
        "facts": escape(shown.facts),
        "summary": escape(shown.summary),
    }
    said |= {f"response{place}": text for place, text in enumerate(html[: len(texts)])}
    said |= {f"turn{place}": turn.html for place, turn in enumerate(shown.turns)}
    pieces = list(_page(project, assignment, shown, context, counts))
    pieces[1::2] = [said[name] for name in pieces[1::2]]
    return "".join(pieces)


def _page(project: Project, assignment: Assignment, shown: ShownPrompt, context: Told, counts: Counts) -> list[str]:
    """Text, name of a part, text, name of a part, …, text."""
    campaign = assignment.campaign
    alike = (
        template_of(assignment), project.slug, project.name, campaign.pk, campaign.created_at, campaign.name,
        *campaign.required, assignment.worked_by.pk, len(assignment.order), shown.is_long, shown.asks_last,
        *(turn.role for turn in shown.turns), *(bool(count) for count in counts.values()), get_language(),
    )  # fmt: skip
    page = _pages.get(alike)
    if page is None:
        if len(_pages) >= KEPT:
            _pages.pop(next(iter(_pages)), None)
        page = _pages[alike] = _made(project, assignment, shown, context, counts)
    return page


def _made(project: Project, assignment: Assignment, shown: ShownPrompt, context: Told, counts: Counts) -> list[str]:
    alike = copy(assignment)
    alike.uuid, alike.lease_token = _IDS["uuid"], _IDS["lease"]
    screen = screen_of(assignment, {})
    turns = [ShownTurn(turn.role, mark_safe(_stand_in(f"turn{place}"))) for place, turn in enumerate(shown.turns)]
    prompt = replace(shown, turns=turns, facts=_stand_in("facts"), summary=_stand_in("summary"))
    responses = [
        replace(response, html=mark_safe(_stand_in(f"response{place}")))
        for place, response in enumerate(screen.responses)
    ]
    told = {
        **context,
        **{name: count and _stand_in(name) for name, count in counts.items()},
        "project": project,
        "assignment": alike,
        "screen": replace(screen, prompt=prompt, responses=responses),
        "key": _IDS["key"],
        "csrf_token": _stand_in("csrf"),
    }
    pieces = _STAND_IN.split(get_template(template_of(assignment)).render(told))
    pieces[1::2] = [_NAMES.get(one) or one.removeprefix(_stand_in("")[:-1])[:-1] for one in pieces[1::2]]
    return pieces


def _stand_in(name: str) -> str:
    return f"stand-in-{_DRAWN}-{name}-"
