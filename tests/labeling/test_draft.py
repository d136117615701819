"""Drafts are kept on the server, and keeping one keeps the lease."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling.errors import AlreadySubmitted, InvalidWork, NewerDraft, StaleLease
from labeling.models import Assignment, Project, Submission
from labeling.releasing import release_expired
from labeling.submitting import Basis, keep_draft
from tests.labeling.work import let_lapse, make_campaign, make_labeler, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def assignment(project: Project) -> Assignment:
    return must_claim(make_campaign(project, lease_minutes=30), make_labeler(project, "ada"))


def test_it_keeps_the_fields_as_they_are(assignment: Assignment) -> None:
    keep_draft(assignment, {"note": "half a th", "rank-A": "9"}, lease_token=assignment.lease_token)
    assignment.refresh_from_db()
    assert assignment.draft == {"note": "half a th", "rank-A": "9"}
    assert assignment.draft_saved_at is not None


def test_it_extends_the_lease_to_a_whole_one_from_now(assignment: Assignment) -> None:
    Assignment.objects.update(lease_until=Now() + timedelta(minutes=3))
    kept = keep_draft(assignment, {}, lease_token=assignment.lease_token)
    assert kept.held
    assert kept.lease_until is not None
    assert timedelta(minutes=29) < kept.lease_until - timezone.now() <= timedelta(minutes=30)


def test_it_never_extends_beyond_the_ceiling(assignment: Assignment) -> None:
    Assignment.objects.update(opened_at=Now() - timedelta(minutes=110), lease_until=Now() + timedelta(minutes=2))
    kept = keep_draft(assignment, {}, lease_token=assignment.lease_token)
    assert kept.lease_until is not None
    assert timedelta(minutes=9) < kept.lease_until - timezone.now() <= timedelta(minutes=10)


def test_after_the_lease_is_gone_the_words_are_kept_and_the_page_is_told(assignment: Assignment) -> None:
    let_lapse(assignment)
    release_expired()
    kept = keep_draft(assignment, {"note": "late"}, lease_token=assignment.lease_token)
    assert not kept.held
    assignment.refresh_from_db()
    assert (assignment.state, assignment.draft) == (Assignment.State.EXPIRED, {"note": "late"})


def test_it_refuses_a_stale_token_and_keeps_the_newer_draft(assignment: Assignment) -> None:
    keep_draft(assignment, {"note": "newer"}, lease_token=assignment.lease_token)
    with pytest.raises(StaleLease):
        keep_draft(assignment, {"note": "older"}, lease_token=uuid4())
    assignment.refresh_from_db()
    assert assignment.draft == {"note": "newer"}


PC, PHONE = str(uuid4()), str(uuid4())


def keep(assignment: Assignment, note: str, basis: Basis | None) -> datetime:
    return keep_draft(assignment, {"note": note}, lease_token=assignment.lease_token, basis=basis).saved_at


def test_it_keeps_newer_words_of_another_device_and_tells_them(assignment: Assignment) -> None:
    first = keep(assignment, "on the PC", Basis(None, PC))
    second = keep(assignment, "much on the phone", Basis(first, PHONE))
    with pytest.raises(NewerDraft) as refused:
        keep(assignment, "on the PC.", Basis(first, PC))
    assert (refused.value.draft, refused.value.saved_at) == ({"note": "much on the phone"}, second)
    assignment.refresh_from_db()
    assert assignment.draft == {"note": "much on the phone"}
    keep(assignment, "on the PC.", Basis(second, PC))
    with pytest.raises(NewerDraft):
        keep(assignment, "much on the phone.", Basis(second, PHONE))
    with pytest.raises(NewerDraft):
        keep(assignment, "anew", Basis(None))


def test_two_drafts_of_one_moment_are_told_apart(assignment: Assignment) -> None:
    """As where the clock is so coarse that the second is kept at the time of the first, or goes back between them."""
    keep(assignment, "on the PC", Basis(None, PC))
    first = timezone.now() + timedelta(seconds=5)
    Assignment.objects.update(draft_saved_at=first)
    assert keep(assignment, "on the phone", Basis(first, PHONE)) > first
    with pytest.raises(NewerDraft):
        keep(assignment, "on the PC.", Basis(first, PC))


def test_a_browser_knows_times_to_the_millisecond(assignment: Assignment) -> None:
    saved = keep(assignment, "so far", Basis(None, PC))
    keep(assignment, "further", Basis(saved.replace(microsecond=saved.microsecond // 1000 * 1000), PHONE))


def test_a_device_goes_on_from_a_draft_of_its_own_whose_answer_it_missed(assignment: Assignment) -> None:
    keep(assignment, "so far", Basis(None, PC))
    keep(assignment, "so far and further", Basis(None, PC))
    assignment.refresh_from_db()
    assert assignment.draft == {"note": "so far and further"}


def test_without_a_basis_it_replaces_whatever_is_there(assignment: Assignment) -> None:
    keep(assignment, "so far", Basis(None, PC))
    keep(assignment, "over it", None)
    with pytest.raises(NewerDraft):
        keep(assignment, "further", Basis(None, PC))


def test_a_basis_costs_no_query(assignment: Assignment, django_assert_num_queries: Any) -> None:
    saved = keep(assignment, "so far", Basis(None, PC))
    with CaptureQueriesContext(connection) as bare:
        keep(assignment, "further", None)
    with django_assert_num_queries(len(bare)), pytest.raises(NewerDraft):
        keep(assignment, "further", Basis(saved, PHONE))


def test_it_refuses_after_the_submission(assignment: Assignment) -> None:
    submit_now(assignment, ranked(1, 2, 3, 4))
    with pytest.raises(AlreadySubmitted):
        keep_draft(assignment, {"note": "late"}, lease_token=assignment.lease_token)


def test_a_correction_is_kept_while_it_may_be_made(assignment: Assignment) -> None:
    done = submit_now(assignment, ranked(1, 2, 3, 4)).submission
    token = assignment.lease_token
    kept = keep_draft(assignment, {"rank-A": "2"}, lease_token=token, corrects=1)
    assert (kept.held, kept.lease_until) == (True, None)
    assignment.refresh_from_db()
    assert (assignment.state, assignment.draft) == (Assignment.State.SUBMITTED, {"rank-A": "2"})
    Submission.objects.filter(pk=done.pk).update(submitted_at=Now() - timedelta(days=3))
    with pytest.raises(AlreadySubmitted):
        keep_draft(assignment, {"rank-A": "3"}, lease_token=token, corrects=1)


@pytest.mark.parametrize("fields", [{"note": "a\0b"}, {"no\0te": "a"}, {"note": "\udfff"}, {"note": "x" * 200_001}])
def test_it_refuses_what_a_database_cannot_keep(assignment: Assignment, fields: dict[str, str]) -> None:
    with pytest.raises(InvalidWork):
        keep_draft(assignment, fields, lease_token=assignment.lease_token)
