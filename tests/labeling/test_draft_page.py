"""Drafts come as JSON from the page's script."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling.models import Assignment, Submission
from tests.labeling.conftest import Desk

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def send(desk: Desk, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body)
    return desk.client.post(desk.page + "draft/", raw, content_type="application/json")


def test_it_keeps_the_fields_and_says_until_when_the_task_is_held(desk: Desk) -> None:
    answer = send(desk, {"lease_token": str(desk.assignment.lease_token), "fields": {"rank-A": "2"}})
    assert answer.status_code == 200
    assert answer.json()["held"] is True
    desk.assignment.refresh_from_db()
    assert desk.assignment.draft == {"rank-A": "2"}
    assert answer.json()["saved_at"][:19] == f"{desk.assignment.draft_saved_at:%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff", b"[]", b"3", {"fields": {}}, {"lease_token": 5, "fields": {}}, b"[" * 100_000),
        *({"fields": {}, "base": base, "device": ""} for base in (5, "yesterday", "2026-05-05", {})),
        *({"fields": {}, "base": None, "corrects": corrects} for corrects in ("x", None, [], float("inf"))),
        *({"fields": {}, "base": None, "device": device} for device in (5, "PC", {"a": 1})),
    ],
)
def test_it_refuses_what_is_no_draft(desk: Desk, body: Any) -> None:
    if isinstance(body, dict) and "base" in body:
        body["lease_token"] = str(desk.assignment.lease_token)
    answer = send(desk, body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_work"


@pytest.mark.parametrize("fields", [[], "text", {"rank-A": 2}, {"rank-A": None}, {"note": {"deep": "er"}}])
def test_it_refuses_fields_that_are_no_texts(desk: Desk, fields: Any) -> None:
    assert send(desk, {"lease_token": str(desk.assignment.lease_token), "fields": fields}).status_code == 422
    assert Assignment.objects.get().draft == {}


def test_a_stale_token_is_told_with_its_code(desk: Desk) -> None:
    answer = send(desk, {"lease_token": "00000000-0000-4000-8000-000000000000", "fields": {}})
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_lease")


def test_newer_words_of_another_device_are_told_with_their_time(desk: Desk) -> None:
    body = {"lease_token": str(desk.assignment.lease_token), "base": None}
    phone, pc = "11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-666666666666"
    kept = send(desk, body | {"fields": {"note": "newer"}, "device": phone}).json()
    refused = send(desk, body | {"fields": {"note": "older"}, "device": pc})
    assert refused.status_code == 409
    told = refused.json()
    assert (told["code"], told["draft"], told["saved_at"]) == ("newer_draft", {"note": "newer"}, kept["saved_at"])
    assert send(desk, body | {"fields": {"note": "mine"}, "device": pc, "base": kept["saved_at"]}).status_code == 200


def test_a_correction_is_there_again_on_another_device_and_is_not_skipped(desk: Desk) -> None:
    desk.client.post(desk.page, desk.form(rank_A="1", rank_B="2", rank_C="3", rank_D="4"))
    body = {"lease_token": str(desk.assignment.lease_token), "base": None, "device": "", "corrects": 1}
    assert send(desk, body | {"fields": {"rank-A": "4", "note": "On second thought."}}).status_code == 200
    html = desk.client.get(desk.page).content.decode()
    assert "On second thought." in html
    assert f'data-draft="{desk.page}draft/"' in html
    assert 'id="skip"' not in html
    [offers] = re.findall(r'data-offers="([^"]*)"', html)
    assert "skip" not in offers.split()
    Submission.objects.update(submitted_at=timezone.now() - timedelta(days=3))
    assert "On second thought." not in desk.client.get(desk.page).content.decode()


def test_a_task_in_hand_can_be_skipped_by_its_key(desk: Desk) -> None:
    html = desk.client.get(desk.page).content.decode()
    [offers] = re.findall(r'data-offers="([^"]*)"', html)
    assert "skip" in offers.split()
    assert 'id="skip"' in html
