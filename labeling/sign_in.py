"""How people get in: by invitation only, or by a link that works once."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.urls import reverse

from labeling.models import SignInLink, User


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: an account is made by an owner's invitation or by manage.py."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


def one_time_link(user: User, *, base: str) -> str:
    """The address of a new sign-in link. base: where the site is reached."""
    return base.rstrip("/") + reverse("sign_in_link", args=[SignInLink.make(user)])
