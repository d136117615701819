"""The served schema: what it allows is taken, what it forbids is refused, and every answer is as it states.

300 cases here; `make trial PART=api` sends 2,000.
"""

from typing import Any

import pytest
from django.urls import get_resolver
from pytest_django.fixtures import Settings

from labeling.models import Project, Role
from tests.api.filled import fill
from tests.api.probing import probe

pytestmark = pytest.mark.django_db

CASES = 50
SEED = 20260301


@pytest.mark.parametrize(("turn", "role"), list(enumerate(Role.values)))
def test_no_case_of_the_schema_is_answered_wrongly(turn: int, role: str, project: Project, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 10**6
    sent, failures = probe(fill(project), role, cases=CASES, turn=turn * CASES // 3, seed=SEED + turn)
    assert failures == []
    assert sent >= CASES * 0.8


@pytest.mark.sqlite
def test_the_schema_describes_every_address_of_the_api(client: Any) -> None:
    schema = client.get("/api/v1/schema").json()
    assert schema["openapi"].startswith("3.1")
    named = {name for name in get_resolver().reverse_dict if isinstance(name, str) and name.startswith("api_")}
    served = {
        "/" + possibilities[0][0].replace("%(", "{").replace(")s", "}")
        for name in named - {"api_schema"}
        for possibilities in [get_resolver().reverse_dict[name][0]]
    }
    assert served == set(schema["paths"])
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation["responses"].keys() >= {"401", "403", "404", "429"}, (path, method)
