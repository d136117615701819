"""The clock that stands still for pictures goes on for whatever comes after them in the same process."""

from typing import Any

import pytest
from django.db.models.functions import Now

from labeling.models import Project
from labeling.prepared import Prepared, as_time
from tests.screens.clock import NOW, standing_still

pytestmark = pytest.mark.sqlite

ASKED = Prepared(lambda project: Project.objects.filter(pk=project).annotate(clock=Now()), int)


def told(project: Project) -> Any:
    found = ASKED.first([project.pk])
    return as_time(vars(found)["clock"])


def test_what_is_prepared_while_it_stands_still_is_not_kept(project: Project) -> None:
    with standing_still() as clock:
        assert told(project) == NOW
        with clock.before(days=2) as earlier:
            assert told(project) == earlier
    assert told(project) > NOW


def test_what_was_prepared_before_stands_still_too(project: Project) -> None:
    assert told(project) > NOW
    with standing_still():
        assert told(project) == NOW
    assert told(project) > NOW
