"""Pages of what went wrong, in our looks, telling nothing."""

import pytest
from django.template.loader import render_to_string
from django.test import Client

from labeling.models import User
from tests.conftest import signed_in

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


def test_the_page_of_a_failure_needs_no_request_and_no_database(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    with django_assert_num_queries(0):
        assert "Something failed on our side" in render_to_string("500.html")
