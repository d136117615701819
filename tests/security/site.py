"""The site that the matrix is asked of: the Reading Room, what its pictures do without, and everybody signed in."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from allauth.account.internal.flows.login import (
    _AUTHENTICATION_METHODS_USER_SESSION_KEY,
    AUTHENTICATION_METHODS_SESSION_KEY,
)
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from labeling.backends import SessionStore
from labeling.exporting.asked import read_asked
from labeling.exporting.datasheet import datasheet_of
from labeling.models import (
    Export,
    Import,
    Membership,
    Project,
    ProjectToken,
    Qualification,
    QualificationTry,
    Question,
    Role,
    Screening,
    Session,
    Submission,
    User,
)
from labeling.records import Kind
from labeling.scopes import scopes_for
from tests.conftest import make_member
from tests.screens import people
from tests.screens.clock import NOW
from tests.screens.filled import Filled, fill
from tests.security.authenticator import Passkey
from tests.security.identity import SSO
from tests.security.matrix import ENGINEER, LABELER, NOBODY, OWNER, RESEARCHER, REVIEWER, STRANGER
from tests.security.routes import Route
from training.models import Alarm, Job, Snapshot

NAMES = {
    LABELER: "lars", REVIEWER: "beatriz", RESEARCHER: "tomas", ENGINEER: "chidi", OWNER: "maren",
    Role.CUSTOMER.value: "cleo", STRANGER: "stefan", "staff": "root",
}  # fmt: skip
LONG_AGO = 86_400
SENT = b"kind=ranking"
"""With every form: one page answers 404 where this is not among what is sent."""


@dataclass
class Site:
    """rows: what addresses are made of; apart: what some need instead. sessions: by person, signed in long ago; lately:
    a moment ago. tokens: by person, with every scope that its role can have. without: the owner's, by the one scope
    that it lacks; "" is one for another project that is the owner's, too."""

    filled: Filled
    rows: dict[str, Any]
    apart: dict[str, dict[str, Any]]
    sessions: dict[str, str]
    lately: dict[str, str]
    tokens: dict[str, str]
    without: dict[str, str]
    stranger_s: Project

    def address(self, route: Route, **other: Any) -> str:
        return route.address(self.rows | self.apart.get(route.name, {}) | other)

    def ask(
        self, method: str, address: str, *, session: str = "", token: str = "", client: Client | None = None
    ) -> Any:
        """The answer; whatever was written for it is taken back."""
        client = client or CLIENT
        client.cookies = SimpleCookie({settings.SESSION_COOKIE_NAME: session} if session else {})
        more: dict[str, Any] = {"headers": {"Authorization": f"Token {token}"}} if token else {}
        if address.startswith("/api/") and method != "GET":
            more |= {"data": b"{}", "content_type": "application/json"}
        elif method == "POST":
            more |= {"data": SENT, "content_type": "application/x-www-form-urlencoded"}
        with transaction.atomic():
            answer = client.generic(method, address, **more)
            if answer.streaming:
                b"".join(answer.streaming_content)
            transaction.set_rollback(True)
        return answer


CLIENT = Client(raise_request_exception=False)
FORGED = Client(raise_request_exception=False, enforce_csrf_checks=True)
"""What another site's page would send through a visitor's browser: the session without the page's own secret."""


def session_of(user: User, *, seconds_ago: float) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    said = {"method": "password", "at": time.time() - seconds_ago, "username": user.username, "reauthenticated": True}
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [said]
    session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
    session.save()
    return str(session.session_key)


def make_site(folder: Path) -> Site:
    """Needs the clock of the pictures, and a transaction that is taken back. folder: of the files."""
    filled = fill()
    project = filled.project
    make_member(project, "cleo", Role.CUSTOMER)
    elsewhere = Project.objects.create(name="Elsewhere", slug="elsewhere")
    make_member(elsewhere, "stefan", Role.OWNER)
    User.objects.create_superuser("root", "root@example.org", None)
    password = User.objects.get(username="maren").password
    User.objects.filter(username__in=NAMES.values()).update(password=password)
    users = {person: User.objects.get(username=name) for person, name in NAMES.items()}
    for person, user in users.items():
        if person not in (OWNER, STRANGER, "staff"):
            role = Membership.objects.get(user=user, project=project).role
            Membership.objects.create(user=user, project=filled.rehearsal, role=role)
    sessions = {person: session_of(user, seconds_ago=LONG_AGO) for person, user in users.items()}
    rows, apart = _rows(filled, folder)
    rows["pk"] = {user.username: factors_of(user) for user in users.values()}["maren"]
    rows["handle"] = Session(session_key=sessions[OWNER]).handle
    own = {STRANGER: elsewhere}
    return Site(
        filled=filled,
        rows=rows,
        apart=apart,
        sessions=sessions | {NOBODY: ""},
        lately={person: session_of(user, seconds_ago=0) for person, user in users.items()} | {NOBODY: ""},
        tokens={
            person: ProjectToken.make(user=user, project=place, scopes=scopes_for(member.role))
            for person, user in users.items()
            for place in [own.get(person, project)]
            for member in Membership.objects.filter(user=user, project=place)
        },
        without=_without(users[OWNER], filled),
        stranger_s=elsewhere,
    )


def factors_of(user: User) -> int:
    """One of each kind; answers the number of the passkey."""
    about = {"challenge": "", "user": {"id": ""}}
    made = {
        "totp": {"secret": encrypt("A" * 32)},
        "recovery_codes": {"seed": encrypt("5eed"), "used_mask": 0},
        "webauthn": {"name": "Phone", "credential": Passkey("testserver").register({"publicKey": about})},
    }
    return [Authenticator.objects.create(user=user, type=kind, data=data).pk for kind, data in made.items()][-1]


def _without(owner: User, filled: Filled) -> dict[str, str]:
    every = scopes_for(Role.OWNER)
    made = {
        scope: ProjectToken.make(user=owner, project=filled.project, scopes=[one for one in every if one != scope])
        for scope in every
    }
    return made | {"": ProjectToken.make(user=owner, project=filled.rehearsal, scopes=every)}


def plainly(status: int) -> Callable[..., HttpResponse]:
    """In place of the pages that say so, which have tests of their own, and take a hundredth of a second each."""
    return lambda request, exception: HttpResponse(status=status)


def _rows(site: Filled, folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """For all addresses, and what some need apart."""
    project, lars = site.project, site.labelers["lars"]
    held, ranked, draft = site.held["rank"], site.campaigns["ranked"], site.guidelines["draft"]
    question = Question.objects.create(
        project=project, guideline=site.guidelines["ranking"], labeler=lars, text="May a tie be of three?"
    )
    qualification = Qualification.objects.create(project=project, name="Desk work")
    attempt = QualificationTry.objects.create(qualification=qualification, labeler=lars)
    (folder / "export.jsonl").write_text("{}\n")
    sheet = datasheet_of(read_asked(project, Kind.PROMPT, {}), as_of=NOW, rows=1)
    export = Export.objects.create(
        project=project, kind="prompt", state="done", path="export.jsonl", rows=1, size_bytes=3, sha256="a" * 64,
        datasheet=sheet,
    )  # fmt: skip
    Screening.objects.create(qualification=qualification, campaign=site.campaigns["again"])
    graded = Submission.objects.filter(assignment__campaign=site.campaigns["again"])[0]
    evaluated = site.campaigns["evaluated"].pk
    Job.objects.create(
        project=project, stage=site.rounds["first"].stages.get(kind="evaluate"), kind="sample", state="done", config={},
        report={"rating": {"campaign": evaluated}},
    )  # fmt: skip
    brought = Import.objects.create(project=project, source="trl", name="pairs", state="done")
    member = Membership.objects.get(user__username="lars", project=project)
    delivery = site.webhook.deliveries.order_by("pk")[0]
    rows: dict[str, Any] = {
        "slug": project.slug,
        "campaign_id": site.campaigns["rank"].pk,
        "task_id": held.task_id,
        "guideline_id": draft.pk,
        "earlier_id": site.guidelines["ranking"].pk,
        "uuid": held.uuid,
        "question_id": question.pk,
        "submission_id": Submission.objects.filter(assignment__task=site.ranked_task)[0].pk,
        "prompt_id": site.prompt.pk,
        "response_id": held.task.responses.all()[0].pk,
        "membership_id": member.pk,
        "member_id": member.pk,
        "invitation_id": project.invitations.order_by("pk")[0].pk,
        "cohort_id": site.cohorts["Desk"].pk,
        "labeler_id": lars.pk,
        "webhook_id": site.webhook.pk,
        "delivery_id": delivery.pk,
        "qualification_id": qualification.pk,
        "try_id": attempt.pk,
        "number": 2,
        "kind": "ppo",
        "job_id": site.jobs["ppo"].pk,
        "checkpoint_id": site.checkpoints["sft"].pk,
        "snapshot_id": Snapshot.objects.filter(project=project)[0].pk,
        "alarm_id": Alarm.objects.filter(job__project=project)[0].pk,
        "token": people.TOKEN,
        "language": "en",
        "name": "work",
        "mark": "0",
        "key": "f2a91c07",  # the engineer's
        "provider_id": SSO,
        **{name: 1 for name in ("object_id", "content_type_id", "id")},  # of the server's own pages
    }
    judged = {"campaign_id": ranked.pk, "task_id": site.ranked_task.pk}
    apart: dict[str, dict[str, Any]] = {
        "guideline": {"guideline_id": site.guidelines["ranking"].pk},
        "review": {"submission_id": site.to_review.pk},
        "grade": {"submission_id": graded.pk},
        "campaign_task": judged,
        "api_task": judged,
        "gold": judged,
        "put_back_task": judged,
        "decide": judged,
        "earlier_evaluation": {"number": 1, "campaign_id": evaluated},
        "evaluation": {"number": 1},
        "rehearse": {"slug": site.rehearsal.slug},
        "script": {"name": "rank-board"},
        **{name: {"uuid": export.uuid} for name in EXPORTS},
        **{name: {"uuid": brought.uuid} for name in ("import", "api_import")},
    }
    return rows, apart


EXPORTS = ("export_file", "export_datasheet", "api_export", "api_export_file")
