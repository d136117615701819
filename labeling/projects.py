"""Projects are made, described and deleted."""

from contextlib import suppress
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.utils.text import slugify

from labeling.audit.recording import record
from labeling.checking import unstorable
from labeling.errors import BadName, KeptOut, StillInUse
from labeling.models import (
    AuditKind,
    Campaign,
    Cohort,
    Guideline,
    Invitation,
    Labeler,
    Membership,
    Project,
    ProjectToken,
    Role,
    User,
)
from labeling.names import checked_line

NAME_CHARACTERS = 120
SLUG_CHARACTERS = 50
ABOUT_CHARACTERS = 20_000
TRIES_AT_A_SLUG = 3

GO_WITH_IT: tuple[type[Model], ...] = (Membership, Invitation, ProjectToken, Cohort, Labeler)
"""What belongs to a project and to nothing else; a labeler who said something stands in a campaign too."""


def may_make_projects(user: User) -> bool:
    """Whoever runs the installation, and whoever owns a project already: people who were trusted with one."""
    return user.is_superuser or user.is_staff or user.memberships.filter(role=Role.OWNER).exists()


def make_project(*, name: str, about: str, by: User) -> Project:
    """A project with this person as its owner; its address is made of its name. Raises KeptOut, BadName."""
    if not may_make_projects(by):
        raise KeptOut("Projects are made by owners of one and by whoever runs this installation. Ask one of them.")
    checked, described = checked_line(name, what="name of the project", most=NAME_CHARACTERS), checked_about(about)
    for _ in range(TRIES_AT_A_SLUG):
        # Of two that are made at one moment both find the same address free; the second looks again.
        with suppress(IntegrityError), transaction.atomic():
            project = Project.objects.create(name=checked, slug=_free_slug(checked), about=described)
            Membership.objects.create(user=by, project=project, role=Role.OWNER)
            facts = {"act": "founded", "member": by.pk, "role": Role.OWNER.value}
            record(AuditKind.ROLE, project=project.pk, facts=facts)
            return project
    raise BadName(f"Other projects are being made of the name {checked!r} at this moment; send it again.")


def _free_slug(name: str) -> str:
    stem = slugify(name)[:SLUG_CHARACTERS].strip("-_").replace("_", "-") or "project"
    stem = "-".join(part for part in stem.split("-") if part)
    taken = set(Project.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    return next(slug for slug in [stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))] if slug not in taken)


def describe(project: Project, *, name: str, about: str) -> None:
    """Another name and description; the address stays, for records that went out bear it. Raises BadName."""
    project.name = checked_line(name, what="name of the project", most=NAME_CHARACTERS)
    project.about = checked_about(about)
    project.save(update_fields=["name", "about"])


def checked_about(text: str) -> str:
    """Markdown. Raises BadName."""
    about = text.replace("\r\n", "\n").strip()
    if len(about) > ABOUT_CHARACTERS:
        raise BadName(f"The description has {len(about):,} characters; at most {ABOUT_CHARACTERS:,} are kept.")
    if wrong := unstorable(about):
        raise BadName(f"The description holds {wrong}; remove it.")
    return about


@dataclass(frozen=True)
class Holding:
    """So many of something that is in a project."""

    number: int
    noun: str

    def __str__(self) -> str:
        return f"{self.number:,} {self.noun}"


def what_keeps(project: Project) -> list[Holding]:
    """What is in the project that others depend on: texts, work that was begun, rounds. (One query a table.)"""
    found = []
    for relation in Project._meta.related_objects:
        model = relation.related_model
        if not isinstance(model, type) or model in GO_WITH_IT:
            continue
        rows: QuerySet[Model] = model._default_manager.filter(**{relation.field.name: project})
        if model is Guideline:
            rows = rows.filter(published_at__isnull=False)
        elif model is Campaign:
            rows = rows.exclude(state=Campaign.State.DRAFT, tasks__isnull=True).distinct()
        if number := rows.count():
            names = model._meta.verbose_name if number == 1 else model._meta.verbose_name_plural
            found.append(Holding(number, str(names)))
    return found


def delete_project(project: Project, *, named: str) -> None:
    """Deletes an empty project, its memberships, invitations, tokens and drafts. Raises StillInUse; BadName where the
    name typed to confirm it is another."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        keeps = what_keeps(project)
        if keeps:
            raise StillInUse(why_kept(project, keeps))
        if named.strip() != project.name:
            raise BadName(f"You typed {named.strip()[:80]!r}; to delete the project, type its name: {project.name}")
        project.campaigns.all().delete()  # Before the guidelines and cohorts that they point to.
        record(AuditKind.ROLE, project=project.pk, facts={"act": "project_deleted"})
        project.delete()


def why_kept(project: Project, keeps: list[Holding]) -> str:
    listed = ", ".join(str(holding) for holding in keeps)
    return (
        f"{project.name} holds {listed}. Records and models that went out refer to them, so it is not deleted. "
        "Close its campaigns and remove its members to put it to rest."
    )
