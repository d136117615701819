"""How long the reports take on a large project: pages asked for cold, one after another, and the memory they need.

    python bench/reports.py --judgments 200000

makes a project with so many judgments of ranked responses in a database of its own (the test database of DATABASE_URL),
asks for every report as a researcher would, and prints a table. Every page is asked for once, with empty caches.
"""

import argparse
import cProfile
import os
import pstats
import random
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("ACCORD_MODE", "local")

import django
from django.test.utils import setup_databases, setup_test_environment, teardown_databases

LABELERS = 40
RESPONSES = 4
OVERLAP = 2
DAYS = 120
FLAGS = ("misses_task", "hallucination", "inappropriate", "harmful", "denigrates", "opinion")
AT_ONCE = 5_000


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--judgments", type=int, default=200_000)
    options.add_argument("--profile", default="", help="name of a report: its functions by time, instead of the table")
    options.add_argument("--limit-seconds", type=float, default=3.0, help="a slower page makes the command fail")
    asked = options.parse_args()
    django.setup()
    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False)
    try:
        return measure(asked.judgments, asked.limit_seconds, asked.profile)
    finally:
        teardown_databases(made, verbosity=0)


def measure(judgments: int, limit: float, profiled: str) -> int:
    from django.core.cache import cache
    from django.db import connection

    began = time.perf_counter()
    client, pages = fill(judgments)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"{judgments:,} judgments made in {time.perf_counter() - began:.0f} s\n")
    if profiled:
        profiler = cProfile.Profile()
        profiler.runcall(client.get, pages[profiled])
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
        return 0
    print("| report | seconds | of them on this processor | queries | kB of page | most memory so far, MB |")
    print("|---|---|---|---|---|---|")
    slow = False
    for name, address in pages.items():
        cache.clear()
        seconds, busy, queries, size = ask(client, address)
        slow |= seconds > limit
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {name} | {seconds:.2f} | {busy:.2f} | {queries} | {size / 1000:.0f} | {most:.0f} |", flush=True)
    return int(slow)


def ask(client: Any, address: str) -> tuple[float, float, int, int]:
    """Seconds by the clock, seconds of this process, queries, bytes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        began, worked = time.perf_counter(), time.process_time()
        answer = client.get(address)
        seconds, busy = time.perf_counter() - began, time.process_time() - worked
    assert answer.status_code == 200, f"{address} answered {answer.status_code}"
    return seconds, busy, len(queries), len(answer.content)


def fill(judgments: int) -> tuple[Any, dict[str, str]]:
    """A client signed in as the owner, and the addresses of the reports by name."""
    from django.test import Client
    from django.urls import reverse
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
    generator = Generator.objects.create(project=project, name="sft", kind="sft")
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
            for _ in range(RESPONSES)
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
        for assignment, submission in zip(assignments, submissions, strict=True):
            assignment.current_submission = submission
        Assignment.objects.bulk_update(assignments, ["current_submission"], batch_size=2_000)
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
    client = Client()
    client.force_login(owner)
    names = ("agreement", "agreement_json", "quality", "quality_json", "bias", "bias_json")
    return client, {name: reverse(name, args=[project.slug]) for name in names}


if __name__ == "__main__":
    sys.exit(main())
