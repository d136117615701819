"""A claim hands out the next task under a lease."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.access import LABELS
from labeling.assigning import claim, labeler_of
from labeling.checking import Said, Work
from labeling.errors import CampaignNotOpen, KeptOut
from labeling.leaving import leave
from labeling.members import change_role
from labeling.models import (
    Assignment,
    Campaign,
    ClaimCursor,
    Labeler,
    Membership,
    Project,
    Role,
    Task,
    User,
    WorkKind,
)
from labeling.opening import close_campaign, make_tasks, pause_campaign
from labeling.releasing import release_expired
from labeling.reviewing import review
from tests.conftest import make_member
from tests.labeling.work import (
    let_lapse,
    make_campaign,
    make_labeler,
    make_prompt,
    make_responses,
    must_claim,
    ranked,
    recounted_slots,
    skip_now,
    submit_now,
    written,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_hands_out_the_first_task_and_takes_its_slot(project: Project) -> None:
    campaign = make_campaign(project, tasks=3, overlap=2)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    task = Task.objects.get(pk=assignment.task_id)
    assert (task.position, task.open_slots) == (0, 1)


def test_a_second_claim_answers_with_the_same_live_task(project: Project) -> None:
    campaign = make_campaign(project, tasks=3)
    ada = make_labeler(project, "ada")
    first, second = must_claim(campaign, ada), must_claim(campaign, ada)
    assert (first.pk, first.lease_token) == (second.pk, second.lease_token)


def test_overlap_is_never_exceeded_and_tasks_are_finished_one_after_another(project: Project) -> None:
    campaign = make_campaign(project, tasks=2, overlap=2)
    positions = [must_claim(campaign, make_labeler(project, name)).task.position for name in ("a", "b", "c", "d")]
    assert positions == [0, 0, 1, 1]
    assert claim(campaign, make_labeler(project, "e")) is None


def test_nobody_is_handed_a_task_twice(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, overlap=3)
    ada = make_labeler(project, "ada")
    submit_now(must_claim(campaign, ada), ranked(1, 2, 3, 4))
    assert claim(campaign, ada) is None


def test_nobody_is_handed_a_response_of_their_own(project: Project) -> None:
    campaign = make_campaign(project, tasks=2)
    ada = make_labeler(project, "ada")
    own = Task.objects.get(campaign=campaign, position=0).responses.first()
    assert own is not None
    own.generator, own.labeler = None, ada
    own.save()
    assert must_claim(campaign, ada).task.position == 1


def test_nobody_is_handed_a_prompt_of_their_own(project: Project) -> None:
    ada = make_labeler(project, "ada")
    written = submit_now(must_claim(make_campaign(project), ada), ranked(1, 2, 3, 4)).submission
    campaign = make_campaign(project, tasks=2)
    own = Task.objects.get(campaign=campaign, position=0).prompt
    assert own is not None
    own.submission = written
    own.save()
    assert must_claim(campaign, ada).task.position == 1


def test_a_task_that_came_back_goes_first_and_the_cursor_stays(project: Project) -> None:
    campaign = make_campaign(project, tasks=4)
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    returned = must_claim(campaign, ada)
    submit_now(must_claim(campaign, ben), ranked(1, 2, 3, 4))
    skip_now(returned)
    assert must_claim(campaign, ben).task_id == returned.task_id
    assert ClaimCursor.objects.get(campaign=campaign, labeler=ben).position == 1


def test_a_lapsed_lease_gives_its_slot_to_the_next_who_claims(project: Project) -> None:
    campaign = make_campaign(project, tasks=1)
    lapsed = must_claim(campaign, make_labeler(project, "ada"))
    ben = make_labeler(project, "ben")
    assert claim(campaign, ben) is None
    ClaimCursor.objects.update(nothing_until=None)
    let_lapse(lapsed)
    assert must_claim(campaign, ben).task_id == lapsed.task_id
    lapsed.refresh_from_db()
    assert lapsed.state == Assignment.State.EXPIRED


def test_the_sweep_gives_every_lapsed_slot_back(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, overlap=3)
    held = [must_claim(campaign, make_labeler(project, name)) for name in ("a", "b", "c")]
    for assignment in held[:2]:
        let_lapse(assignment)
    assert release_expired() == 2
    assert release_expired() == 0
    task = Task.objects.get(campaign=campaign)
    assert task.open_slots == 2 == recounted_slots(task)
    assert task.returned


def test_a_lease_that_ran_out_is_revived_as_the_same_row_with_its_draft_and_a_new_token(project: Project) -> None:
    campaign = make_campaign(project, tasks=2)
    ada = make_labeler(project, "ada")
    first = must_claim(campaign, ada)
    Assignment.objects.filter(pk=first.pk).update(draft={"note": "half a thought"})
    let_lapse(first)
    release_expired()
    again = must_claim(campaign, ada)
    assert (again.pk, again.draft, again.order) == (first.pk, {"note": "half a thought"}, first.order)
    assert again.lease_token != first.lease_token
    assert Task.objects.get(pk=first.task_id).open_slots == 0


def test_an_own_lapsed_lease_that_nobody_released_is_begun_anew(project: Project) -> None:
    campaign = make_campaign(project, tasks=2)
    ada = make_labeler(project, "ada")
    first = must_claim(campaign, ada)
    let_lapse(first)
    again = must_claim(campaign, ada)
    assert again.pk == first.pk
    assert again.lease_until is not None
    assert again.lease_until > timezone.now()
    assert Task.objects.get(pk=first.task_id).open_slots == 0


def test_the_order_shown_holds_every_response_once_and_differs_between_labelers(project: Project) -> None:
    campaign = make_campaign(project, tasks=1, shown=9, overlap=5)
    orders = [must_claim(campaign, make_labeler(project, name)).order for name in "abcde"]
    shown = sorted(Task.objects.get(campaign=campaign).responses.values_list("pk", flat=True))
    assert all(sorted(order) == shown for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_nothing_left_is_remembered_until_new_tasks_come(project: Project) -> None:
    campaign = make_campaign(project, tasks=0)
    ada = make_labeler(project, "ada")
    assert claim(campaign, ada) is None
    remembered = ClaimCursor.objects.get(labeler=ada).nothing_until
    assert remembered is not None
    assert remembered - timezone.now() < timedelta(seconds=31)
    prompt = make_prompt(project)
    make_tasks(campaign, [(prompt, make_responses(prompt, ["one", "two"]))])
    assert must_claim(campaign, ada).task.position == 0


@pytest.mark.parametrize("lets_go", [skip_now, let_lapse], ids=["skip", "lapse"])
def test_what_comes_back_is_handed_out_at_once_to_whoever_had_nothing(
    project: Project, lets_go: Callable[[Assignment], None]
) -> None:
    campaign = make_campaign(project, tasks=1)
    held, ben = must_claim(campaign, make_labeler(project, "ada")), make_labeler(project, "ben")
    assert claim(campaign, ben) is None
    lets_go(held)
    assert must_claim(campaign, ben).task_id == held.task_id


def test_it_goes_once_round_to_what_was_opened_behind_the_cursor(project: Project) -> None:
    campaign = make_campaign(project, tasks=3, overlap=1)
    ada = make_labeler(project, "ada")
    Task.objects.filter(campaign=campaign, position=0).update(open_slots=0)
    assert must_claim(campaign, ada).task.position == 1
    submit_now(must_claim(campaign, ada), ranked(1, 2, 3, 4))
    submit_now(must_claim(campaign, ada), ranked(1, 2, 3, 4))
    Task.objects.filter(campaign=campaign, position=0).update(open_slots=1)
    assert must_claim(campaign, ada).task.position == 0


@pytest.mark.parametrize("end", [pause_campaign, close_campaign])
def test_it_refuses_when_the_campaign_is_not_open(project: Project, end: Callable[[Campaign], None]) -> None:
    campaign = make_campaign(project)
    end(campaign)
    with pytest.raises(CampaignNotOpen, match=campaign.state):
        claim(campaign, make_labeler(project, "ada"))


@pytest.mark.parametrize("role", sorted(LABELS))
def test_who_is_shown_generators_is_kept_out_of_ratings_and_not_of_rankings(project: Project, role: str) -> None:
    member = labeler_of(Membership.objects.get(user=make_member(project, "mia", role)))
    ratings = make_campaign(project, kind=WorkKind.RATING)
    if role in (Role.OWNER, Role.RESEARCHER, Role.ENGINEER):
        with pytest.raises(KeptOut, match="which model"):
            claim(ratings, member)
    else:
        assert must_claim(ratings, member)
    assert must_claim(make_campaign(project), member)


def test_nobody_is_handed_a_prompt_or_a_response_that_they_reviewed(project: Project) -> None:
    rita, ben = make_member(project, "rita", Role.REVIEWER), make_labeler(project, "ben")
    reviewer, author = labeler_of(rita.memberships.get()), make_labeler(project, "ada")
    asked = submit_now(
        must_claim(make_campaign(project, kind=WorkKind.PROMPT), author), written("What is a fjord?")
    ).submission
    answering = make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=0, overlap=3)
    make_tasks(answering, [(asked.prompts.get(), [])])
    answered = submit_now(must_claim(answering, make_labeler(project, "cem")), Work(text="A fjord.")).submission
    rating = make_campaign(project, kind=WorkKind.RATING, tasks=0, overlap=3)
    shown = answered.responses.get()
    make_tasks(rating, [(shown.prompt, [shown])])
    for told, campaign in ((asked, answering), (answered, rating)):
        first = review(told, rita, state="returned", remarks="Which fjord?", seen=0)
        assert claim(campaign, reviewer) is None
        review(told, rita, state="accepted", remarks="", seen=first.pk)
        assert claim(campaign, reviewer) is None
        assert must_claim(campaign, ben)


def test_who_reviewed_the_first_version_of_a_prompt_is_not_handed_the_next(project: Project) -> None:
    rita, author = make_member(project, "rita", Role.REVIEWER), make_labeler(project, "ada")
    assignment = must_claim(make_campaign(project, kind=WorkKind.PROMPT), author)
    review(
        submit_now(assignment, written("What is a fjord?")).submission, rita, state="returned", remarks="Which?", seen=0
    )
    assignment.refresh_from_db()
    again = submit_now(assignment, written("What is a fjord in Norway?"), corrects=1).submission
    answering = make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=0)
    make_tasks(answering, [(again.prompts.get(), [])])
    assert claim(answering, labeler_of(rita.memberships.get())) is None


def test_who_reviewed_an_answer_is_not_asked_for_another(project: Project) -> None:
    rita = make_member(project, "rita", Role.REVIEWER)
    answering = make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=2, overlap=2)
    answered = submit_now(must_claim(answering, make_labeler(project, "ada")), Work(text="Four.")).submission
    review(answered, rita, state="accepted", remarks="", seen=0)
    assert must_claim(answering, labeler_of(rita.memberships.get())).task != answered.assignment.task


def test_who_left_is_handed_nothing_by_a_claim_that_began_before(project: Project, labeler: User) -> None:
    membership = labeler.memberships.get()
    worker, campaign = labeler_of(membership), make_campaign(project)
    leave(membership)
    with pytest.raises(KeptOut, match="do not belong"):
        claim(campaign, worker)
    assert not Assignment.objects.exists()


def test_a_role_that_was_taken_is_found_out_by_a_claim_that_began_before(project: Project, labeler: User) -> None:
    worker = labeler_of(Membership.objects.get(user=labeler))
    change_role(labeler.memberships.get(), Role.CUSTOMER)
    with pytest.raises(KeptOut, match="Customer"):
        claim(make_campaign(project), worker)
    change_role(labeler.memberships.get(), Role.RESEARCHER)
    with pytest.raises(KeptOut, match="which model"):
        claim(make_campaign(project, kind=WorkKind.RATING), worker)
    assert not Assignment.objects.exists()


def test_a_member_who_comes_back_is_the_same_labeler_and_is_not_counted_twice(project: Project, labeler: User) -> None:
    campaign = make_campaign(project, overlap=2)
    membership = Membership.objects.get(user=labeler)
    before = labeler_of(membership)
    submit_now(must_claim(campaign, before), ranked(1, 2, 3, 4))
    membership.delete()
    back = Membership.objects.create(user=labeler, project=project, role="labeler")
    after = labeler_of(back)
    assert (after, after.pseudonym, after.membership) == (before, before.pseudonym, back)
    assert Labeler.objects.get().membership == back
    assert claim(campaign, after) is None


def test_the_pseudonym_says_nothing_about_the_person(project: Project, labeler: User) -> None:
    membership = Membership.objects.get(user=labeler)
    made = labeler_of(membership)
    assert labeler_of(membership) == made
    assert labeler.username not in made.pseudonym
    assert made.pseudonym.startswith("L-")


def test_a_blind_campaign_of_any_kind_is_kept_from_who_is_shown_generators(project: Project, owner: User) -> None:
    member = labeler_of(Membership.objects.get(user=owner))
    with pytest.raises(KeptOut, match="which model"):
        claim(make_campaign(project, blind=True), member)
    assert must_claim(make_campaign(project, blind=True), make_labeler(project, "ada"))


def test_in_a_rehearsal_a_researcher_may_rate(project: Project, researcher: User) -> None:
    project.simulated = True
    project.save()
    member = labeler_of(Membership.objects.get(user=researcher))
    assert must_claim(make_campaign(project, kind=WorkKind.RATING, blind=True), member)


def test_a_rater_does_not_meet_two_responses_to_one_prompt_in_a_row(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.RATING, tasks=0)
    prompts = [make_prompt(project) for _ in range(6)]
    make_tasks(campaign, [(prompt, [one]) for prompt in prompts for one in make_responses(prompt, ["a", "b", "c"])])
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    met = []
    for _ in range(3):
        met.append(rate_next(campaign, ada))
        # Everybody else takes what lies between, up to another response to the prompt that ada has just seen.
        for _ in range(5):
            rate_next(campaign, ben)
    assert len(set(met)) == 3


def test_where_one_prompt_is_all_there_is_its_responses_are_met_one_after_another(project: Project) -> None:
    campaign = make_campaign(project, kind=WorkKind.RATING, tasks=0)
    prompt = make_prompt(project)
    make_tasks(campaign, [(prompt, [one]) for one in make_responses(prompt, ["a", "b", "c"])])
    ada = make_labeler(project, "ada")
    assert [rate_next(campaign, ada) for _ in range(3)] == [prompt.pk] * 3
    assert claim(campaign, ada) is None


def rate_next(campaign: Campaign, labeler: Labeler) -> int | None:
    """The prompt of the task that was rated."""
    assignment = must_claim(campaign, labeler)
    submit_now(assignment, Work(responses={"A": Said(ratings={"overall": 5})}))
    return assignment.task.prompt_id
