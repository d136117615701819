"""manage.py add_member PROJECT USER --role labeler: one more person in a project, and a link for them to sign in."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from labeling.audit.recording import record
from labeling.models import AuditKind, Membership, Project, Role, User
from labeling.sign_in import one_time_link


class Command(BaseCommand):
    help = (
        "Makes USER a member of PROJECT and prints a link that signs them in once. Where there is no such user, one is"
        " made, without a password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's slug")
        parser.add_argument("user", help="user name")
        parser.add_argument("--role", choices=Role.values, default=Role.LABELER.value)
        parser.add_argument("--email", default="", help="e-mail address, where the user is new")
        parser.add_argument("--base", default="http://127.0.0.1:8000", help="where the site is reached")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)[:20]) or "none yet"
            raise CommandError(f"There is no project {options['project']!r}; projects here: {known}.")
        with transaction.atomic():
            user = _user(options["user"], options["email"])
            membership, made = Membership.objects.get_or_create(
                user=user, project=project, defaults={"role": options["role"]}
            )
            if not made:
                raise CommandError(f"{user} is {membership.role} of {project.slug} already; the admin changes roles.")
            facts = {"act": "added", "member": user.pk, "role": membership.role}
            record(AuditKind.ROLE, project=project.pk, by=None, facts=facts)
            link = one_time_link(user, base=options["base"])
        self.stderr.write(f"{user} is now {membership.role} of {project.slug}. This signs them in once, within a day:")
        self.stdout.write(link)


def _user(name: str, email: str) -> User:
    """The user of that name, made where there is none. Raises CommandError."""
    user = User.objects.filter(username=name).first()
    if user is None:
        return _new_user(name, email)
    if not user.is_active:
        raise CommandError(f"The user {name!r} is deactivated and cannot sign in.")
    if email and email.lower() != user.email.lower():
        raise CommandError(f"The user {name!r} is there, with the address {user.email!r}; leave --email out.")
    return user


def _new_user(name: str, email: str) -> User:
    if email and User.objects.filter(email__iexact=email).exists():
        raise CommandError(f"Another user has the address {email!r}; give their user name, or another address.")
    user = User(username=name, email=email)
    user.set_unusable_password()
    try:
        user.full_clean()
    except ValidationError as error:
        raise CommandError(f"No user {name!r} can be made: {' '.join(error.messages)}") from None
    user.save()
    return user
