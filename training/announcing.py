"""What others are told of: an alarm, and the end of a stage. Whoever wants to hear of either is called from here.

Both are called inside the transaction that wrote the row, and nobody outside hears of anything before it is committed.
"""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models.functions import Now
from django.urls import reverse

from labeling.access import RESEARCHES
from labeling.models import Project, User
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


def note_refusal(stage: Stage, message: str, *, anew: bool) -> None:
    """A stage that did not start by itself: one alarm, announced, whose sentence is kept up to date until it is seen.

    anew: it was not refused before. Call it with the stage's row held.
    """
    standing = Alarm.objects.filter(stage=stage, kind=Alarm.Kind.REFUSED, seen_at=None)
    if not standing.update(message=message) and anew:
        announce_alarm(Alarm.objects.create(stage=stage, kind=Alarm.Kind.REFUSED, message=message))


def take_back_refusal(stage: Stage) -> None:
    """The stage has started: nobody has to read why it did not."""
    Alarm.objects.filter(stage=stage, kind=Alarm.Kind.REFUSED, seen_at=None).update(seen_at=Now())


def announce_alarm(alarm: Alarm) -> None:
    """To webhooks; and by e-mail, to whoever launched the job or opened the round; else to the owners."""
    log.warning("alarm of %s: %s", alarm.job or alarm.stage, alarm.message)
    stage = alarm.of_stage
    said = {
        "alarm": alarm.pk, "kind": alarm.kind, "message": alarm.message, "job": alarm.job_id, "step": alarm.step,
        "round": stage.round.number if stage else None, "stage": stage.kind if stage else "",
    }  # fmt: skip
    announce(_project_of(alarm).pk, "alarm", said)
    transaction.on_commit(lambda: _mail(alarm), robust=True)


def _project_of(alarm: Alarm) -> Project:
    stage = alarm.of_stage
    if alarm.job is not None:
        return alarm.job.project
    assert stage is not None
    return stage.round.project


def announce_stage(stage: Stage) -> None:
    """A stage of a round is done, has failed or was cancelled. A failure is mailed, as an alarm of its job."""
    log.info("%s of project %s: %s", stage, stage.round.project_id, stage.state)
    said = {"round": stage.round.number, "stage": stage.kind, "state": stage.state, "job": stage.job_id}
    announce(stage.round.project_id, "stage.finished", said)


# --- mail -------------------------------------------------------------------------------------------------------------


def _mail(alarm: Alarm) -> None:
    """A mail server that does not answer costs the mail and nothing else: the alarm stands on the page."""
    found = Alarm.objects.select_related("job__project", "job__stage__round", "stage__round__project")
    alarm = found.get(pk=alarm.pk)
    addresses = recipients(alarm)
    if not addresses:
        return
    stage = alarm.of_stage
    what = f"round {stage.round.number}, {stage.get_kind_display()}" if stage else f"job {alarm.job_id}"
    subject = f"{_project_of(alarm).name}, {what}: {alarm.get_kind_display()}".replace("\n", " ")
    body = (
        f"{alarm.message}\n\n{page_of(alarm)}\n\nYou launched this or own the project. Accord says each thing once.\n"
    )
    try:
        send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, addresses)
    except (OSError, SMTPException) as error:
        log.warning("the alarm %s was not mailed to %s: %s", alarm.pk, ", ".join(addresses), error)


def recipients(alarm: Alarm) -> list[str]:
    """Addresses, sorted; nobody who has left the project or may not see the page."""
    project, stage = _project_of(alarm), alarm.of_stage
    members = User.objects.filter(
        memberships__project=project, memberships__role__in=RESEARCHES, is_active=True
    ).exclude(email="")
    began = [alarm.job.created_by_id if alarm.job else None, stage.round.created_by_id if stage else None]
    found = members.filter(pk__in=[pk for pk in began if pk is not None])
    return sorted(set((found or members.filter(memberships__project=project, memberships__role="owner"))
                      .values_list("email", flat=True)))  # fmt: skip


def page_of(alarm: Alarm) -> str:
    """The address of the round's page at the alarm's stage; without its host where ACCORD_URL is not set."""
    slug, stage = _project_of(alarm).slug, alarm.of_stage
    if stage is None:
        return f"{settings.SITE_URL}{reverse('job', args=[slug, alarm.job_id])}"
    return f"{settings.SITE_URL}{reverse('round', args=[slug, stage.round.number])}?stage={stage.kind}#live"
