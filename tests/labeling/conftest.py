"""A labeler with a ranking task in hand, and pages asked for by others."""

from dataclasses import dataclass

import pytest
from django.test import Client

from labeling.assigning import labeler_of
from labeling.models import Assignment, Campaign, Membership, Project, User
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, must_claim


@dataclass(frozen=True)
class Desk:
    """A labeler at work: signed in, with a task in hand."""

    client: Client
    campaign: Campaign
    assignment: Assignment

    @property
    def page(self) -> str:
        return f"/projects/{self.campaign.project.slug}/tasks/{self.assignment.uuid}/"

    def form(self, **fields: str) -> dict[str, str]:
        """What the browser would send, with these fields filled in (underscores for hyphens)."""
        envelope = {
            "key": "11111111-2222-4333-8444-555555555555",
            "lease_token": str(self.assignment.lease_token),
            "corrects": "0",
        }
        return envelope | {
            name if name in envelope else name.replace("_", "-"): value for name, value in fields.items()
        }


def at_desk(user: User, campaign: Campaign) -> Desk:
    assignment = must_claim(campaign, labeler_of(Membership.objects.get(user=user, project=campaign.project)))
    return Desk(signed_in(user), campaign, assignment)


@pytest.fixture
def desk(project: Project, labeler: User) -> Desk:
    return at_desk(labeler, make_campaign(project, tasks=2))
