"""Rating one response in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from labeling.models import Guideline, Judgment, Project, Submission, WorkKind
from tests.labeling.work import FLAGS, make_campaign

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_a_response_is_rated_and_flagged_by_keyboard_only(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING, tasks=2))
    for key in ("5", "f", "h", "f", "m", "f", "m"):
        page.keyboard.press(key)
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    judgment = Judgment.objects.get()
    assert judgment.ratings == {"overall": 5}
    assert judgment.flags == {"hallucination": True, "misses_task": False}
    assert "/tasks/" in page.url


def test_digits_go_from_scale_to_scale(project: Project, at_work: Callable) -> None:
    scales = [{"name": name, "label": name.title(), "low": "no", "high": "yes"} for name in ("overall", "helpful")]
    Guideline.objects.create(project=project, kind=WorkKind.RATING, version=1, body="x", flags=FLAGS, scales=scales)
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    for key in ("6", "3", "ArrowUp", "7"):
        page.keyboard.press(key)
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    assert Judgment.objects.get().ratings == {"overall": 7, "helpful": 3}


def test_the_guidelines_words_stand_at_the_steps(project: Project, at_work: Callable) -> None:
    steps = {"7": "send it as it is", "4": "half of it helps"}
    scale = {"name": "overall", "label": "Overall", "low": "worst", "high": "best", "steps": steps}
    Guideline.objects.create(project=project, kind=WorkKind.RATING, version=1, body="x", flags=FLAGS, scales=[scale])
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    anchors = page.locator(".scale__anchors > div")
    assert anchors.all_inner_texts() == ["7\nsend it as it is", "4\nhalf of it helps"]
    page.get_by_label("4, half of it helps").check(force=True)
    expect(page.get_by_label("1, worst")).not_to_be_checked()
    expect(page.locator('[name="rating-A-overall"]:checked')).to_have_value("4")


def test_nothing_rated_is_refused_in_words(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-outcome]")).to_have_text("Rate it first, or skip.")


def test_no_to_the_rest_answers_what_is_open_and_undo_takes_it_back(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING))
    for key in ("f", "h"):
        page.keyboard.press(key)
    page.get_by_role("button", name="No to the rest").click()
    expect(page.locator("[data-count]")).to_have_text("2 of 2 answered. ")
    page.keyboard.press("u")
    expect(page.locator("[data-count]")).to_have_text("1 of 2 answered. ")


def test_it_works_without_script(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, kind=WorkKind.RATING), java_script_enabled=False)
    page.locator('input[name="rating-A-overall"][value="2"]').check(force=True)
    page.get_by_label("Note").fill("thin")
    page.get_by_role("button", name="Submit and next").click()
    assert Judgment.objects.get().ratings == {"overall": 2}
    assert Submission.objects.get().note == "thin"


def test_a_pair_is_decided_by_one_key(project: Project, at_work: Callable) -> None:
    page, _ = at_work(make_campaign(project, shown=2))
    for key in ("ArrowLeft", "e", "ArrowRight", "u", "u", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("[data-verdict]")).to_have_text("B is better")
    before = page.url
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    submission = Submission.objects.get()
    ranks = dict(submission.judgments.values_list("response_id", "rank"))
    assert [ranks[pk] for pk in submission.assignment.order] == [2, 1]
