"""Every screen of the site, once: what its pictures are called, who looks at it, and what is seen.

Pictures and the accessibility test follow this one list, and test_every_screen.py fails for a page that is not in it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.urls import reverse
from playwright.sync_api import Page

from labeling.backends import SessionStore
from labeling.exporting.recalling import TAKEN_BACK
from labeling.models import Export, Import, Qualification, Session, Submission
from tests.screens import people
from tests.screens.clock import NOW
from tests.screens.filled import AT_WORK, Filled
from tests.security.authenticator import Passkey

Address = Callable[[Filled], str]


@dataclass(frozen=True)
class Screen:
    """name: of its pictures. shows: names of the addresses that it stands for. who: user name, or nobody. says: what is
    seen, in a line. then: what is done before the picture. pictured: or only looked at by the accessibility test."""

    name: str
    shows: tuple[str, ...]
    address: Address
    says: str
    who: str = "maren"
    then: Callable[[Page], None] | None = None
    status: int = 200
    pictured: bool = True


def keys(*pressed: str) -> Callable[[Page], None]:
    def press(page: Page) -> None:
        for key in pressed:
            page.keyboard.press(key)

    return press


def to_heading(name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("heading", name=name).evaluate("one => one.scrollIntoView()")


def send_too_much(page: Page) -> None:
    """3 MB in a form."""
    page.evaluate(
        "() => { const form = document.createElement('form'); form.method = 'post'; form.action = '/accounts/login/';"
        "const area = document.createElement('textarea'); area.name = 'login'; area.value = 'x'.repeat(3 << 20);"
        "form.append(area); document.body.append(form); form.submit(); }"
    )
    page.wait_for_selector("main")
    page.wait_for_load_state()


def campaign(name: str, key: str = "ranked", *arguments: object) -> Address:
    return lambda site: site.at(name, site.campaigns[key].pk, *arguments)


def guideline(name: str, key: str = "ranking") -> Address:
    return lambda site: site.at(name, site.guidelines[key].pk)


def member(name: str) -> Address:
    return lambda site: site.at(name, site.user("lars").memberships.get(project=site.project).pk)


def of(name: str) -> Address:
    """A page of the project that needs nothing else."""
    return lambda site: site.at(name)


def work(key: str) -> Address:
    return lambda site: site.task(key)


def brought_in(site: Filled) -> str:
    """A file of which two lines were refused."""
    reasons = [{"line": line, "reason": "this is not JSON: Expecting value at character 1"} for line in (3, 17)]
    report = {"written": True, "records": {"comparison": 40}, "new": {"prompts": 31}, "refused": 2, "reasons": reasons}
    made, _ = Import.objects.get_or_create(
        project=site.project, source="trl", name="pairs", defaults={"state": "done", "rows": 42, "report": report}
    )
    return reverse("import", args=[site.project.slug, made.uuid])


def sent_out(site: Filled) -> str:
    """A file that can be fetched, one that is being made and one that was recalled; and what came in."""
    brought_in(site)
    folder = Path(settings.EXPORTS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pairs.parquet").touch()
    for kind, query, values in (
        ("ranking", {}, {"state": "done", "rows": 71, "as_of": NOW - timedelta(days=3), "error": TAKEN_BACK}),
        (
            "comparison",
            {"layout": "preference", "format": "parquet", "ties": "drop"},
            {"state": "done", "rows": 318, "as_of": NOW, "path": "pairs.parquet", "size_bytes": 214_000},
        ),
        ("demonstration", {"review": "accepted"}, {"state": "running", "rows": 2}),
    ):
        Export.objects.get_or_create(project=site.project, kind=kind, query=query, defaults=values)
    return site.at("data")


def told_of(site: Filled) -> str:
    """With a webhook in the list."""
    assert site.webhook
    return site.at("webhooks")


def qualification_of(site: Filled) -> int:
    """Of one that nobody has tried."""
    made, _ = Qualification.objects.get_or_create(
        project=site.project, name="Desk work", defaults={"self_assessed": ["children", "speakers of Arabic"]}
    )
    return made.pk


def signed_in_elsewhere(site: Filled) -> str:
    """The account of the owner, with a telephone and no second factor."""
    user = site.user("maren")
    Authenticator.objects.filter(user=user).delete()
    said = {HASH_SESSION_KEY: user.get_session_auth_hash()}
    Session.objects.update_or_create(
        session_key="a-telephone",
        defaults={
            "user": user, "session_data": SessionStore().encode(said), "expire_date": NOW + timedelta(days=9),
            "browser": "Safari on iPhone", "began_at": NOW - timedelta(days=5), "seen_at": NOW - timedelta(hours=11),
        },
    )  # fmt: skip
    return "/account/"


def factors(page: str, *kinds: str) -> Address:
    """A page of second factors, of the owner, who has these kinds."""

    def address(site: Filled) -> str:
        user = site.user("maren")
        Authenticator.objects.filter(user=user).delete()
        made = {
            "totp": {"secret": encrypt("A" * 32)},
            "recovery_codes": {"seed": encrypt("5eed"), "used_mask": 0},
            "webauthn": {"name": "Telephone", "credential": Passkey("localhost").register({"publicKey": NOBODY_S})},
        }
        numbers = {
            kind: Authenticator.objects.create(user=user, type=kind, data=made[kind], created_at=NOW).pk
            for kind in kinds
        }
        return f"/accounts/2fa/{page}".replace("PASSKEY", str(numbers.get("webauthn", "")))

    return address


NOBODY_S = {"challenge": "", "user": {"id": ""}}


def plain(address: str) -> Address:
    return lambda site: address


WORK = (
    Screen("sign-in", ("account_login",), plain("/accounts/login/"), "Signing in, by name or address.", who=""),
    Screen("invitation", ("invitation",), plain(f"/invitation/{people.TOKEN}/"),
           "What an invited person meets: the project, the role, and a name and password to choose.", who=""),
    Screen("account", ("account",), signed_in_elsewhere,
           "One's own account: how one signs in, and where one is signed in."),
    Screen("home", ("home",), plain("/?all"), "The projects somebody belongs to, and what waits in each."),
    Screen("queue", ("queue",), of("queue"),
           "A labeler's work: what to do now, what is left in each campaign, what was done today.", who="lars"),
    Screen("rank", ("task",), work("rank"),
           "Ranking four responses, rated and flagged; one stands above one rated higher.", who=AT_WORK["rank"]),
    Screen("rank-9", ("task",), work("nine"),
           "Ranking nine answers in a conversation, half of them placed, the prompt beside them.", who=AT_WORK["nine"]),
    Screen("pair", ("task",), work("pair"), "Which of two is better: one key decides.", who=AT_WORK["pair"]),
    Screen("rate", ("task",), work("rate"),
           "Rating one response by itself on two scales, with the flags of the guideline.", who=AT_WORK["rate"]),
    Screen("demonstrate", ("task",), work("demonstrate"),
           "Writing a demonstration, with a preview beside it.", who=AT_WORK["demonstrate"]),
    Screen("demonstrate-returned", ("task",), work("returned"),
           "A demonstration that a reviewer returned, the remarks at the place of writing.", who=AT_WORK["returned"]),
    Screen("write-plain", ("task",), work("plain"), "Writing a plain prompt.", who=AT_WORK["plain"]),
    Screen("write-few-shot", ("task",), work("few_shot"),
           "Writing a few-shot prompt: an instruction, examples, and a query.", who=AT_WORK["few_shot"]),
    Screen("write-user-based", ("task",), work("user_based"),
           "Writing a prompt for a use case, going on from a conversation.", who=AT_WORK["user_based"]),
    Screen("review-queue", ("review_queue",), of("review_queue"),
           "What waits for a reviewer: whose words, on what, since when.", who="beatriz"),
    Screen("review", ("review",), lambda site: site.at("review", site.to_review.pk),
           "Reviewing a demonstration: accept it, or return it with remarks.", who="beatriz"),
    Screen("my-work", ("my_work",), of("my_work"),
           "What a labeler did, day by day, and what became of it.", who="lars"),
)  # fmt: skip

CONSOLE = (
    Screen("overview", ("project",), of("project"),
           "What the project holds, what waits for people, how far the latest round is."),
    Screen("people", ("people",), of("people"), "Members with their roles and work, and invitations."),
    Screen("cohort", ("cohort",), lambda site: site.at("cohort", site.cohorts["Desk"].pk),
           "A cohort: who is in it since when, and who was."),
    Screen("settings", ("project_settings",), of("project_settings"), "A name and a description."),
    Screen("tokens", ("tokens",), of("tokens"), "Tokens of the REST API: whose, until when."),
    Screen("campaigns", ("campaigns",), of("campaigns"), "All campaigns, how far each is."),
    Screen("campaign", ("campaign",), campaign("campaign", "rank"),
           "One campaign: progress by day, by task and by labeler."),
    Screen("campaign-new", ("new_campaign",), lambda site: f"{site.at('new_campaign')}?kind=ranking",
           "A new ranking campaign: which prompts, whose responses, how many people."),
    Screen("campaign-preview", ("preview_campaign",), campaign("preview_campaign"),
           "A task as labelers will see it, before they do."),
    Screen("guidelines", ("guidelines",), of("guidelines"), "Guidelines by kind of work, in versions."),
    Screen("guideline-edit", ("edit_guideline",), guideline("edit_guideline", "draft"),
           "Editing a guideline's draft beside what labelers will read."),
    Screen("guideline-compare", ("compare_guidelines",),
           lambda site: site.at("compare_guidelines", site.guidelines["draft"].pk, site.guidelines["ranking"].pk),
           "What changed from one version of a guideline to the next."),
    Screen("prompts", ("prompts",), of("prompts"), "The project's prompts, searched and filtered."),
    Screen("prompt", ("prompt",), lambda site: site.at("prompt", site.ranked_task.prompt_id),
           "One prompt with all that was written to it and said of that."),
    Screen("responses", ("responses",), of("responses"), "Responses with what people thought of them."),
    Screen("task", ("campaign_task",),
           lambda site: site.at("campaign_task", site.campaigns["ranked"].pk, site.ranked_task.pk),
           "A ranked task: who put what where, and where they differ."),
    Screen("agreement", ("agreement",), of("agreement"),
           "Do labelers agree: whole, one by one and in parts, and does place or length decide."),
    Screen("quality", ("quality",), of("quality"),
           "Labelers' work one by one: agreement, drift, gold, repeats, time, ability."),
    Screen("data", ("data",), sent_out, "What went out as files and what came in; the licence."),
    Screen("groups", ("matrix",), of("matrix"),
           "Reward models by cohorts: what each knows of whom, and what it takes to tell them apart."),
    Screen("bias", ("bias",), of("bias"),
           "Whose preferences models carry: who labeled, what was chosen, what was asked."),
    Screen("rounds", ("rounds",), of("rounds"), "Rounds with their stages, and a form that opens another."),
    Screen("rehearse", ("rehearse",), lambda site: reverse("rehearse", args=[site.rehearsal.slug]),
           "Rehearsing a round: the settings, what they will take and give, what earlier rounds gave."),
    Screen("round", ("round",), lambda site: site.at("round", 2),
           "A round whose PPO runs: stages, live curves, facts."),
    Screen("models", ("checkpoints",), of("checkpoints"), "Models, what each was made from."),
    Screen("model", ("checkpoint",), lambda site: site.at("checkpoint", site.checkpoints["sft"].pk),
           "One model: its line, its figures, the data it learned from."),
    Screen("jobs", ("jobs",), of("jobs"), "Jobs: what runs, what waits, what failed."),
    Screen("model-card", ("model_card",), lambda site: site.at("model_card", site.checkpoints["ppo"].pk),
           "The card of a model: what it is, whose judgments and whose choices are in it."),
    Screen("submission", ("submission",),
           lambda site: site.at("submission", Submission.objects.filter(assignment__task=site.ranked_task)[0].pk),
           "Where what somebody said went."),
    Screen("disk", ("disk",), lambda site: f"{site.at('disk')}?days=0", "What of the run folders can go."),
    Screen("model-delete", ("delete_checkpoint",),
           lambda site: site.at("delete_checkpoint", site.checkpoints["sft"].pk),
           "Before the weights of a model are deleted: what rests on it."),
    Screen("audit", ("audit",), of("audit"), "The audit log: who did what, and when.", pictured=False),
    Screen("erasures", ("erasures",), of("erasures"), "Erasures: somebody asks for their words to go.", pictured=False),
    Screen(
        "status", ("status",), of("status"), "Status: what of the site is well, and what needs somebody.",
        pictured=False,
    ),  # fmt: skip
    Screen("workers", ("workers",), of("workers"), "Workers: which are up, what they take and do."),
    Screen("compare", ("compare_rounds",), lambda site: site.at("compare_rounds", 2),
           "Two rounds beside each other: what differs, and what came of it."),
    Screen("job", ("job",), lambda site: site.at("job", site.jobs["failed"].pk), "A job that failed, and why."),
    Screen("evaluation", ("evaluation", "earlier_evaluation"), lambda site: site.at("evaluation", 1),
           "What people say of the models of a round, with intervals, flags and the texts."),
    Screen("evaluation-told", ("evaluation",), lambda site: reverse("evaluation", args=[site.rehearsal.slug, 2]),
           "A policy told for which cohort it writes, rated by both: two by two, with what can be claimed.",
           then=to_heading("Told for whom to write")),
)  # fmt: skip

ERRORS = (
    Screen("error-404", (), plain("/projects/nowhere/"), "An address that leads nowhere, or to what is not one's own.",
           status=404),
    Screen("error-500", ("broken",), plain("/broken/"), "Something broke: nothing typed is lost.", status=500),
)  # fmt: skip

ONLY_LOOKED_AT = tuple(
    Screen(name, shows, address, "", who=who, then=then, status=status, pictured=False)
    for name, shows, address, who, then, status in (
        ("rank-guideline", ("task",), work("rank"), "lars", keys("g"), 200),
        ("rank-keys", ("task",), work("rank"), "lars", keys("?"), 200),
        ("skip", ("skip",), lambda site: site.at("skip", site.held["rank"].uuid), "lars", None, 200),
        ("guideline", ("guideline",), guideline("guideline"), "lars", None, 200),
        ("link-used", ("sign_in_link",), plain("/link/used/"), "", None, 410),
        ("new-project", ("new_project",), plain("/new-project/"), "maren", None, 200),
        ("delete-project", ("delete_project",), of("delete_project"), "maren", None, 200),
        ("leave", ("leave",), of("leave"), "maren", None, 200),
        ("webhooks", ("webhooks",), told_of, "maren", None, 200),
        ("webhook", ("webhook",), lambda site: site.at("webhook", site.webhook.pk), "maren", None, 200),
        ("reference", ("reference",), plain("/reference/"), "maren", None, 200),
        ("member", ("member",), member("member"), "maren", None, 200),
        ("remove-member", ("remove_member",), member("remove_member"), "maren", None, 200),
        ("cohorts", ("cohorts",), of("cohorts"), "maren", None, 200),
        ("delete-cohort", ("delete_cohort",), lambda site: site.at("delete_cohort", site.cohorts["Desk"].pk), "maren",
         None, 200),
        ("campaign-kinds", ("new_campaign",), of("new_campaign"), "maren", None, 200),
        ("campaign-edit", ("edit_campaign",), campaign("edit_campaign", "rank"), "maren", None, 200),
        ("campaign-delete", ("delete_campaign",), campaign("delete_campaign", "rank"), "maren", None, 200),
        ("campaign-open", ("open_campaign",), campaign("open_campaign", "rank"), "maren", None, 200),
        ("campaign-pause", ("pause_campaign",), campaign("pause_campaign", "rank"), "maren", None, 200),
        ("campaign-close", ("close_campaign",), campaign("close_campaign", "rank"), "maren", None, 200),
        ("campaign-overlap", ("campaign_overlap",), lambda site: f"{campaign('campaign_overlap', 'rank')(site)}?to=3",
         "maren", None, 200),
        ("background", ("background",), of("background"), "lars", None, 200),
        ("background-questions", ("background_questions",), of("background_questions"), "maren", None, 200),
        ("qualifications", ("qualifications",), of("qualifications"), "maren", None, 200),
        ("qualification", ("qualification",), lambda site: site.at("qualification", qualification_of(site)), "maren",
         None, 200),
        ("qualification-mine", ("my_qualification",), lambda site: site.at("my_qualification", qualification_of(site)),
         "lars", None, 200),
        ("disputes", ("disputes",), campaign("disputes"), "maren", None, 200),
        ("decide", ("decide",),
         lambda site: site.at("decide", site.campaigns["ranked"].pk, site.ranked_task.pk), "maren", None, 200),
        ("campaign-tasks", ("campaign_tasks",), campaign("campaign_tasks"), "maren", None, 200),
        ("campaign-aside", ("campaign_aside",), campaign("campaign_aside"), "maren", None, 200),
        ("gold", ("gold",), lambda site: site.at("gold", site.campaigns["ranked"].pk, site.ranked_task.pk), "maren",
         None, 200),
        ("ask", ("ask",), lambda site: site.at("ask", site.held["rank"].uuid), "lars", None, 200),
        ("questions", ("questions",), of("questions"), "beatriz", None, 200),
        ("avoided", ("avoided",), of("avoided"), "lars", None, 200),
        ("guideline-version", ("guideline_version",), guideline("guideline_version"), "maren", None, 200),
        ("guideline-publish", ("publish_guideline",), guideline("publish_guideline", "draft"), "maren", None, 200),
        ("guideline-delete", ("delete_guideline",), guideline("delete_guideline", "draft"), "maren", None, 200),
        ("round-finished", ("round",), lambda site: f"{site.at('round', 1)}?stage=reward", "maren", None, 200),
        ("export", ("new_export",), lambda site: f"{site.at('new_export')}?records=comparison", "maren", None, 200),
        ("import", ("new_import",), of("new_import"), "maren", None, 200),
        ("import-report", ("import",), brought_in, "maren", None, 200),
        ("error-403", (), of("project"), "lars", None, 403),
        ("error-413", (), plain("/accounts/login/"), "", send_too_much, 200),
        ("sign-out", ("account_logout",), plain("/accounts/logout/"), "maren", None, 200),
        ("no-sign-up", ("account_signup",), plain("/accounts/signup/"), "", None, 200),
        ("password-forgotten", ("account_reset_password",), plain("/accounts/password/reset/"), "", None, 200),
        ("password-mail-sent", ("account_reset_password_done",), plain("/accounts/password/reset/done/"), "",
         None, 200),
        ("password-link-used", ("account_reset_password_from_key",), plain("/accounts/password/reset/key/1-x/"), "",
         None, 200),
        ("password-chosen", ("account_reset_password_from_key_done",), plain("/accounts/password/reset/key/done/"),
         "", None, 200),
        ("password-change", ("account_change_password",), plain("/accounts/password/change/"), "maren", None, 200),
        ("password-set", ("account_set_password",), plain("/accounts/password/set/"), "maren", None, 200),
        ("addresses", ("account_email",), plain("/accounts/email/"), "maren", None, 200),
        ("sign-in-again", ("account_reauthenticate",), plain("/accounts/reauthenticate/"), "maren", None, 200),
        ("factors", ("mfa_index",), factors("", "totp", "webauthn", "recovery_codes"), "maren", None, 200),
        ("factors-none", ("mfa_index",), factors(""), "maren", None, 200),
        ("add-app", ("mfa_activate_totp",), factors("totp/activate/"), "maren", None, 200),
        ("remove-app", ("mfa_deactivate_totp",), factors("totp/deactivate/", "totp"), "maren", None, 200),
        ("recovery-codes", ("mfa_view_recovery_codes",), factors("recovery-codes/", "totp", "recovery_codes"), "maren",
         None, 200),
        ("new-recovery-codes", ("mfa_generate_recovery_codes",),
         factors("recovery-codes/generate/", "totp", "recovery_codes"), "maren", None, 200),
        ("passkeys", ("mfa_list_webauthn",), factors("webauthn/", "webauthn"), "maren", None, 200),
        ("add-passkey", ("mfa_add_webauthn",), factors("webauthn/add/"), "maren", None, 200),
        ("rename-passkey", ("mfa_edit_webauthn",), factors("webauthn/keys/PASSKEY/edit/", "webauthn"), "maren", None,
         200),
        ("remove-passkey", ("mfa_remove_webauthn",), factors("webauthn/keys/PASSKEY/remove/", "webauthn"), "maren",
         None, 200),
        ("code-again", ("mfa_reauthenticate",), factors("reauthenticate/", "totp"), "maren", None, 200),
        ("passkey-again", ("mfa_reauthenticate_webauthn",), factors("webauthn/reauthenticate/", "webauthn"), "maren",
         None, 200),
        ("elsewhere-cancelled", ("socialaccount_login_cancelled",), plain("/accounts/oidc/cancelled/"), "", None, 200),
        ("elsewhere-failed", ("socialaccount_login_error",), plain("/accounts/oidc/error/"), "", None, 401),
        ("inactive", ("account_inactive",), plain("/accounts/inactive/"), "", None, 200),
        ("code", ("account_confirm_login_code",), plain("/accounts/login/code/confirm/"), "", None, 200),
        ("confirm-sent", ("account_email_verification_sent",), plain("/accounts/confirm-email/"), "", None, 200),
        ("confirm-address", ("account_confirm_email",), plain("/accounts/confirm-email/x/"), "", None, 200),
    )
)  # fmt: skip

SCREENS = (*WORK, *CONSOLE, *ERRORS, *ONLY_LOOKED_AT)
