"""Six labelers at once on a SQLite file. A program that its test runs: a test database in memory is no such file."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import django


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from labeling.assigning import claim
    from labeling.models import Labeler, Project, Submission, Task
    from tests.labeling.work import make_campaign, make_labeler, ranked, recounted_slots, submit_now, written

    call_command("migrate", verbosity=0)
    project = Project.objects.create(name="Helpdesk", slug="helpdesk")
    campaign = make_campaign(project, tasks=8, overlap=3)
    people = [make_labeler(project, f"person-{number}") for number in range(6)]

    writing = make_campaign(project, kind="prompt", quota=7, per_labeler=2)

    def work(person: Labeler) -> int:
        done = 0
        while assignment := claim(writing, person):
            submit_now(assignment, written(f"What is {assignment.pk} squared?"))
        while assignment := claim(campaign, person):
            submit_now(assignment, ranked(1, 2, 3, 4))
            done += 1
        connection.close()
        return done

    with ThreadPoolExecutor(len(people)) as threads:
        done = sum(threads.map(work, people))
    tasks = Task.objects.filter(campaign=campaign)
    told = {
        "vendor": connection.vendor,
        "done": done,
        "counted": Submission.objects.filter(counted=True, assignment__campaign=campaign).count(),
        "written": Submission.objects.filter(counted=True, assignment__campaign=writing).count(),
        "wrong_counters": sum(task.open_slots != recounted_slots(task) for task in tasks),
        "over": sum(task.assignments.filter(current_submission__counted=True).count() > task.overlap for task in tasks),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
