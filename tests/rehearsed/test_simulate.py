"""Simulated labelers at work: the rows of everybody, the rules of a claim and a submission, and room for people."""

import pytest
from django.db.models import Count

from labeling.assigning import claim, labeler_of
from labeling.checking import Said, Work
from labeling.models import (
    Assignment,
    Campaign,
    Cohort,
    Judgment,
    Labeler,
    Membership,
    Project,
    Response,
    Submission,
    Task,
    WorkKind,
)
from labeling.opening import close_campaign, make_tasks, open_campaign
from tests.labeling.work import recounted_slots, submit_now
from training.audience import audience_in
from training.founding import VILLAGERS
from training.models import Round, Stage
from training.rounds import open_ranking_campaign
from training.simulating import work_a_portion, work_on
from training.snapshots import freeze, path_of, read_query
from training.sweeping import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def campaign_of(round_: Round) -> Campaign:
    campaign = round_.stages.get(kind="rank").campaign
    assert campaign is not None
    return campaign


def work_until_done() -> int:
    made = 0
    while portion := work_a_portion():
        made += portion
    return made


def test_they_do_all_the_work_with_exact_overlap(ranked_round: Round) -> None:
    campaign = campaign_of(ranked_round)
    assert work_until_done() == 60 * 4
    assert work_a_portion() == 0
    counted = Submission.objects.filter(assignment__campaign=campaign, counted=True).values("assignment__task")
    assert {row["n"] for row in counted.annotate(n=Count("pk"))} == {4}
    assert all(task.open_slots == recounted_slots(task) for task in campaign.tasks.all())
    assert not Assignment.objects.exclude(current_submission__number=1).exists()


def test_each_task_is_judged_by_as_many_of_each_cohort(ranked_round: Round) -> None:
    work_until_done()
    said = Assignment.objects.values("task", "labeler__cohorts__cohort__name").annotate(n=Count("pk"))
    assert {(row["labeler__cohorts__cohort__name"], row["n"]) for row in said} == {("terse", 2), ("warm", 2)}
    loads = Assignment.objects.values("labeler").annotate(n=Count("pk")).values_list("n", flat=True)
    assert len(loads) == 10
    assert max(loads) - min(loads) <= 2


def test_a_round_for_one_cohort_alone_is_ranked_by_it_alone(ranked_round: Round) -> None:
    terse = Cohort.objects.get(name="terse")
    close_campaign(campaign_of(ranked_round))
    audience = audience_in(ranked_round.project, "alone", [str(terse.pk)])
    ranked_round.recipe["audience"] = audience.to_json()
    ranked_round.save()
    campaign = open_ranking_campaign(ranked_round, overlap=4)
    assert campaign.cohort == terse
    work_until_done()
    said = Assignment.objects.filter(campaign=campaign).values("labeler__cohorts__cohort__name")
    assert {row["labeler__cohorts__cohort__name"]: row["n"] for row in said.annotate(n=Count("pk"))} == {"terse": 240}


def test_what_they_say_is_a_ranking_that_a_page_would_take(ranked_round: Round) -> None:
    work_until_done()
    for submission in Submission.objects.select_related("assignment"):
        judgments = list(Judgment.objects.filter(submission=submission))
        assert {one.response_id for one in judgments} == set(submission.assignment.order)
        ranks = sorted({one.rank for one in judgments})
        assert ranks == list(range(1, len(ranks) + 1))


def test_they_work_in_portions_between_which_others_can_work(ranked_round: Round) -> None:
    assert work_on(campaign_of(ranked_round), tasks_at_once=10) == 40
    assert Task.objects.filter(open_slots=0).count() == 5  # of ten: the first five have room for somebody
    assert Task.objects.filter(open_slots=1).count() == 5


def test_room_for_a_person_stays_and_the_round_does_not_wait_for_it(ranked_round: Round, rehearsal: Project) -> None:
    work_until_done()
    assert Task.objects.filter(open_slots=1).count() == 5
    sweep()
    assert ranked_round.stages.get(kind="rank").state == Stage.State.DONE
    me = labeler_of(Membership.objects.get(project=rehearsal))
    assignment = claim(campaign_of(ranked_round), me)
    assert assignment is not None
    said = {letter: Said(rank=place) for place, letter in enumerate("ABCD"[: len(assignment.order)], start=1)}
    assert submit_now(assignment, Work(responses=said)).submission.counted


def test_a_person_who_is_faster_takes_a_slot_and_is_not_doubled(ranked_round: Round, rehearsal: Project) -> None:
    campaign = campaign_of(ranked_round)
    me = labeler_of(Membership.objects.get(project=rehearsal))
    Task.objects.filter(campaign=campaign).update(overlap=4, open_slots=4)
    held = claim(campaign, me)
    assert held is not None
    work_until_done()
    held.task.refresh_from_db()
    assert (held.task.open_slots, held.task.assignments.count()) == (0, 4)
    sweep()
    assert ranked_round.stages.get(kind="rank").state == Stage.State.RUNNING  # until what they hold is in


def test_nothing_of_a_person_is_ever_simulated(ranked_round: Round) -> None:
    Labeler.objects.filter(pseudonym="simulated-terse-1").update(source=Labeler.Source.IMPORTED)
    work_until_done()
    assert not Assignment.objects.filter(labeler__pseudonym="simulated-terse-1").exists()


def test_a_closed_campaign_and_one_of_a_real_project_are_left_alone(ranked_round: Round, rehearsal: Project) -> None:
    Project.objects.filter(pk=rehearsal.pk).update(simulated=False)
    assert work_a_portion() == 0
    Project.objects.filter(pk=rehearsal.pk).update(simulated=True)
    close_campaign(campaign_of(ranked_round))
    assert work_a_portion() == 0


def test_the_reward_model_learns_for_whom_each_ranking_speaks(ranked_round: Round, rehearsal: Project) -> None:
    work_until_done()
    frozen = freeze(rehearsal, read_query({"kind": "rankings", "simulated": "include"}))
    text = path_of(frozen).read_text().replace(" ", "")
    assert frozen.rows == 60
    assert text.count('"condition":"warm"') == text.count('"condition":"terse"') == 120
    assert freeze(rehearsal, read_query({"kind": "rankings"})).rows == 0


def test_the_raters_are_other_persons_and_say_all_that_the_guideline_asks(ranked_round: Round) -> None:
    campaign = rating_campaign(ranked_round)
    assert work_until_done() == 6 * 4 + 60 * 4
    raters = set(Assignment.objects.filter(campaign=campaign).values_list("labeler__pseudonym", flat=True))
    rankers = set(Assignment.objects.exclude(campaign=campaign).values_list("labeler__pseudonym", flat=True))
    assert raters == {one.name for one in VILLAGERS[WorkKind.RATING]}
    assert not raters & rankers
    for judgment in Judgment.objects.filter(submission__assignment__campaign=campaign):
        assert set(judgment.ratings) == set(campaign.guideline.scale_names)
        assert set(judgment.flags) == set(campaign.guideline.flag_names)
        assert judgment.rank is None


def rating_campaign(round_: Round) -> Campaign:
    project = round_.project
    campaign = Campaign.objects.create(
        project=project, kind="rating", guideline=project.guidelines.get(kind="rating"), overlap=4, name="Rate",
        required=["ratings"], blind=True,
    )  # fmt: skip
    responses = Response.objects.filter(generator__isnull=False).select_related("prompt")[:6]
    make_tasks(campaign, [(one.prompt, [one]) for one in responses])
    open_campaign(campaign)
    round_.stages.filter(kind="evaluate").update(campaign=campaign, state="running")
    return campaign
