"""A round of the rehearsal that tells its two cohorts apart, rated by both: what the models write is made up."""

import random
from datetime import timedelta

from django.db.models import QuerySet

from labeling.models import Project, Prompt, Response, User, WorkKind
from labeling.opening import close_campaign
from tests.screens import desk, machines
from tests.screens.clock import NOW
from training.audience import audience_in
from training.authors import TOLD
from training.founding import SEED, base_round
from training.models import Checkpoint, Job, Round
from training.rehearsal import demonstrations, prompts
from training.rehearsal.phrases import COHORTS
from training.rehearsal.world import make_world
from training.rounds import open_round, sections_of
from training.simulating import work_on

PROMPTS = 18
WRITERS = ("sft", None), ("ppo", None), ("ppo", "terse"), ("ppo", "warm")
"""Stage that made it, and what it was told."""
FAULTS = {"sft": 0.35, "ppo": 0.1}
"""Share of answers that are wrong, or none."""


def told_round(project: Project, by: User) -> Round:
    cohorts = [str(cohort.pk) for cohort in project.cohorts.order_by("name")]
    round_ = open_round(
        project, recipe="rehearsal", base_of=base_round(project), audience=audience_in(project, "told", cohorts), by=by
    )
    begun = NOW - timedelta(hours=20)
    made = {"pretrain": Checkpoint.objects.get(project=project, kind="base")}
    for number, kind in enumerate(("sft", "sample", "reward", "ppo")):
        at = begun + timedelta(minutes=20 * number)
        read = {role: made[stage] for role, stage in machines.MODEL_NEEDS[kind].items() if stage in made}
        job = machines.run(round_, kind, at, by, models=read)
        Job.objects.filter(pk=job.pk).update(config=job.config | sections_of(round_, kind))
        if kind in machines.MODEL_OF:
            made[kind] = machines.release(job, *read.values(), at=job.finished_at or at)
    round_.stages.filter(kind="rank").update(state="done")
    items = [(prompt, [one]) for prompt in held_out(project) for one in written(prompt, made)]
    campaign = desk.make_campaign(
        project, project.guidelines.get(kind=WorkKind.RATING), "Round 2: rate", items, overlap=10,
        required=["ratings"], blind=True,
    )  # fmt: skip
    while work_on(campaign):
        pass
    close_campaign(campaign)
    machines.judged_by(round_, "evaluate", campaign)
    Round.objects.filter(pk=round_.pk).update(created_at=begun)
    return round_


def held_out(project: Project) -> QuerySet[Prompt]:
    return Prompt.objects.filter(project=project, split="test").order_by("pk")[:PROMPTS]


def written(prompt: Prompt, made: dict[str, Checkpoint]) -> list[Response]:
    """One response of each writer."""
    world = make_world(SEED)
    asked = prompts.make_prompt(str(prompt.pk), prompt.last_turn, split="test", group=prompt.group_key)
    found = []
    for stage, told in WRITERS:
        chance = random.Random(f"{stage} {told} {prompt.last_turn}")
        manner = demonstrations.Manner(
            core="right" if chance.random() > FAULTS[stage] else chance.choice(("wrong", "shrug")),
            second_fact=stage == "ppo" and told != "terse", idle=stage == "sft" and chance.random() < 0.3,
            cohort=told or chance.choice(COHORTS),
        )  # fmt: skip
        text = demonstrations.write(world, chance, prompts.read_question(world, asked), manner)
        job = made[stage].job_id
        found.append(
            Response.objects.create(
                prompt=prompt, generator=made[stage].generator, text=text, token_count=len(text) // 4,
                finish_reason="stop", sampling={"temperature": 1.0, "job": job} | ({TOLD: told} if told else {}),
            )
        )  # fmt: skip
    return found
