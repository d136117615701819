"""Filters, orders and searches that walk from a row to what it belongs to: only names on a list are taken."""

from typing import Any
from urllib.parse import urlencode

import pytest

from labeling.models import Project, ProjectToken, Prompt, Role, User
from labeling.scopes import scopes_for
from tests.labeling.work import make_campaign, make_prompt
from tests.security.served import Attacker, Served

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.threat(2)]
API = "/api/v1/projects/helpdesk/"
WALKS = (
    "created_by__password__startswith",
    "project__memberships__user__password__startswith",
    "submission__assignment__labeler__user__password__regex",
    "responses__generator__name__contains",
    "generator__name",
    "group_key__startswith",
    "id__in",
    "messages__0__content__contains",
    "filter[project__memberships__user__password]",
    "where",
    "pk",
)
ORDERS = ("ordering", "order_by", "sort", "o", "order")
LISTS = ("prompts", "responses", "generators", "campaigns", "submissions", "members", "cohorts", "guidelines",
         "webhooks", "exports", "imports", "rounds", "jobs", "checkpoints", "snapshots", "assignments", "work",
         "records/prompts", "records/rankings", "records/comparisons")  # fmt: skip
PAGES = ("prompts", "responses", "jobs", "models", "agreement", "quality")


@pytest.fixture
def api(served: Served, project: Project, owner: User) -> Attacker:
    return served.with_token(ProjectToken.make(user=owner, project=project, scopes=scopes_for(Role.OWNER)))


def test_a_parameter_that_walks_is_refused_at_every_list(api: Attacker) -> None:
    found = []
    for place in LISTS:
        for name in WALKS:
            answer = api.get(f"{API}{place}?{urlencode({name: 'pbkdf2'})}")
            found.append((answer.status, answer.code))
        for name in ORDERS:
            answer = api.get(f"{API}{place}?{urlencode({name: '-project__memberships__user__password'})}")
            found.append((answer.status, answer.code))
    assert set(found) == {(400, "invalid_query")}
    assert len(found) == len(LISTS) * (len(WALKS) + len(ORDERS))


@pytest.mark.parametrize(
    ("place", "body"),
    [
        ("exports", {"records": "prompts", "submission__assignment__labeler__user__password__startswith": "p"}),
        ("exports", {"records": "prompts", "campaign": {"project__memberships__user__password": "p"}}),
        ("exports/count", {"records": "rankings", "labeler__user__password__startswith": "p"}),
        ("campaigns", {"name": "x", "kind": "ranking", "cohort__members__labeler__user__password": "p"}),
        ("imports/from", {"url": "https://data.example.org/x", "project__memberships__user__password": "p"}),
        ("rounds", {"project__memberships__user__password": "p"}),
    ],
)
def test_a_body_that_walks_is_refused(api: Attacker, place: str, body: dict[str, Any]) -> None:
    answer = api.send("POST", API + place, body)
    assert answer.status in (400, 422)
    assert answer.code in ("invalid", "invalid_query")


@pytest.mark.parametrize("choice", [{"project__slug": "x"}, {"use_case": {"__class__": "x"}}, {"order_by": "?"}])
def test_how_tasks_are_chosen_walks_nowhere(api: Attacker, project: Project, choice: dict[str, Any]) -> None:
    campaign = make_campaign(project)
    answer = api.send("POST", f"{API}campaigns/{campaign.pk}/tasks", {"choice": choice, **choice})
    assert answer.status in (400, 422)


def test_a_page_s_address_that_walks_is_refused(served: Served, project: Project, owner: User) -> None:
    """A view that is saved is an address that is kept: so that holds for saved views."""
    visitor = served.signed_in(owner)
    make_prompt(project)
    wrong = [
        (page, name, answer.status)
        for page in PAGES
        for name in (*WALKS, *ORDERS)
        if (answer := visitor.get(f"/projects/helpdesk/{page}/?{urlencode({name: 'pbkdf2'})}")).status != 400
    ]
    assert wrong == []


def test_the_words_of_a_search_are_words(served: Served, project: Project, owner: User) -> None:
    visitor = served.signed_in(owner)
    make_prompt(project, "What is a fjord?")
    for words in ("%", "_", "fj%rd", "' OR 1=1 --", "\\", "fjord') OR ('1'='1", "{{7*7}}", "%(password)s"):
        answer = visitor.get(f"/projects/helpdesk/prompts/?{urlencode({'q': words})}")
        assert answer.status == 200
        assert "fjord?" not in answer.text
    assert "fjord?" in visitor.get("/projects/helpdesk/prompts/?q=FJORD").text
    assert Prompt.objects.count() == 1


def test_the_server_s_own_lists_walk_to_no_password(served: Served, project: Project, owner: User) -> None:
    root = User.objects.create_superuser("root", "root@example.org", None)
    visitor = served.signed_in(root)
    visitor.get("/admin/")
    for place, name in (
        ("user", "password__startswith"),
        ("membership", "user__password__startswith"),
        ("projecttoken", "digest__startswith"),
        ("projecttoken", "user__password__startswith"),
        ("submission", "assignment__labeler__user__password__startswith"),
    ):
        answer = visitor.get(f"/admin/labeling/{place}/?{name}=p")
        assert answer.status == 400 or answer.to.endswith("?e=1"), (place, answer.status, answer.to)
