"""Addresses of the REST API about what people do, below /api/v1/. The machines' are in training/api/urls.py."""

from django.urls import path

from labeling.api import (
    assignments,
    campaigns,
    exports,
    guidelines,
    imports,
    people,
    projects,
    prompts,
    responses,
    submissions,
    webhooks,
)
from labeling.api.exports import KINDS as RECORDS
from labeling.api.records import datasheet_view, records_view
from labeling.api.schema import SchemaView

PROJECT = "projects/<slug:slug>"
CAMPAIGN = f"{PROJECT}/campaigns/<int:campaign_id>"
GUIDELINE = f"{PROJECT}/guidelines/<int:guideline_id>"
COHORT = f"{PROJECT}/cohorts/<int:cohort_id>"
WEBHOOK = f"{PROJECT}/webhooks/<int:webhook_id>"
ASSIGNMENT = f"{PROJECT}/assignments/<uuid:uuid>"

urlpatterns = [
    path("schema", SchemaView.as_view(), name="api_schema"),
    path("me", projects.MeView.as_view(), name="api_me"),
    path("projects", projects.ProjectsView.as_view(), name="api_projects"),
    path(PROJECT, projects.ProjectView.as_view(), name="api_project"),
    path(f"{PROJECT}/members", people.MembersView.as_view(), name="api_members"),
    path(f"{PROJECT}/members/<int:member_id>", people.MemberView.as_view(), name="api_member"),
    path(f"{PROJECT}/invitations", people.InvitationsView.as_view(), name="api_invitations"),
    path(f"{PROJECT}/cohorts", people.CohortsView.as_view(), name="api_cohorts"),
    path(COHORT, people.CohortView.as_view(), name="api_cohort"),
    path(f"{COHORT}/people", people.CohortPeopleView.as_view(), name="api_cohort_people"),
    path(f"{PROJECT}/guidelines", guidelines.GuidelinesView.as_view(), name="api_guidelines"),
    path(GUIDELINE, guidelines.GuidelineView.as_view(), name="api_guideline"),
    path(f"{GUIDELINE}/publish", guidelines.PublishView.as_view(), name="api_publish_guideline"),
    path(f"{PROJECT}/prompts", prompts.PromptsView.as_view(), name="api_prompts"),
    path(f"{PROJECT}/prompts/<int:prompt_id>", prompts.PromptView.as_view(), name="api_prompt"),
    path(f"{PROJECT}/responses", responses.ResponsesView.as_view(), name="api_responses"),
    path(f"{PROJECT}/responses/<int:response_id>", responses.ResponseView.as_view(), name="api_response"),
    path(f"{PROJECT}/generators", responses.GeneratorsView.as_view(), name="api_generators"),
    path(f"{PROJECT}/campaigns", campaigns.CampaignsView.as_view(), name="api_campaigns"),
    path(CAMPAIGN, campaigns.CampaignView.as_view(), name="api_campaign"),
    path(f"{CAMPAIGN}/open", campaigns.OpenView.as_view(), name="api_open_campaign"),
    path(f"{CAMPAIGN}/pause", campaigns.PauseView.as_view(), name="api_pause_campaign"),
    path(f"{CAMPAIGN}/close", campaigns.CloseView.as_view(), name="api_close_campaign"),
    path(f"{CAMPAIGN}/overlap", campaigns.OverlapView.as_view(), name="api_campaign_overlap"),
    path(f"{CAMPAIGN}/tasks", campaigns.TasksView.as_view(), name="api_tasks"),
    path(f"{CAMPAIGN}/tasks/<int:task_id>", campaigns.TaskView.as_view(), name="api_task"),
    path(f"{CAMPAIGN}/claim", assignments.ClaimView.as_view(), name="api_claim"),
    path(f"{PROJECT}/work", assignments.WorkView.as_view(), name="api_work"),
    path(f"{PROJECT}/assignments", assignments.AssignmentsView.as_view(), name="api_assignments"),
    path(ASSIGNMENT, assignments.AssignmentView.as_view(), name="api_assignment"),
    path(f"{ASSIGNMENT}/draft", assignments.DraftView.as_view(), name="api_draft"),
    path(f"{ASSIGNMENT}/submit", assignments.SubmitView.as_view(), name="api_submit"),
    path(f"{ASSIGNMENT}/skip", assignments.SkipView.as_view(), name="api_skip"),
    path(f"{PROJECT}/submissions", submissions.SubmissionsView.as_view(), name="api_submissions"),
    path(f"{PROJECT}/submissions/<int:submission_id>", submissions.SubmissionView.as_view(), name="api_submission"),
    path(f"{PROJECT}/webhooks", webhooks.WebhooksView.as_view(), name="api_webhooks"),
    path(WEBHOOK, webhooks.WebhookView.as_view(), name="api_webhook"),
    path(f"{WEBHOOK}/secret", webhooks.SecretView.as_view(), name="api_webhook_secret"),
    path(f"{WEBHOOK}/ping", webhooks.PingView.as_view(), name="api_ping_webhook"),
    path(f"{WEBHOOK}/deliveries", webhooks.DeliveriesView.as_view(), name="api_deliveries"),
    path(f"{WEBHOOK}/deliveries/<int:delivery_id>/replay", webhooks.ReplayView.as_view(), name="api_replay_delivery"),
    path(f"{PROJECT}/exports", exports.ExportsView.as_view(), name="api_exports"),
    path(f"{PROJECT}/exports/count", exports.CountView.as_view(), name="api_count_export"),
    path(f"{PROJECT}/exports/<uuid:uuid>", exports.ExportView.as_view(), name="api_export"),
    path(f"{PROJECT}/exports/<uuid:uuid>/file", exports.ExportFileView.as_view(), name="api_export_file"),
    path(f"{PROJECT}/imports", imports.ImportsView.as_view(), name="api_imports"),
    path(f"{PROJECT}/imports/from", imports.ImportFromView.as_view(), name="api_import_from"),
    path(f"{PROJECT}/imports/<uuid:uuid>", imports.ImportView.as_view(), name="api_import"),
    *(
        path(f"{PROJECT}/records/{name}", records_view(name, kind).as_view(), name=f"api_{name}_records")
        for name, kind in RECORDS.items()
    ),
    *(
        path(f"{PROJECT}/records/{name}/datasheet", datasheet_view(name, kind).as_view(), name=f"api_{name}_datasheet")
        for name, kind in RECORDS.items()
    ),
]
