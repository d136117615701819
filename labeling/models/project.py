"""Projects and who belongs to them. Everything else in Accord belongs to a project."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy


class Project(models.Model):
    name = models.CharField(max_length=120)
    slug = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", "Lower-case letters, digits and single hyphens.")],
    )
    about = models.TextField(
        blank=True, default="", db_default="", help_text="markdown: what is collected here, and what for"
    )
    simulated = models.BooleanField(
        default=False,
        db_default=False,
        help_text="a rehearsal: its texts are generated and most of its labelers are simulated",
    )
    licence = models.CharField(
        max_length=200,
        blank=True,
        default="",
        db_default="",
        help_text="what others may do with the data; goes into every export's datasheet",
    )
    second_factor = models.BooleanField(
        default=False, db_default=False, help_text="its owners and researchers need a second factor to open its pages"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a person may do in one project; a person has one role per project."""

    OWNER = "owner", gettext_lazy("Owner")
    RESEARCHER = "researcher", gettext_lazy("Researcher")
    REVIEWER = "reviewer", gettext_lazy("Reviewer")
    LABELER = "labeler", gettext_lazy("Labeler")
    CUSTOMER = "customer", gettext_lazy("Customer")
    ENGINEER = "engineer", gettext_lazy("Engineer")


class Membership(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="membership_one_role_per_project"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.role} of {self.project}"
