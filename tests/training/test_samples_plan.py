"""The page of a job that sampled reads what the job wrote, however much others wrote in the project."""

import json
from collections.abc import Callable

import pytest
from django.db import connection

from labeling.models import Project, Response
from tests.labeling.work import make_prompt
from tests.training.making import generator
from training.models import Job, Round
from training.views.samples import reading_of

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


def test_it_reads_as_little_in_a_project_with_many_responses(
    project: Project, round_with_base: Round, analyze: Callable[[], None]
) -> None:
    stage = round_with_base.stages.get(kind="sample")
    job = Job.objects.create(project=project, stage=stage, kind="sample", config={}, state="done")
    prompts, by = [make_prompt(project) for _ in range(50)], generator(project)
    Response.objects.bulk_create(
        Response(prompt=prompts[number % 50], generator=by, text="x" * 400, sampling={"job": job.pk - number // 20})
        for number in range(8000)
    )
    analyze()
    asked = []

    def listen(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        assert reading_of(job, {}).many == 20
    read = 0
    for sql, params in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
            plan = cursor.fetchone()[0]
        plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
        read += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert read < 150
