"""Skipping, by dialog or by its own page."""

import pytest

from labeling.models import Assignment, Task
from tests.labeling.conftest import Desk

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_skips_with_a_reason_and_hands_out_the_next(desk: Desk) -> None:
    answer = desk.client.post(desk.page + "skip/", desk.form(reason="subject"))
    desk.assignment.refresh_from_db()
    assert (desk.assignment.state, desk.assignment.skip_reason) == ("skipped", "subject")
    after = Assignment.objects.get(state=Assignment.State.LIVE)
    assert answer.url == f"/projects/helpdesk/tasks/{after.uuid}/"
    assert after.task_id != desk.assignment.task_id


@pytest.mark.parametrize("reason", ["", "bored"])
def test_it_asks_for_a_reason_that_there_is(desk: Desk, reason: str) -> None:
    answer = desk.client.post(desk.page + "skip/", desk.form(reason=reason))
    assert answer.status_code == 422
    assert "Choose a reason" in answer.content.decode()
    assert Task.objects.get(pk=desk.assignment.task_id).open_slots == 0


def test_its_page_lists_the_reasons(desk: Desk) -> None:
    html = desk.client.get(desk.page + "skip/").content.decode()
    assert "I would rather not read this (costs nothing)" in html


@pytest.mark.parametrize("token", ["", "none", "00000000-0000-4000-8000-000000000000"])
def test_a_skip_from_an_earlier_hold_leads_back_to_the_task(desk: Desk, token: str) -> None:
    answer = desk.client.post(desk.page + "skip/", {"reason": "subject", "lease_token": token}, follow=True)
    assert answer.redirect_chain[-1][0] == desk.page
    assert "from an earlier hold" in answer.content.decode()
    desk.assignment.refresh_from_db()
    assert desk.assignment.state == Assignment.State.LIVE


@pytest.mark.parametrize("page", ["", "skip/"])
def test_the_form_carries_the_hold_that_it_ends(desk: Desk, page: str) -> None:
    html = desk.client.get(desk.page + page).content.decode()
    form = html[html.index(f'action="{desk.page}skip/"') :]
    assert f'name="lease_token" value="{desk.assignment.lease_token}"' in form
