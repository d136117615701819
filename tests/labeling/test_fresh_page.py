"""The page of a task that nobody has begun is put together from a kept one: it is the page that would be made anew."""

import re
from typing import Any

import pytest
from django.test import Client

from labeling import fresh_pages
from labeling.models import Assignment, Project, Prompt, Response, Role, User, WorkKind
from labeling.views import task
from tests.conftest import make_member
from tests.labeling.conftest import Desk, at_desk
from tests.labeling.work import make_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

HOSTILE = '<script>alert("x")</script> & <b>bold</b> {{ secret }} {% url "home" %} \\1 \N{OBJECT REPLACEMENT CHARACTER}'


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    fresh_pages._pages.clear()


def looked_at(client: Client, page: str) -> str:
    """Without what is drawn anew for each page."""
    html = client.get(page).content.decode()
    return re.sub(r'name="(key|csrfmiddlewaretoken)" value="[^"]+"', "", html)


@pytest.mark.parametrize(
    ("kind", "shown", "required"),
    [
        (WorkKind.RANKING, 4, []),
        (WorkKind.RANKING, 9, ["ratings", "flags"]),
        (WorkKind.RANKING, 2, []),
        (WorkKind.RATING, 1, []),
        (WorkKind.DEMONSTRATION, 0, []),
    ],
)
@pytest.mark.parametrize("turns", [1, 3])
def test_it_is_the_page_that_would_be_made_anew(
    project: Project,
    labeler: User,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    shown: int,
    required: list[str],
    turns: int,
) -> None:
    campaign = make_campaign(project, kind=kind, shown=shown, tasks=3, overlap=3, required=required)
    roles = ["user", "assistant", "user"][:turns]
    Prompt.objects.update(messages=[{"role": role, "content": HOSTILE} for role in roles], use_case="extract")
    Response.objects.update(text=HOSTILE)
    first = at_desk(labeler, campaign)
    looked_at(first.client, first.page)
    second = at_desk(make_member(project, "lena", Role.LABELER), campaign)
    kept = [looked_at(desk.client, desk.page) for desk in (first, second)]
    assert len(fresh_pages._pages) == 1
    monkeypatch.setattr(task, "is_fresh", lambda assignment: False)
    anew = [looked_at(desk.client, desk.page) for desk in (first, second)]
    assert kept == anew
    assert "stand-in" not in "".join(kept)


def test_there_is_nothing_of_another_labeler_in_it(project: Project, labeler: User) -> None:
    campaign = make_campaign(project, tasks=2)
    first, second = (at_desk(user, campaign) for user in (labeler, make_member(project, "lena", Role.LABELER)))
    theirs, mine = (desk.client.get(desk.page).content.decode() for desk in (first, second))
    for secret in (first.assignment.uuid, first.assignment.lease_token, "lars"):
        assert str(secret) not in mine
    texts = Response.objects.filter(pk__in=first.assignment.order).values_list("text", flat=True)
    assert all(text in theirs and text not in mine for text in texts)


def test_what_was_begun_is_shown_as_it_was_left(desk: Desk) -> None:
    desk.client.get(desk.page)
    Assignment.objects.update(draft={"note-B": "it wanders"})
    assert "it wanders" in desk.client.get(desk.page).content.decode()


def test_a_campaign_that_was_renamed_is_shown_so(desk: Desk) -> None:
    desk.client.get(desk.page)
    desk.campaign.name = "Another <name>"
    desk.campaign.save()
    assert "<b>Another &lt;name&gt;</b>" in desk.client.get(desk.page).content.decode()


def test_only_so_many_are_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh_pages, "KEPT", 2)
    for name in ("one", "two", "three"):
        desk.campaign.name = name
        desk.campaign.save()
        desk.client.get(desk.page)
    assert len(fresh_pages._pages) == 2


def test_an_empty_response_is_said_to_be_empty(desk: Desk) -> None:
    Response.objects.update(text="")
    assert "This response is empty" in desk.client.get(desk.page).content.decode()


def test_each_page_has_a_key_and_a_token_of_its_own(desk: Desk) -> None:
    drawn: Any = [
        dict(
            re.findall(r'name="(key|csrfmiddlewaretoken)" value="([^"]+)"', desk.client.get(desk.page).content.decode())
        )
        for _ in range(2)
    ]
    assert drawn[0]["key"] != drawn[1]["key"]
    assert drawn[0]["csrfmiddlewaretoken"] != drawn[1]["csrfmiddlewaretoken"]


def test_a_long_prompt_that_ends_with_a_question_is_not_taken_for_one_that_does_not(
    project: Project, labeler: User
) -> None:
    campaign = make_campaign(project, tasks=2, shown=2)
    long = "A passage. " * 200
    for prompt, text in zip(Prompt.objects.order_by("pk"), (long, f"{long}\n\nWhen was it?"), strict=True):
        Prompt.objects.filter(pk=prompt.pk).update(messages=[{"role": "user", "content": text}])
    first = at_desk(labeler, campaign)
    second = at_desk(make_member(project, "lena", Role.LABELER), campaign)
    pages = [looked_at(desk.client, desk.page) for desk in (first, second)]
    asks = [desk.assignment.task.prompt.last_turn.endswith("?") for desk in (first, second)]  # type: ignore[union-attr]
    assert sorted(asks) == [False, True]
    assert ["prompt--asks-last" in page for page in pages] == asks
