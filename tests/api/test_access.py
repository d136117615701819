"""Who gets in: tokens, scopes, roles, projects."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import Membership, Project, ProjectToken, Role, User
from tests.api.filled import Api, Filled, api_of, ended

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_token_says_whose_it_is_and_what_it_opens(filled: Filled) -> None:
    status, me = filled.api(Role.ENGINEER).get("/api/v1/me")
    assert (status, me["user"], me["project"], me["role"]) == (200, "the-engineer", "helpdesk", "engineer")
    assert me["scopes"] == ["read", "write", "label"]
    assert filled.api(Role.LABELER).get("/api/v1/projects")[1]["items"][0]["slug"] == "helpdesk"


def test_a_scope_too_small_is_said_to_be_missing(filled: Filled) -> None:
    reader = filled.api(Role.OWNER, "read")
    status, body = reader.post("cohorts", {"name": "New"})
    assert (status, body["error"]["code"]) == (403, "scope_missing")
    assert body["error"]["message"] == ("This takes a token with the scope manage; the scopes of this one are: read.")
    assert not filled.project.cohorts.filter(name="New").exists()


def test_a_scope_gives_no_more_than_the_role(filled: Filled) -> None:
    """Even where a token of an earlier, higher role has it."""
    api = filled.api(Role.OWNER)
    Membership.objects.filter(user=filled.users[Role.OWNER]).update(role=Role.LABELER)
    status, body = api.post("cohorts", {"name": "New"})
    assert (status, body["error"]["code"]) == (403, "permission_denied")


def test_an_ended_token_and_one_that_is_none_are_refused_alike(filled: Filled) -> None:
    for api in (ended(filled.users[Role.OWNER], filled.project), Api("0" * 64)):
        status, body = api.get()
        assert (status, body["error"]["code"]) == (401, "authentication_failed")


def test_another_project_s_token_finds_nothing_whatever_it_asks_for(filled: Filled, stranger: User) -> None:
    token = api_of(stranger, Project.objects.get(slug="elsewhere")).token
    inside = Api(token, "helpdesk")
    for path in ("", "prompts", f"prompts/{filled.rows['prompt_id']}", "members", "work", "submissions"):
        assert inside.get(path) == Api(token, "nowhere").get(path)
        assert inside.get(path)[0] == 404
    assert inside.post("prompts", {"prompts": []})[0] == 404


def test_a_row_of_another_project_is_not_found_in_one_s_own(filled: Filled, stranger: User) -> None:
    own = api_of(stranger, Project.objects.get(slug="elsewhere"))
    for path in (
        f"prompts/{filled.rows['prompt_id']}",
        f"members/{filled.rows['member_id']}",
        f"campaigns/{filled.rows['campaign_id']}",
        f"assignments/{filled.rows['uuid']}",
    ):
        assert own.get(path)[0] == 404


def test_the_last_use_of_a_token_is_noted_to_the_minute(filled: Filled) -> None:
    api = filled.api(Role.LABELER)
    api.get()
    token = ProjectToken.objects.get()
    assert token.last_used_at is not None
    assert timezone.now() - token.last_used_at < timedelta(minutes=1)
    api.get()
    assert ProjectToken.objects.get().last_used_at == token.last_used_at


def test_guessing_tokens_from_one_address_is_slowed_down_and_a_right_one_still_opens(filled: Filled) -> None:
    statuses = [Api("f" * 64).get()[0] for _ in range(31)]
    assert statuses == [401] * 30 + [429]
    assert filled.api(Role.OWNER).get()[0] == 200


def test_a_session_opens_nothing(filled: Filled) -> None:
    client = Client()
    client.force_login(filled.users[Role.OWNER])
    assert client.get("/api/v1/projects/helpdesk").status_code == 401


def test_a_token_s_requests_are_counted_and_said(filled: Filled, settings: object) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2  # type: ignore[attr-defined]
    api = filled.api(Role.OWNER)
    first, second, third = (api.ask("GET", "") for _ in range(3))
    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == ("2", "1")
    assert second["RateLimit-Remaining"] == "0"
    assert third.status_code == 429
    assert 0 < int(third["Retry-After"]) <= 60
    assert third.json()["error"]["code"] == "throttled"
    assert filled.api(Role.LABELER).get()[0] == 200
