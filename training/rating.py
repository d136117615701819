"""What was sampled for an evaluation is handed to people: one response a task, blind, those to one prompt apart.

An empty answer is rated like any other: leaving it out would flatter whoever wrote it. So is one that was cut at the
longest length. The same text twice by one generator is rated once; by two generators, once for each of them, and by one
that was told two things, once for each thing. A prompt that not every generator could be asked (too long for one of
them) is left out for all, or some would be compared on easier prompts than others.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import chain, count, groupby

from labeling.models import Campaign, Guideline, Project, Prompt, Response, WorkKind
from labeling.opening import make_tasks, open_campaign
from training.authors import key_of
from training.contenders import human_demonstrations
from training.errors import LaunchRefused
from training.models import Job, Stage
from training.rlhf.contract.exit_codes import DataRefused

SCALES = ("overall", "appropriate", "helpful", "on_topic")
"""What the guideline of an evaluation asks of every response, 1 to 7."""
IN_WORDS = "overall, appropriate, helpful and on topic (on_topic)"

Answered = tuple[Prompt, Sequence[Response]]
"""A prompt with responses to it."""


def rating_guideline(project: Project) -> Guideline:
    """The newest published guideline for rating. Raises LaunchRefused where there is none, or a scale is missing."""
    published = project.guidelines.filter(kind=WorkKind.RATING, published_at__isnull=False)
    guideline = published.order_by("-version").first()
    if guideline is None:
        raise LaunchRefused(
            f"The project has no published guideline for rating. Publish one with the scales {IN_WORDS} first."
        )
    missing = [name for name in SCALES if name not in guideline.scale_names]
    if missing:
        raise LaunchRefused(
            f"The rating guideline, version {guideline.version}, has no scale {missing[0]!r}. Publish another version "
            f"with the scales {IN_WORDS}."
        )
    return guideline


def open_rating_campaign(job: Job) -> dict[str, int]:
    """Opens the campaign of a job's responses and points the stage to it; answers the job's report with counts.

    Call it in the transaction that took the responses in. Raises DataRefused where there is nothing to compare.
    """
    assert job.stage is not None
    stage = Stage.objects.select_related("round__project").get(pk=job.stage.pk)
    sampled = list(_sampled(job))
    generators = job.inputs.filter(role__startswith="generators").count()
    answered = [(prompt, found) for prompt, found in sampled if len({key_of(one) for one in found}) == generators]
    if not answered:
        raise DataRefused("no prompt was answered by every generator: their prompts are too long for one of them")
    human = _human(stage, answered) if job.asks["humans"] else []
    external = _external(job, answered)
    order = [*answered, *human, *external]
    random.Random(f"rate {job.config['seed']}").shuffle(order)  # noqa: S311, drawn by a seed
    campaign = _campaign(stage, job)
    tasks = make_tasks(campaign, ((prompt, [one]) for prompt, responses in order for one in responses))
    open_campaign(campaign)
    Stage.objects.filter(pk=stage.pk, job=job).update(campaign=campaign)
    return {
        "campaign": campaign.pk, "prompts": len(answered), "responses": len(tasks), "human": len(human),
        **({"external": len(external)} if external else {}),
        "prompts_left_out": len(sampled) - len(answered),
    }  # fmt: skip


def ratings_of(stage: Stage) -> dict[int, Job]:
    """The rating campaigns that jobs of a stage opened, by number, the newest first, with the job of each."""
    said = Job.objects.filter(stage=stage, report__rating__campaign__isnull=False).order_by("-pk")
    return {job.report["rating"]["campaign"]: job for job in said if job.report}


def _sampled(job: Job) -> Iterator[Answered]:
    """Each prompt with what the job's generators wrote; the same text twice by one of them is there once."""
    found = Response.objects.filter(prompt__project=job.project_id, sampling__job=job.pk)
    for prompt, responses in groupby(
        found.select_related("prompt").order_by("prompt_id", "pk"), lambda one: one.prompt
    ):
        yield prompt, list({(key_of(one), one.text): one for one in reversed(list(responses))}.values())


def _human(stage: Stage, answered: Sequence[Answered]) -> list[Answered]:
    """The first demonstration that a person wrote to each of these prompts, where there is one."""
    prompts = {prompt.pk: prompt for prompt, _ in answered}
    written: dict[int, Response] = {}
    for one in human_demonstrations(stage).filter(prompt__in=prompts).order_by("pk"):
        if one.text.strip():
            written.setdefault(one.prompt_id, one)
    return [(prompts[pk], [one]) for pk, one in written.items()]


def _external(job: Job, answered: Sequence[Answered]) -> list[Answered]:
    """The first response of each external model to each of these prompts."""
    prompts = {prompt.pk: prompt for prompt, _ in answered}
    found = Response.objects.filter(generator__in=job.asks.get("external", ()), prompt__in=prompts).order_by("pk")
    first: dict[tuple[int, int | None], Response] = {}
    for one in found:
        first.setdefault((one.prompt_id, one.generator_id), one)
    return [(prompts[pk], [one]) for (pk, _), one in first.items()]


def _campaign(stage: Stage, job: Job) -> Campaign:
    project = stage.round.project
    campaign = Campaign(
        project=project, kind=WorkKind.RATING, guideline=Guideline.objects.get(pk=job.asks["guideline"]),
        overlap=job.asks["overlap"], required=["ratings"], blind=True, name=_free_name(stage),
    )  # fmt: skip
    campaign.full_clean()
    campaign.save()
    return campaign


def _free_name(stage: Stage) -> str:
    """Labelers read it: it names no model."""
    name = f"Round {stage.round.number}: rate"
    taken = set(stage.round.project.campaigns.filter(name__startswith=name).values_list("name", flat=True))
    return next(free for free in chain([name], (f"{name} ({again})" for again in count(2))) if free not in taken)
