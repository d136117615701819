"""What the console's pages show of a project, without the numbers of rows, to be compared with another's."""

import re
from html import unescape

from django.test import Client
from django.urls import reverse

from labeling.models import Project, User
from training.models import Checkpoint, Job

Shown = dict[str, list[str]]
"""By the name of a page: its sentences, figures, tables and curves, in their order."""

PIECES = re.compile(
    r'<(?P<tag>h1|dd|td|th|blockquote|p|li)\b[^>]*>(?P<text>.*?)</(?P=tag)>|\bd="(?P<path>M[^"]*)"', re.DOTALL
)
NUMBERS = re.compile(r"\b(Job|job|Prompt|prompt|Response|response|Task|task) \d+\b")


def addresses(project: Project) -> dict[str, str]:
    """Every page of the console that shows something of the rounds, by a name without numbers of rows."""
    slug = project.slug
    found = {}
    for round_ in project.rounds.all():
        page = reverse("round", args=[slug, round_.number])
        for stage in round_.stages.all():
            found[f"round {round_.number}, {stage.kind}"] = f"{page}?stage={stage.kind}"
        if round_.stages.filter(kind="evaluate").exists():
            found[f"evaluation of round {round_.number}"] = reverse("evaluation", args=[slug, round_.number])
    for job in Job.objects.filter(project=project).select_related("stage__round"):
        assert job.stage is not None
        found[f"job {job.stage.round.number}, {job.stage.kind}"] = reverse("job", args=[slug, job.pk])
    for checkpoint in Checkpoint.objects.filter(project=project):
        found[f"model {checkpoint.name}"] = reverse("checkpoint", args=[slug, checkpoint.pk])
    for campaign in project.campaigns.all():
        found[f"tasks of {campaign.name}"] = reverse("campaign_tasks", args=[slug, campaign.pk])
        for task in campaign.tasks.all()[:3]:
            at = f"{task.position} of {campaign.name}"
            found[f"task {at}"] = reverse("campaign_task", args=[slug, campaign.pk, task.pk])
            assert task.prompt_id is not None
            found[f"prompt of task {at}"] = reverse("prompt", args=[slug, task.prompt_id])
    return found


def other_pages(project: Project) -> list[str]:
    """Lists and the like: their sums hold what was not recorded too."""
    names = (
        "project",
        "rounds",
        "jobs",
        "checkpoints",
        "prompts",
        "responses",
        "campaigns",
        "guidelines",
        "people",
        "cohorts",
    )
    return [reverse(name, args=[project.slug]) for name in names]


def everything_shown(project: Project, user: User) -> Shown:
    client = Client()
    client.force_login(user)
    return {name: shown(client, address) for name, address in addresses(project).items()}


def shown(client: Client, address: str) -> list[str]:
    answer = client.get(address)
    assert answer.status_code == 200, f"{address} answers {answer.status_code}"
    main = re.search(r"<main.*?</main>", answer.content.decode(), re.DOTALL)
    assert main is not None, address
    found = []
    for piece in PIECES.finditer(main[0]):
        text = piece["path"] if piece["text"] is None else unescape(re.sub(r"<[^>]+>", " ", piece["text"]))
        found.append(NUMBERS.sub(r"\1 #", " ".join(text.split())))
    return found
