"""The audit log: who did what and when, as a chain in which each entry holds the digest of the one before it.

An entry refers to nothing by a foreign key: it outlives the people, projects and campaigns whose ids it names.
"""

from typing import ClassVar

from django.db import models
from django.utils import timezone


class AuditKind(models.TextChoices):
    """What is written down. A value, once used, keeps its meaning for ever."""

    SIGN_IN = "sign_in", "signed in"
    SIGN_IN_FAILED = "sign_in_failed", "failed to sign in"
    SIGN_OUT = "sign_out", "signed out"
    SECOND_FACTOR = "second_factor", "changed a second factor"
    PASSWORD = "password", "changed a password"
    SESSION = "session", "ended a session"
    INVITATION = "invitation", "invited, withdrew or accepted"
    ROLE = "role", "changed a role"
    LEAVE = "leave", "left or was removed"
    TOKEN = "token", "made or revoked a token"
    EXPORT = "export", "exported"
    IMPORT = "import", "imported"
    LAUNCH = "launch", "launched a job"
    CANCEL = "cancel", "stopped a job"
    GUIDELINE = "guideline", "published a guideline"
    CAMPAIGN = "campaign", "changed a campaign"
    CORRECTION = "correction", "corrected a submission"
    ADJUDICATION = "adjudication", "decided a dispute"
    ERASURE = "erasure", "erased"


class AuditFields(models.Model):
    """at: when it happened. user, project: ids, null where there was none. facts: ids and words of a list, no texts."""

    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)  # an AuditKind; without choices, or each new one would be a migration
    project = models.BigIntegerField(null=True, blank=True)
    user = models.BigIntegerField(null=True, blank=True)
    facts = models.JSONField(default=dict)

    class Meta:
        abstract = True


class AuditEntry(AuditFields):
    """One link of the chain. number: from 1 on, without gaps. The database refuses to change or delete one."""

    number = models.BigIntegerField(primary_key=True)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project", "-number"], name="audit_of_project"),
            models.Index(fields=["user", "-number"], name="audit_of_user"),
            models.Index(fields=["kind", "-number"], name="audit_of_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.kind}"

    def get_kind_display(self) -> str:
        return str(AuditKind(self.kind).label) if self.kind in AuditKind.values else self.kind


class AuditWaiting(AuditFields):
    """What was done, written with the act itself, until it is linked into the chain a moment later."""

    def __str__(self) -> str:
        return f"waiting {self.kind}"


class AuditHead(models.Model):
    """The one row that says how long the chain is and how it ends: what is cut off at the end is missed by it."""

    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, default="")

    def __str__(self) -> str:
        return f"{self.number} {self.digest}"
