"""A prompt-writing campaign makes a task as it is claimed, up to its quota."""

import pytest
from django.utils import timezone

from labeling.assigning import claim
from labeling.campaigning import change_overlap
from labeling.errors import InvalidSetting
from labeling.models import Assignment, Project, Submission, Task, WorkKind
from labeling.releasing import release_expired
from labeling.skipping import WRITING_SKIP_REASONS
from labeling.standing import standings_of
from tests.labeling.work import let_lapse, make_campaign, make_labeler, must_claim, skip_now, submit_now, written

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_no_more_tasks_are_made_than_prompts_are_wanted(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=2)
    ada, ben, cleo = (make_labeler(project, name) for name in ("ada", "ben", "cleo"))
    assert must_claim(campaign, ada) == must_claim(campaign, ada)
    must_claim(campaign, ben)
    assert claim(campaign, cleo) is None
    submit_now(must_claim(campaign, ada), written("What is a fjord?"))
    assert claim(campaign, ada) is None
    assert Task.objects.count() == 2


def test_without_a_quota_there_is_always_another(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT)
    ada = make_labeler(project, "ada")
    for number in range(3):
        submit_now(must_claim(campaign, ada), written(f"What is {number} squared?"))
    assert must_claim(campaign, ada).task.position == 3


def test_one_person_writes_no_more_than_their_share(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=5, per_labeler=1)
    ada = make_labeler(project, "ada")
    submit_now(must_claim(campaign, ada), written("What is a fjord?"))
    assert claim(campaign, ada) is None
    assert must_claim(campaign, make_labeler(project, "ben"))
    (standing,) = standings_of(ada)
    assert standing.why == "You have written what one person may write here: 1. The others are left to others."


def test_a_task_whose_time_ran_out_is_handed_out_again_before_another_is_made(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=2)
    left = must_claim(campaign, make_labeler(project, "ada"))
    let_lapse(left)
    assert must_claim(campaign, make_labeler(project, "ben")).task == left.task
    assert Task.objects.count() == 1


def test_a_skipped_task_goes_to_somebody_else_and_the_skipper_may_come_back(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=1)
    ada = make_labeler(project, "ada")
    skip_now(must_claim(campaign, ada), WRITING_SKIP_REASONS[0])
    assert claim(campaign, ada) is None
    assert "comes back at" in standings_of(ada)[0].why
    Assignment.objects.update(skipped_until=timezone.now())
    assert must_claim(campaign, ada)
    assert Task.objects.count() == 1


def test_a_late_prompt_beyond_the_share_is_kept_and_not_counted(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=3, per_labeler=1)
    ada = make_labeler(project, "ada")
    late = must_claim(campaign, ada)
    let_lapse(late)
    release_expired()
    ben = must_claim(campaign, make_labeler(project, "ben"))
    assert ben.task == late.task
    on_time = must_claim(campaign, ada)
    skip_now(ben, WRITING_SKIP_REASONS[0])
    assert not submit_now(late, written("What is a fjord?")).submission.counted
    assert submit_now(on_time, written("What is a moor?")).submission.counted
    assert Submission.objects.filter(counted=True).count() == 1


def test_what_is_left_is_said_before_any_task_is_made(project: Project) -> None:
    make_campaign(project, kind=WorkKind.PROMPT, quota=7, per_labeler=4)
    (standing,) = standings_of(make_labeler(project, "ada"))
    assert (standing.left, standing.why, standing.verb) == (4, "", "Write")


def test_when_all_are_written_the_queue_says_so(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=1)
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    held = must_claim(campaign, ada)
    assert "written or being written; if somebody lets go" in standings_of(ben)[0].why
    submit_now(held, written("What is a fjord?"))
    assert standings_of(ben)[0].why == "All prompts that were asked for (1) are written."


def test_a_prompt_is_written_once_whatever_the_overlap(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=2, overlap=3)
    assert must_claim(campaign, make_labeler(project, "ada")).task.overlap == 1
    with pytest.raises(InvalidSetting, match="raise the quota"):
        change_overlap(campaign, 2)
