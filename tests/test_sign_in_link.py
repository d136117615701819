"""A sign-in link signs its user in once."""

import pytest
from django.test import Client

from labeling.models import SignInLink, User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.threat(7)]


def test_a_link_signs_its_user_in_once(labeler: User) -> None:
    token = SignInLink.make(labeler)
    first, second = Client(), Client()
    assert first.get(f"/link/{token}/").status_code == 302
    assert first.session["_auth_user_id"] == str(labeler.pk)
    answer = second.get(f"/link/{token}/")
    assert answer.status_code == 410
    assert "_auth_user_id" not in second.session


def test_an_invented_link_is_answered_like_a_used_one(db: None) -> None:
    assert Client().get("/link/not-a-token/").status_code == 410


def test_the_token_itself_is_not_stored(labeler: User) -> None:
    token = SignInLink.make(labeler)
    assert token not in repr(SignInLink.objects.values_list())


def test_a_deactivated_user_is_not_signed_in(labeler: User) -> None:
    token = SignInLink.make(labeler)
    User.objects.filter(pk=labeler.pk).update(is_active=False)
    assert Client().get(f"/link/{token}/").status_code == 410
