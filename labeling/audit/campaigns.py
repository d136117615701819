"""What becomes of campaigns, as entries of the audit log."""

from typing import Any

from labeling.audit.recording import record
from labeling.models import AuditKind, Campaign


def note_campaign(campaign: Campaign, act: str, **more: Any) -> None:
    """more: names of settings and numbers, never what a setting says."""
    record(AuditKind.CAMPAIGN, project=campaign.project_id, facts={"act": act, "campaign": campaign.pk, **more})
