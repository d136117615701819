"""Rounds: the stages from demonstrations to a policy, what each waits for, and what a launch starts.

Everything here is callable without a request: pages, commands and scripts ask the same functions.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, F, Max, Q

from labeling.audit.recording import record
from labeling.models import Assignment, AuditKind, Campaign, Guideline, Project, Prompt, Response, Task, User, WorkKind
from labeling.opening import RESPONSES_A_TASK, make_tasks, open_campaign
from training import jobs, waiting
from training.announcing import announce_stage, take_back_refusal
from training.audience import Audience, audience_of, told_sections
from training.base_models import base_model
from training.contenders import EvaluationChoices, contenders
from training.errors import LaunchRefused, RoundRefused
from training.models import Checkpoint, Job, JobInput, Round, Stage
from training.preflight import LAUNCHABLE, Plan, models_of, models_with_watch, plan, preview
from training.rating import rating_guideline
from training.recipes import Sections, merged, recipe_named
from training.rlhf.contract.strict import shown
from training.voices import check_voices

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

JUDGED_BY_PEOPLE = (Kind.RANK, Kind.EVALUATE)
"""Stages that are done when their campaign is."""
SIMULATED = ("exclude", "include", "only")
READINGS = {"adjudicated": ("beside", "instead"), "weigh": ("alike", "by ability")}
"""How the reward model reads rankings (snapshot_rows.Query); the first of each unless a round says otherwise."""
MOST_TO_RANK = RESPONSES_A_TASK[WorkKind.RANKING][1]


@transaction.atomic
def open_round(
    project: Project,
    *,
    recipe: str = "tiny",
    base: str | None = None,
    base_of: Round | None = None,
    policy: Checkpoint | None = None,
    only: Collection[str] = (),
    changes: Mapping[str, Sections] | None = None,
    more: Mapping[str, Any] | None = None,
    enough: Mapping[str, int | None] | None = None,
    copied: Round | None = None,
    simulated: str | None = None,
    runs_itself: bool = False,
    audience: Audience | None = None,
    by: User | None = None,
) -> Round:
    """A new round with its stages.

    recipe: a name of recipes.RECIPES; changes: sections laid over its stages. base: what SFT starts from, as
    base_models.base_model reads it; base_of: the round that trains it, or has; with neither, a small base model is
    trained first, in a stage of its own. policy: the round has no SFT; it samples from this policy and trains it on.
    only: these kinds of stage instead of all. more: what else the round is to remember in its recipe, such as READINGS.
    enough: stage -> how much of people's work it waits for (waiting.WAITS). copied: its values instead of the recipe's.
    simulated: whether judgments of simulated labelers are learned from; None: in a simulated project only. audience:
    whom it is trained for; None: everybody.
    Raises RoundRefused, for a value that a stage would refuse later too.
    """
    chosen = recipe_named(recipe)
    check_not_recorded(project)
    stages = copied.recipe.get("stages", {}) if copied is not None else chosen.stages
    for kind in changes or {}:
        if kind not in WAITS_FOR:
            raise RoundRefused(f"The recipe has no stage {shown(kind)}; expected some of {', '.join(WAITS_FOR)}.")
    waits = waiting.checked(enough or {})
    if chosen.rehearsal is not None and not project.simulated:
        raise RoundRefused(f"The recipe {recipe!r} is for rehearsals, and {project.name} is none. Choose another.")
    simulated = simulated or ("include" if project.simulated else "exclude")
    if simulated not in SIMULATED:
        raise RoundRefused(f"simulated is {simulated!r}; expected one of {', '.join(SIMULATED)}.")
    for name, known in READINGS.items():
        if (asked := (more or {}).get(name, known[0])) not in known:
            raise RoundRefused(f"{name} is {shown(asked)}; expected one of {', '.join(known)}.")
    starts_elsewhere = base is not None or base_of is not None or policy is not None
    if not starts_elsewhere and Kind.PRETRAIN not in chosen.stages:
        raise RoundRefused(f"The recipe {recipe!r} trains no base model of its own. Name the base model to start from.")
    # Of two rounds opened at once the second waits here, and gets the next number.
    Project.objects.select_for_update().get(pk=project.pk)
    last = project.rounds.aggregate(last=Max("number"))["last"] or 0
    checkpoint = base_model(project, base) if base is not None else None
    if base_of is not None:
        checkpoint = base_trained_in(project.pk, base_of.number)
    round_ = Round.objects.create(
        project=project, number=last + 1, created_by=by, runs_itself=runs_itself,
        recipe={
            "name": recipe, "base": checkpoint.pk if checkpoint else None, "simulated": simulated,
            "stages": merged(stages, changes or {}),
            **({"base_of": base_of.number} if base_of else {}),
            **({"policy": policy.pk} if policy else {}),
            **(more or {}),
            **({"audience": audience.to_json()} if audience and audience.conditions else {}),
        },
    )  # fmt: skip
    made_elsewhere = {Kind.PRETRAIN} if starts_elsewhere else set()
    if policy is not None:
        made_elsewhere.add(Kind.SFT)
    kinds = [kind for kind in WAITS_FOR if kind not in made_elsewhere and (not only or kind in only)]
    _make_stages(round_, kinds, waits)
    _check_recipe(round_)
    advance(round_)
    return round_


def _check_recipe(round_: Round) -> None:
    """Raises RoundRefused for what the contract refuses of any stage: an unknown key, a value out of its range."""
    for stage in round_.stages.all():
        if stage.kind in LAUNCHABLE:
            try:
                preview(stage, sections_of(round_, stage.kind))
            except LaunchRefused as refused:
                raise RoundRefused(f"The recipe cannot be used for {stage.get_kind_display()}. {refused}") from None


def check_not_recorded(project: Project) -> None:
    """Raises RoundRefused in a project of recorded rounds: what they were made from is not here."""
    if holds_recorded_rounds(project):
        raise RoundRefused(
            f"{project.name} holds rounds that were run elsewhere; nothing runs here. Open a round in another project."
        )


def holds_recorded_rounds(project: Project) -> bool:
    return Round.objects.filter(project=project).exclude(recorded="").exists()


def _make_stages(round_: Round, kinds: list[str], enough: Mapping[str, Mapping[str, int]]) -> None:
    for place, kind in enumerate(kinds):
        waits_for = [other for other in WAITS_FOR[kind] if other in kinds]
        if kind == Kind.REWARD and Kind.RANK in kinds and round_.runs_itself:
            waits_for.append(Kind.RANK)  # Nobody is there to say that the rankings so far are enough.
        if kind == Kind.SFT and "base_of" in round_.recipe:
            waits_for.append(Kind.PRETRAIN)
        Stage.objects.create(
            round=round_, kind=kind, place=place, waits_for=waits_for, enough=dict(enough.get(kind, {}))
        )


def close_round(round_: Round) -> None:
    """No stage of it can be launched any more. Raises RoundRefused while a job of it runs or is paused, while people
    judge in it, and for a recorded round."""
    with transaction.atomic():
        locked = Round.objects.select_for_update().get(pk=round_.pk)
        if locked.recorded:
            raise RoundRefused(f"Round {locked.number} was run elsewhere and stays as it is.")
        active = Job.objects.filter(stage__round=locked, state__in=[*jobs.ACTIVE, Job.State.PAUSED]).first()
        if active is not None:
            raise RoundRefused(f"Job {active.pk} ({active.get_kind_display()}) is {active.state}; cancel it first.")
        judged = locked.stages.filter(state=State.RUNNING, campaign__state=Campaign.State.OPEN)
        asked = judged.select_related("campaign").first()
        if asked is not None and asked.campaign is not None:
            raise RoundRefused(f"People are at work in the campaign “{asked.campaign.name}”; close it first.")
        Round.objects.filter(pk=locked.pk).update(state=Round.State.CLOSED)
        record(AuditKind.CANCEL, project=locked.project_id, facts={"act": "round_closed", "round": locked.number})
    round_.state = Round.State.CLOSED


def advance(round_: Round) -> list[Stage]:
    """Moves stages on whose time has come, and returns those that changed. Three queries where nothing has."""
    changed = []
    with transaction.atomic():
        # The round before its stages, as everybody who locks both does: two that wait for each other end in an error.
        Round.objects.select_for_update().get(pk=round_.pk)
        stages = {
            stage.kind: stage
            for stage in round_.stages.select_related("campaign", "job", "round__project").select_for_update(
                of=("self",)
            )
        }
        for kind in JUDGED_BY_PEOPLE:
            judged = stages.get(kind)
            if judged is not None and judged.state == State.RUNNING and judging_is_done(judged):
                changed.append(_move(judged, State.DONE))
                announce_stage(judged)
        for stage in stages.values():
            if stage.state != State.WAITING or not all(_is_done(round_, stages, kind) for kind in stage.waits_for):
                continue
            if waiting.may_start(stage):
                changed.append(_move(stage, State.READY))
    return changed


def _is_done(round_: Round, stages: Mapping[str, Stage], kind: str) -> bool:
    """A stage of this round; or the base model of the round that its recipe names, which is then written down."""
    if kind in stages:
        return stages[kind].state == State.DONE
    trained = base_trained_in(round_.project_id, round_.recipe.get("base_of", 0))
    if trained is not None:
        round_.recipe = round_.recipe | {"base": trained.pk}
        Round.objects.filter(pk=round_.pk).update(recipe=round_.recipe)
    return trained is not None


def base_trained_in(project_id: int, number: int) -> Checkpoint | None:
    """The newest base model that a round has trained."""
    made = Checkpoint.objects.filter(
        project=project_id, kind=Checkpoint.Kind.BASE, job__stage__round__number=number, job__state=Job.State.DONE
    )
    return made.order_by("-job_id").first()


def _move(stage: Stage, state: State) -> Stage:
    stage.state = state
    stage.refusal = ""  # of another time
    stage.save(update_fields=["state", "refusal"])
    return stage


def judging_is_done(stage: Stage) -> bool:
    """Its campaign is closed, or every task has as many submissions as it asks for.

    While a job of the stage is not done the campaign is one of an earlier job.
    """
    campaign = stage.campaign
    if campaign is None or (stage.job is not None and stage.job.state != Job.State.DONE):
        return False
    if campaign.state == Campaign.State.CLOSED or waiting.is_done_early(stage):
        return True
    # A task may ask for more than its campaign does, as room for somebody to rank by hand: nobody waits for that.
    beyond = F("overlap") - campaign.overlap
    tasks = Task.objects.filter(campaign=campaign)
    if tasks.filter(open_slots__gt=beyond).exists():
        return False
    held = Count("assignments", filter=Q(assignments__state=Assignment.State.LIVE))
    live = tasks.filter(assignments__state=Assignment.State.LIVE).annotate(held=held)
    return not live.filter(open_slots__gt=beyond - F("held")).exists()


# --- launch -----------------------------------------------------------------------------------------------------------


def sections_of(round_: Round, kind: str) -> Sections:
    """What the round's recipe says of a stage: sections of config.json. Evaluate samples as Sample does, but once."""
    said: Mapping[str, Any] = round_.recipe.get("stages", {})
    told = audience_of(round_).sections(kind)
    if kind == Kind.EVALUATE:
        once = merged(said.get(Kind.SAMPLE, {}), {"sample": {"responses_per_prompt": 1, "limit_prompts": 100}})
        return merged(once, said.get(kind, {}))
    return merged(told, said.get(kind, {}))


def launch(
    round_: Round,
    kind: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    choices: EvaluationChoices | None = None,
    watch: int | None = None,
    told: str = "",
    by: User | None = None,
) -> Job:
    """Starts a stage: checks it, freezes its data, makes its job and rings for a worker.

    overrides: sections of config.json over the recipe's, {"sft": {"epochs": 2}}. choices: of an evaluation, who is
    compared and how many people rate each response. watch: of PPO, the id of a second reward model that is never
    trained on, whose score tells whether the policy games the first; None: what the recipe says. told: of Sample, the
    key of a condition that its model knows and is told with every prompt; empty: nothing. A stage that is done, failed
    or was cancelled runs anew; what it made before stays. Raises LaunchRefused, and nothing was made.
    """
    with transaction.atomic():
        stage = _stage_to_launch(round_, kind)
        sections = merged(sections_to_launch(stage, told), overrides or {})
        asks: dict[str, Any] = {}
        if kind == Kind.EVALUATE:
            planned, asks = _plan_evaluation(stage, sections, choices or EvaluationChoices())
        else:
            check_voices(stage)
            planned = plan(stage, sections, models=models_with_watch(stage, watch) if kind == Kind.PPO else None)
        job = Job.objects.create(
            project=round_.project, stage=stage, kind=planned.config["stage"], config=planned.config, asks=asks,
            created_by=by,
            queue=Job.Queue.CPU if planned.config["hardware"]["device"] == "cpu" else Job.Queue.GPU,
        )  # fmt: skip
        job.config["job"] = str(job.pk)
        job.save(update_fields=["config"])
        inputs = [JobInput(job=job, role=role, checkpoint=model) for role, model in planned.models.items()]
        inputs += [JobInput(job=job, role=name, snapshot=snapshot) for name, snapshot in planned.data.items()]
        JobInput.objects.bulk_create(inputs)
        stage.job = job
        stage.state = State.RUNNING
        stage.refusal = ""
        stage.save(update_fields=["job", "state", "refusal"])
        take_back_refusal(stage)
        facts = {"act": "launched", "job": job.pk, "round": round_.number, "kind": kind}
        record(AuditKind.LAUNCH, project=round_.project_id, by=by.pk if by else None, facts=facts)
        jobs.ring(job)
    return job


def sections_to_launch(stage: Stage, told: str) -> Sections:
    """What the recipe says of a stage, and of Sample what its model is told. Raises LaunchRefused."""
    said = sections_of(stage.round, stage.kind)
    if not told:
        return said
    if stage.kind != Kind.SAMPLE:
        raise LaunchRefused(f"{stage.get_kind_display()} is told no condition of its own; Sample alone is.")
    return merged(said, told_sections(models_of(stage)["generators"], told))


def _plan_evaluation(stage: Stage, sections: Sections, choices: EvaluationChoices) -> tuple[Plan, dict[str, Any]]:
    """What the machine does, and what people are asked then. Without a guideline to ask by, nothing is computed."""
    guideline = rating_guideline(stage.round.project)
    compared = contenders(stage, choices)
    planned = plan(stage, merged(compared.sections, sections), models=compared.models, **compared.narrows)
    return planned, {
        "guideline": guideline.pk, "overlap": choices.overlap, "humans": choices.humans, **compared.asks
    }  # fmt: skip


def _stage_to_launch(round_: Round, kind: str) -> Stage:
    """The stage, locked. Raises LaunchRefused where it cannot start now."""
    if kind not in WAITS_FOR:
        raise LaunchRefused(f"There is no stage {kind!r}; expected one of {', '.join(WAITS_FOR)}.")
    label = Kind(kind).label
    if kind not in LAUNCHABLE:
        raise LaunchRefused(f"{label} is done by people. Open its ranking campaign instead.")
    round_ = Round.objects.select_for_update().get(pk=round_.pk)
    _refuse_if_it_takes_nothing(round_)
    found = round_.stages.select_related("campaign", "job", "round__project").select_for_update(of=("self",))
    stage = found.filter(kind=kind).first()
    if stage is None:
        start = "a policy" if "policy" in round_.recipe else "a base model"
        raise LaunchRefused(f"Round {round_.number} has no stage {label}: it starts from {start} that is there.")
    active = _active_job(stage)
    if active is not None:
        raise LaunchRefused(f"{label} has job {active.pk}, which is {active.state}. {_remedy(active)} first.")
    if stage.state == State.WAITING:
        raise LaunchRefused(_why_it_waits(stage))
    check_not_judged(stage)
    return stage


def _active_job(stage: Stage | None) -> Job | None:
    """One that runs or may go on."""
    return Job.objects.filter(stage=stage, state__in=[*jobs.ACTIVE, Job.State.PAUSED]).first() if stage else None


def _remedy(active: Job) -> str:
    return "Resume or cancel it" if active.state == Job.State.PAUSED else "Wait for it, or cancel it"


def _why_it_waits(stage: Stage) -> str:
    before = {other.kind: other.state for other in stage.round.stages.all()}
    missing = [kind for kind in stage.waits_for if before.get(kind) != State.DONE]
    label = stage.get_kind_display()
    found = waiting.waited(stage)
    if not missing and found is not None:
        return f"{label} waits for {found.wanted:,} {found.wait.words}, and there are {found.there:,}. Wait for fewer."
    return f"{label} waits for {' and '.join(Kind(kind).label for kind in missing or stage.waits_for)}. Run that first."


def check_not_judged(stage: Stage) -> None:
    """Raises LaunchRefused while people judge what the stage made before."""
    campaign = stage.campaign
    if stage.state == State.RUNNING and campaign is not None and not judging_is_done(stage):
        raise LaunchRefused(
            f"Round {stage.round.number} has a rating campaign that is {campaign.state}: {campaign.name}. "
            f"Close it first."
        )


def _refuse_if_it_takes_nothing(round_: Round) -> None:
    if round_.recorded:
        raise LaunchRefused(
            f"Round {round_.number} was run elsewhere and is here to be looked at. Open one in another project."
        )
    if round_.state == Round.State.CLOSED:
        raise LaunchRefused(f"Round {round_.number} is closed. Open another round.")


# --- people -----------------------------------------------------------------------------------------------------------


def open_ranking_campaign(
    round_: Round, *, guideline: Guideline | None = None, overlap: int = 1, room: int = 0, name: str = ""
) -> Campaign:
    """Hands the newest sampled responses of the round to people: one ranking task a prompt, opened at once. In a round
    for one cohort alone they are those in it: nobody else's rankings would be read.

    guideline: the project's newest ranking guideline where None. room: so many tasks, the first ones, have a slot more
    than the overlap, for somebody who would like to rank too; nobody waits for that. A campaign that is closed makes
    room for another, which the stage points to from then on. Raises LaunchRefused where there is nothing to rank.
    """
    with transaction.atomic():
        round_ = Round.objects.select_for_update().select_related("project").get(pk=round_.pk)
        stage = round_.stages.select_related("campaign").select_for_update(of=("self",)).get(kind=Kind.RANK)
        _refuse_if_it_takes_nothing(round_)
        before = stage.campaign
        if before is not None and before.state != Campaign.State.CLOSED:
            raise LaunchRefused(
                f"Round {round_.number} has a ranking campaign that is {before.state}: {before.name}. Close it first."
            )
        active = _active_job(round_.stages.filter(kind=Kind.SAMPLE).first())
        if active is not None:
            raise LaunchRefused(
                f"Sample runs again as job {active.pk}, which is {active.state}. {_remedy(active)} first."
            )
        items = list(_to_rank(round_))
        if not items:
            raise LaunchRefused("There are no sampled responses to rank. Run Sample first.")
        guideline = guideline or _newest_ranking_guideline(round_.project)
        campaign = Campaign(
            project=round_.project, kind=WorkKind.RANKING, guideline=guideline, overlap=overlap, required=["ranks"],
            name=name or _free_name(round_), cohort=audience_of(round_).served_alone,
        )  # fmt: skip
        _save_checked(campaign)
        make_tasks(campaign, items)
        campaign.tasks.filter(position__lt=room).update(room=1, overlap=overlap + 1, open_slots=overlap + 1)
        open_campaign(campaign)
        stage.campaign = campaign
        stage.state = State.RUNNING
        stage.refusal = ""
        stage.save(update_fields=["campaign", "state", "refusal"])
        take_back_refusal(stage)
    return campaign


def _to_rank(round_: Round) -> Iterator[tuple[Prompt, list[Response]]]:
    """Each prompt with what the newest sample job of the round answered; the same text twice is shown once."""
    job = jobs.newest_done(round_.stages.get(kind=Kind.SAMPLE))
    if job is None:
        return
    sampled = Response.objects.filter(prompt__project=round_.project, sampling__job=job.pk)
    found = sampled.select_related("prompt").order_by("prompt_id", "pk").iterator(chunk_size=1000)
    for prompt, responses in groupby(found, key=lambda response: response.prompt):
        different = list({response.text: response for response in responses}.values())
        if len(different) >= 2:
            yield prompt, different[:MOST_TO_RANK]


def _newest_ranking_guideline(project: Project) -> Guideline:
    published = project.guidelines.filter(kind=WorkKind.RANKING, published_at__isnull=False)
    guideline = published.order_by("-version").first()
    if guideline is None:
        raise LaunchRefused("The project has no published guideline for ranking. Publish one before people are asked.")
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
