"""API tokens: made, shown once, revoked; each sees their own, an owner everybody's."""

import pytest
from django.test import Client

from labeling.models import Project, ProjectToken, Role, User
from labeling.views import tokens
from tests.conftest import make_member, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.threat(11)]

PAGE = "/projects/helpdesk/tokens/"


@pytest.fixture
def engineer(project: Project) -> User:
    return make_member(project, "emil", Role.ENGINEER)


def test_a_token_is_made_works_and_is_shown_only_then(engineer: User) -> None:
    client = signed_in(engineer)
    made = client.post(PAGE, follow=True).context["made"]
    assert made
    api = Client().get("/api/v1/projects/helpdesk/records/rankings", headers={"authorization": f"Token {made}"})
    assert api.status_code == 200
    html = client.get(PAGE).content.decode()
    assert made not in html
    assert f"{ProjectToken.objects.get().token_key}…" in html


def test_a_reload_makes_no_other_and_shows_it_no_more(engineer: User) -> None:
    client = signed_in(engineer)
    answer = client.post(PAGE)
    assert (answer.status_code, answer.url) == (302, PAGE)
    made = client.get(PAGE).context["made"]
    assert made
    assert client.get(PAGE).context["made"] == ""
    assert ProjectToken.objects.count() == 1


def test_it_goes_to_the_page_in_a_cookie_that_no_script_and_no_other_page_gets(engineer: User) -> None:
    cookie = signed_in(engineer).post(PAGE).cookies["made_token"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (PAGE, True, "Strict")
    assert 0 < int(cookie["max-age"]) <= 60


def test_whoever_signs_in_next_at_the_browser_is_not_shown_it(engineer: User, researcher: User) -> None:
    first, second = signed_in(engineer), signed_in(researcher)
    second.cookies["made_token"] = first.post(PAGE).cookies["made_token"].value
    assert second.get(PAGE).context["made"] == ""


def test_a_revoked_token_opens_nothing(engineer: User) -> None:
    client = signed_in(engineer)
    made = client.post(PAGE, follow=True).context["made"]
    client.post(f"{PAGE}{ProjectToken.objects.get().token_key}/revoke/")
    api = Client().get("/api/v1/projects/helpdesk/records/rankings", headers={"authorization": f"Token {made}"})
    assert api.status_code == 401


def test_each_sees_and_revokes_their_own_and_an_owner_everybodys(
    project: Project, owner: User, researcher: User, engineer: User
) -> None:
    ProjectToken.make(user=engineer, project=project)
    token = ProjectToken.objects.get()
    revoke = f"{PAGE}{token.token_key}/revoke/"
    assert token.token_key not in signed_in(researcher).get(PAGE).content.decode()
    assert signed_in(researcher).post(revoke).status_code == 404
    assert token.token_key in signed_in(owner).get(PAGE).content.decode()
    assert signed_in(owner).post(revoke).url == PAGE
    assert not ProjectToken.objects.exists()


def test_tokens_of_another_project_are_neither_shown_nor_revoked(owner: User, stranger: User) -> None:
    ProjectToken.make(user=stranger, project=stranger.memberships.get().project)
    token = ProjectToken.objects.get()
    assert token.token_key not in signed_in(owner).get(PAGE).content.decode()
    assert signed_in(owner).post(f"{PAGE}{token.token_key}/revoke/").status_code == 404


def test_one_person_has_so_many_and_no_more(engineer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_OWN", 1)
    client = signed_in(engineer)
    client.post(PAGE)
    answer = client.post(PAGE)
    assert answer.status_code == 409
    assert "Revoke one" in answer.content.decode()
    assert ProjectToken.objects.count() == 1


def test_a_stranger_finds_nothing(project: Project, stranger: User) -> None:
    for method in ("get", "post"):
        assert getattr(signed_in(stranger), method)(PAGE).status_code == 404
    assert not ProjectToken.objects.exists()


def test_a_token_has_the_scopes_that_were_chosen_and_none_that_the_role_has_not(engineer: User, labeler: User) -> None:
    signed_in(engineer).post(PAGE, {"scope": ["write", "read"], "name": "nightly pull"})
    token = ProjectToken.objects.get()
    assert (token.scopes, token.name) == (["read", "write"], "nightly pull")
    page = signed_in(engineer).get(PAGE).content.decode()
    assert "nightly pull" in page
    assert "never" in page
    for scopes in (["manage"], ["read", "nonsense"]):
        answer = signed_in(labeler).post(PAGE, {"scope": scopes})
        assert answer.status_code == 409
        assert "A token of a labeler can have: label" in answer.content.decode()
    signed_in(labeler).post(PAGE)
    assert ProjectToken.objects.get(user=labeler).scopes == ["label"]
