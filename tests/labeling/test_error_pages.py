"""Pages of what went wrong, in our looks, telling nothing."""

import pytest
from django.template.loader import render_to_string
from django.test import Client

from labeling.models import User
from tests.conftest import signed_in
from tests.labeling.conftest import Desk

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.mark.parametrize("path", ["/no/such/page/", "/projects/elsewhere/", f"/projects/helpdesk/guidelines/{10**30}/"])
def test_what_is_not_there_and_what_is_not_yours_are_answered_alike(labeler: User, path: str) -> None:
    answer = signed_in(labeler).get(path)
    assert answer.status_code == 404
    assert "There is no such page, or it is not yours." in answer.content.decode()


def test_a_form_of_an_earlier_sign_in_is_refused_with_the_remedy(labeler: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(labeler)
    answer = client.post("/accounts/logout/")
    assert answer.status_code == 403
    html = answer.content.decode()
    assert "from an earlier sign-in" in html
    assert "Go back and copy what you had written first" in html
    assert "still there" not in html


LARGE = "x" * 3_000_000


@pytest.mark.parametrize("checks", [False, True], ids=["read by the view", "read by the CSRF check"])
def test_a_form_that_is_too_large_is_refused_in_words_with_the_limit(desk: Desk, labeler: User, checks: bool) -> None:
    client = Client(enforce_csrf_checks=checks)
    client.force_login(labeler)
    client.get(desk.page)  # the cookie without which the check does not look into the form
    for asked, told in (("text/html", "text/html"), ("application/json", "application/json")):
        answer = client.post(desk.page, desk.form(note=LARGE), headers={"accept": asked})
        assert answer.status_code == 413
        assert answer["Content-Type"].startswith(told)
        assert "at most 2 MB are taken at once" in answer.content.decode()
    desk.assignment.refresh_from_db()
    assert desk.assignment.state == "live"


def test_a_draft_that_is_too_large_is_refused_in_json_with_the_limit(desk: Desk) -> None:
    draft = {"lease_token": str(desk.assignment.lease_token), "fields": {"note": LARGE}}
    answer = desk.client.post(desk.page + "draft/", draft, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "That is 2.9 MB; at most 2 MB" in answer.json()["message"]


def test_other_bad_requests_stay_bad_requests(desk: Desk) -> None:
    fields = {f"field-{number}": "" for number in range(1_001)}
    assert desk.client.post(desk.page, fields).status_code == 400


def test_the_page_of_a_failure_needs_no_request_and_no_database(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    with django_assert_num_queries(0):
        assert "Something failed on our side" in render_to_string("500.html")
