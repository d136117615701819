"""Plain pages of the nouns for whoever runs the installation; what is append only, or moves by acts, is read only."""

from collections.abc import Callable
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from labeling import models
from labeling.audit.recording import record
from labeling.errors import Refusal
from labeling.opening import close_campaign, open_campaign, pause_campaign

admin.site.site_header = "Accord"
# People sign in at one door, which counts wrong passwords; Django's own for these pages counts none.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.register(models.User, UserAdmin)
for kept_elsewhere in (Authenticator, SocialAccount, SocialApp, SocialToken):
    # Second factors are removed by a command that writes it down; the provider is set by variables.
    admin.site.unregister(kept_elsewhere)


class Listed(admin.ModelAdmin):
    """A list is narrowed by what it offers and by nothing else, or whoever may look at rows could ask their digests and
    passwords letter by letter."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        offered = {str(name) for name in (*self.list_filter, "id", "pk")}
        return lookup.partition("__")[0] in offered and super().lookup_allowed(lookup, value, request)


class ReadOnly(Listed):
    """Looked at, never changed here."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Plain(Listed):
    """fixed: fields that are chosen when the row is made and only read from then on."""

    list_per_page = 50
    show_full_result_count = False
    fixed: tuple[str, ...] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, *(self.fixed if obj else ()))


@admin.register(models.Project)
class ProjectAdmin(Plain):
    """The slug stands in the ids of what went out, by which the project knows its own records again. Whether its
    labelers are simulated decides who may rate blind, and what was rated stays."""

    fixed = ("slug", "simulated")
    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")


@admin.register(models.Membership)
class MembershipAdmin(Plain):
    """Only the role changes: with another user, what was judged here would be another person's."""

    fixed = ("user", "project")
    list_display = ("user", "project", "role")
    list_filter = ("role",)
    list_select_related = ("user", "project")
    autocomplete_fields = ("user", "project")

    def save_model(self, request: HttpRequest, obj: models.Membership, form: Any, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            facts = {"act": "by_staff", "member": obj.user_id, "role": obj.role}
            record(models.AuditKind.ROLE, project=obj.project_id, facts=facts)

    def delete_model(self, request: HttpRequest, obj: models.Membership) -> None:
        with transaction.atomic():
            record(models.AuditKind.LEAVE, project=obj.project_id, facts={"act": "by_staff", "member": obj.user_id})
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[models.Membership]) -> None:
        for one in queryset:
            self.delete_model(request, one)


@admin.register(models.Labeler)
class LabelerAdmin(ReadOnly):
    list_display = ("pseudonym", "project", "source", "created_at")
    list_filter = ("source",)
    list_select_related = ("project",)


@admin.register(models.Guideline)
class GuidelineAdmin(Plain):
    """A published version is read only; the model refuses a change of it too."""

    list_display = ("project", "kind", "version", "published_at")
    list_select_related = ("project",)
    autocomplete_fields = ("project",)
    readonly_fields = ("published_at",)
    fixed = ("project", "kind")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.published_at)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.published_at)


@admin.register(models.Campaign)
class CampaignAdmin(Plain):
    """The state changes by opening, pausing and closing (labeling/opening.py), not in a form.

    Once work is under way, what it is done by stays: an export names one guideline for all that was said.
    """

    list_display = ("name", "project", "kind", "state", "overlap")
    list_filter = ("kind", "state")
    list_select_related = ("project",)
    search_fields = ("name",)
    readonly_fields = ("state", "imported")
    fixed = ("project", "kind")
    autocomplete_fields = ("project",)
    actions = ("open_selected", "pause_selected", "close_selected")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        under_way = obj is not None and obj.state != models.Campaign.State.DRAFT
        fixed = ("guideline", "required", "cohort") if under_way else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Open the selected campaigns")
    def open_selected(self, request: HttpRequest, campaigns: QuerySet[models.Campaign]) -> None:
        self._change_each(request, campaigns, open_campaign)

    @admin.action(description="Pause the selected campaigns")
    def pause_selected(self, request: HttpRequest, campaigns: QuerySet[models.Campaign]) -> None:
        self._change_each(request, campaigns, pause_campaign)

    @admin.action(description="Close the selected campaigns for good")
    def close_selected(self, request: HttpRequest, campaigns: QuerySet[models.Campaign]) -> None:
        self._change_each(request, campaigns, close_campaign)

    def _change_each(
        self, request: HttpRequest, campaigns: QuerySet[models.Campaign], change: Callable[[models.Campaign], None]
    ) -> None:
        for campaign in campaigns.select_related("guideline"):
            try:
                change(campaign)
            except Refusal as refusal:
                self.message_user(request, refusal.message, messages.ERROR)


@admin.register(models.ProjectToken)
class ProjectTokenAdmin(ReadOnly):
    """Deleting a token revokes it. New ones are made by manage.py make_token."""

    list_display = ("token_key", "user", "project", "created", "expiry")
    list_select_related = ("user", "project")
    exclude = ("digest",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: models.ProjectToken) -> None:
        with transaction.atomic():
            facts = {"act": "revoked", "token": obj.token_key, "member": obj.user_id}
            record(models.AuditKind.TOKEN, project=obj.project_id, facts=facts)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[models.ProjectToken]) -> None:
        for one in queryset:
            self.delete_model(request, one)


@admin.register(models.Prompt)
class PromptAdmin(ReadOnly):
    list_display = ("id", "project", "use_case", "origin", "split", "group_key")
    list_filter = ("origin", "split", "use_case")
    list_select_related = ("project",)
    search_fields = ("external_id", "group_key")


@admin.register(models.Generator)
class GeneratorAdmin(ReadOnly):
    list_display = ("name", "project", "kind", "created_at")
    list_select_related = ("project",)


@admin.register(models.Response)
class ResponseAdmin(ReadOnly):
    list_display = ("id", "prompt", "generator", "labeler", "review_state", "created_at")
    list_select_related = ("prompt", "generator", "labeler")
    list_filter = ("review_state",)


class TaskResponseInline(admin.TabularInline):
    model = models.TaskResponse
    extra = 0


@admin.register(models.Task)
class TaskAdmin(ReadOnly):
    list_display = ("id", "campaign", "position", "overlap", "open_slots", "returned")
    list_select_related = ("campaign",)
    list_filter = ("returned",)
    inlines = (TaskResponseInline,)


@admin.register(models.Assignment)
class AssignmentAdmin(ReadOnly):
    list_display = ("uuid", "task", "labeler", "state", "lease_until", "opened_at")
    list_select_related = ("task", "labeler")
    list_filter = ("state",)


class JudgmentInline(admin.TabularInline):
    model = models.Judgment
    extra = 0


@admin.register(models.Submission)
class SubmissionAdmin(ReadOnly):
    list_display = ("id", "assignment", "number", "counted", "verdict", "submitted_at")
    list_select_related = ("assignment__labeler", "assignment__task")
    list_filter = ("counted", "verdict")
    inlines = (JudgmentInline,)
