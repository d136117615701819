"""manage.py make_token USER PROJECT: a token for the REST API, shown once."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from knox.settings import CONSTANTS

from labeling.audit.recording import record
from labeling.models import AuditKind, Membership, ProjectToken, User
from labeling.scopes import Scope, ScopeRefused, checked_scopes

MOST_DAYS = 3650


class Command(BaseCommand):
    help = "Prints a new token that opens one project to programs, with the rights of USER there; it is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name or e-mail address")
        parser.add_argument("project", help="the project's slug")
        parser.add_argument("--days", type=int, default=ProjectToken.VALID_FOR.days, help="how long it opens it (90)")
        scope = f"what it may be used for: {', '.join(Scope)} (may be repeated; read)"
        parser.add_argument("--scope", action="append", choices=list(Scope), help=scope)

    def handle(self, *args: Any, **options: Any) -> None:
        name, slug, days = options["user"], options["project"], options["days"]
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days is {days}; expected 1 to {MOST_DAYS:,}.")
        users = list(User.called(name).filter(is_active=True)[:2])
        if len(users) != 1:
            found = "several active users" if users else "no active user"
            raise CommandError(f"There is {found} with the name or address {name!r}; give the user name of one.")
        membership = Membership.objects.select_related("project").filter(user=users[0], project__slug=slug).first()
        if membership is None:
            raise CommandError(f"{users[0]} is not a member of a project {slug!r}; an owner adds members.")
        try:
            scopes = checked_scopes(options["scope"] or [Scope.READ], membership.role)
        except ScopeRefused as refused:
            raise CommandError(f"{users[0]} is {membership.role} there. {refused.message}") from None
        token = ProjectToken.make(
            user=users[0], project=membership.project, scopes=scopes, valid_for=timedelta(days=days)
        )
        key = token[: CONSTANTS.TOKEN_KEY_LENGTH]
        facts = {"act": "made", "token": key, "member": users[0].pk, "scopes": [str(one) for one in scopes]}
        record(AuditKind.TOKEN, project=membership.project_id, by=None, facts=facts)
        self.stderr.write(f"A token of {users[0]} for {slug}, valid for {days} days; it is not shown again. To use it:")
        self.stderr.write(
            f"  curl -H 'Authorization: Token …' http://127.0.0.1:8000/api/v1/projects/{slug}/records/rankings"
        )
        self.stdout.write(token)
