"""A round that is trained to the end with models that only look like some, and evaluations of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db.models import F
from django.utils import timezone

from labeling.checking import Said, Work
from labeling.models import (
    Assignment,
    Campaign,
    Generator,
    Guideline,
    Labeler,
    Project,
    Prompt,
    Response,
    Task,
)
from labeling.opening import make_tasks, open_campaign
from labeling.submitting import submit
from tests.training.making import base_model_folder, prompt, reload, writer
from training import jobs
from training.models import Checkpoint, Job, Round, Stage
from training.rlhf.contract import records
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.run_folder import DataFile, write_json
from training.run_folders import run_folder
from training.settling import Ending, settle
from training.snapshot_rows import prompt_id
from training.snapshots import path_of

SCALES = [{"name": name, "label": name, "low": "a", "high": "b"} for name in
          ("overall", "appropriate", "helpful", "on_topic")]  # fmt: skip
FLAGS = [{"name": "hallucination", "label": "Hallucination", "letter": "h"}]


def trained(round_: Round, settings: Any) -> Round:
    """SFT and PPO are done, with a checkpoint each, and Evaluate is ready."""
    for kind, model in (("sft", "sft"), ("ppo", "policy")):
        checkpoint(round_, settings, kind=kind, model=model)
    round_.stages.exclude(kind="evaluate").update(state="done")
    round_.stages.filter(kind="evaluate").update(state="ready")
    return round_


def checkpoint(round_: Round, settings: Any, *, kind: str, model: str) -> Checkpoint:
    stage = round_.stages.get(kind=kind)
    job = Job.objects.create(project=round_.project, stage=stage, kind=kind, config={}, state="done")
    base_model_folder(settings.RUNS_DIR / str(job.pk) / "model")
    name = f"r{round_.number}-{kind}"
    return Checkpoint.objects.create(
        project=round_.project, kind=model, name=name, uri=f"{job.pk}/model", job=job,
        generator=Generator.objects.create(project=round_.project, name=name, kind=model),
    )  # fmt: skip


def rating_guideline(project: Project, *, version: int = 1, scales: list[dict[str, str]] = SCALES) -> Guideline:
    return Guideline.objects.create(
        project=project, kind="rating", version=version, body="Rate.", scales=scales, flags=FLAGS,
        published_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


def held_out(project: Project, number: int, **more: object) -> list[Prompt]:
    return [prompt(project, split="test", **more) for _ in range(number)]


def row(pk: int, generator: str, text: str | None = None, **more: object) -> records.Response:
    told: dict[str, Any] = {"text": f"{generator} on {pk}" if text is None else text, "finish": "stop"} | more
    return records.Response(
        id=f"{prompt_id(pk)}.{generator}.{more.get('copy', 0)}", prompt=prompt_id(pk), token_ids=(5, 6, 2),
        logprob=-3.5, generator=generator, **{key: value for key, value in told.items() if key != "copy"},
    )  # fmt: skip


def asked(job: Job) -> list[int]:
    """Primary keys of the prompts that the job was given."""
    (one,) = job.inputs.filter(snapshot__isnull=False).select_related("snapshot")
    assert one.snapshot is not None
    return [int(found.id[1:]) for found in records.read_rows(path_of(one.snapshot), records.Prompt)]


def answered(job: Job, rows: Iterable[records.Response]) -> Job:
    """The job after its stage wrote these rows and was done."""
    folder = run_folder(job)
    folder.output("responses").parent.mkdir(parents=True)
    written = records.write_rows(folder.output("responses"), sorted(rows, key=lambda one: one.id))
    file = DataFile(name="responses", kind="response", **written.to_json())
    write_json(folder.output_manifest, [file.to_json()])
    write_json(folder.report, {"responses": written.rows})
    claim = jobs.claim(job.pk, "test")
    assert claim
    settle(claim, folder, Ending(ExitCode.DONE, 0), stopping=False)
    return reload(job)


def answered_by_all(job: Job) -> Job:
    generators = job.config["models"]["generators"]
    return answered(job, [row(pk, name) for pk in asked(job) for name in generators])


@dataclass(frozen=True)
class Rater:
    """overall: (author's kind, number of the prompt) -> rating; flagged: where the answer to the flag is yes."""

    labeler: Labeler
    overall: dict[tuple[str, int], int]
    flagged: frozenset[tuple[str, int]] = frozenset()


def rated_campaign(round_: Round, kinds: Iterable[str], *, prompts: int, overlap: int) -> Campaign:
    """An open rating campaign of the stage evaluate: a response by the generator of each kind (or a person, "human") to
    each prompt."""
    project = round_.project
    guideline = Guideline.objects.filter(project=project, kind="rating").first() or rating_guideline(project)
    campaign = Campaign.objects.create(
        project=project, name=f"Round {round_.number}: rate", kind="rating", guideline=guideline, overlap=overlap,
        required=["ratings"], blind=True,
    )  # fmt: skip
    items = []
    for number, about in enumerate(held_out(project, prompts)):
        for kind in kinds:
            by = {"labeler": writer(project)} if kind == "human" else {"generator": project.generators.get(kind=kind)}
            text = f"{kind} on {number}"
            items.append((about, [Response.objects.create(prompt=about, text=text, token_count=10, **by)]))
    make_tasks(campaign, items)
    open_campaign(campaign)
    Stage.objects.filter(round=round_, kind="evaluate").update(campaign=campaign, state="running")
    return campaign


def rate_all(campaign: Campaign, rater: Rater) -> None:
    """Whatever is there for this rater, of what `overall` names; the rest is left."""
    for task in campaign.tasks.order_by("position"):
        text = task.responses.get().text.split(" on ")
        place = (text[0], int(text[1]))
        if place not in rater.overall:
            continue
        assignment = Assignment.objects.create(
            task=task, campaign=campaign, labeler=rater.labeler, lease_until=timezone.now() + timedelta(minutes=5),
            order=[task.responses.get().pk],
        )  # fmt: skip
        Task.objects.filter(pk=task.pk).update(open_slots=F("open_slots") - 1)
        ratings = dict.fromkeys((scale["name"] for scale in SCALES), rater.overall[place])
        said = Said(ratings=ratings, flags={"hallucination": place in rater.flagged})
        submit(assignment, Work(responses={"A": said}), key=uuid4(), lease_token=assignment.lease_token)
