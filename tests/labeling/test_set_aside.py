"""A task is withdrawn from everybody where the campaign's policy says so, and put back by a reviewer."""

import pytest

from labeling.assigning import claim
from labeling.campaigning import change_overlap
from labeling.models import Campaign, Project, Role, Task, User
from labeling.releasing import release_expired
from labeling.setting_aside import put_back
from labeling.skipping import SKIP_REASONS
from tests.conftest import make_member, signed_in
from tests.labeling.work import (
    let_lapse,
    make_campaign,
    make_labeler,
    must_claim,
    ranked,
    recounted_slots,
    skip_now,
    submit_now,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

REASONS = {reason.name: reason for reason in SKIP_REASONS}


@pytest.fixture
def campaign(project: Project) -> Campaign:
    return make_campaign(project, tasks=1, overlap=3, skip_policy=Campaign.SkipPolicy.WITHDRAW)


def test_a_reason_that_lies_in_the_task_withdraws_it_from_everybody(project: Project, campaign: Campaign) -> None:
    skip_now(must_claim(campaign, make_labeler(project, "ada")), REASONS["broken"])
    task = Task.objects.get()
    assert (task.aside, task.overlap, task.open_slots) == ("withdrawn", 0, 0)
    assert claim(campaign, make_labeler(project, "ben")) is None


def test_a_reason_that_lies_in_the_person_gives_it_to_others(project: Project, campaign: Campaign) -> None:
    skip_now(must_claim(campaign, make_labeler(project, "ada")), REASONS["language"])
    assert must_claim(campaign, make_labeler(project, "ben"))


def test_who_has_a_withdrawn_task_in_hand_finishes_it_and_it_counts(project: Project, campaign: Campaign) -> None:
    ada, ben, cem = (must_claim(campaign, make_labeler(project, name)) for name in ("ada", "ben", "cem"))
    skip_now(ada, REASONS["unclear"])
    assert submit_now(ben, ranked(1, 2, 3, 4)).submission.counted
    let_lapse(cem)
    release_expired()
    task = Task.objects.get()
    assert (task.overlap, task.open_slots, recounted_slots(task)) == (1, 0, 0)
    assert not submit_now(cem, ranked(1, 2, 3, 4)).submission.counted


def test_put_back_it_is_wanted_by_as_many_as_before(project: Project, campaign: Campaign) -> None:
    ada, ben = (must_claim(campaign, make_labeler(project, name)) for name in ("ada", "ben"))
    submit_now(ben, ranked(1, 2, 3, 4))
    skip_now(ada, REASONS["unclear"])
    change_overlap(campaign, 2)
    assert Task.objects.get().overlap == 1
    for _ in range(2):
        put_back(Task.objects.get())
        task = Task.objects.get()
        assert (task.aside, task.overlap, task.open_slots, recounted_slots(task)) == ("", 2, 1, 1)
    assert must_claim(campaign, make_labeler(project, "cem"))
    assert claim(campaign, ada.labeler) is None


def test_a_reviewer_sees_what_was_withdrawn_and_puts_it_back(project: Project, campaign: Campaign) -> None:
    skip_now(must_claim(campaign, make_labeler(project, "ada")), REASONS["broken"])
    reviewer: User = make_member(project, "rita", Role.REVIEWER)
    page = f"/projects/helpdesk/campaigns/{campaign.pk}/aside/"
    html = signed_in(reviewer).get(page).content.decode()
    assert "Put it back" in html
    assert signed_in(reviewer).post(f"{page}{Task.objects.get().pk}/back/").status_code == 302
    assert Task.objects.get().open_slots == 3
