import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def take_users_from_memberships(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    memberships = apps.get_model("labeling", "Membership").objects.filter(pk=models.OuterRef("membership"))
    labelers = apps.get_model("labeling", "Labeler").objects.filter(membership__isnull=False)
    labelers.update(user=models.Subquery(memberships.values("user")[:1]))


class Migration(migrations.Migration):
    """Labelers whose membership has ended by now cannot be told whose they were: they stay without a user."""

    dependencies = [("labeling", "0002_imports_and_tokens")]

    operations = [
        migrations.AddField(
            model_name="labeler",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="labelers",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="labeler",
            constraint=models.UniqueConstraint(
                condition=models.Q(("user__isnull", False)), fields=("project", "user"), name="labeler_user_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="labeler",
            constraint=models.CheckConstraint(
                condition=models.Q(("source", "member"), ("user__isnull", True), _connector="OR"),
                name="labeler_user_only_for_members",
            ),
        ),
        # Last: PostgreSQL alters no table that has rows waiting for a deferred check.
        migrations.RunPython(take_users_from_memberships, migrations.RunPython.noop),
    ]
