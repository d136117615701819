"""A web server that is told to stop answers what it has begun, and what waits for a thread in it, before it goes."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import transaction

from labeling.models import Membership, Project, ProjectToken, Role, Submission, Task, User
from labeling.scopes import Scope
from tests.labeling.test_claim_races import wait_until_somebody_waits
from tests.labeling.work import make_campaign
from tests.security.served import Attacker, serve
from tests.security.test_labeler import claimed, rank

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres, pytest.mark.redis]

PEOPLE = 6
"""More than the server has threads: two of them wait in its queue."""
ON_THE_WAY_SECONDS = 1.0


def test_no_submission_is_lost_when_the_server_is_told_to_stop(project: Project, tmp_path: Path) -> None:
    campaign = make_campaign(project, tasks=PEOPLE, shown=2)
    with serve(tmp_path) as served, ThreadPoolExecutor(PEOPLE) as threads:
        people = [labeling(project, number, served.port) for number in range(PEOPLE)]
        held = [claimed(person, campaign) for person in people]
        with transaction.atomic():
            # A submission locks its task: all of them wait for this transaction.
            assert len(Task.objects.select_for_update().values_list("pk")) == PEOPLE
            paths = [f"/api/v1/projects/{project.slug}/assignments/{one['uuid']}/submit" for one in held]
            sent = [
                threads.submit(person.send, "POST", path, rank(one, 1, 2))
                for person, path, one in zip(people, paths, held, strict=True)
            ]
            wait_until_somebody_waits()
            time.sleep(ON_THE_WAY_SECONDS)
            served.process.send_signal(signal.SIGTERM)
            time.sleep(ON_THE_WAY_SECONDS)
            assert served.process.poll() is None, "it went while six people waited for an answer"
        assert [answer.result(30).status for answer in sent] == [200] * PEOPLE
        assert served.process.wait(30) == 0
    assert Submission.objects.filter(counted=True).count() == PEOPLE


def labeling(project: Project, number: int, port: int) -> Attacker:
    user = User.objects.create_user(username=f"person-{number}")
    Membership.objects.create(user=user, project=project, role=Role.LABELER)
    return Attacker(port, token=ProjectToken.make(user=user, project=project, scopes=[Scope.LABEL]))
