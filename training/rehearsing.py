"""Rehearse a round: simulated labelers, a small model, and the settings that a team would try before it pays people.

The round runs itself. It learns from its own rankings (and those of the rounds whose policy it starts from), so that
two rehearsals with different settings tell what the settings do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from labeling.models import Project, User, WorkKind
from labeling.opening import RESPONSES_A_TASK
from training.audience import Audience, audience_in
from training.errors import RoundRefused
from training.founding import VILLAGERS, base_round, bring_in_newcomers
from training.models import Checkpoint, Job, Round
from training.recipes import Sections, merged, recipe_named
from training.rehearsal.phrases import COHORTS
from training.rounds import check_not_recorded, open_round
from training.snapshot_rows import Query, prompts_asked_for

FEWEST_PROMPTS = 40
"""Fewer leave the reward model without a step to learn from once some are held out."""
FEWEST_RESPONSES, MOST_RESPONSES = RESPONSES_A_TASK["ranking"]  # type: ignore[index]
MOST_JUDGES = min(sum(one.cohort == cohort for one in VILLAGERS[WorkKind.RANKING]) for cohort in COHORTS)
BY_HAND = 20
"""Tasks with room for somebody who would like to rank too."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is tried. prompts: whose responses are ranked. judges: of each cohort, a prompt. policy: the round starts
    from it and not from SFT. by_hand: tasks that leave a slot to somebody who would like to rank. told: the models are
    told for which of the two cohorts they write."""

    recipe: str = "rehearsal"
    prompts: int = 1050
    responses: int = 4
    judges: int = 2
    policy: int | None = None
    by_hand: int = BY_HAND
    told: bool = False

    @property
    def overlap(self) -> int:
        return self.judges * len(COHORTS)


def default_settings(recipe: str = "rehearsal") -> Settings:
    """As the recipe has them. Raises RoundRefused for a recipe that is not of the rehearsal."""
    amounts = recipe_named(recipe).rehearsal
    if amounts is None:
        raise RoundRefused(f"The recipe {recipe!r} is not one to rehearse with.")
    sampled = amounts.stages["sample"]["sample"]["responses_per_prompt"]
    return Settings(recipe=recipe, prompts=amounts.ranked_prompts, responses=sampled, judges=amounts.judges_per_cohort)


def prompts_left(project: Project, *, unanswered: str) -> int:
    """Prompts of the train and the valid split that nobody has answered yet ("by anybody"), or that are no
    demonstration's ("by people")."""
    query = Query.from_json({"kind": "prompts", "simulated": "include", "unanswered": unanswered})
    return prompts_asked_for(project, query).exclude(split="test").count()


def policies(project: Project) -> list[Checkpoint]:
    """What a round may start from, newest first; recorded ones have no weights here."""
    made = Checkpoint.objects.filter(
        project=project, kind=Checkpoint.Kind.POLICY, job__state=Job.State.DONE, job__stage__round__recorded=""
    )
    return list(made.select_related("job__stage__round").order_by("-job_id"))


def rehearse(
    project: Project,
    settings: Settings,
    *,
    changes: Mapping[str, Sections] | None = None,
    by: User | None = None,
) -> Round:
    """Opens the round, which then runs itself. changes: sections of config.json by stage, over the recipe's and these.

    Raises RoundRefused with one sentence.
    """
    if not project.simulated:
        raise RoundRefused(f"{project.name} is no rehearsal: its judgments are people's. Rehearse in another project.")
    check_not_recorded(project)
    with transaction.atomic():
        base = base_round(Project.objects.select_for_update().get(pk=project.pk))
        if base is None:
            raise RoundRefused(f"{project.name} trains no base model, so there is nothing to rehearse from.")
        unanswered = _check(project, settings)
        policy = _policy(project, settings.policy)
        bring_in_newcomers(project)
        sampled: Sections = {
            "sample": {"responses_per_prompt": settings.responses, "limit_prompts": settings.prompts}
        }  # fmt: skip
        more: dict[str, Any] = {
            "overlap": settings.overlap, "by_hand": settings.by_hand, "rankings": "own", "unanswered": unanswered,
            "evaluation": {"overlap": len(VILLAGERS[WorkKind.RATING]), "others": [policy.pk] if policy else []},
        }  # fmt: skip
        return open_round(
            project, recipe=settings.recipe, base_of=base, policy=policy, runs_itself=True, by=by, more=more,
            changes=merged({"sample": sampled}, changes or {}), audience=_audience(project, settings),
        )  # fmt: skip


def _check(project: Project, settings: Settings) -> str:
    """Which prompts are asked. Raises RoundRefused for a setting out of its range."""
    default_settings(settings.recipe)
    _within("The number of responses to rank", settings.responses, FEWEST_RESPONSES, MOST_RESPONSES)
    _within("The number of judges of each cohort", settings.judges, 1, MOST_JUDGES)
    most = prompts_left(project, unanswered="by people")
    _within("The number of prompts", settings.prompts, FEWEST_PROMPTS, most)
    _within("The number of tasks with room for you", settings.by_hand, 0, settings.prompts)
    return "by anybody" if settings.prompts <= prompts_left(project, unanswered="by anybody") else "by people"


def _audience(project: Project, settings: Settings) -> Audience | None:
    """Raises RoundRefused where the village's cohorts are no longer there."""
    if not settings.told:
        return None
    found = {one.name: str(one.pk) for one in project.cohorts.filter(name__in=COHORTS)}
    for name in COHORTS:
        if name not in found:
            raise RoundRefused(f"{project.name} has no cohort called {name} any more, so it cannot be told apart.")
    return audience_in(project, "told", [found[name] for name in COHORTS])


def _within(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise RoundRefused(f"{what} is {value:,}; expected {low:,} to {high:,}.")


def _policy(project: Project, number: int | None) -> Checkpoint | None:
    if number is None:
        return None
    found = next((one for one in policies(project) if one.pk == number), None)
    if found is None:
        raise RoundRefused(f"There is no policy {number} to start from in {project.name}.")
    return found
