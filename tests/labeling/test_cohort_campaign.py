"""A campaign that has a cohort hands out its work to the members of that cohort, and to nobody else."""

import pytest
from django.utils import timezone

from labeling.assigning import NOT_IN_COHORT, claim, labeler_of
from labeling.errors import KeptOut
from labeling.models import Campaign, Cohort, CohortMember, Labeler, Project, User
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def put_in(cohort: Cohort, labeler: Labeler) -> CohortMember:
    return CohortMember.objects.create(cohort=cohort, labeler=labeler, since=timezone.now())


@pytest.fixture
def cohort(project: Project) -> Cohort:
    return Cohort.objects.create(project=project, name="readers of poetry")


@pytest.fixture
def campaign(project: Project, cohort: Cohort) -> Campaign:
    return make_campaign(project, tasks=2, cohort=cohort)


def test_a_member_of_the_cohort_is_handed_work(project: Project, cohort: Cohort, campaign: Campaign) -> None:
    ada = make_labeler(project, "ada")
    put_in(cohort, ada)
    assert must_claim(campaign, ada).campaign == campaign


def test_a_member_of_another_cohort_gets_nothing(project: Project, campaign: Campaign) -> None:
    bea = make_labeler(project, "bea")
    put_in(Cohort.objects.create(project=project, name="engineers"), bea)
    with pytest.raises(KeptOut, match="group of labelers that you are not in"):
        claim(campaign, bea)
    assert not bea.assignments.exists()


def test_who_was_in_the_cohort_once_gets_nothing_new_and_keeps_what_they_hold(
    project: Project, cohort: Cohort, campaign: Campaign
) -> None:
    ada = make_labeler(project, "ada")
    put_in(cohort, ada)
    held = must_claim(campaign, ada)
    CohortMember.objects.update(until=timezone.now())
    assert claim(campaign, ada) == held
    assert submit_now(held, ranked(1, 2, 3, 4)).submission.counted
    with pytest.raises(KeptOut):
        claim(campaign, ada)


def test_the_queue_says_why_and_does_not_name_the_cohort(project: Project, campaign: Campaign, labeler: User) -> None:
    html = signed_in(labeler).get("/projects/helpdesk/").content.decode()
    assert campaign.name in html
    assert str(NOT_IN_COHORT) in html
    assert "poetry" not in html
    assert "/next/" not in html


def test_a_campaign_without_a_cohort_is_for_everybody(project: Project, labeler: User) -> None:
    open_to_all = make_campaign(project)
    assert must_claim(open_to_all, labeler_of(labeler.memberships.get())).campaign == open_to_all
