"""What a claim reads does not grow with the campaign."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from labeling.assigning import claim, open_tasks
from labeling.models import Assignment, Campaign, ClaimCursor, Labeler, Project, Review, Submission, Task, WorkKind
from labeling.opening import make_tasks
from labeling.standing import left_nearby
from tests.labeling.work import make_campaign, make_labeler, make_prompt, make_responses

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

TASKS = 4_000


def buffers_read(queryset) -> int:  # type: ignore[no-untyped-def]
    """Pages that PostgreSQL touches to find the first row, those of planning left out."""
    plan = json.loads(queryset[:1].explain(format="json", analyze=True, buffers=True))[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def long_campaign(project: Project, ada: Labeler, analyze: Callable[[], None], *, done: int, at: int) -> Campaign:
    """TASKS tasks, all open, of which ada submitted the first ones; her cursor stands at a position."""
    campaign = make_campaign(project, tasks=0, overlap=3)
    prompt = make_prompt(project)
    make_tasks(campaign, [(prompt, make_responses(prompt, list("abcd")))] * TASKS)
    Assignment.objects.bulk_create(
        Assignment(task=task, campaign=campaign, labeler=ada, state=Assignment.State.SUBMITTED)
        for task in Task.objects.filter(campaign=campaign, position__lt=done)
    )
    ClaimCursor.objects.create(campaign=campaign, labeler=ada, position=at)
    analyze()
    return campaign


@pytest.mark.parametrize(("done", "at"), [(TASKS - 3, TASKS // 2), (TASKS - 3, 0), (TASKS // 2, TASKS // 2), (0, -1)])
def test_what_a_task_page_says_is_left_reads_as_little_in_a_long_campaign(
    project: Project, analyze: Callable[[], None], done: int, at: int
) -> None:
    ada = make_labeler(project, "ada")
    campaign = long_campaign(project, ada, analyze, done=done, at=at)
    asked = []

    def listen(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        left_nearby(campaign, ada)
    with connection.cursor() as cursor:
        read = 0
        for sql, params in asked:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
            plan = cursor.fetchone()[0]
            plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
            read += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert read < 2_500


def test_a_lone_labeler_in_the_middle_of_a_long_campaign_reads_a_few_pages(
    project: Project, analyze: Callable[[], None]
) -> None:
    ada = make_labeler(project, "ada")
    campaign = long_campaign(project, ada, analyze, done=TASKS // 2, at=TASKS // 2)
    ahead = open_tasks(campaign, ada, timezone.now()).filter(position__gt=TASKS // 2)
    assert buffers_read(ahead.select_for_update(skip_locked=True, of=("self",))) < 40
    assert buffers_read(ahead.filter(returned=True)) < 40


def test_a_reviewer_in_a_long_campaign_reads_little_more(project: Project, analyze: Callable[[], None]) -> None:
    """A thousand reviews of others' texts; each campaign's task is a prompt that somebody wrote."""
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    campaign = long_campaign(project, ada, analyze, done=TASKS // 2, at=TASKS // 2)
    written = make_campaign(project, kind=WorkKind.PROMPT)
    tasks = Task.objects.bulk_create(
        Task(campaign=written, overlap=1, open_slots=0, position=place) for place in range(1000)
    )
    assignments = Assignment.objects.bulk_create(
        Assignment(task=task, campaign=written, labeler=ben, state=Assignment.State.SUBMITTED) for task in tasks
    )
    submissions = Submission.objects.bulk_create(
        Submission(
            assignment=one,
            number=1,
            key=uuid4(),
            counted=True,
            guideline=written.guideline,
            submitted_at=timezone.now(),
        )
        for one in assignments
    )
    Review.objects.bulk_create(Review(submission=one, reviewer=ada.user, state="accepted") for one in submissions)
    analyze()
    ahead = open_tasks(campaign, ada, timezone.now()).filter(position__gt=TASKS // 2)
    assert buffers_read(ahead.select_for_update(skip_locked=True, of=("self",))) < 120
    assert claim(campaign, ada)
