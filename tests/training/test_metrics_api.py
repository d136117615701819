"""Metrics over REST: page after page, each step whole."""

import pytest

from labeling.models import Project, User
from tests.api.filled import api_of
from training.following import store_metrics
from training.models import Job

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_metrics_come_page_after_page_as_every_list_does(project: Project, owner: User) -> None:
    job = Job.objects.create(project=project, kind="sft", state="done", config={})
    store_metrics(job.pk, [{"step": step, "loss": 1.0 / (step + 1)} for step in range(5)])
    api, steps, cursor = api_of(owner, project), [], ""
    while cursor is not None:
        status, page = api.get(f"jobs/{job.pk}/metrics?limit=2{cursor and f'&cursor={cursor}'}")
        assert status == 200
        steps.append([one["step"] for one in page["items"]])
        cursor = page["next"]
    assert steps == [[0, 1], [2, 3], [4]]
