"""Drafts are kept on the server, and keeping one keeps the lease."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from labeling.errors import AlreadySubmitted, InvalidWork, StaleLease
from labeling.models import Assignment, Project
from labeling.releasing import release_expired
from labeling.submitting import keep_draft
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


def test_it_refuses_after_the_submission(assignment: Assignment) -> None:
    submit_now(assignment, ranked(1, 2, 3, 4))
    with pytest.raises(AlreadySubmitted):
        keep_draft(assignment, {"note": "late"}, lease_token=assignment.lease_token)


@pytest.mark.parametrize("fields", [{"note": "a\0b"}, {"no\0te": "a"}, {"note": "\udfff"}, {"note": "x" * 200_001}])
def test_it_refuses_what_a_database_cannot_keep(assignment: Assignment, fields: dict[str, str]) -> None:
    with pytest.raises(InvalidWork):
        keep_draft(assignment, fields, lease_token=assignment.lease_token)
