"""Who may do what, address by address and method by method, kept by hand: what design.md section 1 says, in full.

It is not read from the views, which are what it is compared with (test_matrix.py). What is not written here nobody may:
another method answers 405, another role 403, and whoever does not belong to the project 404, as if there were nothing.
"""

from dataclasses import dataclass

LABELER, REVIEWER, RESEARCHER, ENGINEER = "labeler", "reviewer", "researcher", "engineer"
OWNER, CUSTOMER, STRANGER, NOBODY = "owner", "customer", "stranger", "nobody"
MEMBERS = (LABELER, REVIEWER, RESEARCHER, ENGINEER, OWNER, CUSTOMER)
"""Of the project. A stranger is the owner of another one; nobody is not signed in."""


@dataclass(frozen=True)
class Who:
    """own: of the roles, those who may because it is theirs; to the others it is not there. anew: who signed in long
    ago is asked for the password first. scope: that a token must have. outside: who may though no member here."""

    roles: tuple[str, ...]
    own: tuple[str, ...] = ()
    anew: bool = False
    scope: str = ""
    outside: tuple[str, ...] = ()


Entry = dict[str, Who]

LABEL = (LABELER, REVIEWER, RESEARCHER, ENGINEER, OWNER)
REVIEW = (REVIEWER, RESEARCHER, OWNER)
CONSOLE = (RESEARCHER, OWNER)
DATA = (RESEARCHER, ENGINEER, OWNER)
OWNS = (OWNER,)
SIGNED_IN = Who(MEMBERS, outside=(STRANGER,))
ANYBODY = Who(MEMBERS, outside=(STRANGER, NOBODY))


OF_LATE = Who(MEMBERS, anew=True, outside=(STRANGER,))
OWN_PASSKEY = Who(MEMBERS, own=(OWNER,), anew=True)


def reads(*roles: str) -> Entry:
    return {"GET": Who(roles)}


def sends(*roles: str) -> Entry:
    return {"POST": Who(roles)}


def form(*roles: str) -> Entry:
    """A page with a form on it."""
    return reads(*roles) | sends(*roles)


def own(*methods: str) -> Entry:
    return {method: Who(LABEL, own=(LABELER,)) for method in methods}


def careful(*roles: str) -> Entry:
    """A form that is sent only by who signed in lately."""
    return {"GET": Who(roles), "POST": Who(roles, anew=True)}


SITE: dict[str, Entry] = {
    "health_live": {"GET": ANYBODY},
    "health_ready": {"GET": ANYBODY},
    "metrics": {"GET": ANYBODY},  # from the network that the test opens to it; otherwise nobody (test_metrics_page.py)
    "sheet": {"GET": ANYBODY},
    "script": {"GET": ANYBODY},
    "sentences": {"GET": ANYBODY},
    "home": {"GET": SIGNED_IN},
    "reference": {"GET": SIGNED_IN},
    "new_project": {"GET": Who(OWNS, outside=(STRANGER,)), "POST": Who(OWNS, outside=(STRANGER,))},
    "sign_in_link": {"GET": ANYBODY},
    "invitation": {"GET": ANYBODY, "POST": ANYBODY},
    "account": {"GET": SIGNED_IN},
    "end_session": {"POST": Who(MEMBERS, own=(OWNER,))},
    "end_other_sessions": {"POST": SIGNED_IN},
}

WORK: dict[str, Entry] = {
    "queue": reads(*LABEL),
    "take_next": sends(*LABEL),
    "task": own("GET", "POST"),
    "draft": own("POST"),
    "skip": own("GET", "POST"),
    "show_task": own("POST"),
    "ask": own("GET", "POST"),
    "avoided": form(*LABEL),
    "my_work": reads(*LABEL),
    "guideline": form(*LABEL),
    "background": form(*LABEL),
    "my_qualification": form(*LABEL),
    "leave": form(*MEMBERS),
}

REVIEWING: dict[str, Entry] = {
    "questions": reads(*REVIEW),
    "answer_question": sends(*REVIEW),
    "review_queue": reads(*REVIEW),
    "review": form(*REVIEW),
    "campaign_aside": form(*REVIEW),
    "gold": form(*REVIEW),
    "put_back_task": sends(*REVIEW),
    "grade": sends(*REVIEW),
    "disputes": reads(*REVIEW),
    "decide": form(*REVIEW),
}

RESEARCH: dict[str, Entry] = {
    **{
        name: reads(*CONSOLE)
        for name in (
            *("project", "people", "prompts", "prompt", "responses", "submission"),
            *("campaigns", "campaign", "preview_campaign", "campaign_tasks", "campaign_task"),
            *("guideline_version", "compare_guidelines"),
            *("agreement", "agreement_json", "quality", "quality_json", "bias", "bias_json"),
            "matrix_json",
            *("round", "compare_rounds", "evaluation", "earlier_evaluation"),
            *("jobs", "job", "job_metrics", "job_log", "job_samples", "workers"),
            *("checkpoints", "checkpoint", "model_card"),
        )
    },
    **{
        name: form(*CONSOLE)
        for name in (
            *("guidelines", "edit_guideline", "publish_guideline", "delete_guideline"),
            *("new_campaign", "edit_campaign", "delete_campaign"),
            *("open_campaign", "pause_campaign", "close_campaign", "campaign_overlap"),
            *("rounds", "rehearse", "matrix"),
        )
    },
    **{
        name: sends(*CONSOLE)
        for name in (
            *("prompt_content", "widen_campaign", "ask_again", "replay_delivery", "alarm_seen"),
            *("close_round", "next_round", "round_running", "launch", "check_launch", "stage_wait"),
            *("cancel_job", "pause_job", "resume_job"),
        )
    },
}

OWNERS: dict[str, Entry] = {
    "cohorts": reads(*CONSOLE) | sends(*OWNS),
    "cohort": reads(*CONSOLE) | sends(*OWNS),
    "qualifications": reads(*CONSOLE) | sends(*OWNS),
    "qualification": reads(*REVIEW) | sends(*OWNS),
    "status": reads(*OWNS),
    "erasures": careful(*OWNS),
    "project_settings": form(*OWNS),
    "ask_for_second_factor": {"POST": Who(OWNS, anew=True)},
    "delete_project": careful(*OWNS),
    "member": careful(*OWNS),
    "remove_member": careful(*OWNS),
    "sign_out_member": {"POST": Who(OWNS, anew=True)},
    "invite": {"POST": Who(OWNS, anew=True)},
    "resend_invitation": sends(*OWNS),
    "withdraw_invitation": sends(*OWNS),
    "pay": {"GET": Who(OWNS, anew=True)},
    "audit": reads(*OWNS),
    "audit_csv": {"GET": Who(OWNS, anew=True)},
    "audit_json": {"GET": Who(OWNS, anew=True)},
    "background_questions": form(*OWNS),
    "cohort_rule": sends(*OWNS),
    "put_in_cohort": sends(*OWNS),
    "take_out_of_cohort": sends(*OWNS),
    "delete_cohort": form(*OWNS),
    "decide_try": sends(*OWNS),
    "set_licence": sends(*OWNS),
    "delete_checkpoint": form(*OWNS),
    "disk": form(*OWNS),
}

DATA_PAGES: dict[str, Entry] = {
    "webhooks": careful(*CONSOLE),
    "webhook": careful(*CONSOLE),
    "data": reads(*DATA),
    "new_export": careful(*DATA),
    "download_records": {"GET": Who(DATA, anew=True)},
    "export_file": {"GET": Who(DATA, anew=True)},
    "export_datasheet": reads(*DATA),
    "new_import": form(*DATA),
    "import": reads(*DATA),
    "tokens": careful(*MEMBERS),
    "revoke_token": {"POST": Who(MEMBERS, own=(ENGINEER, OWNER))},
}

ACCOUNT_PAGES: dict[str, Entry] = {
    "account_login": {"GET": ANYBODY, "POST": ANYBODY},
    "account_logout": {"GET": ANYBODY, "POST": ANYBODY},
    "account_inactive": {"GET": ANYBODY},
    "account_signup": {"GET": ANYBODY, "POST": ANYBODY},  # which says that it is closed
    "account_reauthenticate": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "account_email": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "account_email_verification_sent": {"GET": ANYBODY},
    "account_change_password": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "account_set_password": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "account_reset_password": {"GET": ANYBODY, "POST": ANYBODY},
    "account_reset_password_done": {"GET": ANYBODY},
    "account_reset_password_from_key": {"GET": ANYBODY, "POST": ANYBODY},
    "account_reset_password_from_key_done": {"GET": ANYBODY},
    "account_confirm_email": {"GET": ANYBODY},
    "account_confirm_login_code": {"GET": ANYBODY, "POST": ANYBODY},
    "mfa_index": {"GET": SIGNED_IN},
    "mfa_authenticate": {"GET": ANYBODY, "POST": ANYBODY},  # which says: first the password
    "mfa_login_webauthn": {"GET": ANYBODY, "POST": ANYBODY},
    "mfa_reauthenticate": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "mfa_reauthenticate_webauthn": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "mfa_activate_totp": {"GET": OF_LATE, "POST": OF_LATE},
    "mfa_deactivate_totp": {"GET": OF_LATE, "POST": OF_LATE},
    "mfa_view_recovery_codes": {"GET": OF_LATE},
    "mfa_generate_recovery_codes": {"GET": OF_LATE, "POST": OF_LATE},
    "mfa_download_recovery_codes": {"GET": OF_LATE},
    "mfa_list_webauthn": {"GET": SIGNED_IN},
    "mfa_add_webauthn": {"GET": OF_LATE, "POST": OF_LATE},
    "mfa_edit_webauthn": {"GET": OWN_PASSKEY, "POST": OWN_PASSKEY},
    "mfa_remove_webauthn": {"GET": OWN_PASSKEY, "POST": OWN_PASSKEY},
    "openid_connect_login": {"GET": ANYBODY},
    "openid_connect_callback": {"GET": ANYBODY},  # which says that it did not ask
    "socialaccount_login_cancelled": {"GET": ANYBODY},
    "socialaccount_login_error": {"GET": ANYBODY},
    "sign_in_again_elsewhere": {"GET": SIGNED_IN},
}

"""allauth's, which take other methods, too, for the same as a form sent."""

ADMIN_MODELS = (
    *("auth_group", "account_emailaddress"),
    *("labeling_user", "labeling_project", "labeling_membership", "labeling_labeler", "labeling_guideline"),
    *("labeling_campaign", "labeling_projecttoken", "labeling_prompt", "labeling_generator", "labeling_response"),
    *("labeling_task", "labeling_assignment", "labeling_submission"),
    *("training_round", "training_job", "training_checkpoint", "training_snapshot", "training_metric"),
    *("training_alarm", "training_worker"),
)
ADMIN: frozenset[str] = frozenset(
    {
        *(
            f"admin:{name}_{page}"
            for name in ADMIN_MODELS
            for page in ("changelist", "add", "history", "delete", "change")
        ),
        *(f"admin:admin/{name.replace('_', '/', 1)}/<path:object_id>/" for name in ADMIN_MODELS),
        *("admin:index", "admin:login", "admin:logout", "admin:password_change", "admin:password_change_done"),
        *(
            "admin:autocomplete",
            "admin:jsi18n",
            "admin:view_on_site",
            "admin:app_list",
            "admin:auth_user_password_change",
        ),
        "admin:admin/(?P<url>.*)$",
    }
)
"""Pages of the people who run the server (manage.py createsuperuser): no role of a project opens one."""


def api(**methods: tuple[tuple[str, ...], str]) -> Entry:
    return {method: Who(roles, scope=scope) for method, (roles, scope) in methods.items()}


READ, WRITE = (DATA, "read"), (CONSOLE, "write")
PUSH, TRAIN, LABELS = (DATA, "write"), (CONSOLE, "train"), (LABEL, "label")
PEOPLE, MANAGE, HOOKS = (CONSOLE, "read"), (OWNS, "manage"), (CONSOLE, "manage")

API: dict[str, Entry] = {
    "api_schema": {"GET": ANYBODY},
    "api_me": {"GET": Who(MEMBERS, outside=(STRANGER,))},
    "api_projects": {"GET": Who(MEMBERS, outside=(STRANGER,))},
    "api_project": api(GET=(MEMBERS, ""), PATCH=MANAGE),
    "api_members": api(GET=PEOPLE),
    "api_member": api(GET=PEOPLE, PATCH=MANAGE, DELETE=MANAGE),
    "api_invitations": api(POST=MANAGE),
    "api_cohorts": api(GET=PEOPLE, POST=MANAGE),
    "api_cohort": api(GET=PEOPLE, PATCH=MANAGE, DELETE=MANAGE),
    "api_cohort_people": api(POST=MANAGE),
    "api_guidelines": api(GET=READ, POST=WRITE),
    "api_guideline": api(GET=READ, PATCH=WRITE, DELETE=WRITE),
    "api_publish_guideline": api(POST=WRITE),
    "api_prompts": api(GET=READ, POST=((*DATA, CUSTOMER), "write")),
    "api_prompt": api(GET=READ),
    "api_responses": api(GET=READ, POST=PUSH),
    "api_response": api(GET=READ),
    "api_generators": api(GET=READ),
    "api_campaigns": api(GET=READ, POST=WRITE),
    "api_campaign": api(GET=READ, PATCH=WRITE, DELETE=WRITE),
    "api_open_campaign": api(POST=WRITE),
    "api_pause_campaign": api(POST=WRITE),
    "api_close_campaign": api(POST=WRITE),
    "api_campaign_overlap": api(POST=WRITE),
    "api_tasks": api(GET=READ, POST=WRITE),
    "api_task": api(GET=READ),
    "api_claim": api(POST=LABELS),
    "api_work": api(GET=LABELS),
    "api_assignments": api(GET=LABELS),
    "api_assignment": {"GET": Who(LABEL, own=(LABELER,), scope="label")},
    "api_draft": {"PUT": Who(LABEL, own=(LABELER,), scope="label")},
    "api_submit": {"POST": Who(LABEL, own=(LABELER,), scope="label")},
    "api_skip": {"POST": Who(LABEL, own=(LABELER,), scope="label")},
    "api_submissions": api(GET=READ),
    "api_submission": api(GET=READ),
    "api_webhooks": api(GET=HOOKS, POST=HOOKS),
    "api_webhook": api(GET=HOOKS, PATCH=HOOKS, DELETE=HOOKS),
    "api_webhook_secret": api(POST=HOOKS),
    "api_ping_webhook": api(POST=HOOKS),
    "api_deliveries": api(GET=HOOKS),
    "api_replay_delivery": api(POST=HOOKS),
    "api_exports": api(GET=READ, POST=READ),
    "api_count_export": api(POST=READ),
    "api_export": api(GET=READ),
    "api_export_file": api(GET=READ),
    "api_imports": api(GET=READ, POST=PUSH),
    "api_import_from": api(POST=PUSH),
    "api_import": api(GET=READ),
    **{
        f"api_{kind}_{what}": api(GET=READ)
        for what in ("records", "datasheet")
        for kind in ("prompts", "demonstrations", "candidates", "rankings", "comparisons", "ratings")
    },
    "api_rounds": api(GET=READ, POST=TRAIN),
    "api_round": api(GET=READ),
    "api_close_round": api(POST=TRAIN),
    "api_next_round": api(POST=TRAIN),
    "api_launch": api(POST=TRAIN),
    "api_evaluations": api(GET=READ),
    "api_jobs": api(GET=READ),
    "api_job": api(GET=READ),
    "api_pause_job": api(POST=TRAIN),
    "api_cancel_job": api(POST=TRAIN),
    "api_resume_job": api(POST=TRAIN),
    "api_metrics": api(GET=READ),
    "api_checkpoints": api(GET=READ),
    "api_checkpoint": api(GET=READ),
    "api_snapshots": api(GET=READ),
    "api_snapshot": api(GET=READ),
}
NOTHING_THERE = "^api/"
"""What answers below /api/ where nothing else does: 404 for everybody."""

PAGES = SITE | WORK | REVIEWING | RESEARCH | OWNERS | DATA_PAGES | ACCOUNT_PAGES
