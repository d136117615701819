"""Signing in and out, passwords and second factors, as entries of the audit log, whichever door somebody came by.

A failed try is an entry where it was at an account that there is: how often one can be tried is limited, and names
that nobody bears could be tried without end.
"""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from labeling.audit.recording import record
from labeling.models import AuditKind, User
from labeling.second_factors import STRONG
from labeling.sessions import begin, end_other_sessions


@receiver(user_logged_in, dispatch_uid="labeling.signed_in")
def _signed_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    begin(request)
    record(AuditKind.SIGN_IN, by=user.pk)


@receiver(user_logged_out, dispatch_uid="labeling.signed_out")
def _signed_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        record(AuditKind.SIGN_OUT, by=user.pk)


@receiver(user_login_failed, dispatch_uid="labeling.sign_in_failed")
def _failed(sender: Any, credentials: dict[str, Any], **_: Any) -> None:
    name = str(credentials.get("email") or credentials.get("username") or "")
    tried = User.called(name).values_list("pk", flat=True).first() if name else None
    if tried is not None:
        record(AuditKind.SIGN_IN_FAILED, by=None, facts={"member": tried})


@receiver((password_changed, password_set, password_reset), dispatch_uid="labeling.password")
def _password(sender: Any, request: HttpRequest, user: User, signal: Any, **_: Any) -> None:
    """Sessions that another password opened are worth nothing any more; here their rows go, too."""
    acts = {id(password_changed): "changed", id(password_set): "set", id(password_reset): "reset"}
    record(AuditKind.PASSWORD, by=user.pk, facts={"act": acts[id(signal)]})
    end_other_sessions(user, but=request.session.session_key)


@receiver(authenticator_added, dispatch_uid="labeling.factor_added")
def _added(sender: Any, request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    """Whoever signed in elsewhere did it without the factor, and does it again with it."""
    record(AuditKind.SECOND_FACTOR, by=user.pk, facts={"act": "added", "factor": str(authenticator.type)})
    if authenticator.type in STRONG:
        end_other_sessions(user, but=request.session.session_key)


@receiver(authenticator_removed, dispatch_uid="labeling.factor_removed")
def _removed(sender: Any, user: User, authenticator: Authenticator, **_: Any) -> None:
    record(AuditKind.SECOND_FACTOR, by=user.pk, facts={"act": "removed", "factor": str(authenticator.type)})


@receiver(authenticator_reset, dispatch_uid="labeling.factor_reset")
def _made_anew(sender: Any, user: User, authenticator: Authenticator, **_: Any) -> None:
    record(AuditKind.SECOND_FACTOR, by=user.pk, facts={"act": "made_anew", "factor": str(authenticator.type)})


@receiver(authentication_failed, dispatch_uid="labeling.factor_failed")
def _wrong_code(sender: Any, user: User, authenticator: Authenticator, **_: Any) -> None:
    facts = {"member": user.pk, "factor": str(authenticator.type)}
    record(AuditKind.SIGN_IN_FAILED, by=None, facts=facts)
