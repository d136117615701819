"""make trial PART=api: 2,000 cases of the API's own schema, as each role in turn."""

import pytest
from pytest_django.fixtures import Settings

from labeling.models import Project, Role
from tests.api.filled import fill
from tests.api.probing import probe

CASES = 2_000
SEED = 20260302


@pytest.mark.django_db
@pytest.mark.parametrize(("turn", "role"), list(enumerate(Role.values)))
def test_no_case_of_the_schema_is_answered_wrongly(turn: int, role: str, project: Project, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 10**6
    sent, failures = probe(fill(project), role, cases=-(-CASES // len(Role.values)), turn=0, seed=SEED + turn)
    print(f"{role}: {sent} cases, {len(failures)} failures")
    assert failures == []
