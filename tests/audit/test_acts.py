"""What is written down: who did what to what, by ids, and nothing of what anybody wrote."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from labeling.audit.recording import link_waiting
from labeling.campaigning import change_settings, create_without_tasks
from labeling.errors import LastOwner
from labeling.inviting import accept_as_new, invite, withdraw
from labeling.leaving import leave
from labeling.members import change_role
from labeling.models import AuditEntry, AuditKind, Guideline, Membership, Project, ProjectToken, User, WorkKind
from labeling.opening import close_campaign
from labeling.publishing import begin_version, publish
from tests.conftest import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def noted(kind: AuditKind) -> list[dict[str, Any]]:
    """Facts of the entries of that kind, with their user and project."""
    link_waiting()
    return [
        entry.facts | {"user": entry.user, "project": entry.project} for entry in AuditEntry.objects.filter(kind=kind)
    ]


def test_a_role_is_changed_by_whoever_asked(project: Project, owner: User, labeler: User) -> None:
    member = Membership.objects.get(user=labeler)
    owner.set_password("an old-fashioned engine")
    owner.save()
    client = Client()
    client.post("/accounts/login/", {"login": "olga", "password": "an old-fashioned engine"})
    client.post("/accounts/reauthenticate/", {"password": "an old-fashioned engine"})
    client.post(f"/projects/helpdesk/people/{member.pk}/", {"role": "reviewer"})
    assert noted(AuditKind.ROLE) == [
        {"member": labeler.pk, "was": "labeler", "role": "reviewer", "user": owner.pk, "project": project.pk}
    ]


def test_outside_of_a_request_nobody_did_it(project: Project, labeler: User) -> None:
    change_role(Membership.objects.get(user=labeler), "reviewer")
    assert noted(AuditKind.ROLE)[0]["user"] is None


def test_who_leaves_is_noted(project: Project, owner: User, labeler: User) -> None:
    leave(Membership.objects.get(user=labeler))
    assert noted(AuditKind.LEAVE) == [{"member": labeler.pk, "user": None, "project": project.pk}]


def test_invitations_are_made_withdrawn_and_accepted(project: Project, owner: User) -> None:
    tokens: list[str] = []

    def address_of(token: str) -> str:
        tokens.append(token)
        return token

    first = invite(project, email="ada@example.org", role="labeler", by=owner, address_of=address_of)
    withdraw(first)
    second = invite(project, email="ada@example.org", role="reviewer", by=owner, address_of=address_of)
    member = accept_as_new(tokens[-1], name="Ada", password="an old-fashioned engine")
    found = noted(AuditKind.INVITATION)
    assert [(one["act"], one["invitation"], one["role"]) for one in found] == [
        ("made", first.pk, "labeler"), ("withdrawn", first.pk, "labeler"), ("made", second.pk, "reviewer"),
        ("accepted", second.pk, "reviewer"),
    ]  # fmt: skip
    assert found[-1]["user"] == member.user_id


def test_tokens_are_made_and_revoked_and_an_export_names_the_token(project: Project, owner: User) -> None:
    call_command("make_token", "olga", "helpdesk")
    key = ProjectToken.objects.get().token_key
    text = ProjectToken.make(user=owner, project=project)
    answer = Client().get("/api/v1/projects/helpdesk/records/prompts", headers={"Authorization": f"Token {text}"})
    assert answer.status_code == 200
    b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    signed_in(owner).post(f"/projects/helpdesk/tokens/{key}/revoke/")
    made, revoked = noted(AuditKind.TOKEN)
    assert (made["act"], made["token"], made["member"]) == ("made", key, owner.pk)
    assert (revoked["act"], revoked["token"], revoked["user"]) == ("revoked", key, owner.pk)
    [export] = noted(AuditKind.EXPORT)
    assert export == {
        "act": "fetched", "records": "prompt", "by_token": text[: len(key)], "user": owner.pk, "project": project.pk
    }  # fmt: skip
    assert text not in json.dumps(list(AuditEntry.objects.values_list("facts", flat=True)))


def test_guidelines_and_campaigns(project: Project) -> None:
    guideline, _ = begin_version(project, WorkKind.PROMPT)
    publish(guideline, major=True)
    settings = {"name": "Write", "guideline": guideline, "quota": 3}
    campaign = create_without_tasks(project, WorkKind.PROMPT, settings)
    change_settings(campaign, {"name": "Write more", "quota": 3})
    change_settings(campaign, {"name": "Write more"})
    close_campaign(campaign)
    assert noted(AuditKind.GUIDELINE) == [
        {"guideline": guideline.pk, "version": 1, "major": True, "user": None, "project": project.pk}
    ]
    common = {"campaign": campaign.pk, "user": None, "project": project.pk}
    assert noted(AuditKind.CAMPAIGN) == [
        {"act": "made"} | common,
        {"act": "changed", "settings": ["name"]} | common,
        {"act": "closed"} | common,
    ]
    assert Guideline.objects.count() == 1


def test_what_failed_is_not_noted(project: Project, owner: User) -> None:
    with pytest.raises(LastOwner):
        change_role(Membership.objects.get(user=owner), "labeler")
    assert noted(AuditKind.ROLE) == []


def test_a_member_is_added_by_the_command(project: Project) -> None:
    call_command("add_member", "helpdesk", "nina", "--role", "reviewer")
    user = User.objects.get(username="nina")
    assert noted(AuditKind.ROLE) == [
        {"act": "added", "member": user.pk, "role": "reviewer", "user": None, "project": project.pk}
    ]
