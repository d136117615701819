"""One production server for all attacks of a process, and the Help desk that is attacked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from tests.security.served import Served, serve


@pytest.fixture(scope="session")
def server(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("served")
    with django_db_blocker.unblock(), serve(folder) as found:
        yield found


@pytest.fixture
def served(server: Served, transactional_db: None) -> Iterator[Served]:
    """The server, before a database that what the test writes is committed to, and nothing counted before."""
    cache.clear()
    yield server
    cache.clear()
