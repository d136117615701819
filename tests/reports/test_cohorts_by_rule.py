"""Cohorts filled by a rule from background answers: who is in one is told at no door, nor how many below five."""

import pytest

from labeling.backgrounds import answer, read_questions, set_rule, withdraw
from labeling.errors import InvalidSetting
from labeling.models import BackgroundForm, Cohort, CohortMember, Labeler, Project, User
from tests.conftest import signed_in
from tests.reports.judged import labelers_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

COHORTS = "/projects/helpdesk/cohorts/"


@pytest.fixture
def young(project: Project) -> Cohort:
    """Young people by a rule; nobody yet."""
    questions = read_questions("Age: young | old")
    BackgroundForm.objects.create(project=project, questions=questions, consent="Yes, count me.")
    cohort = Cohort.objects.create(project=project, name="The young")
    set_rule(cohort, {"age": ["young"]})
    return cohort


def answered(cohort: Cohort, number: int) -> list[Labeler]:
    """So many who are in it by their answer."""
    people = labelers_of(cohort.project, " ".join(f"young-{n}" for n in range(number)))
    for one in people:
        answer(one, {"age": "young"}, consents=True)
    return people


def test_a_rule_is_not_taken_away_from_the_people_it_put_in(young: Cohort, owner: User) -> None:
    people = answered(young, 5)
    with pytest.raises(InvalidSetting, match="tick at least one"):
        set_rule(young, {})
    client = signed_in(owner)
    html = client.post(f"{COHORTS}{young.pk}/rule/", follow=True).content.decode()
    assert "No answer is ticked" in html
    assert "young-0" not in html
    assert withdraw(people[0]) == ["The young"]
    assert not CohortMember.objects.filter(labeler=people[0]).exists()
