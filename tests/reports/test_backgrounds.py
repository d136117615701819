"""Background answers: consented, counted from five people on, withdrawn with all that follows from them."""

import pytest

from labeling.backgrounds import answer, in_aggregate, read_questions, read_reference, set_rule, withdraw
from labeling.errors import InvalidSetting, WrongState
from labeling.models import Background, BackgroundForm, Cohort, CohortMember, Labeler, Project, User
from labeling.reports.agreement import agreement_report
from labeling.reports.scope import Scope
from tests.conftest import signed_in
from tests.reports.judged import labelers_of, ranked_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

AGE = "Age: young | middle | old"


@pytest.fixture
def asked(project: Project) -> BackgroundForm:
    return BackgroundForm.objects.create(project=project, questions=read_questions(AGE), consent="Yes, count me.")


def answered(project: Project, **numbers: int) -> list[Labeler]:
    """So many people of each age."""
    people = []
    for age, number in numbers.items():
        for one in labelers_of(project, " ".join(f"{age}-{n}" for n in range(number))) if number else []:
            answer(one, {"age": age}, consents=True)
            people.append(one)
    return people


def counts(project: Project) -> dict[str, int | None]:
    return {one.answer: one.count for one in in_aggregate(project)[0].shares}


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ({"young": 2, "middle": 2}, {"young": None, "middle": None, "old": None}),
        ({"young": 6, "middle": 7}, {"young": 6, "middle": 7, "old": 0}),
        # 3 alone could be worked out from the total: the next smallest is hidden with it.
        ({"young": 3, "middle": 6, "old": 9}, {"young": None, "middle": None, "old": 9}),
        ({"young": 3, "middle": 3, "old": 9}, {"young": None, "middle": None, "old": 9}),
    ],
)
def test_nothing_speaks_of_fewer_than_five_people(
    project: Project, asked: BackgroundForm, numbers: dict[str, int], shown: dict[str, int | None]
) -> None:
    answered(project, **numbers)
    assert counts(project) == shown


@pytest.mark.parametrize(
    ("inside", "outside", "shown"),
    [
        ({"young": 6, "old": 6}, {"young": 5, "old": 5}, {"young": 6, "middle": 0, "old": 6}),
        # One young person more in the table of everybody: the difference would be their answer.
        ({"young": 6, "old": 6}, {"young": 1}, {"young": None, "middle": 0, "old": None}),
        ({"young": 6, "middle": 7, "old": 8}, {"young": 2, "middle": 9}, {"young": None, "middle": None, "old": 8}),
        ({"young": 3}, {"young": 9}, {"young": None, "middle": None, "old": None}),
    ],
)
def test_among_some_nothing_tells_the_answers_of_few_others(
    project: Project, asked: BackgroundForm, inside: dict[str, int], outside: dict[str, int],
    shown: dict[str, int | None],
) -> None:  # fmt: skip
    some = {one.pk for one in answered(project, **inside)}
    for age, number in outside.items():
        for one in labelers_of(project, " ".join(f"{age}-other-{n}" for n in range(number))):
            answer(one, {"age": age}, consents=True)
    assert {one.answer: one.count for one in in_aggregate(project, among=some)[0].shares} == shown


def test_nothing_is_kept_without_consent_or_for_an_answer_that_was_not_offered(
    project: Project, asked: BackgroundForm
) -> None:
    ada = labelers_of(project, "ada")[0]
    with pytest.raises(WrongState, match="consent"):
        answer(ada, {"age": "old"}, consents=False)
    with pytest.raises(InvalidSetting, match="ancient"):
        answer(ada, {"age": "ancient"}, consents=True)
    assert not Background.objects.exists()


def test_a_rule_fills_a_cohort_and_withdrawal_takes_out_for_the_past_too(
    project: Project, asked: BackgroundForm
) -> None:
    people = answered(project, young=5, old=2)
    cohort = Cohort.objects.create(project=project, name="The young")
    assert set_rule(cohort, {"age": ["young"]}) == 5
    answer(people[0], {"age": "old"}, consents=True)
    assert cohort.members.filter(until=None).count() == 4
    assert withdraw(people[0]) == withdraw(people[1]) == ["The young"]
    assert not CohortMember.objects.filter(labeler__in=people[:2]).exists()
    assert Background.objects.count() == 5


def test_a_cohort_filled_by_hand_takes_no_rule_and_one_by_rule_nobody_by_hand(
    project: Project, asked: BackgroundForm, owner: User
) -> None:
    people = answered(project, young=5)
    by_hand = Cohort.objects.create(project=project, name="By hand")
    CohortMember.objects.create(cohort=by_hand, labeler=people[0], since="2026-01-01T00:00:00Z")
    with pytest.raises(WrongState, match="by hand"):
        set_rule(by_hand, {"age": ["old"]})
    by_rule = Cohort.objects.create(project=project, name="By rule")
    client = signed_in(owner)
    page = f"/projects/helpdesk/cohorts/{by_rule.pk}/"
    client.post(page + "rule/", {"answer-age": ["old"]})
    client.post(page + "put-in/", {"who": f"labeler-{people[0].pk}"})
    assert not by_rule.members.exists()


def test_nobody_is_named_who_is_in_a_cohort_by_a_rule(project: Project, asked: BackgroundForm, owner: User) -> None:
    answered(project, young=5)
    cohort = Cohort.objects.create(project=project, name="The young")
    set_rule(cohort, {"age": ["young"]})
    html = signed_in(owner).get(f"/projects/helpdesk/cohorts/{cohort.pk}/").content.decode()
    assert "<b>5</b> people" in html
    assert "young-0" not in html
    ranked_campaign(project, [{"young-0": (1, 2), "young-1": (1, 2)}, {"ada": (1, 2), "ben": (1, 2)}])
    found = agreement_report(Scope(project=project, cohort=cohort.pk))
    assert (found.labelers, found.pairs) == ([], [])
    assert agreement_report(Scope(project=project)).by_cohort == []


def test_a_population_is_read_and_refused_by_line(project: Project, asked: BackgroundForm) -> None:
    found = read_reference(project, "question,answer,share\nAge,young,20\nage,middle,30\nAge,old,50\n")
    assert found == {"age": {"young": 0.2, "middle": 0.3, "old": 0.5}}
    for text, says in (("Age,ancient,1", "Line 1"), ("Age,young,0.2", "sum to 0.2"), ("Age,young,nan", "Line 1")):
        with pytest.raises(InvalidSetting, match=says):
            read_reference(project, text)


@pytest.mark.parametrize("text", ["Age", "Age: young", ": a | b", "Age: a | b\nage: c | d"])
def test_a_question_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting):
        read_questions(text)


def test_the_pages_ask_keep_and_withdraw(
    project: Project, asked: BackgroundForm, owner: User, labeler: User, stranger: User
) -> None:
    page = "/projects/helpdesk/background/"
    client = signed_in(labeler)
    assert "Yes, count me." in client.get(page).content.decode()
    assert client.post(page, {"answer-age": "old"}).status_code == 409
    client.post(page, {"answer-age": "old", "consents": "yes"})
    assert Background.objects.get().answers == {"age": "old"}
    client.post(page, {"act": "withdraw"})
    assert not Background.objects.exists()
    questions = page + "questions/"
    form = {"questions": "Role: clerk | reader", "consent": "Fine.", "reference": "", "source": ""}
    assert signed_in(owner).post(questions, form).status_code == 302
    assert BackgroundForm.objects.get().questions[0]["choices"] == ["clerk", "reader"]
    assert client.get(questions).status_code == 403
    assert [signed_in(stranger).get(one).status_code for one in (page, questions)] == [404, 404]
