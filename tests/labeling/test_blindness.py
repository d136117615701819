"""No answer that a labeler gets names a model, or carries an id that tells anything of one."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from labeling.models import Campaign, Generator, Project, Prompt, Response, Submission, User, WorkKind
from labeling.opening import close_campaign, make_tasks
from tests.labeling.conftest import Desk, at_desk
from tests.labeling.work import make_campaign, make_labeler, make_prompt, must_claim, skip_now, submit_now, written

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.threat(13)]

TELLS = re.compile(r"secret-model|big-one|0\.8125|\b98765\d\b|generator", re.I)
JSON = {"accept": "application/json"}

SCREENS = {
    "ranking": (WorkKind.RANKING, 4, {"rank_A": "1", "rank_B": "2", "rank_C": "2", "rank_D": "4"}),
    "pair": (WorkKind.RANKING, 2, {"better": "A"}),
    "rating": (WorkKind.RATING, 1, {"rating_A_overall": "5"}),
}


@pytest.fixture(params=SCREENS)
def desk_and_work(request: pytest.FixtureRequest, project: Project, labeler: User) -> tuple[Desk, dict[str, str]]:
    """A labeler before a task of each screen whose responses tell everything they know, and work they could submit."""
    kind, shown, work = SCREENS[request.param]
    campaign = make_campaign(project, kind=kind, tasks=0)
    generator = Generator.objects.create(project=project, name="secret-model-13b", kind=Generator.Kind.POLICY)
    make_tasks(campaign, [(prompt, told(prompt, generator, shown)) for prompt in [make_prompt(project)]])
    return at_desk(labeler, campaign), work


def told(prompt: Any, generator: Generator, shown: int) -> list[Response]:
    return [
        Response.objects.create(
            pk=987_650 + number,
            prompt=prompt,
            generator=generator,
            text=f"Text {number}",
            sampling={"temperature": 0.8125},
            external_id="big-one",
        )
        for number in range(shown)
    ]


def pages(desk: Desk) -> Iterator[Any]:
    project = f"/projects/{desk.campaign.project.slug}/"
    guideline = f"{project}guidelines/{desk.campaign.guideline_id}/"
    for page in (
        "/",
        "/?all",
        project,
        f"{project}my-work/",
        f"{project}leave/",
        guideline,
        desk.page,
        desk.page + "skip/",
    ):
        yield desk.client.get(page)
    yield desk.client.get(desk.page + "draft/")
    yield desk.client.post(f"{project}campaigns/{desk.campaign.pk}/next/")


def drafts(desk: Desk, work: dict[str, str]) -> Iterator[Any]:
    fields = {name: value for name, value in desk.form(**work).items() if name not in desk.form()}
    token = str(desk.assignment.lease_token)
    bodies: list[Any] = [{"lease_token": one, "fields": fields} for one in (token, str(uuid4()))]
    for draft in [*bodies, [], "é"]:
        yield desk.client.post(desk.page + "draft/", json.dumps(draft), content_type="application/json")


def sent(desk: Desk, form: dict[str, str]) -> Iterator[Any]:
    """As the page's script and as a plain form send it."""
    yield desk.client.post(desk.page, form, headers=JSON)
    yield desk.client.post(desk.page, form)


def refused(desk: Desk, work: dict[str, str]) -> Iterator[Any]:
    for wrong in ({}, {"rank_I": "1"}, {"rating_A_charm": "8"}, {"flag_A_rude": "yes"}, {"charm": "5"}, {"key": ""}):
        yield from sent(desk, desk.form(**({"key": str(uuid4())} | wrong)))
    for wrong in ({"lease_token": str(uuid4())}, {"corrects": "7"}):
        yield from sent(desk, desk.form(**work) | {"key": str(uuid4())} | wrong)
    yield desk.client.post(desk.page + "skip/", desk.form(reason="bored"))


def look(answers: Iterator[Any], *, expected: set[int]) -> None:
    """Reads every answer, its headers too. expected: the statuses that are to be among them, so that each was asked."""
    met = set()
    for answer in answers:
        met.add(answer.status_code)
        told = f"{dict(answer.headers)} {answer.content.decode()}"
        assert not TELLS.findall(told), answer.request["PATH_INFO"]
        assert not {"ETag", "Last-Modified"} & set(answer.headers)
    assert met == expected


def test_before_and_while_it_is_done(desk_and_work: tuple[Desk, dict[str, str]]) -> None:
    desk, work = desk_and_work
    look(pages(desk), expected={200, 302, 405})
    look(drafts(desk, work), expected={200, 409, 422})
    look(refused(desk, work), expected={409, 422})
    look(pages(desk), expected={200, 302, 405})
    assert not Submission.objects.exists()


def test_once_it_is_submitted_and_when_it_is_corrected(desk_and_work: tuple[Desk, dict[str, str]]) -> None:
    desk, work = desk_and_work
    look(sent(desk, desk.form(**work)), expected={200, 302})
    look(pages(desk), expected={200, 302, 405})
    look(drafts(desk, work), expected={409, 422})
    look(refused(desk, work), expected={409, 422})
    correction = desk.form(**work) | {"corrects": "1", "key": str(uuid4())}
    look(sent(desk, correction), expected={200, 302})
    assert Submission.objects.count() == 2
    Campaign.objects.update(correction_minutes=0)
    look(pages(desk), expected={200, 302, 405})


def test_once_it_is_skipped_and_when_the_campaign_is_closed(desk_and_work: tuple[Desk, dict[str, str]]) -> None:
    desk, work = desk_and_work
    skip_now(desk.assignment)
    look(pages(desk), expected={200, 302, 405})
    close_campaign(desk.campaign)
    look(pages(desk), expected={200, 302, 405})
    look(sent(desk, desk.form(**work)), expected={200, 302})
    look(pages(desk), expected={200, 302, 405})


def test_while_a_prompt_is_written_nobody_elses_is_shown(project: Project, labeler: User) -> None:
    words = "Write to my landlord, a secret-model of patience, about the damp."
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=9)
    submit_now(must_claim(campaign, make_labeler(project, "ben")), written(words))
    told(Prompt.objects.get(), Generator.objects.create(project=project, name="secret-model-13b", kind="sft"), 2)
    desk = at_desk(labeler, campaign)
    work = {"style": "plain", "text": "What is a fjord?"}
    look(pages(desk), expected={200, 302, 405})
    look(drafts(desk, work), expected={200, 409, 422})
    look(refused(desk, work), expected={409, 422})
    work["use_case"] = "chat"
    answer = desk.client.post(desk.page, desk.form() | work | {"text": words}, headers=JSON)
    assert answer.status_code == 422
    assert "landlord" not in answer.content.decode()
    look(sent(desk, desk.form() | work), expected={200, 302})
    look(pages(desk), expected={200, 302, 405})
