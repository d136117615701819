"""Rounds: the stages from demonstrations to a policy, what each waits for, and what a launch starts.

Everything here is callable without a request: pages, commands and scripts ask the same functions.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from labeling.models import Campaign, Guideline, Project, Prompt, Response, Task, User, WorkKind
from labeling.opening import RESPONSES_A_TASK, make_tasks, open_campaign
from training import jobs
from training.base_models import base_model
from training.errors import LaunchRefused, RoundRefused
from training.models import Job, JobInput, Round, Stage
from training.preflight import LAUNCHABLE, plan
from training.recipes import Sections, merged, recipe_named

Kind = Stage.Kind
State = Stage.State

WAITS_FOR: dict[str, tuple[str, ...]] = {
    Kind.PRETRAIN: (),
    Kind.SFT: (Kind.PRETRAIN,),
    Kind.SAMPLE: (Kind.SFT,),
    Kind.RANK: (Kind.SAMPLE,),
    # Not for rank: the project's rankings so far, imported ones among them, may be enough.
    Kind.REWARD: (Kind.SFT,),
    Kind.PPO: (Kind.SFT, Kind.REWARD),
    Kind.EVALUATE: (Kind.PPO,),
}
"""The stages of a round in their order, and what each waits for where the round has it."""

SIMULATED = ("exclude", "include", "only")
MOST_TO_RANK = RESPONSES_A_TASK[WorkKind.RANKING][1]


@transaction.atomic
def open_round(
    project: Project,
    *,
    recipe: str = "tiny",
    base: str | None = None,
    simulated: str = "exclude",
    by: User | None = None,
) -> Round:
    """A new round with its stages.

    recipe: a name of recipes.RECIPES. base: what SFT starts from, as base_models.base_model reads it; None trains a
    small base model first, in a stage of its own. simulated: whether judgments of simulated labelers are learned from.
    Raises RoundRefused.
    """
    chosen = recipe_named(recipe)
    if simulated not in SIMULATED:
        raise RoundRefused(f"simulated is {simulated!r}; expected one of {', '.join(SIMULATED)}.")
    if base is None and Kind.PRETRAIN not in chosen.stages:
        raise RoundRefused(f"The recipe {recipe!r} trains no base model of its own. Name the base model to start from.")
    # Of two rounds opened at once the second waits here, and gets the next number.
    Project.objects.select_for_update().get(pk=project.pk)
    last = project.rounds.aggregate(last=Max("number"))["last"] or 0
    checkpoint = base_model(project, base) if base is not None else None
    round_ = Round.objects.create(
        project=project, number=last + 1, created_by=by,
        recipe={
            "name": recipe, "base": checkpoint.pk if checkpoint else None, "simulated": simulated,
            "stages": dict(chosen.stages),
        },
    )  # fmt: skip
    kinds = [kind for kind in WAITS_FOR if kind != Kind.PRETRAIN or checkpoint is None]
    for place, kind in enumerate(kinds):
        waits_for = [other for other in WAITS_FOR[kind] if other in kinds]
        Stage.objects.create(round=round_, kind=kind, place=place, waits_for=waits_for)
    advance(round_)
    return round_


def close_round(round_: Round) -> None:
    """No stage of it can be launched any more. Raises RoundRefused while a job of it runs."""
    with transaction.atomic():
        locked = Round.objects.select_for_update().get(pk=round_.pk)
        active = Job.objects.filter(stage__round=locked, state__in=jobs.ACTIVE).first()
        if active is not None:
            raise RoundRefused(f"Job {active.pk} ({active.get_kind_display()}) is {active.state}; cancel it first.")
        Round.objects.filter(pk=locked.pk).update(state=Round.State.CLOSED)
    round_.state = Round.State.CLOSED


def advance(round_: Round) -> list[Stage]:
    """Moves stages on whose time has come, and returns those that changed. Costs two queries where nothing changed."""
    changed = []
    with transaction.atomic():
        stages = {
            stage.kind: stage for stage in round_.stages.select_related("campaign").select_for_update(of=("self",))
        }
        rank = stages.get(Kind.RANK)
        if rank is not None and rank.state == State.RUNNING and ranking_is_done(rank):
            changed.append(_move(rank, State.DONE))
        for stage in stages.values():
            met = all(stages[kind].state == State.DONE for kind in stage.waits_for)
            if stage.state == State.WAITING and met:
                changed.append(_move(stage, State.READY))
    return changed


def _move(stage: Stage, state: State) -> Stage:
    stage.state = state
    stage.save(update_fields=["state"])
    return stage


def ranking_is_done(stage: Stage) -> bool:
    """Its campaign is closed, or every task has as many submissions as it asks for."""
    campaign = stage.campaign
    if campaign is None:
        return False
    if campaign.state == Campaign.State.CLOSED:
        return True
    live = campaign.assignments.filter(state="live")
    return not Task.objects.filter(campaign=campaign, open_slots__gt=0).exists() and not live.exists()


# --- launch -----------------------------------------------------------------------------------------------------------


def sections_of(round_: Round, kind: str) -> Sections:
    """What the round's recipe says of a stage: sections of config.json."""
    return dict(round_.recipe.get("stages", {}).get(kind, {}))


def launch(round_: Round, kind: str, *, overrides: Mapping[str, Any] | None = None, by: User | None = None) -> Job:
    """Starts a stage: checks it, freezes its data, makes its job and rings for a worker.

    overrides: sections of config.json over the recipe's, {"sft": {"epochs": 2}}. A stage that is done, failed or was
    cancelled runs anew; what it made before stays. Raises LaunchRefused, and nothing was made.
    """
    with transaction.atomic():
        stage = _stage_to_launch(round_, kind)
        planned = plan(stage, merged(sections_of(round_, kind), overrides or {}))
        job = Job.objects.create(
            project=round_.project, stage=stage, kind=kind, config=planned.config, created_by=by,
            queue=Job.Queue.CPU if planned.config["hardware"]["device"] == "cpu" else Job.Queue.GPU,
        )  # fmt: skip
        job.config["job"] = str(job.pk)
        job.save(update_fields=["config"])
        inputs = [JobInput(job=job, role=role, checkpoint=model) for role, model in planned.models.items()]
        inputs += [JobInput(job=job, role=name, snapshot=snapshot) for name, snapshot in planned.data.items()]
        JobInput.objects.bulk_create(inputs)
        stage.job = job
        stage.state = State.RUNNING
        stage.save(update_fields=["job", "state"])
        jobs.ring(job)
    return job


def _stage_to_launch(round_: Round, kind: str) -> Stage:
    """The stage, locked. Raises LaunchRefused where it cannot start now."""
    if kind not in WAITS_FOR:
        raise LaunchRefused(f"There is no stage {kind!r}; expected one of {', '.join(WAITS_FOR)}.")
    label = Kind(kind).label
    if kind == Kind.EVALUATE:
        raise LaunchRefused("Evaluate cannot be launched yet: this version has no evaluation stage.")
    if kind not in LAUNCHABLE:
        raise LaunchRefused(f"{label} is done by people. Open its ranking campaign instead.")
    round_ = Round.objects.select_for_update().get(pk=round_.pk)
    if round_.state == Round.State.CLOSED:
        raise LaunchRefused(f"Round {round_.number} is closed. Open another round.")
    stage = round_.stages.select_for_update().filter(kind=kind).first()
    if stage is None:
        raise LaunchRefused(f"Round {round_.number} has no stage {label}: it starts from a base model that is there.")
    active = Job.objects.filter(stage=stage, state__in=[*jobs.ACTIVE, Job.State.PAUSED]).first()
    if active is not None:
        remedy = "Resume or cancel it" if active.state == Job.State.PAUSED else "Wait for it, or cancel it"
        raise LaunchRefused(f"{label} has job {active.pk}, which is {active.state}. {remedy} first.")
    if stage.state == State.WAITING:
        waits_for = " and ".join(Kind(other).label for other in stage.waits_for)
        raise LaunchRefused(f"{label} waits for {waits_for}. Run that first.")
    return stage


# --- people -----------------------------------------------------------------------------------------------------------


def open_ranking_campaign(
    round_: Round, *, guideline: Guideline | None = None, overlap: int = 1, name: str = ""
) -> Campaign:
    """Hands the newest sampled responses of the round to people: one ranking task a prompt, opened at once.

    guideline: the project's newest ranking guideline where None. A campaign that is closed makes room for another,
    which the stage points to from then on. Raises LaunchRefused where there is nothing to rank.
    """
    with transaction.atomic():
        round_ = Round.objects.select_for_update().select_related("project").get(pk=round_.pk)
        stage = round_.stages.select_related("campaign").select_for_update(of=("self",)).get(kind=Kind.RANK)
        if round_.state == Round.State.CLOSED:
            raise LaunchRefused(f"Round {round_.number} is closed. Open another round.")
        before = stage.campaign
        if before is not None and before.state != Campaign.State.CLOSED:
            raise LaunchRefused(
                f"Round {round_.number} has a ranking campaign that is {before.state}: {before.name}. Close it first."
            )
        items = list(_to_rank(round_))
        if not items:
            raise LaunchRefused("There are no sampled responses to rank. Run Sample first.")
        guideline = guideline or _newest_ranking_guideline(round_.project)
        campaign = Campaign(
            project=round_.project, kind=WorkKind.RANKING, guideline=guideline, overlap=overlap, required=["ranks"],
            name=name or _free_name(round_),
        )  # fmt: skip
        _save_checked(campaign)
        make_tasks(campaign, items)
        open_campaign(campaign)
        stage.campaign = campaign
        stage.state = State.RUNNING
        stage.save(update_fields=["campaign", "state"])
    return campaign


def _to_rank(round_: Round) -> Iterator[tuple[Prompt, list[Response]]]:
    """Each prompt with what the newest sample job of the round answered; the same text twice is shown once."""
    stage = round_.stages.select_related("job").get(kind=Kind.SAMPLE)
    if stage.job is None or stage.job.state != Job.State.DONE:
        return
    sampled = Response.objects.filter(prompt__project=round_.project, sampling__job=stage.job.pk)
    found = sampled.select_related("prompt").order_by("prompt_id", "pk").iterator(chunk_size=1000)
    for prompt, responses in groupby(found, key=lambda response: response.prompt):
        different = list({response.text: response for response in responses}.values())
        if len(different) >= 2:
            yield prompt, different[:MOST_TO_RANK]


def _newest_ranking_guideline(project: Project) -> Guideline:
    guideline = project.guidelines.filter(kind=WorkKind.RANKING).order_by("-version").first()
    if guideline is None:
        raise LaunchRefused("The project has no guideline for ranking. Write one before people are asked to rank.")
    return guideline


def _free_name(round_: Round) -> str:
    name = f"Round {round_.number}: rank"
    taken = round_.project.campaigns.filter(name__startswith=name).count()
    return f"{name} ({taken + 1})" if taken else name


def _save_checked(campaign: Campaign) -> None:
    """Raises LaunchRefused with the first problem that the model's own checks name."""
    try:
        campaign.full_clean()
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise LaunchRefused(f"The ranking campaign cannot be opened: {name}: {problems[0]}") from None
    campaign.save()
