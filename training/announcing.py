"""What others are told of: an alarm, and the end of a stage. Whoever wants to hear of either is called from here.

Both are called inside the transaction that wrote the row, and nobody outside hears of anything before it is committed.
"""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse

from labeling.access import RESEARCHES
from labeling.models import User
from labeling.webhooks import announce
from training.models import Alarm, Job, Stage

log = logging.getLogger(__name__)


def raise_alarm(job: Job, kind: Alarm.Kind, message: str, *, step: int | None = None, attempt: int = 0) -> Alarm | None:
    """The row, announced; None where it stands there already. Call it with the job's row held, or its claim."""
    alarm, is_new = Alarm.objects.get_or_create(
        job=job, kind=kind, attempt=attempt, defaults={"message": message, "step": job.step if step is None else step}
    )
    if not is_new:
        return None
    announce_alarm(alarm)
    return alarm


def announce_alarm(alarm: Alarm) -> None:
    """To webhooks; and by e-mail, to whoever launched the job or opened the round; else to the owners."""
    log.warning("alarm of %s: %s", alarm.job, alarm.message)
    said = {"alarm": alarm.pk, "kind": alarm.kind, "message": alarm.message, "job": alarm.job_id, "step": alarm.step}
    announce(alarm.job.project_id, "alarm", said)
    transaction.on_commit(lambda: _mail(alarm), robust=True)


def announce_stage(stage: Stage) -> None:
    """A stage of a round is done, has failed or was cancelled. A failure is mailed, as an alarm of its job."""
    log.info("%s of project %s: %s", stage, stage.round.project_id, stage.state)
    said = {"round": stage.round.number, "stage": stage.kind, "state": stage.state, "job": stage.job_id}
    announce(stage.round.project_id, "stage.finished", said)


# --- mail -------------------------------------------------------------------------------------------------------------


def _mail(alarm: Alarm) -> None:
    """A mail server that does not answer costs the mail and nothing else: the alarm stands on the page."""
    job = Job.objects.select_related("project", "stage__round", "created_by").get(pk=alarm.job_id)
    addresses = recipients(job)
    if not addresses:
        return
    what = f"round {job.stage.round.number}, {job.stage.get_kind_display()}" if job.stage else f"job {job.pk}"
    subject = f"{job.project.name}, {what}: {alarm.get_kind_display()}".replace("\n", " ")
    body = f"{alarm.message}\n\n{page_of(job)}\n\nYou launched this or own the project. Accord says each thing once.\n"
    try:
        send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, addresses)
    except (OSError, SMTPException) as error:
        log.warning("the alarm %s was not mailed to %s: %s", alarm.pk, ", ".join(addresses), error)


def recipients(job: Job) -> list[str]:
    """Addresses, sorted; nobody who has left the project or may not see the page."""
    members = User.objects.filter(
        memberships__project=job.project_id, memberships__role__in=RESEARCHES, is_active=True
    ).exclude(email="")
    began = [job.created_by_id, job.stage.round.created_by_id if job.stage else None]
    found = members.filter(pk__in=[pk for pk in began if pk is not None])
    return sorted(set((found or members.filter(memberships__project=job.project_id, memberships__role="owner"))
                      .values_list("email", flat=True)))  # fmt: skip


def page_of(job: Job) -> str:
    """The address of the round's page at the job's stage; without its host where ACCORD_URL is not set."""
    slug = job.project.slug
    if job.stage is None:
        return f"{settings.SITE_URL}{reverse('job', args=[slug, job.pk])}"
    return f"{settings.SITE_URL}{reverse('round', args=[slug, job.stage.round.number])}?stage={job.stage.kind}#live"
