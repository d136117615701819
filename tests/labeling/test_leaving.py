"""Whoever leaves loses their access and lets go of what they hold; what they said stays, and so does who they are."""

import pytest
from django.utils import timezone

from labeling.assigning import labeler_of
from labeling.checking import Said, Work
from labeling.errors import KeptOut
from labeling.leaving import leave, what_leaving_does
from labeling.members import change_role
from labeling.models import (
    Assignment,
    Cohort,
    CohortMember,
    Labeler,
    Membership,
    Project,
    ProjectToken,
    Role,
    Submission,
    User,
    WorkKind,
)
from labeling.submitting import keep_draft
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, recounted_slots, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def rated(overall: int) -> Work:
    return Work(responses={"A": Said(ratings={"overall": overall})})


@pytest.fixture
def busy(project: Project, labeler: User) -> Membership:
    """A labeler with one task done, one in hand with a draft, a token, and a place in a cohort."""
    membership = labeler.memberships.get()
    worker, campaign = labeler_of(membership), make_campaign(project, tasks=2)
    submit_now(must_claim(campaign, worker), ranked(1, 2, 3, 4))
    held = must_claim(campaign, worker)
    keep_draft(held, {"note-A": "half a thought"}, lease_token=held.lease_token)
    ProjectToken.make(user=labeler, project=project)
    cohort = Cohort.objects.create(project=project, name="readers of poetry")
    CohortMember.objects.create(cohort=cohort, labeler=worker, since=timezone.now())
    return membership


def test_slots_go_back_and_the_draft_is_kept(busy: Membership) -> None:
    held = Assignment.objects.get(state=Assignment.State.LIVE)
    leave(busy)
    held.refresh_from_db()
    assert held.state == Assignment.State.EXPIRED
    assert held.draft == {"note-A": "half a thought"}
    held.task.refresh_from_db()
    assert held.task.open_slots == recounted_slots(held.task) == 1
    assert held.task.returned


def test_another_labeler_is_handed_the_task_at_once(project: Project, busy: Membership) -> None:
    held = Assignment.objects.get(state=Assignment.State.LIVE)
    leave(busy)
    assert must_claim(held.campaign, make_labeler(project, "bea")).task == held.task


def test_tokens_of_this_project_go_and_those_of_others_stay(busy: Membership, labeler: User, stranger: User) -> None:
    ProjectToken.make(user=labeler, project=stranger.memberships.get().project)
    leave(busy)
    assert ProjectToken.objects.get().project.slug == "elsewhere"


def test_time_in_cohorts_ends(busy: Membership) -> None:
    leave(busy)
    assert CohortMember.objects.get().until is not None


def test_what_they_said_stays_under_the_pseudonym(busy: Membership) -> None:
    pseudonym = Labeler.objects.get().pseudonym
    leave(busy)
    assert Submission.objects.get().assignment.labeler.pseudonym == pseudonym
    assert Submission.objects.get().judgments.count() == 4


def test_who_comes_back_is_the_same_labeler_and_meets_no_task_twice(
    project: Project, busy: Membership, labeler: User
) -> None:
    before, done = Labeler.objects.get(), Submission.objects.get().assignment.task
    leave(busy)
    again = labeler_of(Membership.objects.create(user=labeler, project=project, role=Role.LABELER))
    assert again == before
    assert must_claim(done.campaign, again).task != done


def test_the_page_says_what_will_happen_with_counts_and_does_nothing_yet(busy: Membership, owner: User) -> None:
    page = f"/projects/helpdesk/people/{busy.pk}/remove/"
    html = signed_in(owner).get(page).content.decode()
    for said in ("<b>1</b> task in hand", "<b>1</b> API token", "readers of poetry", "<b>1</b> submission stays"):
        assert said in html
    assert what_leaving_does(busy).leases == 1
    signed_in(owner).post(page)
    assert not Membership.objects.filter(pk=busy.pk).exists()


def test_a_member_leaves_by_themselves_and_the_project_is_gone_for_them(busy: Membership, labeler: User) -> None:
    client = signed_in(labeler)
    assert "Leaving Helpdesk" in client.get("/projects/helpdesk/leave/").content.decode()
    client.post("/projects/helpdesk/leave/")
    assert client.get("/projects/helpdesk/").status_code == 404


def test_a_role_that_labels_nothing_lets_go_of_what_is_held(busy: Membership) -> None:
    change_role(busy, Role.REVIEWER)
    assert Assignment.objects.filter(state=Assignment.State.LIVE).count() == 1
    change_role(busy, Role.CUSTOMER)
    assert not Assignment.objects.filter(state=Assignment.State.LIVE).exists()


def test_a_role_that_is_shown_the_models_lets_go_of_what_judges_them_blind_and_may_not_submit_it(
    project: Project, busy: Membership
) -> None:
    labeler = labeler_of(busy)
    rating = must_claim(make_campaign(project, kind=WorkKind.RATING), labeler)
    done = must_claim(make_campaign(project, kind=WorkKind.RATING), labeler)
    submit_now(done, rated(4))
    change_role(busy, Role.RESEARCHER)
    rating.refresh_from_db()
    assert (rating.state, rating.task.open_slots) == (Assignment.State.EXPIRED, 1)
    assert Assignment.objects.get(state=Assignment.State.LIVE).campaign.kind == WorkKind.RANKING
    for piece, corrects in ((rating, 0), (done, 1)):
        with pytest.raises(KeptOut, match="which model"):
            submit_now(piece, rated(7), corrects=corrects)
    assert Submission.objects.filter(assignment__campaign__kind=WorkKind.RATING).count() == 1
