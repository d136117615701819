"""Distressing material is announced before it is shown; who avoids it is not handed it, and it costs nothing."""

import pytest

from labeling.assigning import claim, labeler_of
from labeling.distress import avoid, say_what_it_holds, words_of
from labeling.models import Assignment, Campaign, Content, Project, Prompt, Task, User
from labeling.opening import make_tasks
from labeling.progress import progress_of
from labeling.skipping import SKIP_REASONS
from labeling.standing import left_for, skipped_since, start_of_day
from tests.conftest import signed_in
from tests.labeling.conftest import Desk, at_desk
from tests.labeling.work import (
    make_campaign,
    make_labeler,
    make_prompt,
    make_responses,
    must_claim,
    ranked,
    recounted_slots,
    skip_now,
    submit_now,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

REASONS = {reason.name: reason for reason in SKIP_REASONS}


@pytest.fixture
def grim(project: Project) -> Campaign:
    """Two tasks, the first of violence and hatred."""
    campaign = make_campaign(project, tasks=0)
    prompts = [make_prompt(project), make_prompt(project)]
    say_what_it_holds(prompts[0], Content.VIOLENT | Content.HATE)
    make_tasks(campaign, [(prompt, make_responses(prompt, ["grim text", "b", "c", "d"])) for prompt in prompts])
    return campaign


def test_who_avoids_a_kind_is_not_handed_its_tasks_and_others_are(project: Project, grim: Campaign) -> None:
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    avoid(ada, Content.SEXUAL | Content.HATE)
    assert left_for(grim, ada) == 1
    assert must_claim(grim, ada).task.position == 1
    assert must_claim(grim, ben).task.position == 0


def test_who_changes_their_mind_is_handed_them_at_once(project: Project, grim: Campaign) -> None:
    ada = make_labeler(project, "ada")
    avoid(ada, Content.VIOLENT)
    submit_now(must_claim(grim, ada), ranked(1, 2, 3, 4))
    assert claim(grim, ada) is None
    avoid(ada, 0)
    assert must_claim(grim, ada).task.position == 0


def test_what_the_texts_hold_is_said_first_and_nothing_of_them_shown(grim: Campaign, labeler: User) -> None:
    desk = at_desk(labeler, grim)
    html = desk.client.get(desk.page).content.decode()
    assert "violence and hatred of groups of people" in html
    assert "grim text" not in html
    assert "times two" not in html
    assert desk.client.post(f"{desk.page}show/").url == desk.page
    assert "grim text" in desk.client.get(desk.page).content.decode()


def test_the_next_page_does_not_come_unannounced_with_the_answer_to_a_submission(
    project: Project, labeler: User
) -> None:
    campaign = make_campaign(project, tasks=2)
    desk = at_desk(labeler, campaign)
    last = Prompt.objects.order_by("pk").last()
    assert last is not None
    say_what_it_holds(last, Content.SELF_HARM)
    form = desk.form(rank_A="1", rank_B="2", rank_C="3", rank_D="4")
    asks = {"accept": "application/json", "prefer": "return=representation"}
    told = desk.client.post(desk.page, form, headers=asks).json()
    assert set(told) == {"next"}
    assert "suicide" in desk.client.get(told["next"]).content.decode()


def test_skipping_it_costs_nothing_and_is_counted_nowhere(project: Project, grim: Campaign) -> None:
    ada = make_labeler(project, "ada")
    skip_now(must_claim(grim, ada), REASONS["distress"])
    assert skipped_since(ada, start_of_day()) == 0
    assert progress_of([grim])[grim.pk].skipped == 0
    skip_now(must_claim(grim, ada), REASONS["subject"])
    assert skipped_since(ada, start_of_day()) == 1


def test_a_labeler_chooses_on_a_page_of_their_own(project: Project, labeler: User, stranger: User) -> None:
    page = "/projects/helpdesk/avoided/"
    assert signed_in(stranger).get(page).status_code == 404
    signed_in(labeler).post(page, {"kind": ["SEXUAL", "NONSENSE", "HATE"]})
    assert labeler_of(labeler.memberships.get()).avoids == Content.SEXUAL | Content.HATE
    html = signed_in(labeler).get(page).content.decode()
    assert html.count(" checked") == 2


def test_a_researcher_says_what_a_prompt_holds_and_its_tasks_follow(
    project: Project, researcher: User, labeler: User
) -> None:
    campaign = make_campaign(project)
    prompt = Prompt.objects.get()
    page = f"/projects/helpdesk/prompts/{prompt.pk}/content/"
    assert signed_in(labeler).post(page).status_code == 403
    assert signed_in(researcher).post(page, {"kind": ["ABUSE"]}).status_code == 302
    prompt.refresh_from_db()
    assert (prompt.content, campaign.tasks.get().content) == (Content.ABUSE, Content.ABUSE)
    desk: Desk = at_desk(labeler, campaign)
    assert words_of(Content.ABUSE) in desk.client.get(desk.page).content.decode()


def test_who_avoids_a_kind_gives_back_what_was_only_announced_of_it(grim: Campaign, labeler: User) -> None:
    desk = at_desk(labeler, grim)
    desk.client.get(desk.page)
    avoid(desk.assignment.labeler, Content.SEXUAL)
    assert Assignment.objects.get().state == Assignment.State.LIVE
    avoid(desk.assignment.labeler, Content.HATE)
    held = Assignment.objects.get()
    assert (held.state, held.skip_reason, held.skipped_until) == (Assignment.State.SKIPPED, "distress", None)
    assert recounted_slots(held.task) == Task.objects.get(pk=held.task_id).open_slots == 1
    assert must_claim(grim, desk.assignment.labeler).task.position == 1


def test_what_they_asked_to_see_stays_in_their_hands(grim: Campaign, labeler: User) -> None:
    desk = at_desk(labeler, grim)
    desk.client.post(f"{desk.page}show/")
    avoid(desk.assignment.labeler, Content.HATE)
    assert Assignment.objects.get().state == Assignment.State.LIVE
