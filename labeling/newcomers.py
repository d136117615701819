"""The first people and the first project of an empty database, for the one-command start."""

from django.db import transaction

from labeling.models import Membership, Project, Role, User

FIRST_PEOPLE = {"researcher": Role.OWNER, "labeler": Role.LABELER}


@transaction.atomic
def welcome() -> Project | None:
    """Makes the project `first` with a researcher and a labeler, neither with a password; None where projects exist.

    The researcher owns the project, so that everything can be tried; both sign in by a link that works once.
    """
    if Project.objects.exists():
        return None
    project = Project.objects.create(name="First project", slug="first")
    for name, role in FIRST_PEOPLE.items():
        user, made = User.objects.get_or_create(username=name, defaults={"email": f"{name}@example.invalid"})
        if made:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        Membership.objects.create(user=user, project=project, role=role)
    return project
