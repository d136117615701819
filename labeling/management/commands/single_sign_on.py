"""manage.py single_sign_on: the address that the identity provider has to know as ours."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse


class Command(BaseCommand):
    help = "Print the redirect address to register at the identity provider that ACCORD_OIDC_ISSUER names."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SINGLE_SIGN_ON:
            raise CommandError("ACCORD_OIDC_ISSUER is empty; name the identity provider first.")
        path = reverse("openid_connect_callback", args=[settings.SINGLE_SIGN_ON])
        self.stdout.write(f"{settings.SITE_URL or 'https://YOUR-HOST'}{path}")
