"""What a claim reads does not grow with the campaign."""

import json

import pytest
from django.db import connection
from django.utils import timezone

from labeling.assigning import claim, open_tasks
from labeling.models import Assignment, ClaimCursor, Project, Task
from labeling.opening import make_tasks
from tests.labeling.work import make_campaign, make_labeler, make_prompt, make_responses

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

TASKS = 4_000


def buffers_read(queryset) -> int:  # type: ignore[no-untyped-def]
    """Pages that PostgreSQL touches to find the first row, those of planning left out."""
    plan = json.loads(queryset[:1].explain(format="json", analyze=True, buffers=True))[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def test_a_lone_labeler_in_the_middle_of_a_long_campaign_reads_a_few_pages(project: Project) -> None:
    campaign = make_campaign(project, tasks=0, overlap=3)
    prompt = make_prompt(project)
    make_tasks(campaign, [(prompt, make_responses(prompt, list("abcd")))] * TASKS)
    ada = make_labeler(project, "ada")
    claim(campaign, ada)
    done = Task.objects.filter(campaign=campaign, position__range=(1, TASKS // 2))
    Assignment.objects.bulk_create(
        Assignment(task=task, campaign=campaign, labeler=ada, state=Assignment.State.SUBMITTED) for task in done
    )
    ClaimCursor.objects.filter(labeler=ada).update(position=TASKS // 2)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    ahead = open_tasks(campaign, ada, timezone.now()).filter(position__gt=TASKS // 2)
    assert buffers_read(ahead.select_for_update(skip_locked=True, of=("self",))) < 40
    assert buffers_read(ahead.filter(returned=True)) < 40
