"""Addresses of the projects themselves and of the people in them."""

from django.urls import path

from labeling.views import (
    account,
    audit,
    background,
    cohorts,
    invitation,
    member,
    my_work,
    pay,
    people,
    project,
    reference,
    tokens,
    webhooks,
)

PROJECT = "projects/<slug:slug>/"
PEOPLE = f"{PROJECT}people/"
MEMBER = f"{PEOPLE}<int:membership_id>/"
INVITATION = f"{PEOPLE}invitations/<int:invitation_id>/"
COHORTS = f"{PROJECT}cohorts/"
COHORT = f"{COHORTS}<int:cohort_id>/"
WEBHOOKS = f"{PROJECT}webhooks/"
TOKENS = f"{PROJECT}tokens/"
AUDIT = f"{PROJECT}audit/"

urlpatterns = [
    path("account/", account.account, name="account"),
    path("account/sessions/end-others/", account.end_all_others, name="end_other_sessions"),
    path("account/sessions/<slug:handle>/end/", account.end_one_session, name="end_session"),
    path("reference/", reference.reference, name="reference"),
    path("new-project/", project.new_project, name="new_project"),
    path(f"{PROJECT}settings/", project.project_settings, name="project_settings"),
    path(f"{PROJECT}settings/second-factor/", project.second_factor, name="ask_for_second_factor"),
    path(f"{PROJECT}delete/", project.delete, name="delete_project"),
    path(f"{PROJECT}my-work/", my_work.my_work, name="my_work"),
    path(f"{PROJECT}leave/", member.leave_project, name="leave"),
    path("invitation/<str:token>/", invitation.invitation, name="invitation"),
    path(PEOPLE, people.people, name="people"),
    path(f"{PEOPLE}invite/", people.invite_somebody, name="invite"),
    path(f"{PEOPLE}pay.csv", pay.pay, name="pay"),
    path(MEMBER, member.member, name="member"),
    path(f"{MEMBER}sign-out/", member.sign_out, name="sign_out_member"),
    path(f"{MEMBER}remove/", member.remove_member, name="remove_member"),
    path(f"{INVITATION}resend/", people.resend_invitation, name="resend_invitation"),
    path(f"{INVITATION}withdraw/", people.withdraw_invitation, name="withdraw_invitation"),
    path(COHORTS, cohorts.cohorts, name="cohorts"),
    path(COHORT, cohorts.cohort, name="cohort"),
    path(f"{PROJECT}background/", background.background, name="background"),
    path(f"{PROJECT}background/questions/", background.background_questions, name="background_questions"),
    path(f"{COHORT}rule/", background.cohort_rule, name="cohort_rule"),
    path(f"{COHORT}put-in/", cohorts.put_in_cohort, name="put_in_cohort"),
    path(f"{COHORT}take-out/<int:labeler_id>/", cohorts.take_out_of_cohort, name="take_out_of_cohort"),
    path(f"{COHORT}delete/", cohorts.delete, name="delete_cohort"),
    path(WEBHOOKS, webhooks.webhooks, name="webhooks"),
    path(f"{WEBHOOKS}<int:webhook_id>/", webhooks.webhook, name="webhook"),
    path(
        f"{WEBHOOKS}<int:webhook_id>/deliveries/<int:delivery_id>/replay",
        webhooks.replay_delivery,
        name="replay_delivery",
    ),
    path(TOKENS, tokens.tokens, name="tokens"),
    path(f"{TOKENS}<slug:key>/revoke/", tokens.revoke_token, name="revoke_token"),
    path(AUDIT, audit.audit, name="audit"),
    path(f"{AUDIT}entries.csv", audit.audit_csv, name="audit_csv"),
    path(f"{AUDIT}entries.json", audit.audit_json, name="audit_json"),
]
