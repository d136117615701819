"""An identity provider on the loopback interface, and what this site is told of it."""

from typing import Any

from oidc_provider_mock import User as Person

SSO = "sso-0badcafe"
PEOPLE = (
    Person(sub="1", claims={"email": "ada@example.org", "email_verified": True, "name": "Ada L."}),
    Person(sub="2", claims={"email": "ada@example.org", "email_verified": False, "name": "Not Ada"}),
    Person(sub="3", claims={"email": "ada@example.org", "name": "Perhaps Ada"}),
    Person(sub="4", claims={"email": "eve@lab.example.org", "email_verified": True, "name": "\x1b[2J"}),
    Person(sub="5", claims={"email": "ada@example.org", "email_verified": "false", "name": "Text Ada"}),
)


def told_of(issuer: str) -> dict[str, Any]:
    """Settings, as the variables would make them."""
    app = {"provider_id": SSO, "name": "The Lab", "client_id": "accord", "secret": "hush"}
    apps = [app | {"settings": {"server_url": issuer}}]
    return {
        "SINGLE_SIGN_ON": SSO,
        "SINGLE_SIGN_ON_NAME": "The Lab",
        "SOCIALACCOUNT_PROVIDERS": {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": apps}},
    }
