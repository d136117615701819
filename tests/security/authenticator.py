"""A passkey in software, as a browser would speak for it: keeps a key, answers challenges, and can be made to lie."""

import json
import secrets
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

Json = dict[str, Any]
FLAGS = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV
"""Somebody was there, and showed that it is they."""


class Passkey:
    """site: the host that it was made for. says: the address that it tells the site it was asked from."""

    def __init__(self, site: str, *, says: str = "") -> None:
        self.site, self.says = site, says or f"https://{site}"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.user = b""

    def register(self, options: Json) -> Json:
        """What it answers to navigator.credentials.create."""
        asked = options["publicKey"]
        self.user = websafe_decode(asked["user"]["id"])
        made = AttestedCredentialData.create(Aaguid.NONE, self.id, ES256.from_cryptography_key(self.key.public_key()))
        flags = FLAGS | AuthenticatorData.FLAG.AT
        data = AuthenticatorData.create(sha256(self.site.encode()).digest(), flags, 0, made)
        said = CollectedClientData.create("webauthn.create", asked["challenge"], self.says)
        attested = AttestationObject.create("none", data, {})
        return self._answer({"clientDataJSON": said, "attestationObject": attested}) | {
            "clientExtensionResults": {"credProps": {"rk": True}}
        }

    def sign(self, options: Json, *, flags: AuthenticatorData.FLAG = FLAGS) -> Json:
        """What it answers to navigator.credentials.get."""
        data = AuthenticatorData.create(sha256(self.site.encode()).digest(), flags, 1)
        said = CollectedClientData.create("webauthn.get", options["publicKey"]["challenge"], self.says)
        signature = self.key.sign(data + said.hash, ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {"clientDataJSON": said, "authenticatorData": data, "signature": signature, "userHandle": self.user}
        )

    def _answer(self, response: dict[str, bytes]) -> Json:
        name = websafe_encode(self.id)
        written = {key: websafe_encode(value) for key, value in response.items()}
        return {"id": name, "rawId": name, "type": "public-key", "response": written, "clientExtensionResults": {}}


def options_on(page: str, name: str) -> Json:
    """What the page gives its script. name: creation_options, request_options."""
    start = page.index('<script id="js_data" type="application/json">') + len(
        '<script id="js_data" type="application/json">'
    )
    found: Json = json.loads(page[start : page.index("</script>", start)])[name]
    return found
