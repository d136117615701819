"""Three people stand ready in every web test: the owner of a project, a labeler in it, a stranger to it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from labeling.models import Membership, Project, Role, User
from tests.emptying import analyze, django_db_setup  # noqa: F401
from tests.security.quick_passwords import PASSWORD_HASHERS

LONG = {"test_screens.py", "test_told_round.py"}
"""A minute each: they begin first, or the other processes would wait for them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture
def quick_to_sign_in(settings: Any) -> Iterator[None]:
    """How often one address may try to sign in is counted in the cache; passwords are hashed quickly."""
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def project(db: Any) -> Project:
    return Project.objects.create(name="Helpdesk", slug="helpdesk")


def make_member(project: Project, name: str, role: str) -> User:
    user = User.objects.create_user(username=name, email=f"{name}@example.org")
    Membership.objects.create(user=user, project=project, role=role)
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(project: Project) -> User:
    return make_member(project, "olga", Role.OWNER)


@pytest.fixture
def researcher(project: Project) -> User:
    return make_member(project, "ines", Role.RESEARCHER)


@pytest.fixture
def labeler(project: Project) -> User:
    return make_member(project, "lars", Role.LABELER)


@pytest.fixture
def stranger(db: Any) -> User:
    """Owner of another project: signed in, and nobody here."""
    other = Project.objects.create(name="Elsewhere", slug="elsewhere")
    return make_member(other, "stefan", Role.OWNER)
