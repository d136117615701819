"""The nightly recount: every counter of the site against what it counts, and who is told where one drifted."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models.functions import Now

from labeling.models import Project, Role, User
from labeling.recounting import Drift, drifted
from labeling.webhooks import announce
from training.models import Recount, Snapshot
from training.snapshots import path_of

log = logging.getLogger(__name__)

SHOWN = 100
KEPT_FOR = timedelta(days=90)


def recount() -> Recount:
    """Counts, keeps what was found, and tells the owners of each project in which something drifted."""
    began = time.perf_counter()
    found = [*drifted(), *_snapshots()]
    with transaction.atomic():
        Recount.objects.filter(made_at__lt=Now() - KEPT_FOR).delete()
        made = Recount.objects.create(
            seconds=round(time.perf_counter() - began, 3), drifted=len(found),
            drift=[asdict(one) for one in found[:SHOWN]],
        )  # fmt: skip
        for project_id, many in Counter(one.project for one in found).items():
            _tell(Project.objects.get(pk=project_id), many, next(one for one in found if one.project == project_id))
    return made


def _snapshots() -> Iterator[Drift]:
    """A file has as many bytes as its row says."""
    for snapshot in Snapshot.objects.order_by("pk").iterator():
        path = path_of(snapshot)
        size = path.stat().st_size if path.is_file() else None
        if size is not None and size != snapshot.bytes:
            yield Drift("Snapshot.bytes", snapshot.project_id, snapshot.pk, str(snapshot.bytes), str(size))


def _tell(project: Project, many: int, first: Drift) -> None:
    sentence = (
        f"{many} counter{'' if many == 1 else 's'} of {project.name} drifted from what it counts; first: "
        f"{first.what} of row {first.id} is {first.holds}, and {first.counted} was counted. See manage.py recount."
    )
    log.warning("project %s: %s counters drifted, %s of row %s first", project.slug, many, first.what, first.id)
    announce(project.pk, "alarm", {"kind": "drift", "message": sentence, "job": None, "round": None, "stage": ""})
    owners = User.objects.filter(memberships__project=project, memberships__role=Role.OWNER, is_active=True)
    addresses = sorted(set(owners.exclude(email="").values_list("email", flat=True)))
    transaction.on_commit(lambda: _mail(project, sentence, addresses), robust=True)


def _mail(project: Project, sentence: str, addresses: list[str]) -> None:
    if not addresses:
        return
    subject = f"{project.name}: counters drifted".replace("\n", " ")
    try:
        send_mail(subject, f"{sentence}\n", settings.DEFAULT_FROM_EMAIL, addresses)
    except (OSError, SMTPException) as error:
        log.warning("the drift in project %s was not mailed: %s", project.slug, error)
