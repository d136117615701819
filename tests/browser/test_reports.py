"""A researcher at the reports, in a real browser: by keyboard, wide and narrow, day and night."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from labeling.models import Cohort, CohortMember, Labeler, Project, User
from tests.reports.judged import ranked_campaign
from tests.training.making import base_model_folder
from training.rounds import open_round

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def judged(project: Project, settings: Any, tmp_path: Any) -> int:
    """Two cohorts of one labeler each, who disagree on every third task; the campaign's number."""
    settings.RUNS_DIR, settings.MODELS_DIR, settings.REDIS_URL = tmp_path / "runs", tmp_path / "models", ""
    base_model_folder(settings.MODELS_DIR / "base")
    open_round(project, base="base")
    said = [{"ada": (1, 2, 3), "ben": (2, 1, 3) if number % 3 == 0 else (1, 2, 3)} for number in range(9)]
    campaign = ranked_campaign(project, said)
    for name in ("ada", "ben"):
        cohort = Cohort.objects.create(project=project, name=f"like {name}")
        labeler = Labeler.objects.get(project=project, pseudonym=name)
        CohortMember.objects.create(cohort=cohort, labeler=labeler, since=timezone.now() - timedelta(days=9))
    return campaign.pk


def test_by_keyboard_from_agreement_narrowed_to_a_cohort_on_to_groups_and_why_they_cannot_be_trained(
    judged: int, researcher: User, visit: Callable
) -> None:
    visitor = visit(researcher)
    visitor.expected.append("409 (Conflict)")
    page = visitor.open("/projects/helpdesk/agreement/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Two labelers agree")
    page.get_by_label("Cohort", exact=True).focus()
    page.keyboard.type("like ada")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page).to_have_url(re.compile("cohort=[0-9]"))
    page.get_by_role("link", name="Groups").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("not known yet")
    expect(page.get_by_role("listitem").filter(has_text="like ada")).to_contain_text("4 more would do")
    page.get_by_label("From the SFT of").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Not this.")
