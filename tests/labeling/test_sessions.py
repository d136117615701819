"""Where somebody is signed in: what they see of it, and how it ends."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from labeling.leaving import leave
from labeling.models import Membership, Project, ProjectToken, Session, User
from labeling.sessions import browser_of, live_sessions
from tests.conftest import make_member, signed_in
from tests.security.quick_passwords import PASSWORD_HASHERS

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 "
    "Edg/143.0.0.0"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 "
    "Mobile/15E148 Safari/604.1"
)
PASSWORD = "an old-fashioned engine"


@pytest.fixture(autouse=True)
def _quick_and_nothing_counted(settings: Settings) -> Iterator[None]:
    """How often one address may try to sign in is counted in the cache."""
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    cache.clear()
    yield
    cache.clear()


def enter(user: User, browser: str = FIREFOX) -> Client:
    """By the form."""
    user.set_password(PASSWORD)
    user.save()
    return enter_again(user, browser)


def enter_again(user: User, browser: str) -> Client:
    client = Client(headers={"User-Agent": browser})
    client.post("/accounts/login/", {"login": user.username, "password": PASSWORD})
    return client


def session_of(client: Client) -> Session:
    return Session.objects.get(session_key=client.session.session_key)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (FIREFOX, "Firefox on Linux"), (EDGE, "Edge on Windows"), (SAFARI, "Safari on iPhone"), ("curl/8.5.0", ""),
        ("", ""), ("<script>Firefox</script>", "Firefox"),
    ],
)  # fmt: skip
def test_a_browser_is_known_by_its_family_and_system(said: str, known: str) -> None:
    assert browser_of(said) == known


def test_the_page_lists_one_s_own_sessions_and_marks_this_one(owner: User, stranger: User) -> None:
    here = enter(owner)
    there = enter_again(owner, SAFARI)
    enter(stranger, EDGE)
    Session.objects.filter(pk=session_of(there).pk).update(seen_at=timezone.now() - timedelta(days=2))
    html = here.get("/account/").content.decode()
    assert html.index("Firefox on Linux") < html.index("this one") < html.index("Safari on iPhone")
    assert "Edge" not in html
    assert all(one.session_key not in html for one in Session.objects.all())


def test_what_another_password_opened_is_no_session_any_more(owner: User) -> None:
    enter(owner)
    assert len(live_sessions(owner)) == 1
    owner.set_password("another old-fashioned engine")
    owner.save()
    assert live_sessions(owner) == []


def test_one_session_is_ended_and_no_other(owner: User) -> None:
    here = enter(owner)
    there = enter_again(owner, SAFARI)
    here.post(f"/account/sessions/{session_of(there).handle}/end/")
    assert there.get("/projects/helpdesk/people/").status_code == 302
    assert here.get("/projects/helpdesk/people/").status_code == 200


def test_a_session_that_was_ended_does_not_come_back(owner: User) -> None:
    """A request of its own that was under way keeps what it changed in the session, after it was ended."""
    there = enter(owner)
    under_way = there.session
    under_way["changed"] = True
    Session.objects.all().delete()
    with pytest.raises(UpdateError):
        under_way.save()
    assert not Session.objects.exists()


def test_ending_the_one_that_asks_signs_out(owner: User) -> None:
    here = enter(owner)
    answer = here.post(f"/account/sessions/{session_of(here).handle}/end/")
    assert answer.url == "/accounts/login/"
    assert not Session.objects.filter(user=owner).exists()


def test_a_session_of_somebody_else_is_not_found(owner: User, stranger: User) -> None:
    theirs = session_of(enter(stranger))
    answer = enter(owner).post(f"/account/sessions/{theirs.handle}/end/")
    assert answer.status_code == 404
    assert Session.objects.filter(pk=theirs.pk).exists()


def test_all_others_end_at_once(owner: User, stranger: User) -> None:
    here, other = enter(owner), enter(stranger)
    there = [enter_again(owner, SAFARI) for _ in range(2)]
    here.post("/account/sessions/end-others/")
    assert [client.get("/account/").status_code for client in (here, *there, other)] == [200, 302, 302, 200]


def test_a_changed_password_ends_the_others(owner: User) -> None:
    here = enter(owner)
    enter_again(owner, SAFARI)
    new = "a newer and quieter engine"
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert here.get("/account/").status_code == 200
    assert Session.objects.filter(user=owner).count() == 1


def test_being_seen_is_written_every_five_minutes(owner: User) -> None:
    here = enter(owner)
    long_ago = timezone.now() - timedelta(minutes=6)
    Session.objects.update(seen_at=long_ago)
    here.get("/account/")
    seen = session_of(here).seen_at
    assert seen > long_ago
    here.get("/account/")
    assert session_of(here).seen_at == seen


def test_a_session_keeps_its_beginning(owner: User) -> None:
    here = enter(owner)
    began = session_of(here).began_at
    here.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert session_of(here).began_at == began


def test_an_owner_signs_a_member_out_and_ends_the_tokens_of_the_project(
    project: Project, owner: User, labeler: User
) -> None:
    theirs = enter(labeler)
    other = Project.objects.create(name="Other", slug="other")
    for one in (project, other):
        ProjectToken.make(user=labeler, project=one)
    member = Membership.objects.get(user=labeler)
    client = enter(owner)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    answer = client.post(f"/projects/helpdesk/people/{member.pk}/sign-out/", follow=True)
    assert "Sessions ended: 1; tokens of this project: 1." in answer.content.decode()
    assert theirs.get("/account/").status_code == 302
    assert ProjectToken.objects.get().project == other
    assert client.get("/account/").status_code == 200
    assert Membership.objects.filter(user=labeler).exists()


def test_who_is_removed_is_signed_out_if_the_owner_says_so(project: Project, owner: User, labeler: User) -> None:
    stays = make_member(project, "nina", "labeler")
    one, another = enter(labeler), enter(stays)
    client = signed_in(owner)
    for user, said in ((labeler, {"sign_out": "on"}), (stays, {})):
        client.post(f"/projects/helpdesk/people/{Membership.objects.get(user=user).pk}/remove/", said)
    assert not Membership.objects.exclude(user=owner).exists()
    assert [one.get("/account/").status_code, another.get("/account/").status_code] == [302, 200]


def test_who_leaves_keeps_their_session(project: Project, labeler: User) -> None:
    here = enter(labeler)
    leave(Membership.objects.get(user=labeler))
    assert here.get("/account/").status_code == 200
