"""Probation: decided once, by gold, and hard on nobody who is right often enough."""

import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone

from labeling.models import Campaign, GoldAnswer, Labeler, Project, Qualification, QualificationTry
from labeling.probation import upper_bound
from labeling.screening import decide_what_is_due
from tests.labeling.work import make_campaign
from tests.reports.judged import labelers_of, say

LABELERS = 1_000
"""Simulated for a figure."""
ALIKE = 0.2
"""Correlation of right and wrong among the pairs of one ranking."""
FIGURE = re.compile(r"^\| (\d+) gold rankings \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", re.MULTILINE)


@pytest.fixture
def qualification(project: Project) -> Qualification:
    return Qualification.objects.create(project=project, name="Desk", probation=12)


@pytest.fixture
def real(project: Project, qualification: Qualification) -> Campaign:
    """Twelve tasks of two responses, all of them gold: the first stands above the second."""
    made = make_campaign(project, tasks=12, shown=2, requires=qualification)
    for task in made.tasks.all():
        first, second = task.shown.order_by("place").values_list("response_id", flat=True)
        GoldAnswer.objects.create(task=task, above=[[first, second]])
    return made


@pytest.fixture
def ada(project: Project, qualification: Qualification) -> Labeler:
    [ada] = labelers_of(project, "ada")
    QualificationTry.objects.create(
        qualification=qualification, labeler=ada, state="passed", decided_at=timezone.now() - timedelta(days=1)
    )
    return ada


def judge(real: Campaign, labeler: Labeler, rightly: list[bool]) -> None:
    done = real.assignments.filter(labeler=labeler).count()
    for task, right in zip(list(real.tasks.order_by("position"))[done:], rightly, strict=False):
        say(task, labeler, (1, 2) if right else (2, 1), occurrence=1)
        decide_what_is_due(real, labeler)


@pytest.mark.django_db
@pytest.mark.sqlite
def test_nothing_is_decided_on_the_way(real: Campaign, ada: Labeler) -> None:
    judge(real, ada, [False] * 11)
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores) == ("passed", {})
    judge(real, ada, [False])
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores) == ("suspended", {"probation": 0.0})
    assert "0 of 12 pairs" in tried.why


@pytest.mark.django_db
@pytest.mark.sqlite
def test_a_share_below_the_cut_off_that_chance_explains_suspends_nobody(real: Campaign, ada: Labeler) -> None:
    judge(real, ada, [False] * 4 + [True] * 8)
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores["probation"]) == ("passed", pytest.approx(2 / 3))


@pytest.mark.django_db
@pytest.mark.sqlite
def test_gold_that_is_retired_or_that_most_others_contradict_suspends_nobody(
    project: Project, real: Campaign, ada: Labeler
) -> None:
    retired, *disputed = real.tasks.order_by("position")
    GoldAnswer.objects.filter(task=retired).update(retired_at=timezone.now())
    for task in disputed:
        for other in labelers_of(project, "ben cem dee"):
            say(task, other, (2, 1), occurrence=1)
    judge(real, ada, [False] * 12)
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores) == ("passed", {"probation": None})


@pytest.mark.django_db
@pytest.mark.sqlite
def test_it_is_looked_at_once(real: Campaign, ada: Labeler) -> None:
    judge(real, ada, [True] * 12)
    for gold in GoldAnswer.objects.all():
        GoldAnswer.objects.filter(pk=gold.pk).update(above=[pair[::-1] for pair in gold.above])
    decide_what_is_due(real, ada)
    assert QualificationTry.objects.get().state == "passed"


def suspended(right: float, rankings: int) -> float:
    """Per cent of simulated labelers who are right in this share of pairs, three to a ranking; the cut-off is 75."""
    rng = np.random.default_rng(rankings)
    spread = (1 - ALIKE) / ALIKE
    shares = rng.beta(right * spread, (1 - right) * spread, size=(LABELERS, rankings))
    bounds = [upper_bound([(said, 3) for said in one]) for one in rng.binomial(3, shares).tolist()]
    return 100 * float(np.mean([bound is not None and bound < 0.75 for bound in bounds]))


def test_the_figures_in_the_docs_are_those_of_the_rule() -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "agreement.md").read_text()
    said = {int(found[1]): tuple(map(float, found.groups()[1:])) for found in FIGURE.finditer(page)}
    assert set(said) == {5, 10, 20}
    found = {many: tuple(suspended(right, many) for right in (0.85, 0.8, 0.6)) for many in said}
    # Drawn alike everywhere, but for the last digit of a quantile.
    assert found == {many: pytest.approx(figures, abs=0.3) for many, figures in said.items()}
    assert all(good <= 2 for figures in found.values() for good in figures[:2])


def test_too_few_tasks_tell_nothing() -> None:
    assert upper_bound([]) is None
    assert upper_bound([(0, 3), (0, 6)]) is None
    assert upper_bound([(0, 0)] * 20) is None
