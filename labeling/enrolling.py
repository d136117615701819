"""How second factors are added and kept: what allauth's pages do with them, in our words."""

import base64
import logging
import secrets

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.forms import AddWebAuthnForm
from cryptography.fernet import Fernet, InvalidToken
from django import forms
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy

logger = logging.getLogger(__name__)


class SecondFactors(DefaultMFAAdapter):
    """Secrets are kept encrypted, by a key made of ACCORD_SECRET_KEY: whoever has a copy of the database alone makes no
    codes of it. With another key all codes are wrong, and whoever runs the site removes the factors."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _cipher().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            logger.exception("a second factor was kept under another ACCORD_SECRET_KEY; no code of it is right")
            return base64.b32encode(secrets.token_bytes(20)).decode()  # which nobody knows

    def _get_site_name(self) -> str:
        return "Accord"


def _cipher() -> Fernet:
    key = salted_hmac("labeling.second_factors", "kept", algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(key))


class ActivateForm(ActivateTOTPForm):
    """The code that proves a new app is used up, too."""

    def clean_code(self) -> str:
        code: str = super().clean_code()
        TOTP(Authenticator(user=self.user))._mark_code_used(code)
        return code


class PasskeyForm(AddWebAuthnForm):
    """A passkey signs in by itself unless its owner wants it to follow the password."""

    name = forms.CharField(label=gettext_lazy("What you call it"), required=False, max_length=60)
    passwordless = forms.BooleanField(
        label=gettext_lazy("It signs in by itself, without the password"),
        required=False,
        initial=True,
        help_text=gettext_lazy("It then asks for a fingerprint, a face or a PIN. Otherwise it follows the password."),
    )
