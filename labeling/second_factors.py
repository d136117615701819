"""Second factors: a code of an authenticator app, or a passkey. Who has one, and who has to.

What asks for them, counts wrong codes and refuses one that was used is allauth's (allauth.mfa); how they are kept is
said in labeling/enrolling.py.
"""

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction

from labeling.audit.recording import record
from labeling.models import AuditKind, Membership, Project, Role, Session, User

STRONG = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Recovery codes stand in for one of these and are none by themselves."""
OF_A_PROJECT = frozenset({Role.OWNER, Role.RESEARCHER})
"""Of whom a project can ask for one: they see everything and act on it."""


def has_second_factor(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type__in=STRONG).exists()


def those_with_one(users: list[int]) -> set[int]:
    return set(Authenticator.objects.filter(user__in=users, type__in=STRONG).values_list("user_id", flat=True))


def needs_second_factor(membership: Membership) -> bool:
    """Whether the project, or the installation, asks for one in this role."""
    role = membership.role
    return role in settings.SECOND_FACTOR_ROLES or (membership.project.second_factor and role in OF_A_PROJECT)


def ask_for_second_factor(project: Project, *, asked: bool) -> None:
    """Of owners and researchers, from their next page on."""
    with transaction.atomic():
        Project.objects.filter(pk=project.pk).update(second_factor=asked)
        record(AuditKind.SECOND_FACTOR, project=project.pk, facts={"act": "asked_for" if asked else "not_asked_for"})
    project.second_factor = asked


def remove_second_factors(user: User) -> int:
    """For who lost the device and the recovery codes. Their sessions end. Answers how many factors there were."""
    with transaction.atomic():
        removed, _ = Authenticator.objects.filter(user=user).delete()
        Session.objects.filter(user=user).delete()
        facts = {"act": "removed_by_command", "member": user.pk, "factors": removed}
        record(AuditKind.SECOND_FACTOR, by=None, facts=facts)
    return removed
