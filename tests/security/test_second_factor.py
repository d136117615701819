"""Codes guessed, answers of passkeys replayed, lied about or made for another site: at the served application."""

import json
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp

from labeling.enrolling import SecondFactors
from labeling.models import Project, Role, User
from tests.conftest import make_member
from tests.security.authenticator import FLAGS, Passkey, options_on
from tests.security.served import HOST, Attacker, Served

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.threat(12)]
CODE, PASSKEY, ADD = "/accounts/2fa/authenticate/", "/accounts/2fa/webauthn/login/", "/accounts/2fa/webauthn/add/"
LOGIN, ACCOUNT, PASSWORD = "/accounts/login/", "/account/", "harbour-lantern-91"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def owner(project: Project) -> User:
    made = make_member(project, "olga", Role.OWNER)
    made.set_password(PASSWORD)
    made.save()
    return made


def by_password(served: Served, comes_from: str) -> Attacker:
    visitor = served.nobody(comes_from=comes_from)
    visitor.post(LOGIN, {"login": "olga", "password": PASSWORD})
    return visitor


def test_a_code_is_guessed_five_times_whatever_the_addresses(served: Served, owner: User) -> None:
    Authenticator.objects.create(user=owner, type="totp", data={"secret": SecondFactors().encrypt(SECRET)})
    for number in range(5):
        by_password(served, f"203.0.113.{number}").post(CODE, {"code": f"00000{number}"})
    visitor = by_password(served, "203.0.113.99")
    right = totp.format_hotp_value(totp.hotp_value(SECRET, int(time.time()) // 30))
    visitor.post(CODE, {"code": right})
    assert visitor.get(ACCOUNT).to.startswith(LOGIN)


def test_a_passkey_answers_one_question_for_this_site_and_for_who_is_there(served: Served, owner: User) -> None:
    passkey = Passkey(HOST)
    visitor = served.signed_in(owner)
    made = passkey.register(options_on(visitor.get(ADD).text, "creation_options"))
    said = {"name": "Phone", "passwordless": "on", "credential": json.dumps(made)}
    # The page itself, asked for again, would ask another question.
    answer = visitor.post(ADD, said, form_at="/accounts/password/change/")
    assert answer.status == 302

    def tried(said: dict[str, object], thief: Attacker) -> bool:
        thief.post(PASSKEY, {"credential": json.dumps(said)}, form_at=LOGIN)
        return thief.get(ACCOUNT).status == 200

    def asked(thief: Attacker) -> dict[str, object]:
        found: dict[str, object] = thief.get(PASSKEY, Accept="application/json").json()["request_options"]
        return found

    honest, thief = served.nobody(), served.nobody(comes_from="203.0.113.66")
    assert tried(passkey.sign(asked(honest)), honest)
    honest.post("/accounts/logout/")
    answer = passkey.sign(asked(honest))
    asked(thief)
    assert not tried(answer, thief)  # an answer to somebody else's question
    for lie in ("https://evil.example.com", f"https://{HOST}.evil.example.com", f"http://{HOST}"):
        passkey.says = lie
        assert not tried(passkey.sign(asked(thief)), thief), lie
    passkey.says = f"https://{HOST}"
    absent = FLAGS & ~FLAGS.UV
    assert not tried(passkey.sign(asked(thief), flags=absent), thief)
    assert tried(answer, honest)
    honest.post("/accounts/logout/")
    assert not tried(answer, honest)  # an answer that was good once
