"""The people whom a round is trained for: how many of each cohort speak in a stage's data, and whether they suffice."""

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet

from labeling.backgrounds import FEWEST_SHOWN
from training.audience import audience_of
from training.errors import LaunchRefused
from training.models import Round, Stage
from training.preflight import DATA_NEEDS, DataNeed, query_of
from training.snapshot_rows import demonstrations_by, ranks_asked_for


@dataclass(frozen=True)
class Voices:
    """What a cohort that the round is trained for gives a stage: its labelers, who were in it and in no other that is
    told apart from it, and the prompts that they ranked or answered."""

    name: str
    labelers: int
    prompts: int

    @property
    def are_few(self) -> bool:
        return self.labelers < FEWEST_SHOWN


def voices_of(round_: Round, need: DataNeed) -> list[Voices]:
    """Of each cohort that the round is trained for, in the records of a need (two queries each)."""
    query, audience = query_of(round_, need), audience_of(round_)
    found = []
    for one in audience.conditions:
        own = replace(query, cohort=one.cohort, keys=(), among=audience.cohorts)
        said: QuerySet[Any]
        if need.kind == "rankings":
            said, of = ranks_asked_for(round_.project, own), "submission__assignment"
            who, prompt = f"{of}__labeler", f"{of}__task__prompt"
        else:
            said, who, prompt = demonstrations_by(round_.project, own), "labeler", "prompt"
        labelers = said.order_by().values(who).distinct().count()
        found.append(Voices(one.name, labelers, said.order_by().values(prompt).distinct().count()))
    return found


def check_voices(stage: Stage) -> None:
    """Raises LaunchRefused where a cohort that a reward model is to be told of has too few labelers in its data."""
    if stage.kind != Stage.Kind.REWARD:
        return
    for one in voices_of(stage.round, DATA_NEEDS[Stage.Kind.REWARD][0]):
        if one.are_few:
            raise LaunchRefused(
                f"Fewer than {FEWEST_SHOWN} labelers of {one.name} have ranked training prompts while they were in it"
                f"{_and_in_no_other(stage.round)}; a model of so few would give away what each of them prefers. "
                f"{FEWEST_SHOWN} or more would do."
            )


def _and_in_no_other(round_: Round) -> str:
    return " and in no other that is told apart from it" if audience_of(round_).mode == "told" else ""
