from typing import Any

import pytest
from django.core.cache import cache

from labeling.models import Project
from tests.api.filled import Api, Filled, fill


@pytest.fixture
def filled(project: Project) -> Filled:
    return fill(project)


@pytest.fixture
def owner_api(filled: Filled) -> Api:
    return filled.api("owner")


@pytest.fixture(autouse=True)
def _nothing_counted_before(db: Any) -> None:
    """Rates and wrong tokens are counted in the cache, which outlives a test."""
    cache.clear()
