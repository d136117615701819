"""A large project for measurements: judgments of rankings by the hundred thousand, and an evaluation as large."""

import random
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from labeling.models import (
    Assignment,
    Campaign,
    Cohort,
    CohortMember,
    Generator,
    Guideline,
    Judgment,
    Labeler,
    Membership,
    Project,
    Prompt,
    Response,
    Submission,
    Task,
    TaskResponse,
    User,
)
from training.models import Round, Stage

LABELERS = 40
RESPONSES = 4
OVERLAP = 2
DAYS = 120
SCALES = ("overall", "appropriate", "helpful", "on_topic")
FLAGS = ("misses_task", "hallucination", "inappropriate", "harmful", "denigrates", "opinion")
AT_ONCE = 5_000


def fill(judgments: int) -> Project:
    """A project with so many judgments of rankings, and as many ratings of an evaluation."""

    chance = random.Random(0)
    now = timezone.now()
    project = Project.objects.create(name="Large", slug="large")
    owner = User.objects.create_user("olga")
    Membership.objects.create(user=owner, project=project, role="owner")
    flags = [{"name": name, "label": name.capitalize().replace("_", " "), "letter": name[0]} for name in FLAGS]
    guideline = Guideline.objects.create(
        project=project, kind="ranking", version=1, body="Rank.", flags=flags, published_at=now
    )
    labelers = Labeler.objects.bulk_create(
        Labeler(project=project, pseudonym=f"L-{number:02}", source="imported") for number in range(LABELERS)
    )
    ability = {one.pk: chance.uniform(0.3, 2.0) for one in labelers}
    for name, half in (("terse", labelers[::2]), ("warm", labelers[1::2])):
        cohort = Cohort.objects.create(project=project, name=name)
        CohortMember.objects.bulk_create(
            CohortMember(cohort=cohort, labeler=one, since=now - timedelta(days=2 * DAYS)) for one in half
        )
    generators = [
        Generator.objects.create(project=project, name=name, kind=kind)
        for name, kind in (("base", "base"), ("sft", "sft"), ("ppo", "policy"), ("elsewhere", "external"))
    ]
    campaign = Campaign.objects.create(
        project=project, name="Wave", kind="ranking", guideline=guideline, overlap=OVERLAP, state="open"
    )
    tasks_wanted = max(1, judgments // (RESPONSES * OVERLAP))
    use_cases = Prompt.UseCase.values

    for start in range(0, tasks_wanted, AT_ONCE):
        some = range(start, min(tasks_wanted, start + AT_ONCE))
        prompts = Prompt.objects.bulk_create(
            Prompt(
                project=project, messages=[{"role": "user", "content": f"Question {number}"}], origin="import",
                use_case=use_cases[number % len(use_cases)], group_key=f"g{number}", split="train",
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
            Task(campaign=campaign, prompt=prompt, overlap=OVERLAP, open_slots=0, position=number)
            for number, prompt in zip(some, prompts, strict=True)
        )
        shown = [responses[RESPONSES * at : RESPONSES * (at + 1)] for at in range(len(tasks))]
        TaskResponse.objects.bulk_create(
            TaskResponse(task=task, response=response, place=place)
            for task, answers in zip(tasks, shown, strict=True)
            for place, response in enumerate(answers)
        )
        assignments = []
        for task, answers in zip(tasks, shown, strict=True):
            for labeler in chance.sample(labelers, OVERLAP):
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
        evaluation = _evaluation(owner)
        for statement in RATED:
            cursor.execute(
                statement,
                {"campaign": evaluation.pk, "guideline": evaluation.guideline_id, "project": evaluation.project_id},
            )
        cursor.execute(POINT_TO_SUBMISSIONS)
        cursor.execute("ANALYZE")
    return project


def _evaluation(owner: User) -> Campaign:
    """An empty rating campaign, which is the evaluation of the only round of a project of its own: the reports of the
    other are of rankings alone. The texts that are rated stay where they are."""
    project = Project.objects.create(name="Large evaluation", slug="large-evaluation")
    Membership.objects.create(user=owner, project=project, role="owner")
    Labeler.objects.bulk_create(
        Labeler(project=project, pseudonym=f"R-{number:02}", source="imported") for number in range(LABELERS)
    )
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

# Every response a task, rated by OVERLAP labelers; written by the server, since a million rows through objects take
# minutes.
RATED = (
    """INSERT INTO labeling_task
        (campaign_id, prompt_id, overlap, open_slots, room, position, returned, aside, content, created_at)
    SELECT %(campaign)s, prompt_id, 2, 0, 0, id, false, '', 0, now() FROM labeling_response""",
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
