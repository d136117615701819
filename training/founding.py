"""Founds a rehearsal: a simulated project with the village's prompts, demonstrations and labelers, and its first job.

Everything comes from training/rehearsal, so that a round here and the study there share one world. Written in bulk:
a newcomer waits for it.
"""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from labeling.guidelines import EVALUATION_SCALES, OVERALL
from labeling.intake import fingerprint
from labeling.models import (
    Cohort,
    CohortMember,
    Guideline,
    Labeler,
    Membership,
    Project,
    Prompt,
    Response,
    User,
    WorkKind,
)
from training.models import Round, Snapshot, Stage
from training.rehearsal import material, tastes
from training.rehearsal.corpus import make_corpus
from training.rehearsal.instructions import ABOUT, instructions
from training.rehearsal.phrases import COHORTS, REQUESTS
from training.rehearsal.prompts import training_prompts
from training.rehearsal.recipe import FULL
from training.rehearsal.world import World, make_world
from training.rlhf.contract import records
from training.rounds import open_round
from training.snapshots import register, write_file

SEED = 1
"""Of the village; docs/rehearsal.md tells of this one and two others."""
VILLAGERS = {
    WorkKind.RANKING: (*tastes.RANKERS, *tastes.MORE_RANKERS),
    WorkKind.RATING: (*tastes.RATERS, *tastes.MORE_RATERS),
}
"""Who does which work. Those who rate are other persons than those who rank."""
NAME, SLUG = "Rehearsal", "rehearsal"

FLAGS = [
    {"name": "misses_task", "label": "Does not answer what was asked", "letter": "m"},
    {"name": "hallucination", "label": "Says what the field guide does not", "letter": "h"},
    {"name": "asks_back", "label": "Asks questions of its own", "letter": "q"},
]
"""What can be seen exactly; simulated raters answer them without error."""


@transaction.atomic
def found_rehearsal(people: Sequence[tuple[User, str]], *, name: str = NAME, slug: str = SLUG) -> Project:
    """A new project with everything to rehearse a round, and a round that trains its base model. people: with roles."""
    world = make_world(SEED)
    project = Project.objects.create(name=name, slug=slug, simulated=True, about=ABOUT)
    for user, role in people:
        Membership.objects.create(user=user, project=project, role=role)
    publish_guidelines(project, world)
    demonstrations = material.demonstrations(world, FULL)
    labelers = bring_in_labelers(project, {one.labeler or "": one.condition or "" for one in demonstrations})
    prompts = write_prompts(project, [*training_prompts(world), *material.prompts_to_evaluate(world, FULL)])
    Response.objects.bulk_create(
        Response(
            prompt=prompts[fingerprint_of(one)], labeler=labelers[one.labeler or ""], text=one.response.text,
            finish_reason="stop",
        )
        for one in demonstrations
    )  # fmt: skip
    snapshot_corpus(project, world)
    train_base(project)
    return project


def publish_guidelines(project: Project, world: World) -> None:
    """One a kind of work, each with the whole field guide: people can judge as exactly as the simulated do."""
    now = timezone.now()
    Guideline.objects.bulk_create(
        Guideline(
            project=project, kind=kind, version=1, body=instructions(world, kind.value), published_at=now,
            scales={WorkKind.RANKING: [OVERALL], WorkKind.RATING: EVALUATION_SCALES}.get(kind, []),
            flags=FLAGS if kind == WorkKind.RATING else [],
        )
        for kind in WorkKind
    )  # fmt: skip


def bring_in_labelers(project: Project, demonstrators: dict[str, str]) -> dict[str, Labeler]:
    """Everybody simulated, by name, each in their cohort. demonstrators: name -> cohort."""
    for name in COHORTS:
        Cohort.objects.create(project=project, name=name, about=f"Simulated people who say: {REQUESTS[name]}")
    villagers = {one.name: one.cohort for kind in VILLAGERS.values() for one in kind}
    return _settle(project, demonstrators | villagers)


def bring_in_newcomers(project: Project) -> None:
    """Simulated labelers that a project lacks because it was founded before there were so many."""
    villagers = {one.name: str(one.cohort) for kind in VILLAGERS.values() for one in kind}
    there = Labeler.objects.filter(project=project, pseudonym__in=villagers).values_list("pseudonym", flat=True)
    _settle(project, {name: cohort for name, cohort in villagers.items() if name not in set(there)})


def _settle(project: Project, cohort_of: dict[str, str]) -> dict[str, Labeler]:
    """cohort_of: name -> cohort, of those who are not there yet. Whose cohort is gone is in none."""
    now = timezone.now()
    cohorts = {one.name: one for one in Cohort.objects.filter(project=project, name__in=COHORTS)}
    labelers = Labeler.objects.bulk_create(
        Labeler(project=project, pseudonym=name, source=Labeler.Source.SIMULATED) for name in sorted(cohort_of)
    )
    CohortMember.objects.bulk_create(
        CohortMember(cohort=cohorts[cohort_of[one.pseudonym]], labeler=one, since=now)
        for one in labelers
        if cohort_of[one.pseudonym] in cohorts
    )
    return {one.pseudonym: one for one in labelers}


def fingerprint_of(prompt: records.Prompt) -> str:
    return fingerprint([{"role": turn.role, "content": turn.content} for turn in prompt.messages])


def write_prompts(project: Project, prompts: Sequence[records.Prompt]) -> dict[str, Prompt]:
    """By fingerprint. Splits and groups are the world's: a creature stands on one side only."""
    written = Prompt.objects.bulk_create(
        Prompt(
            project=project, messages=[{"role": turn.role, "content": turn.content} for turn in one.messages],
            use_case=Prompt.UseCase.OPEN_QA, origin=Prompt.Origin.SIMULATED, group_key=one.group or one.id,
            split=one.split or "train", fingerprint=fingerprint_of(one), external_id=one.id,
        )
        for one in prompts
    )  # fmt: skip
    return {prompt.fingerprint: prompt for prompt in written}


def snapshot_corpus(project: Project, world: World) -> Snapshot:
    """The base corpus as the text that the project trains on."""
    written = write_file(project, Snapshot.Kind.TEXT, make_corpus(world, documents=FULL.documents))
    return register(project, written, query={"file": f"the village, seed {world.seed}", "split": "train"}, report={})


def train_base(project: Project) -> Round:
    """The first round: nothing but the base model that every rehearsal starts from."""
    return open_round(project, recipe=FULL.name, only=(Stage.Kind.PRETRAIN,), runs_itself=True)


def base_round(project: Project) -> Round | None:
    """The newest round that trains nothing but a base model."""
    found = Round.objects.filter(project=project, recorded="", stages__kind=Stage.Kind.PRETRAIN)
    return found.order_by("-number").first()
