"""Health for balancers: alive, and ready to serve."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_is_alive_without_a_sign_in(client: Client) -> None:
    assert client.get("/health/live").status_code == 200


@pytest.mark.redis
def test_it_is_ready_with_a_migrated_database_and_redis(client: Client) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "redis": "ok"})


def test_it_is_not_ready_before_the_last_migration(client: Client) -> None:
    applied = MigrationRecorder(connection).migration_qs.filter(app="training")
    applied.filter(pk=applied.order_by("-pk").values("pk")[:1]).delete()
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["database"] == "not ready"


def test_it_is_not_ready_without_its_redis(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["redis"] == "not ready"
    assert "127.0.0.1" not in answer.content.decode()
