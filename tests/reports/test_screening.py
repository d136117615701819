"""Screening: who passes, who may try again and when, and who is handed real work."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling.assigning import claim
from labeling.checking import Said, Work
from labeling.datasets import records_of
from labeling.errors import InvalidSetting, InvalidWork, KeptOut, NothingFits
from labeling.gold import Gold, retire_gold, write_gold
from labeling.models import (
    Assignment,
    Campaign,
    GoldAnswer,
    Guideline,
    Labeler,
    Project,
    Qualification,
    QualificationTry,
    Response,
    Review,
    Submission,
    Task,
    User,
)
from labeling.records import Kind
from labeling.screening import assess_self, candidates_of, decide, decide_by_hand, settle
from labeling.screening_scores import progress_of, standings_of
from labeling.screening_tasks import add_screening
from labeling.setting_aside import set_aside
from labeling.skipping import SKIP_REASONS
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, make_labeler, make_prompt, must_claim, ranked, skip_now, submit_now
from tests.reports.judged import labelers_of, say

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SKIPS = {reason.name: reason for reason in SKIP_REASONS}


@pytest.fixture
def qualification(project: Project) -> Qualification:
    """Two gold tasks a try, for two tries: the first response is above the second and flagged as a hallucination."""
    source = make_campaign(project, tasks=4, shown=2)
    for task in source.tasks.all():
        first, second = task.shown.order_by("place").values_list("response_id", flat=True)
        judged = {str(first): {"flags": {"hallucination": True}}}
        GoldAnswer.objects.create(task=task, above=[[first, second]], judged=judged)
    made = Qualification.objects.create(project=project, name="Desk", tries=2, retake_days=7, probation=20)
    for number in (1, 2):
        add_screening(made, "ranking", number=number, tasks=2)
    return made


@pytest.fixture
def real(project: Project, qualification: Qualification) -> Campaign:
    return make_campaign(project, tasks=3, requires=qualification)


@pytest.fixture
def ada(project: Project) -> Labeler:
    return make_labeler(project, "ada")


def campaign_of(qualification: Qualification, number: int) -> Campaign:
    return qualification.screenings.get(number=number).campaign


def take_all(campaign: Campaign, labeler: Labeler, *, rightly: bool = True, flags: bool = True) -> None:
    """Every task of a try, answered as gold has it or the other way round."""
    while (assignment := claim(campaign, labeler)) is not None:
        answer(assignment, rightly=rightly, flags=flags)


def answer(assignment: Assignment, *, rightly: bool = True, flags: bool = True) -> None:
    better = GoldAnswer.objects.get(task=assignment.task_id).above[0][0]
    first = 1 if (assignment.order[0] == better) == rightly else 2
    letter = "AB"[assignment.order.index(better)]
    submit_now(assignment, flagged(ranked(first, 3 - first), **{letter: flags}))


def flagged(work: Work, **hallucinates: bool) -> Work:
    """Every flag answered with no, but for the hallucinations that are named by letter."""
    return Work(
        responses={
            letter: Said(rank=one.rank, flags={"misses_task": False, "hallucination": hallucinates.get(letter, False)})
            for letter, one in work.responses.items()
        }
    )


def test_real_work_is_kept_for_those_who_passed(qualification: Qualification, real: Campaign, ada: Labeler) -> None:
    with pytest.raises(KeptOut, match="for those who passed “Desk”"):
        claim(real, ada)
    take_all(campaign_of(qualification, 1), ada)
    assert claim(real, ada) is not None
    passed = QualificationTry.objects.get()
    assert (passed.state, passed.scores["comparisons"], passed.scores["flags"]) == ("passed", 1.0, 1.0)


def test_nobody_passes_by_answering_nothing(qualification: Qualification, ada: Labeler) -> None:
    first = campaign_of(qualification, 1)
    with pytest.raises(InvalidWork, match="That none is acceptable is no answer"):
        submit_now(must_claim(first, ada), Work(verdict="none_acceptable"))
    with pytest.raises(InvalidWork, match="“Misses the task” is not answered"):
        submit_now(must_claim(first, ada), ranked(1, 2))
    with pytest.raises(InvalidWork, match="Rank the responses, or skip"):
        submit_now(must_claim(first, ada), Work())
    # As it was in campaigns that were made before.
    Campaign.objects.filter(pk=first.pk).update(required=[])
    while (assignment := claim(first, ada)) is not None:
        better = GoldAnswer.objects.get(task=assignment.task_id).above[0][0]
        submit_now(assignment, ranked(*(1 if pk == better else 2 for pk in assignment.order)))
    settle(qualification, ada)
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores["comparisons"], tried.scores["flags"]) == ("failed", 1.0, 0.0)


def test_a_verdict_that_was_taken_in_a_screening_is_all_wrong(qualification: Qualification, ada: Labeler) -> None:
    for task in campaign_of(qualification, 1).tasks.all():
        Submission.objects.filter(pk=say(task, ada).pk).update(verdict="none_acceptable")
    QualificationTry.objects.create(qualification=qualification, labeler=ada)
    settle(qualification, ada)
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores["comparisons"]) == ("failed", 0.0)


def test_the_page_of_a_screening_does_not_offer_that_none_is_acceptable(
    project: Project, qualification: Qualification, labeler: User
) -> None:
    client = signed_in(labeler)
    for campaign, offers in ((make_campaign(project, shown=3), True), (campaign_of(qualification, 1), False)):
        for _ in range(2):  # From the kept page too.
            html = client.post(f"/projects/helpdesk/campaigns/{campaign.pk}/next/", follow=True).content.decode()
            assert 'data-screen="rank"' in html
            assert ("None acceptable" in html) is offers


def test_who_failed_tries_again_after_a_while_on_other_tasks(
    qualification: Qualification, real: Campaign, ada: Labeler
) -> None:
    first, second = campaign_of(qualification, 1), campaign_of(qualification, 2)
    with pytest.raises(KeptOut, match="yours is try 1"):
        claim(second, ada)
    take_all(first, ada, rightly=False)
    with pytest.raises(KeptOut, match="It can be tried again from"):
        claim(real, ada)
    with pytest.raises(KeptOut, match="from"):
        claim(second, ada)
    QualificationTry.objects.update(decided_at=timezone.now() - timedelta(days=8))
    take_all(second, ada)
    assert claim(real, ada) is not None
    prompts = [set(one.tasks.values_list("prompt", flat=True)) for one in (first, second)]
    assert not prompts[0] & prompts[1]


def test_after_the_last_try_it_is_over(qualification: Qualification, real: Campaign, ada: Labeler) -> None:
    Qualification.objects.update(tries=1)
    take_all(campaign_of(qualification, 1), ada, flags=False)
    with pytest.raises(KeptOut, match="it is over"):
        claim(real, ada)


def test_what_is_said_of_oneself_is_waited_for_and_counts(
    qualification: Qualification, real: Campaign, ada: Labeler
) -> None:
    Qualification.objects.update(self_assessed=["children", "elders"], groups_known=1)
    qualification.refresh_from_db()
    take_all(campaign_of(qualification, 1), ada)
    current = settle(qualification, ada)
    assert current is not None
    assert QualificationTry.objects.get().state == "open"
    assess_self(QualificationTry.objects.get(), ["elders", "martians"])
    with_answer = settle(Qualification.objects.get(), ada)
    assert with_answer is not None
    assert (with_answer.state, with_answer.knows) == ("passed", ["elders"])


def test_demonstrations_wait_for_grades_and_six_of_seven_is_the_cut_off(project: Project, ada: Labeler) -> None:
    Guideline.objects.create(project=project, kind="demonstration", version=1, body="x", published_at=timezone.now())
    for _ in range(2):
        make_prompt(project)
    made = Qualification.objects.create(project=project, name="Writing")
    campaign = add_screening(made, "demonstration", number=1, tasks=2).campaign
    for text in ("One.", "Two."):
        submit_now(must_claim(campaign, ada), Work(text=text))
    current = settle(made, ada)
    assert current is not None
    assert current.state == "open"
    rita = signed_in(User.objects.create_user("rita"))
    project.memberships.create(user=User.objects.get(username="rita"), role="reviewer")
    page = f"/projects/helpdesk/qualifications/{made.pk}/"
    assert rita.get(page).content.decode().count("Grade of submission") == 2
    for number, submission in enumerate(Assignment.objects.filter(campaign=campaign).values_list(
        "current_submission", flat=True)):  # fmt: skip
        assert rita.post(f"{page}grade/{submission}/", {"grade": "9"}).status_code == 302
        rita.post(f"{page}grade/{submission}/", {"grade": str(6 + number)})
    decided = QualificationTry.objects.get()
    assert (decided.state, decided.scores["demonstrations"]) == ("passed", 6.5)
    assert list(records_of(project, Kind.DEMONSTRATION)) == []


def test_probation_ends_badly_for_who_is_often_wrong_on_gold(
    project: Project, qualification: Qualification, real: Campaign, ada: Labeler
) -> None:
    Qualification.objects.update(probation=10)
    take_all(campaign_of(qualification, 1), ada)
    assert claim(real, ada) is not None
    gold = make_campaign(project, tasks=10, shown=2, requires=qualification)
    for task in gold.tasks.all():
        first, second = task.shown.order_by("place").values_list("response_id", flat=True)
        GoldAnswer.objects.create(task=task, above=[[first, second]])
        Task.objects.filter(pk=task.pk).update(aside="gold", open_slots=0)
        say(task, ada, (2, 1), occurrence=1, at=timezone.now() + timedelta(seconds=5))
    with pytest.raises(KeptOut, match="probation"):
        claim(gold, ada)
    assert QualificationTry.objects.get().state == "suspended"


def test_what_is_said_in_a_screening_is_no_data(project: Project, qualification: Qualification, ada: Labeler) -> None:
    take_all(campaign_of(qualification, 1), ada)
    assert list(records_of(project, Kind.RANKING)) == []


def test_gold_that_is_retired_judges_no_candidate_either(qualification: Qualification, ada: Labeler) -> None:
    first = campaign_of(qualification, 1)
    assignment = must_claim(first, ada)
    answer(assignment, rightly=False)
    prompt = assignment.task.prompt_id
    retire_gold(Task.objects.get(prompt=prompt, campaign__screening_of__isnull=True))
    take_all(first, ada)
    settle(qualification, ada)
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores["comparisons"]) == ("passed", 1.0)


@pytest.mark.parametrize(("state", "decided"), [("passed", "passed"), ("failed", "failed")])
def test_gold_that_those_who_passed_contradict_judges_no_candidate(
    project: Project, qualification: Qualification, ada: Labeler, state: str, decided: str
) -> None:
    first = campaign_of(qualification, 1)
    disputed = first.tasks.order_by("position")[0]
    for labeler in labelers_of(project, "ben cem dee"):
        QualificationTry.objects.create(qualification=qualification, labeler=labeler, state=state)
        say(disputed, labeler, (2, 1), flags=[{"hallucination": False}, {}])
    while (assignment := claim(first, ada)) is not None:
        answer(assignment, rightly=assignment.task_id != disputed.pk)
    settle(qualification, ada)
    assert QualificationTry.objects.get(labeler=ada).state == decided


@pytest.fixture
def three(project: Project) -> Qualification:
    """A try of three gold tasks, for which half of the pairs are enough."""
    source = make_campaign(project, tasks=3, shown=2)
    for task in source.tasks.all():
        first, second = task.shown.order_by("place").values_list("response_id", flat=True)
        GoldAnswer.objects.create(task=task, above=[[first, second]])
    made = Qualification.objects.create(project=project, name="Counter", comparisons=60)
    add_screening(made, "ranking", number=1, tasks=3)
    return made


def test_what_is_skipped_at_no_cost_is_counted_out(three: Qualification, ada: Labeler) -> None:
    first = campaign_of(three, 1)
    skip_now(must_claim(first, ada), SKIPS["distress"])
    answer(must_claim(first, ada))
    assert progress_of(three, [QualificationTry.objects.get()])[0].left == 1
    answer(must_claim(first, ada))
    assert claim(first, ada) is None
    settle(three, ada)
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores["comparisons"]) == ("passed", 1.0)


def test_what_is_skipped_for_another_reason_is_wrong(three: Qualification, ada: Labeler) -> None:
    first = campaign_of(three, 1)
    for _ in range(2):
        skip_now(must_claim(first, ada), SKIPS["unclear"])
    answer(must_claim(first, ada))
    settle(three, ada)
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores["comparisons"]) == ("failed", pytest.approx(1 / 3))


@pytest.mark.parametrize("why", ["avoided", "withdrawn", "own", "reviewed"])
def test_what_a_candidate_is_never_handed_is_counted_out(three: Qualification, ada: Labeler, why: str) -> None:
    first = campaign_of(three, 1)
    task = first.tasks.order_by("position")[1]
    if why == "avoided":
        Task.objects.filter(pk=task.pk).update(content=1)
        Labeler.objects.filter(pk=ada.pk).update(avoids=1)
    elif why == "withdrawn":
        set_aside(task, Task.Aside.WITHDRAWN)
    elif why == "reviewed":
        said = say(task, *labelers_of(three.project, "ben"), (1, 2))
        Review.objects.create(submission=said, reviewer=ada.user, state="accepted")
    else:
        Response.objects.filter(pk=task.shown.order_by("place")[0].response_id).update(labeler=ada, generator=None)
    ada.refresh_from_db()
    take_all(first, ada)
    assert QualificationTry.objects.get().state == "passed"


def test_a_person_decides_a_try_that_is_mostly_counted_out_or_that_no_gold_can_judge(
    three: Qualification, ada: Labeler, owner: User
) -> None:
    first = campaign_of(three, 1)
    for _ in range(2):
        skip_now(must_claim(first, ada), SKIPS["distress"])
    take_all(first, ada)
    page = f"/projects/helpdesk/qualifications/{three.pk}/"
    assert "2 of 3 tasks are counted out" in signed_in(owner).get(page).content.decode()
    Assignment.objects.filter(state="skipped").update(skip_reason="unclear")
    GoldAnswer.objects.update(retired_at=timezone.now())
    assert "No gold of this try is fit" in signed_in(owner).get(page).content.decode()
    assert QualificationTry.objects.get().state == "open"


def test_nobody_passes_what_has_no_tasks(project: Project, labeler: User) -> None:
    made = Qualification.objects.create(project=project, name="Empty")
    assert signed_in(labeler).post(f"/projects/helpdesk/qualifications/{made.pk}/mine/").status_code == 302
    assert QualificationTry.objects.get().state == "open"


def test_a_demonstration_that_is_skipped_has_the_lowest_grade(project: Project, ada: Labeler, owner: User) -> None:
    Guideline.objects.create(project=project, kind="demonstration", version=1, body="x", published_at=timezone.now())
    for _ in range(2):
        make_prompt(project)
    made = Qualification.objects.create(project=project, name="Writing")
    campaign = add_screening(made, "demonstration", number=1, tasks=2).campaign
    submission = submit_now(must_claim(campaign, ada), Work(text="One.")).submission
    skip_now(must_claim(campaign, ada), SKIPS["subject"])
    signed_in(owner).post(f"/projects/helpdesk/qualifications/{made.pk}/grade/{submission.pk}/", {"grade": "7"})
    tried = QualificationTry.objects.get()
    assert (tried.state, tried.scores["demonstrations"]) == ("failed", 4.0)


def test_the_page_of_many_candidates_asks_as_often_as_that_of_one(
    qualification: Qualification, django_assert_max_num_queries: Any
) -> None:
    first = campaign_of(qualification, 1)
    tasks, project = list(first.tasks.all()), qualification.project

    def try_it(names: str) -> None:
        for labeler in labelers_of(project, names):
            QualificationTry.objects.create(qualification=qualification, labeler=labeler)
            for task in tasks:
                say(task, labeler, (1, 2), flags=[{"hallucination": True}, {}])

    try_it("ben")
    assert [(one.state, of.progress.left) for one, of in candidates_of(qualification)] == [("passed", 0)]
    try_it("cem")
    with CaptureQueriesContext(connection) as of_one:
        assert [one.state for one, _ in candidates_of(qualification)] == ["passed"] * 2
    try_it("dee eva fay gus")
    with django_assert_max_num_queries(len(of_one)):
        assert [one.state for one, _ in candidates_of(qualification)] == ["passed"] * 6
    assert set(QualificationTry.objects.values_list("state", flat=True)) == {"passed"}


def test_what_a_person_decided_meanwhile_stays(qualification: Qualification, ada: Labeler, owner: User) -> None:
    for task in campaign_of(qualification, 1).tasks.all():
        say(task, ada, (1, 2), flags=[{"hallucination": True}, {}])
    seen = QualificationTry.objects.create(qualification=qualification, labeler=ada)
    decide_by_hand(QualificationTry.objects.get(), "failed", by=owner, why="A friend answered.")
    decide(qualification, [(seen, standings_of(qualification, [seen])[0])])
    assert QualificationTry.objects.get().state == "failed"


def test_a_screening_is_made_of_usable_gold_alone(project: Project, qualification: Qualification) -> None:
    source = make_campaign(project, tasks=2, shown=2)
    for task in source.tasks.all():
        first, second = task.shown.order_by("place").values_list("response_id", flat=True)
        GoldAnswer.objects.create(task=task, above=[[first, second]])
    for labeler in labelers_of(project, "ben cem dee"):
        say(source.tasks.order_by("position")[0], labeler, (2, 1), occurrence=1)
    Qualification.objects.update(tries=3)
    qualification.refresh_from_db()
    with pytest.raises(NothingFits, match="2 gold answers are wanted and 1"):
        add_screening(qualification, "ranking", number=3, tasks=2)
    assert add_screening(qualification, "ranking", number=3, tasks=1).campaign.tasks.count() == 1


def test_gold_that_is_corrected_is_corrected_in_its_screenings(
    project: Project, qualification: Qualification, owner: User
) -> None:
    copy = campaign_of(qualification, 1).tasks.first()
    assert copy is not None
    source = Task.objects.get(prompt=copy.prompt_id, campaign__screening_of__isnull=True)
    write_gold(source, owner, Gold(order="B > A"))
    assert GoldAnswer.objects.get(task=copy).above == GoldAnswer.objects.get(task=source).above
    write_gold(copy, owner, Gold(order="A > B"))
    copy.refresh_from_db()
    assert (copy.aside, copy.open_slots > 0) == ("", True)


def test_it_is_not_made_of_what_is_not_there(qualification: Qualification) -> None:
    Qualification.objects.update(tries=3)
    qualification.refresh_from_db()
    with pytest.raises(NothingFits, match="2 gold answers are wanted and 0"):
        add_screening(qualification, "ranking", number=3, tasks=2)
    with pytest.raises(InvalidSetting, match="already"):
        add_screening(qualification, "ranking", number=1, tasks=2)
    with pytest.raises(InvalidSetting, match="cannot be"):
        add_screening(qualification, "rating", number=3, tasks=2)


def test_an_owner_decides_otherwise_with_a_reason(
    qualification: Qualification, real: Campaign, ada: Labeler, owner: User
) -> None:
    take_all(campaign_of(qualification, 1), ada, rightly=False)
    settle(qualification, ada)
    page = f"/projects/helpdesk/qualifications/{qualification.pk}/tries/{QualificationTry.objects.get().pk}/"
    signed_in(owner).post(page, {"state": "passed", "why": " "})
    assert QualificationTry.objects.get().state == "failed"
    signed_in(owner).post(page, {"state": "passed", "why": "Gold was wrong."})
    assert QualificationTry.objects.get().decided_by == owner
    assert claim(real, ada) is not None


def test_the_pages_are_made_seen_and_kept(
    project: Project, qualification: Qualification, owner: User, labeler: User, stranger: User
) -> None:
    pages = "/projects/helpdesk/qualifications/"
    client = signed_in(owner)
    form = {
        "name": "More", "comparisons": "80", "flags": "75", "demonstrations": "6", "groups_known": "0", "tries": "1",
        "retake_days": "1", "probation": "0", "groups": "children\n\nelders\nchildren",
    }  # fmt: skip
    assert client.post(pages, form).status_code == 302
    assert Qualification.objects.get(name="More").self_assessed == ["children", "elders"]
    assert client.post(pages, form).status_code == 400
    one = f"{pages}{qualification.pk}/"
    assert "try 1" in client.get(one).content.decode()
    assert client.post(one, {"kind": "ranking", "number": "1", "tasks": "x"}).status_code == 400
    assert "comes before real work" in signed_in(labeler).get(f"{one}mine/").content.decode()
    for user, status in ((labeler, 403), (stranger, 404)):
        assert [signed_in(user).get(page).status_code for page in (pages, one)] == [status, status]
    assert signed_in(stranger).get(f"{one}mine/").status_code == 404
