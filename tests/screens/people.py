"""Who belongs to the Reading Room, and what waits for them there."""

from datetime import timedelta

from labeling.assigning import labeler_of
from labeling.models import (
    Cohort,
    CohortMember,
    Invitation,
    Labeler,
    Membership,
    Project,
    ProjectToken,
    Role,
    User,
)
from tests.screens import words
from tests.screens.clock import NOW

PEOPLE = (
    ("maren", "Maren Solheim", Role.OWNER, "L-5kqh2mzt"),
    ("tomas", "Tomas Akerele", Role.RESEARCHER, "L-8wnv3xpd"),
    ("beatriz", "Beatriz Quintanilha-Oyelaran", Role.REVIEWER, "L-7rgc4jhb"),
    ("lars", "Lars Wendel", Role.LABELER, "L-2tfx9kwn"),
    ("aiko", "Aiko Brandt", Role.LABELER, "L-6mzd5qvc"),
    ("dele", "Dele Fashola", Role.LABELER, "L-3hbp8rgx"),
    ("nadia", "Nadia Petrova", Role.LABELER, "L-9vjk4nwt"),
    ("owen", "Owen Pritchard", Role.LABELER, "L-4cxq7zfm"),
    ("chidi", "Chidi Lind", Role.ENGINEER, ""),
)
"""User name, name, role, pseudonym (empty: never labelled)."""
LABELERS = ("lars", "aiko", "dele", "nadia", "owen")

INVITED = (
    ("ruth.amsel@harbour-library.example", Role.LABELER, 11),
    ("jonas@harbour-library.example", Role.REVIEWER, -2),
)
"""Address, role, days until it ends."""
PASSWORD = "a password that only pictures have"
TOKEN = "an-invitation-that-only-pictures-have"


def found(name: str, slug: str, **more: object) -> Project:
    return Project.objects.create(name=name, slug=slug, created_at=NOW, **more)


def join(project: Project) -> dict[str, Labeler]:
    """Everybody, by user name, as labelers."""
    labelers = {}
    for username, name, role, pseudonym in PEOPLE:
        first, _, last = name.partition(" ")
        user = User.objects.create_user(
            username=username, email=f"{username}@reading-room.example", first_name=first, last_name=last
        )
        if role == Role.OWNER:
            user.set_password(PASSWORD)  # without one, the page that asks for it anew answers 403
            user.save()
        membership = Membership.objects.create(user=user, project=project, role=role)
        if pseudonym:
            labeler = labeler_of(membership)
            Labeler.objects.filter(pk=labeler.pk).update(pseudonym=pseudonym)
            labeler.pseudonym = pseudonym
            labelers[username] = labeler
    return labelers


def reading_room() -> Project:
    return found("Reading Room", "reading-room", about=words.ABOUT)


def make_cohorts(project: Project, labelers: dict[str, Labeler]) -> dict[str, Cohort]:
    made = {}
    for name, about, members in (
        ("Desk", "People who answer readers every day.", ("lars", "aiko", "nadia")),
        ("Readers", "Readers who judge the answers they would get.", ("dele", "owen")),
    ):
        cohort = made[name] = Cohort.objects.create(project=project, name=name, about=about)
        for days, username in enumerate(members, start=20):
            since = NOW - timedelta(days=days)
            CohortMember.objects.create(cohort=cohort, labeler=labelers[username], since=since)
    ended = NOW - timedelta(days=9)
    CohortMember.objects.create(
        cohort=made["Readers"], labeler=labelers["nadia"], since=NOW - timedelta(days=31), until=ended
    )
    return made


def invite(project: Project, by: User) -> None:
    for number, (email, role, days) in enumerate(INVITED):
        token = TOKEN if number == 0 else f"{TOKEN}-{number}"
        Invitation.objects.create(
            project=project, email=email, role=role, digest=Invitation.digest_of(token), invited_by=by,
            expires_at=NOW + timedelta(days=days),
        )  # fmt: skip


def make_tokens(project: Project) -> None:
    for key, username, days in (("f2a91c07", "chidi", 41), ("0b7d33e8", "maren", 12), ("9c40a5f1", "chidi", -3)):
        user = User.objects.get(username=username)
        token = ProjectToken.objects.create(
            user=user, project=project, digest=f"{key:0<128}", token_key=key, expiry=NOW + timedelta(days=days)
        )
        ProjectToken.objects.filter(pk=token.pk).update(created=NOW + timedelta(days=days - 90))
