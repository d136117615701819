"""Counters against what they count: nothing drifts by use; what somebody wrote by hand is found, told and mended."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as project_settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from labeling.models import Assignment, Project, Task, User
from labeling.recounting import drifted
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, skip_now, submit_now
from training.models import Recount, Snapshot
from training.tasks import count_anew

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def used(project: Project, owner: User) -> Project:
    """With a lease, a submission, a correction, a skip and free slots."""
    campaign = make_campaign(project, tasks=3, overlap=2)
    lars, mia = make_labeler(project, "lars-2"), make_labeler(project, "mia")
    first = must_claim(campaign, lars)
    submit_now(first, ranked(1, 2, 3, 4))
    first.refresh_from_db()
    submit_now(first, ranked(2, 1, 3, 4), corrects=1)
    skip_now(must_claim(campaign, mia))
    must_claim(campaign, mia)
    return project


def test_use_makes_nothing_drift(used: Project) -> None:
    assert list(drifted()) == []
    count_anew()
    assert Recount.objects.get().drifted == 0
    assert mail.outbox == []


def test_what_drifted_is_told_to_owners_and_mended(used: Project) -> None:
    task = Task.objects.order_by("pk").filter(open_slots__gt=0)[0]
    was = task.open_slots
    Task.objects.filter(pk=task.pk).update(open_slots=was - 1)
    count_anew()
    assert [one["what"] for one in Recount.objects.get().drift] == ["Task.open_slots"]
    [sent] = mail.outbox
    assert sent.to == ["olga@example.org"]
    assert f"Task.open_slots of row {task.pk} is {was - 1}, and {was} was counted" in sent.body
    with pytest.raises(CommandError, match="1 drifted"):
        call_command("recount", stdout=StringIO())
    call_command("recount", mend=True, stdout=StringIO())
    task.refresh_from_db()
    assert task.open_slots == was
    assert list(drifted()) == []


def test_each_counter_is_looked_at(used: Project, settings: Settings, tmp_path: Path) -> None:
    submitted = Assignment.objects.get(submissions__number=2)
    other = make_campaign(used, tasks=1)
    Task.objects.filter(pk=other.tasks.get().pk).update(content=1)
    Assignment.objects.filter(pk=submitted.pk).update(
        current_submission=submitted.submissions.get(number=1), submitted_at=timezone.now(), campaign=other
    )
    settings.SNAPSHOTS_DIR = tmp_path
    (tmp_path / "rows").write_text("12345")
    Snapshot.objects.create(project=used, kind="text", rows=1, bytes=4, uri="rows", sha256="")
    count_anew()
    assert {one["what"] for one in Recount.objects.get().drift} == {
        "Task.content", "Assignment.campaign", "Assignment.submitted_at", "Assignment.current_submission",
        "Snapshot.bytes",
    }  # fmt: skip


def test_it_is_done_every_night() -> None:
    told = project_settings.CELERY_BEAT_SCHEDULE["count_anew"]
    assert (told["task"], str(told["schedule"]._orig_hour)) == ("training.tasks.count_anew", "3")
