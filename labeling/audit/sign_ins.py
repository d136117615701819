"""Signing in and out, and passwords, as entries of the audit log, whichever door somebody came by.

A failed try is an entry where it was at an account that there is: how often one can be tried is limited, and names
that nobody bears could be tried without end.
"""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from labeling.audit.recording import record
from labeling.models import AuditKind, User
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
