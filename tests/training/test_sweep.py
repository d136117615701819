"""The sweep looks after what no page is open for."""

import pytest

from labeling.models import Project, Task
from tests.labeling.work import let_lapse, make_campaign, make_labeler, must_claim
from training.sweeping import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_gives_back_what_people_let_lapse(project: Project) -> None:
    held = must_claim(make_campaign(project), make_labeler(project, "ada"))
    let_lapse(held)
    assert sweep() == 0
    held.refresh_from_db()
    assert (held.state, Task.objects.get().open_slots) == ("expired", 1)
