"""Members of a project and their roles. A project always has an owner who can sign in."""

from django.db import transaction
from django.utils.translation import gettext

from labeling.audit.recording import record
from labeling.errors import LastOwner, Refusal
from labeling.leases import release_what_role_may_not_do
from labeling.models import AuditKind, Membership, Role


def lock_owners(membership: Membership, *, what: str) -> None:
    """Needs a transaction. Raises LastOwner where the project would be left without an owner who can sign in.

    The owners' rows are locked, so that of two who go at once the second sees the first one gone.
    """
    owners = Membership.objects.filter(project=membership.project_id, role=Role.OWNER, user__is_active=True)
    # Not with values_list: the lock is on the rows as they are then.
    locked = [owner.pk for owner in owners.order_by("pk").select_for_update(of=("self",))]
    if locked == [membership.pk]:
        says = gettext(
            "%(person)s is the only owner of %(project)s and cannot %(what)s. Make somebody else an owner first."
        )
        raise LastOwner(says % {"person": membership.user, "project": membership.project.name, "what": what})


def change_role(membership: Membership, role: str) -> Membership:
    """Gives a member another role; it holds from their next page on. They let go of what they hold and may not do
    in it. Raises LastOwner; Refusal for a role that is none."""
    if role not in Role.values:
        raise Refusal(f"The role is {role[:40]!r}; expected one of {', '.join(Role.values)}.")
    with transaction.atomic():
        if role != Role.OWNER:
            lock_owners(membership, what="get another role")
        Membership.objects.filter(pk=membership.pk).update(role=role)
        facts = {"member": membership.user_id, "was": membership.role, "role": role}
        record(AuditKind.ROLE, project=membership.project_id, facts=facts)
        release_what_role_may_not_do(membership, role)
    membership.role = role
    return membership
