"""A project with one of everything that the API speaks of, and tokens of every role."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.test import Client

from labeling.access import LABELS
from labeling.assigning import labeler_of
from labeling.grouping import make_cohort
from labeling.guidelines import guideline_for
from labeling.models import Membership, Project, ProjectToken, Role, User, WorkKind
from labeling.publishing import begin_version
from labeling.scopes import scopes_for
from tests.conftest import make_member
from tests.labeling.work import make_campaign, make_prompt, make_responses, must_claim, ranked, submit_now


@dataclass
class Api:
    """A client of one token. Every method answers (status, parsed body)."""

    token: str
    slug: str = "helpdesk"
    client: Client = field(default_factory=Client)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """path: below the project where it begins without a slash. Answers the response."""
        address = path if path.startswith("/") else f"/api/v1/projects/{self.slug}/{path}".rstrip("/")
        said = {"Authorization": f"Token {self.token}", **{n.replace("_", "-"): v for n, v in headers.items()}}
        more = {} if body is None else {"data": body, "content_type": "application/json"}
        return self.client.generic(method, address, **_encoded(more), headers=said)

    def get(self, path: str = "", **headers: str) -> tuple[int, Any]:
        return _read(self.ask("GET", path, **headers))

    def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        return _read(self.ask("POST", path, body, **headers))

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        return _read(self.ask(method, path, body, **headers))


def _encoded(more: dict[str, Any]) -> dict[str, Any]:
    if "data" in more and not isinstance(more["data"], bytes):
        more["data"] = json.dumps(more["data"]).encode()
    return more


def _read(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json() if answer.content else None


def api_of(user: User, project: Project, *scopes: str, **more: Any) -> Api:
    """By a token of these scopes, or of all that the user's role can have."""
    role = Membership.objects.get(user=user, project=project).role
    token = ProjectToken.make(user=user, project=project, scopes=scopes or scopes_for(role), **more)
    return Api(token, project.slug)


def ended(user: User, project: Project) -> Api:
    return api_of(user, project, valid_for=-timedelta(seconds=1))


@dataclass
class Filled:
    """rows: the number or uuid by which each kind of thing is known in addresses."""

    project: Project
    users: dict[str, User]
    rows: dict[str, Any]

    def api(self, role: str, *scopes: str) -> Api:
        return api_of(self.users[role], self.project, *scopes)


def fill(project: Project) -> Filled:
    """Prompts, responses, a ranking campaign with a submission and a task in hand, a cohort, guidelines."""
    users = {role: make_member(project, f"the-{role}", role) for role in Role.values}
    prompt = make_prompt(project)
    responses = make_responses(prompt, ["One.", "Two."])
    campaign = make_campaign(project, tasks=8, shown=3, overlap=2)
    guideline_for(project, WorkKind.RATING)
    draft, _ = begin_version(project, WorkKind.DEMONSTRATION)
    cohort = make_cohort(project, name="Experts", about="")
    held = {}
    for role in sorted(LABELS):
        labeler = labeler_of(Membership.objects.get(user=users[role], project=project))
        done = must_claim(campaign, labeler)
        submit_now(done, ranked(1, 2, 2))
        held[role] = must_claim(campaign, labeler)
    rows = {
        "member_id": Membership.objects.get(user=users[Role.REVIEWER]).pk,
        "cohort_id": cohort.pk,
        "guideline_id": draft.pk,
        "prompt_id": prompt.pk,
        "response_id": responses[0].pk,
        "campaign_id": campaign.pk,
        "task_id": campaign.tasks.first().pk,  # type: ignore[union-attr]
        "uuid": held[Role.LABELER].uuid,
        "submission_id": done.submissions.get().pk,
    }
    return Filled(project, users, rows)
