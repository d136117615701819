"""A bad setting stops the start and names the variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOOD = {
    "ACCORD_MODE": "production",
    "ACCORD_SECRET_KEY": "a1!b2?c3" * 7,
    "ACCORD_ALLOWED_HOSTS": "accord.example.org",
    "REDIS_URL": "redis://127.0.0.1:6379/9",
    "DATABASE_URL": "postgresql://accord@127.0.0.1/accord",
    "ACCORD_EMAIL_HOST": "mail.example.org",
    "ACCORD_EMAIL_PASSWORD": "sesame",
    "ACCORD_EMAIL_FROM": "accord@example.org",
}


def start(source: str = "import config.settings", **changed: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCORD_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**kept, **GOOD, **changed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_starts_with_everything_given() -> None:
    assert start().returncode == 0


@pytest.mark.parametrize(
    ("given", "port", "starttls", "implicit"),
    [
        ({}, 587, True, False),
        ({"ACCORD_EMAIL_PORT": ""}, 587, True, False),
        ({"ACCORD_EMAIL_SSL": "true"}, 465, False, True),
        ({"ACCORD_EMAIL_SSL": "true", "ACCORD_EMAIL_STARTTLS": "true", "ACCORD_EMAIL_PORT": "2465"}, 2465, False, True),
        ({"ACCORD_EMAIL_SSL": "true", "ACCORD_EMAIL_STARTTLS": "false"}, 465, False, True),
    ],
)
def test_mail_goes_by_starttls_or_in_tls_from_the_first_byte(
    given: dict[str, str], port: int, starttls: bool, implicit: bool
) -> None:
    told = start("import config.settings as s; print(s.EMAIL_PORT, s.EMAIL_USE_TLS, s.EMAIL_USE_SSL)", **given)
    assert told.stdout.split() == [str(port), str(starttls), str(implicit)], told.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCORD_MODE", "staging"),
        ("ACCORD_SECRET_KEY", "short"),
        ("ACCORD_SECRET_KEY", "django-insecure-3n^v0z(1a!kd9#5s7pq8mw2x$e4r6t"),
        ("ACCORD_SECRET_KEY", "changeme" * 8),
        ("ACCORD_PROXIES", "10.2.0.7/16"),
        ("ACCORD_BEHIND_PROXY", "1"),
        ("ACCORD_DEBUG", "1"),
        ("ACCORD_DEBUG", "perhaps"),
        ("ACCORD_ALLOWED_HOSTS", ""),
        ("ACCORD_ALLOWED_HOSTS", "accord.example.org,*"),
        ("REDIS_URL", ""),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "sqlite:///accord.sqlite3"),
        ("DATABASE_URL", "mysql://root@127.0.0.1/accord"),
        ("DATABASE_URL", "postgresql://root@127.0.0.1/"),
        ("ACCORD_EMAIL_FROM", ""),
        ("ACCORD_EMAIL_STARTTLS", "off"),
        ("ACCORD_EMAIL_SSL", "465"),
        ("ACCORD_EMAIL_PORT", "smtp"),
        ("ACCORD_SECOND_FACTOR", "owner,boss"),
        ("ACCORD_OIDC_ISSUER", "http://id.example.org"),
        ("ACCORD_OIDC_ISSUER", "https://id.example.org"),
        ("ACCORD_JOB_LEASE_SECONDS", "soon"),
        ("ACCORD_JOB_LEASE_SECONDS", "1"),
    ],
)
@pytest.mark.threat(1)
def test_it_refuses_to_start_and_names_the_variable(name: str, value: str) -> None:
    answer = start(**{name: value})
    assert answer.returncode != 0
    assert name in answer.stderr.splitlines()[-1]


def test_the_local_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    from config.local_secret import read_or_make_secret

    path = tmp_path / "state" / "secret_key"
    first = read_or_make_secret(path)
    assert len(first) >= 50
    assert read_or_make_secret(path) == first
    assert path.stat().st_mode & 0o077 == 0


def test_networks_that_may_be_asked_are_read_as_networks() -> None:
    assert start(ACCORD_OUTBOUND_NETWORKS="10.2.0.0/16,fd00:1::/64").returncode == 0
    refused = start(ACCORD_OUTBOUND_NETWORKS="10.2.0.7/16")
    assert refused.returncode != 0
    assert "ACCORD_OUTBOUND_NETWORKS: 10.2.0.7/16 has host bits set" in refused.stderr


OIDC = {
    "ACCORD_OIDC_ISSUER": "https://id.example.org/",
    "ACCORD_OIDC_CLIENT_ID": "accord",
    "ACCORD_OIDC_SECRET": "hush",
}


def test_another_identity_provider_has_another_name_for_its_people() -> None:
    asks = "from config.settings import *; print(SINGLE_SIGN_ON)"
    names = [start(asks, **OIDC, **more).stdout for more in ({}, {"ACCORD_OIDC_NAME": "The Lab"})]
    other = start(asks, **OIDC | {"ACCORD_OIDC_ISSUER": "https://id.example.com"}).stdout
    assert names[0] == names[1] != other
    assert names[0].startswith("sso-")
