"""Tasks are added while people claim, on real connections."""

import pytest

from labeling.assigning import claim
from labeling.models import Assignment, Project, Task
from labeling.opening import make_tasks
from tests.labeling.test_races import assert_slots_are_exact, at_once, labelers
from tests.labeling.work import make_campaign, make_prompt, make_responses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def test_tasks_come_in_while_labelers_are_handed_others(project: Project) -> None:
    campaign = make_campaign(project, tasks=4, overlap=9)
    people = labelers(project, 3)
    for person in people:
        claim(campaign, person)
    for _ in range(6):
        Assignment.objects.update(state=Assignment.State.EXPIRED)
        Task.objects.update(open_slots=9)
        items = [(prompt, make_responses(prompt, ["a", "b"])) for prompt in (make_prompt(project) for _ in range(20))]

        def add(items: list = items) -> None:  # type: ignore[type-arg]
            make_tasks(campaign, items)

        at_once([*(lambda person=person: claim(campaign, person) for person in people), add])
    assert campaign.tasks.count() == 4 + 6 * 20
    assert_slots_are_exact(campaign)
