"""The page of the site's state."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from labeling.models import Project, User
from tests.conftest import signed_in
from training.models import Job, Worker
from training.observing import TENDED_AT, note_tended

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def page(project: Project, user: User) -> str:
    answer = signed_in(user).get(f"/projects/{project.slug}/status/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_says_that_all_is_well(project: Project, owner: User) -> None:
    note_tended()
    assert "This site is well." in page(project, owner)


def test_it_names_what_needs_somebody_and_the_remedy(project: Project, owner: User) -> None:
    cache.set(TENDED_AT, timezone.now() - timedelta(minutes=9), timeout=None)
    Job.objects.create(project=project, kind="sft", config={}, queue="gpu")
    told = page(project, owner)
    assert "<b>2</b> things of this site need somebody." in told
    assert "celery -A config.celery worker -B -Q tend" in told
    assert "celery -A config.celery worker -Q gpu" in told
    now = timezone.now()
    Worker.objects.create(name="host:1", queues=["gpu"], started_at=now, heard_at=now)
    assert "<b>1</b> thing of this site needs somebody." in page(project, owner)


def test_it_is_for_owners(project: Project, researcher: User, labeler: User, stranger: User) -> None:
    for user, status in ((researcher, 403), (labeler, 403), (stranger, 404)):
        assert signed_in(user).get(f"/projects/{project.slug}/status/").status_code == status
