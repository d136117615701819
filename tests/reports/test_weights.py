"""A snapshot of rankings weighs labelers by ability where it is asked to."""

import pytest

from labeling.models import Project
from tests.reports.judged import ranked_campaign
from training.rlhf.contract.records import Ranking
from training.snapshot_rows import Counts, Query, rows_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

ORDERS = ((1, 2, 3), (2, 3, 1), (3, 1, 2), (1, 3, 2))


def weights(project: Project, weigh: str) -> dict[str, set[float]]:
    found: dict[str, set[float]] = {}
    for row in rows_of(project, Query(kind="rankings", weigh=weigh), Counts()):  # type: ignore[arg-type]
        assert isinstance(row, Ranking)
        for judged in row.judged:
            found.setdefault(judged.labeler, set()).add(judged.weight)
    return found


def test_who_answers_at_random_weighs_less_and_unasked_everybody_weighs_the_same(project: Project) -> None:
    said = [
        {"ada": ORDERS[n % 4], "ben": ORDERS[n % 4], "dice": ORDERS[(n * 7 + n // 3) % 4]} for n in range(40)
    ]  # fmt: skip
    ranked_campaign(project, said, overlap=3)
    assert weights(project, "alike") == {"ada": {1.0}, "ben": {1.0}, "dice": {1.0}}
    by_ability = {name: some.pop() for name, some in weights(project, "by ability").items()}
    assert by_ability["dice"] < 0.5 < by_ability["ada"]
