"""Skipping gives the slot back, and the policy says who meets the task next."""

import pytest
from django.db.models.functions import Now

from labeling.assigning import claim
from labeling.errors import AlreadySubmitted, StaleLease
from labeling.models import Assignment, Campaign, ClaimCursor, Project, Task
from labeling.skipping import SKIP_REASONS
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, recounted_slots, skip_now, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

REASONS = {reason.name: reason for reason in SKIP_REASONS}


def test_it_gives_the_slot_back_and_hands_the_task_to_others_only(project: Project) -> None:
    campaign = make_campaign(project, tasks=1)
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    skipped = must_claim(campaign, ada)
    skip_now(skipped, REASONS["unclear"])
    assert claim(campaign, ada) is None
    assert must_claim(campaign, ben).task_id == skipped.task_id


def test_skipping_twice_gives_one_slot_back(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, overlap=2)
    skipped = must_claim(campaign, make_labeler(project, "ada"))
    skip_now(skipped, REASONS["unclear"])
    skip_now(skipped, REASONS["unclear"])
    task = Task.objects.get(campaign=campaign)
    assert task.open_slots == 2 == recounted_slots(task)


def test_back_later_offers_it_again_after_a_while_with_the_draft(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, skip_policy=Campaign.SkipPolicy.BACK_LATER)
    ada = make_labeler(project, "ada")
    skipped = must_claim(campaign, ada)
    Assignment.objects.update(draft={"note": "kept"})
    skip_now(skipped, REASONS["subject"])
    assert claim(campaign, ada) is None
    ClaimCursor.objects.update(nothing_until=None)
    Assignment.objects.update(skipped_until=Now())
    again = must_claim(campaign, ada)
    assert (again.pk, again.draft, again.skipped_until) == (skipped.pk, {"note": "kept"}, None)


def test_what_distresses_never_comes_back_whatever_the_policy(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, skip_policy=Campaign.SkipPolicy.BACK_LATER)
    skipped = must_claim(campaign, make_labeler(project, "ada"))
    skip_now(skipped, REASONS["distress"])
    skipped.refresh_from_db()
    assert skipped.skipped_until is None


def test_what_is_submitted_cannot_be_skipped(project: Project) -> None:
    campaign = make_campaign(project, tasks=1)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    submit_now(assignment, ranked(1, 2, 3, 4))
    with pytest.raises(AlreadySubmitted):
        skip_now(assignment, REASONS["unclear"])
    assert Task.objects.get(campaign=campaign).open_slots == 0


def test_an_old_skip_repeated_does_not_drop_the_new_hold(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, skip_policy=Campaign.SkipPolicy.BACK_LATER)
    ada = make_labeler(project, "ada")
    before = must_claim(campaign, ada)
    skip_now(before)
    Assignment.objects.update(skipped_until=Now())
    again = must_claim(campaign, ada)
    with pytest.raises(StaleLease, match="earlier hold"):
        skip_now(before)
    again.refresh_from_db()
    assert (again.state, Task.objects.get(campaign=campaign).open_slots) == (Assignment.State.LIVE, 0)
