"""A large project for measurements: judgments of rankings by the hundred thousand, and an evaluation as large, with all
that the reports read: cohorts, background answers, gold, a qualification, models told for cohorts."""

import random
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from bench.large_models import fill_models
from labeling.models import (
    Assignment,
    Background,
    BackgroundForm,
    Campaign,
    Cohort,
    CohortMember,
    Generator,
    GoldAnswer,
    Guideline,
    Judgment,
    Labeler,
    Membership,
    Project,
    Prompt,
    Qualification,
    QualificationTry,
    Response,
    Screening,
    Submission,
    Task,
    TaskResponse,
    User,
)
from training.models import Round, Stage

LABELERS = 40
OVERLAP = 2
DAYS = 120
SCALES = ("overall", "appropriate", "helpful", "on_topic")
FLAGS = ("misses_task", "hallucination", "inappropriate", "harmful", "denigrates", "opinion")
AT_ONCE = 5_000
VALID_SHARE = 10
"""One prompt in so many is held out from training."""
GOLD = 200
AUTHORS = 7
"""Whoever the evaluation compares: four generators, one of them told for two cohorts too, and people."""


@dataclass(frozen=True)
class Size:
    """Of the rankings. overlap: labelers a task."""

    judgments: int
    responses: int = 4
    overlap: int = 2

    @property
    def tasks(self) -> int:
        return max(1, self.judgments // (self.responses * self.overlap))


def fill(size: Size, *, name: str = "Large", evaluated: bool = True) -> Project:
    """A project with so many judgments of rankings; evaluated: with as many ratings, models and a qualification."""

    chance = random.Random(0)
    now = timezone.now()
    project = Project.objects.create(name=name, slug=name.lower().replace(" ", "-"))
    owner, _ = User.objects.get_or_create(username="olga")
    Membership.objects.create(user=owner, project=project, role="owner")
    flags = [{"name": name, "label": name.capitalize().replace("_", " "), "letter": name[0]} for name in FLAGS]
    guideline = Guideline.objects.create(
        project=project, kind="ranking", version=1, body="Rank.", flags=flags, published_at=now
    )
    labelers = Labeler.objects.bulk_create(
        Labeler(project=project, pseudonym=f"L-{number:02}", source="imported") for number in range(LABELERS)
    )
    ability = {one.pk: chance.uniform(0.3, 2.0) for one in labelers}
    _cohorts(project, labelers)
    _background(project, labelers)
    kinds = (("base", "base"), ("sft", "sft"), ("ppo", "policy"), ("elsewhere", "external"))
    generators = [
        Generator.objects.create(project=project, name=made, kind=kind)
        for made, kind in (*kinds, *((f"elsewhere {number}", "external") for number in range(2, size.responses - 2)))
    ][: size.responses]
    campaign = Campaign.objects.create(
        project=project, name="Wave", kind="ranking", guideline=guideline, overlap=size.overlap, state="open"
    )
    tasks_wanted = size.tasks
    use_cases = Prompt.UseCase.values

    for start in range(0, tasks_wanted, AT_ONCE):
        some = range(start, min(tasks_wanted, start + AT_ONCE))
        prompts = Prompt.objects.bulk_create(
            Prompt(
                project=project, messages=[{"role": "user", "content": f"Question {number}"}],
                origin=("import", "labeler")[number % 2],
                use_case=use_cases[number % len(use_cases)], group_key=f"g{number % (tasks_wanted // 2 + 1)}",
                split="train" if number % VALID_SHARE else "valid", language=("en", "de", "tr")[number % 3],
                fingerprint=f"{number:064}",
            )
            for number in some
        )  # fmt: skip
        responses = Response.objects.bulk_create(
            Response(prompt=prompt, generator=generator, text="word " * chance.randrange(5, 60))
            for prompt in prompts
            for generator in generators
        )
        tasks = Task.objects.bulk_create(
            Task(campaign=campaign, prompt=prompt, overlap=size.overlap, open_slots=0, position=number)
            for number, prompt in zip(some, prompts, strict=True)
        )
        shown = [responses[size.responses * at : size.responses * (at + 1)] for at in range(len(tasks))]
        TaskResponse.objects.bulk_create(
            TaskResponse(task=task, response=response, place=place)
            for task, answers in zip(tasks, shown, strict=True)
            for place, response in enumerate(answers)
        )
        assignments = []
        for task, answers in zip(tasks, shown, strict=True):
            for labeler in chance.sample(labelers, size.overlap):
                order = [one.pk for one in answers]
                chance.shuffle(order)
                assignments.append(
                    Assignment(task=task, campaign=campaign, labeler=labeler, state="submitted", order=order)
                )
        Assignment.objects.bulk_create(assignments)
        submissions = Submission.objects.bulk_create(
            Submission(
                assignment=one, number=1, key=one.uuid, counted=True, active_ms=chance.randrange(20_000, 400_000),
                guideline=guideline,
                submitted_at=now - timedelta(days=DAYS * (1 - one.task.position / tasks_wanted), seconds=one.pk % 999),
            )
            for one in assignments
        )  # fmt: skip
        said = []
        for assignment, submission in zip(assignments, submissions, strict=True):
            felt = {pk: ability[assignment.labeler_id] * -place + chance.gauss(0, 1) for place, pk in
                    enumerate(sorted(assignment.order))}  # fmt: skip
            best_first = sorted(felt, key=lambda pk: -felt[pk])
            for rank, pk in enumerate(best_first, start=1):
                said.append(
                    Judgment(
                        submission=submission, response_id=pk, rank=rank,
                        ratings={"overall": min(7, max(1, round(4 + felt[pk])))},
                        flags={name: chance.random() < 0.03 for name in FLAGS},
                    )
                )  # fmt: skip
        Judgment.objects.bulk_create(said, batch_size=2_000)
    with connection.cursor() as cursor:
        cursor.execute(POINT_TO_SUBMISSIONS)
        _gold(campaign)
        if evaluated:
            _qualification(project, guideline, labelers)
            evaluation = _evaluation(owner)
            numbers = {
                "campaign": evaluation.pk, "guideline": evaluation.guideline_id, "project": evaluation.project_id,
                "of": project.pk, "prompts": max(1, size.judgments // (AUTHORS * OVERLAP)), "labeler": labelers[0].pk,
                "policy": generators[2].pk,
            }  # fmt: skip
            for statement in (*WRITTEN, *RATED):
                cursor.execute(statement, numbers)
            cursor.execute(POINT_TO_SUBMISSIONS)
        cursor.execute("ANALYZE")
    if evaluated:
        fill_models(project)
    return project


def _cohorts(project: Project, labelers: list[Labeler]) -> None:
    since = timezone.now() - timedelta(days=2 * DAYS)
    for name, half in (("terse", labelers[::2]), ("warm", labelers[1::2])):
        cohort = Cohort.objects.create(project=project, name=name)
        CohortMember.objects.bulk_create(CohortMember(cohort=cohort, labeler=one, since=since) for one in half)


def _background(project: Project, labelers: list[Labeler]) -> None:
    """Two questions that everybody answered, beside a population."""
    asked = {"age": ["18 to 34", "35 and over"], "language": ["English", "German", "Turkish"]}
    BackgroundForm.objects.create(
        project=project, consent="Yes.", reference_source="a census",
        questions=[{"name": name, "label": name.capitalize(), "choices": some} for name, some in asked.items()],
        reference={name: dict.fromkeys(some, 1 / len(some)) for name, some in asked.items()},
    )  # fmt: skip
    Background.objects.bulk_create(
        Background(
            labeler=one, answers={name: some[at % len(some)] for name, some in asked.items()}, consent="Yes.",
            consented_at=timezone.now(),
        )
        for at, one in enumerate(labelers)
    )  # fmt: skip


def _gold(campaign: Campaign) -> None:
    """The first tasks are gold, whose order is that of storage."""
    for task in campaign.tasks.order_by("position").prefetch_related("responses")[:GOLD]:
        ids = sorted(task.responses.values_list("pk", flat=True))
        GoldAnswer.objects.create(task=task, above=[[ids[0], ids[1]], [ids[1], ids[-1]]])


def _qualification(project: Project, guideline: Guideline, labelers: list[Labeler]) -> None:
    """One that everybody tried: a screening campaign of 20 gold tasks, each answered by all."""
    qualification = Qualification.objects.create(project=project, name="Everybody")
    campaign = Campaign.objects.create(
        project=project, name="Screening", kind="ranking", guideline=guideline, overlap=LABELERS, state="open"
    )
    Screening.objects.create(qualification=qualification, campaign=campaign)
    for place, prompt in enumerate(project.prompts.order_by("pk")[:20]):
        answers = list(prompt.responses.order_by("pk"))
        task = Task.objects.create(
            campaign=campaign, prompt=prompt, overlap=LABELERS, open_slots=0, position=place
        )  # fmt: skip
        TaskResponse.objects.bulk_create(
            TaskResponse(task=task, response=one, place=at) for at, one in enumerate(answers)
        )
        GoldAnswer.objects.create(task=task, above=[[answers[0].pk, answers[1].pk]])
        for labeler in labelers:
            assignment = Assignment.objects.create(
                task=task, campaign=campaign, labeler=labeler, state="submitted", order=[one.pk for one in answers]
            )
            submission = Submission.objects.create(
                assignment=assignment, number=1, key=assignment.uuid, counted=True, guideline=guideline,
                active_ms=30_000, submitted_at=timezone.now(),
            )  # fmt: skip
            Judgment.objects.bulk_create(
                Judgment(submission=submission, response=one, rank=at + 1, ratings={"overall": 4}, flags={})
                for at, one in enumerate(answers)
            )
            Assignment.objects.filter(pk=assignment.pk).update(current_submission=submission)
    QualificationTry.objects.bulk_create(
        QualificationTry(
            qualification=qualification, labeler=one, state="passed", scores={"comparisons": 0.9},
            decided_at=timezone.now(),
        )
        for one in labelers
    )  # fmt: skip


def _evaluation(owner: User) -> Campaign:
    """An empty rating campaign, which is the evaluation of the only round of a project of its own: the reports of the
    other are of rankings alone. The texts that are rated stay where they are."""
    project = Project.objects.create(name="Large evaluation", slug="large-evaluation")
    Membership.objects.create(user=owner, project=project, role="owner")
    labelers = Labeler.objects.bulk_create(
        Labeler(project=project, pseudonym=f"R-{number:02}", source="imported") for number in range(LABELERS)
    )
    _cohorts(project, labelers)
    scales = [{"name": name, "label": name, "low": "bad", "high": "good"} for name in SCALES]
    flags = [{"name": name, "label": name, "letter": name[0]} for name in FLAGS]
    guideline = Guideline.objects.create(
        project=project, kind="rating", version=1, body="Rate.", scales=scales, flags=flags, published_at=timezone.now()
    )
    campaign = Campaign.objects.create(
        project=project, name="Round 1: rate", kind="rating", guideline=guideline, overlap=OVERLAP, state="open",
        blind=True,
    )  # fmt: skip
    round_ = Round.objects.create(project=project, number=1)
    Stage.objects.create(round=round_, kind="evaluate", place=0, state="running", campaign=campaign)
    return campaign


POINT_TO_SUBMISSIONS = """
    UPDATE labeling_assignment a SET current_submission_id = s.id FROM labeling_submission s
    WHERE s.assignment_id = a.id AND a.current_submission_id IS NULL"""

# Of the first prompts: what the policy wrote for each cohort, and what somebody wrote.
WRITTEN = (
    """INSERT INTO labeling_response
        (prompt_id, generator_id, labeler_id, text, sampling, judged_only, finish_reason, review_state, external_id,
        created_at)
    SELECT p.id, w.generator, w.labeler, 'words and words', w.sampling, false, 'stop', '', '', now()
    FROM (SELECT id FROM labeling_prompt WHERE project_id = %(of)s ORDER BY id LIMIT %(prompts)s) p
    CROSS JOIN (VALUES
        (%(policy)s::bigint, NULL::bigint, '{"job": 1, "condition": "terse"}'::jsonb),
        (%(policy)s::bigint, NULL::bigint, '{"job": 1, "condition": "warm"}'::jsonb),
        (NULL::bigint, %(labeler)s::bigint, '{}'::jsonb)) w(generator, labeler, sampling)""",
)

# Every response a task, rated by OVERLAP labelers; written by the server, since a million rows through objects take
# minutes.
RATED = (
    """INSERT INTO labeling_task
        (campaign_id, prompt_id, overlap, open_slots, room, position, returned, aside, content, created_at)
    SELECT %(campaign)s, prompt_id, 2, 0, 0, id, false, '', 0, now() FROM labeling_response
    WHERE prompt_id IN (SELECT id FROM labeling_prompt WHERE project_id = %(of)s ORDER BY id LIMIT %(prompts)s)""",
    """INSERT INTO labeling_taskresponse (task_id, response_id, place)
    SELECT id, position, 0 FROM labeling_task WHERE campaign_id = %(campaign)s""",
    """INSERT INTO labeling_assignment
        (uuid, task_id, campaign_id, labeler_id, occurrence, state, lease_token, skip_reason, "order", draft,
        created_at)
    SELECT gen_random_uuid(), t.id, %(campaign)s, l.id, 0, 'submitted', gen_random_uuid(), '',
        jsonb_build_array(t.position), '{}', now()
    FROM labeling_task t CROSS JOIN generate_series(0, 1) again
    JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM labeling_labeler
        WHERE project_id = %(project)s) l
        ON l.place = (t.position * 7 + again * (1 + t.position %% 13)) %% 40
    WHERE t.campaign_id = %(campaign)s""",
    """INSERT INTO labeling_submission
        (assignment_id, number, key, counted, verdict, note, active_ms, guideline_id, submitted_at)
    SELECT id, 1, gen_random_uuid(), true, '', '', 20000 + (random() * 90000)::int, %(guideline)s,
        now() - random() * interval '30 days'
    FROM labeling_assignment WHERE campaign_id = %(campaign)s""",
    """INSERT INTO labeling_judgment (submission_id, response_id, ratings, flags, note)
    SELECT s.id, t.position, jsonb_build_object(
            'overall', 1 + floor(random() * 7), 'appropriate', 1 + floor(random() * 7),
            'helpful', 1 + floor(random() * 7), 'on_topic', 1 + floor(random() * 7)),
        jsonb_build_object(
            'misses_task', random() < 0.03, 'hallucination', random() < 0.03, 'inappropriate', random() < 0.03,
            'harmful', random() < 0.03, 'denigrates', random() < 0.03, 'opinion', random() < 0.03), ''
    FROM labeling_submission s JOIN labeling_assignment a ON a.id = s.assignment_id
    JOIN labeling_task t ON t.id = a.task_id WHERE a.campaign_id = %(campaign)s""",
)
