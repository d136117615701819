"""A campaign's settings, overlap and pilot change without losing or over-counting anything; drafts are deleted."""

import pytest
from django.core.exceptions import ValidationError

from labeling.assigning import claim
from labeling.campaigning import (
    change_overlap,
    change_settings,
    delete_campaign,
    open_as_pilot,
    open_to_all,
    overlap_change,
)
from labeling.errors import CannotDelete, InvalidSetting, WrongState
from labeling.models import Campaign, Cohort, Guideline, Project, Response, Submission, Task
from labeling.opening import close_campaign, pause_campaign
from labeling.releasing import release_expired
from labeling.standing import left_for, left_nearby, why_nothing
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
from tests.reports.judged import say

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def exact(campaign: Campaign) -> bool:
    return all(task.open_slots == recounted_slots(task) for task in Task.objects.filter(campaign=campaign))


def draft_of(campaign: Campaign) -> Campaign:
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.DRAFT)
    campaign.refresh_from_db()
    return campaign


def test_more_overlap_opens_finished_and_unfinished_tasks(project: Project) -> None:
    campaign = make_campaign(project, tasks=2)
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    submit_now(must_claim(campaign, ada), ranked(1, 2, 3, 4))
    change = change_overlap(campaign, 3)
    assert (change.reopened, change.finished, change.kept_above) == (1, 0, 0)
    assert list(campaign.tasks.values_list("overlap", "open_slots")) == [(3, 2), (3, 3)]
    assert must_claim(campaign, ben).task.position == 0


def test_who_just_had_nothing_is_handed_what_more_overlap_opens(project: Project) -> None:
    campaign = make_campaign(project)
    submit_now(must_claim(campaign, make_labeler(project, "ada")), ranked(1, 2, 3, 4))
    ben = make_labeler(project, "ben")
    assert claim(campaign, ben) is None
    change_overlap(campaign, 2)
    assert claim(campaign, ben) is not None


def test_less_overlap_keeps_what_was_collected_and_asks_for_no_more(project: Project) -> None:
    campaign = make_campaign(project, tasks=3, overlap=3)
    people = [make_labeler(project, name) for name in ("ada", "ben", "cem")]
    for person in people[:2]:
        submit_now(must_claim(campaign, person), ranked(1, 2, 3, 4))
    held = must_claim(campaign, people[0])
    assert (held.task.position, held.task.open_slots) == (1, 2)
    foreseen = overlap_change(campaign, 1)
    assert change_overlap(campaign, 1) == foreseen
    assert (foreseen.reopened, foreseen.finished, foreseen.kept_above) == (0, 2, 1)
    assert list(campaign.tasks.values_list("overlap", "open_slots")) == [(2, 0), (1, 0), (1, 1)]
    assert submit_now(held, ranked(1, 2, 3, 4)).submission.counted
    assert Submission.objects.filter(counted=True).count() == 3
    assert exact(campaign)


def test_a_late_submission_to_a_task_that_shrank_is_surplus(project: Project) -> None:
    campaign = make_campaign(project, overlap=2)
    late = must_claim(campaign, make_labeler(project, "ada"))
    submit_now(must_claim(campaign, make_labeler(project, "ben")), ranked(1, 2, 3, 4))
    let_lapse(late)
    release_expired()
    change_overlap(campaign, 1)
    assert not submit_now(late, ranked(1, 2, 3, 4)).submission.counted
    assert exact(campaign)


def test_room_that_one_task_has_of_its_own_outlives_a_change(project: Project) -> None:
    campaign = make_campaign(project, tasks=3, overlap=2)
    campaign.tasks.filter(position=1).update(room=1, overlap=3, open_slots=3)
    foreseen = overlap_change(campaign, 1)
    assert change_overlap(campaign, 1) == foreseen
    assert list(campaign.tasks.values_list("overlap", "open_slots")) == [(1, 1), (2, 2), (1, 1)]
    change_overlap(campaign, 4)
    assert list(campaign.tasks.values_list("overlap", "open_slots")) == [(4, 4), (5, 5), (4, 4)]


def test_what_a_task_kept_beyond_a_smaller_overlap_is_no_room_when_it_grows_again(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, overlap=3)
    for name in ("ada", "ben", "cem"):
        submit_now(must_claim(campaign, make_labeler(project, name)), ranked(1, 2, 3, 4))
    change_overlap(campaign, 1)
    assert overlap_change(campaign, 3).reopened == 0
    change_overlap(campaign, 3)
    assert list(campaign.tasks.values_list("overlap", "open_slots")) == [(3, 0)]


@pytest.mark.parametrize("to", [0, 101])
def test_an_overlap_out_of_range_is_refused(project: Project, to: int) -> None:
    with pytest.raises(InvalidSetting, match=f"is {to}; expected 1 to 100"):
        change_overlap(make_campaign(project), to)


def test_the_overlap_of_a_closed_campaign_stays(project: Project) -> None:
    campaign = make_campaign(project)
    close_campaign(campaign)
    with pytest.raises(WrongState, match="stays 1"):
        change_overlap(campaign, 2)


def test_a_pilot_hands_out_its_first_tasks_only(project: Project) -> None:
    campaign = draft_of(make_campaign(project, tasks=5))
    open_as_pilot(campaign, 2)
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    places = []
    while (held := claim(campaign, ada)) is not None:
        places.append(held.task.position)
        submit_now(held, ranked(1, 2, 3, 4))
    assert places == [0, 1]
    assert left_for(campaign, ben) == 0
    assert left_nearby(campaign, ben) == "0 left"
    assert "begins with a pilot of 2 tasks" in why_nothing(campaign, ben)


def test_a_pilots_first_tasks_are_counted_by_place_not_by_number(project: Project) -> None:
    campaign = draft_of(make_campaign(project, tasks=4))
    Task.objects.filter(campaign=campaign, position=0).delete()
    open_as_pilot(campaign, 2)
    assert left_for(campaign, make_labeler(project, "ada")) == 2


def test_a_returned_task_beyond_the_pilot_waits_too(project: Project) -> None:
    campaign = make_campaign(project, tasks=2)
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    submit_now(must_claim(campaign, ada), ranked(1, 2, 3, 4))
    skip_now(must_claim(campaign, ada))
    pause_campaign(campaign)
    open_as_pilot(campaign, 1)
    assert claim(campaign, ben) is None


def test_the_pilot_ends_and_the_rest_is_handed_out_at_once(project: Project) -> None:
    campaign = draft_of(make_campaign(project, tasks=3))
    open_as_pilot(campaign, 1)
    ada = make_labeler(project, "ada")
    submit_now(must_claim(campaign, ada), ranked(1, 2, 3, 4))
    assert claim(campaign, ada) is None
    open_to_all(campaign)
    assert must_claim(campaign, ada).task.position == 1
    open_to_all(campaign)


@pytest.mark.parametrize("tasks", [0, 3, 4])
def test_a_pilot_of_nothing_or_of_everything_is_refused(project: Project, tasks: int) -> None:
    campaign = draft_of(make_campaign(project, tasks=3))
    with pytest.raises(InvalidSetting, match=f"of {tasks} tasks; expected 1 to 2"):
        open_as_pilot(campaign, tasks)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.pilot_tasks) == (Campaign.State.DRAFT, None)


def test_what_people_work_by_is_fixed_once_it_is_open(project: Project) -> None:
    campaign = make_campaign(project)
    other = Guideline.objects.create(project=project, kind="ranking", version=2, body="Other.")
    change_settings(campaign, {"name": "Renamed", "lease_minutes": 5, "guideline": campaign.guideline})
    assert Campaign.objects.get().name == "Renamed"
    for fixed in ({"guideline": other}, {"required": ["ranks"]}):
        with pytest.raises(InvalidSetting, match="stays"):
            change_settings(campaign, fixed)
    change_settings(draft_of(campaign), {"guideline": other, "required": ["ranks"]})
    assert Campaign.objects.get().guideline == other


@pytest.mark.parametrize("kept", [True, False])
def test_a_campaign_that_was_worked_in_neither_leaves_nor_takes_a_cohort_by_a_rule(
    project: Project, kept: bool
) -> None:
    young = Cohort.objects.create(project=project, name="The young", rule={"age": ["young"]})
    by_hand = Cohort.objects.create(project=project, name="By hand")
    campaign = make_campaign(project, cohort=young if kept else None)
    before, after = (young, None) if kept else (None, young)
    change_settings(campaign, {"cohort": after})
    change_settings(campaign, {"cohort": before})
    say(campaign.tasks.get(), make_labeler(project, "ada"), (1, 2, 3, 4))
    with pytest.raises(InvalidSetting, match="its cohort stays: a rule fills The young"):
        change_settings(campaign, {"cohort": after})
    change_settings(campaign, {"cohort": before, "name": "Renamed"})
    if not kept:
        change_settings(campaign, {"cohort": by_hand})


def test_a_name_that_is_taken_is_refused(project: Project) -> None:
    campaign, other = make_campaign(project), make_campaign(project)
    with pytest.raises(ValidationError):
        change_settings(campaign, {"name": other.name})


def test_a_draft_is_deleted_with_its_tasks_and_texts_stay(project: Project) -> None:
    campaign = draft_of(make_campaign(project, tasks=2))
    delete_campaign(campaign)
    assert not Task.objects.exists()
    assert Response.objects.count() == 8


def test_an_open_campaign_and_one_with_submissions_stay(project: Project) -> None:
    campaign = make_campaign(project)
    with pytest.raises(CannotDelete, match="It is open"):
        delete_campaign(campaign)
    submit_now(must_claim(campaign, make_labeler(project, "ada")), ranked(1, 2, 3, 4))
    with pytest.raises(CannotDelete, match="never deleted"):
        delete_campaign(draft_of(campaign))
    assert Submission.objects.exists()
