"""Invitations: made, sent again, withdrawn, accepted. Only the digest of a link's token is kept.

An address has one open invitation in a project: sending it again makes a new link, and the old one leads nowhere.
"""

from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext

from labeling.audit.recording import record
from labeling.errors import BadName, InvalidWork, InvitationGone, NotInvited, Problem
from labeling.models import AuditKind, Invitation, Membership, Project, Role, User
from labeling.names import checked_line

MOST_A_DAY = 50
"""Invitations of a project within a day, those sent again included: more would be mass mail."""
MOST_AN_ADDRESS_A_DAY = 5
DAY = timedelta(days=1)

AddressOf = Callable[[str], str]
"""From a token to the whole address of its page."""


class AlreadyInvited(NotInvited):
    """The address has an open invitation; it can be sent again."""

    code = "already_invited"
    status = 409

    def __init__(self, message: str, invitation: Invitation) -> None:
        super().__init__(message)
        self.invitation = invitation


class MailNotSent(NotInvited):
    """The invitation stands, and its mail did not go out."""

    code = "mail_not_sent"
    status = 502


def invite(project: Project, *, email: str, role: str, by: User, address_of: AddressOf) -> Invitation:
    """Offers a role to whoever reads the mail to this address.

    Raises AlreadyInvited, NotInvited; then nothing is written. MailNotSent: written, to be sent again.
    """
    address = checked_address(email)
    if role not in Role.values:
        raise NotInvited(f"The role is {role[:40]!r}; expected one of {', '.join(Role.values)}.")
    with transaction.atomic():
        _lock_project(project.pk)
        member = Membership.objects.select_related("user").filter(project=project, user__email__iexact=address).first()
        if member is not None:
            raise NotInvited(f"{address} is the address of {member.user}, who is {member.get_role_display()} here.")
        earlier = Invitation.objects.filter(
            project=project, email__iexact=address, accepted_at=None, withdrawn_at=None
        ).first()
        if earlier is not None and earlier.expires_at > timezone.now():
            raise AlreadyInvited(
                f"{address} was invited as {earlier.get_role_display()} already, and can accept until "
                f"{in_words(earlier)}.",
                earlier,
            )
        invitation, token = _make(project, address, role, by)
    _send(invitation, address_of(token))
    return invitation


def send_again(invitation: Invitation, *, by: User, address_of: AddressOf) -> Invitation:
    """A new link to the same address, valid anew; the old link dies. Raises InvitationGone, NotInvited, MailNotSent."""
    with transaction.atomic():
        _lock_project(invitation.project_id)
        _refuse_if_settled(invitation)
        anew, token = _make(invitation.project, invitation.email, invitation.role, by)
    _send(anew, address_of(token))
    return anew


def withdraw(invitation: Invitation) -> None:
    """The link leads nowhere from now on. Raises InvitationGone where it was accepted meanwhile."""
    with transaction.atomic():
        _lock_project(invitation.project_id)
        _refuse_if_settled(invitation)
        Invitation.objects.filter(pk=invitation.pk).update(withdrawn_at=timezone.now())
        _note(invitation, "withdrawn")


def _lock_project(project_id: int) -> None:
    """Invitations of a project are made one after another. no_key: whoever accepts one holds it and becomes a member,
    which refers to the project; they would wait here while their invitation is waited for."""
    Project.objects.select_for_update(no_key=True).get(pk=project_id)


def _refuse_if_settled(invitation: Invitation) -> None:
    """Holds the invitation: whoever accepts it at this moment was there before, or finds it gone."""
    invitation.refresh_from_db(from_queryset=Invitation.objects.select_for_update())
    if invitation.accepted_at or invitation.withdrawn_at:
        happened = "accepted" if invitation.accepted_at else "withdrawn or replaced"
        raise InvitationGone(f"The invitation of {invitation.email} was {happened} meanwhile.")


def _make(project: Project, address: str, role: str, by: User) -> tuple[Invitation, str]:
    """Needs the project locked. In the place of an earlier one that is not accepted."""
    now = timezone.now()
    today = Invitation.objects.filter(project=project, created_at__gt=now - DAY)
    if today.count() >= MOST_A_DAY:
        raise NotInvited(f"{MOST_A_DAY} invitations went out within a day, and no more do. Try again tomorrow.")
    if today.filter(email__iexact=address).count() >= MOST_AN_ADDRESS_A_DAY:
        raise NotInvited(f"{address} got {MOST_AN_ADDRESS_A_DAY} invitations within a day. Try again tomorrow.")
    Invitation.objects.filter(project=project, email__iexact=address, accepted_at=None, withdrawn_at=None).update(
        withdrawn_at=now
    )
    token = Invitation.new_token()
    invitation = Invitation.objects.create(
        project=project,
        email=address,
        role=role,
        digest=Invitation.digest_of(token),
        invited_by=by,
        expires_at=now + Invitation.VALID_FOR,
    )
    _note(invitation, "made")
    return invitation, token


def _note(invitation: Invitation, act: str, **more: Any) -> None:
    facts = {"act": act, "invitation": invitation.pk, "role": invitation.role}
    record(AuditKind.INVITATION, project=invitation.project_id, facts=facts, **more)


def checked_address(text: str) -> str:
    """One plain e-mail address, in lower case as sign-in looks for it. Raises NotInvited."""
    address = text.strip().lower()
    try:
        if '"' in address or len(address) > 254:
            raise ValidationError("not plain")
        validate_email(address)
    except ValidationError:
        raise NotInvited(f"{address[:80]!r} is not an e-mail address; expected one like ada@example.org.") from None
    return address


def in_words(invitation: Invitation) -> str:
    return f"{timezone.localtime(invitation.expires_at):%-d %B %Y}"


def inviter_of(invitation: Invitation) -> str:
    """Who invites, by name; their account may be gone."""
    inviter = invitation.invited_by
    return _one_line(inviter.get_full_name() or inviter.username) if inviter else "An owner"


def _send(invitation: Invitation, link: str) -> None:
    project, role = _one_line(invitation.project.name), invitation.get_role_display().lower()
    body = (
        f"{inviter_of(invitation)} invites you to the project {project} on Accord, as {role}.\n\n"
        f"To accept, open this page by {in_words(invitation)}:\n{link}\n\n"
        "The link works once. If you did not expect this, ignore it: nothing happens, and no account is made.\n"
    )
    try:
        send_mail(f"Invitation to {project}", body, None, [invitation.email])
    except (SMTPException, OSError) as failure:
        raise MailNotSent(
            f"The invitation of {invitation.email} is made, but its mail did not go out ({type(failure).__name__}). "
            "Send it again once the mail server answers."
        ) from failure


def _one_line(text: str) -> str:
    return " ".join(text.split())


def open_invitation(token: str, *, lock: bool = False) -> Invitation:
    """The invitation that a link leads to. Raises InvitationGone, in words that tell nothing of the project."""
    found = Invitation.objects.select_related("project", "invited_by")
    if lock:
        found = found.select_for_update(of=("self",))
    invitation = found.filter(digest=Invitation.digest_of(token)).first()
    if invitation is None:
        raise InvitationGone(gettext("This link leads to no invitation. Look whether it was copied whole."))
    if invitation.accepted_at:
        raise InvitationGone(gettext("This invitation was accepted already; its link works once."))
    if invitation.withdrawn_at:
        raise InvitationGone(
            gettext("This invitation was withdrawn, or replaced by a newer one. Look for a newer mail.")
        )
    if invitation.expires_at <= timezone.now():
        says = gettext("This invitation ended on %(day)s. Ask for another.")
        raise InvitationGone(says % {"day": in_words(invitation)})
    return invitation


def has_account(email: str) -> bool:
    """Whether somebody can sign in with this address."""
    mine = Q(email__iexact=email) | Q(emailaddress__email__iexact=email)
    return User.objects.filter(mine).exists()


def accept(token: str, user: User) -> Membership:
    """Makes the user a member and uses the link up; who is a member already keeps their role. Raises InvitationGone."""
    with transaction.atomic():
        invitation = open_invitation(token, lock=True)
        membership, _ = Membership.objects.get_or_create(
            user=user, project=invitation.project, defaults={"role": invitation.role}
        )
        Invitation.objects.filter(pk=invitation.pk).update(accepted_at=timezone.now(), accepted_by=user)
        _note(invitation, "accepted", by=user.pk)
    return membership


def accept_as_new(token: str, *, name: str, password: str) -> Membership:
    """Makes an account for the invited address and accepts. Raises InvitationGone, InvalidWork (name, password)."""
    with transaction.atomic():
        invitation = open_invitation(token, lock=True)
        if has_account(invitation.email):
            raise InvitationGone(
                gettext("There is an account with this address already. Sign in, then open the link again.")
            )
        user = User(username=_free_username(invitation.email), email=invitation.email, first_name=_checked_name(name))
        try:
            validate_password(password, user)
        except ValidationError as wrong:
            raise InvalidWork([Problem("bad_password", " ".join(wrong.messages), "password")]) from None
        user.set_password(password)
        user.save()
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
        return accept(token, user)


def _checked_name(name: str) -> str:
    try:
        return checked_line(name, what="name", most=150)
    except BadName as wrong:
        raise InvalidWork([Problem("bad_name", wrong.message, "name")]) from None


def _free_username(email: str) -> str:
    """Made of the address, for the few places that show one; people sign in by the address."""
    stem = slugify(email.partition("@")[0])[:100] or "member"
    taken = set(User.objects.filter(username__startswith=stem).values_list("username", flat=True))
    return next(name for name in [stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))] if name not in taken)
