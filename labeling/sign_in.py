"""How people get in: by invitation only, or by a link that works once."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: an account is made by an owner's invitation or by manage.py."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
