"""Whom a round is trained for: everybody, one cohort alone, or everybody with several cohorts told apart.

It is chosen when the round opens and frozen in its recipe with the cohorts' keys, texts and names, so that another name
of a cohort changes nothing. Trained for one cohort alone, the reward model reads that cohort's rankings and no others;
SFT reads all demonstrations, which teach to answer at all. Told apart, every stage from SFT on is conditioned.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from labeling.backgrounds import FEWEST_SHOWN
from labeling.models import Cohort, CohortMember, Project
from training.base_models import told_by_its_folder
from training.conditions import Condition, written_down
from training.errors import LaunchRefused, RoundRefused
from training.models import Checkpoint, Round, Stage
from training.recipes import Sections
from training.rlhf.contract.config import CONDITION_DROPOUT
from training.rlhf.contract.strict import shown

Mode = Literal["everybody", "alone", "told"]
MODES: tuple[Mode, ...] = get_args(Mode)
CONDITIONED = (Stage.Kind.SFT, Stage.Kind.REWARD, Stage.Kind.PPO)
"""Stages that are told whose preferences they learn, where a round tells cohorts apart."""
FEWEST_TOLD, MOST_TOLD = 2, 12


@dataclass(frozen=True)
class Audience:
    """conditions: of the one cohort alone, or of each that is told apart."""

    mode: Mode = "everybody"
    conditions: tuple[Condition, ...] = ()

    @property
    def cohorts(self) -> tuple[int, ...]:
        return tuple(one.cohort for one in self.conditions if one.cohort is not None)

    @property
    def served_alone(self) -> Cohort | None:
        """The one cohort that the round is for; None for a round of several, and where it was deleted since."""
        return Cohort.objects.filter(pk__in=self.cohorts).first() if self.mode == "alone" else None

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(one.key for one in self.conditions)

    @property
    def sentence(self) -> str:
        """For whom, in words; empty for everybody."""
        names = [one.name for one in self.conditions]
        if self.mode == "alone":
            return f"Trained for {names[0]} alone."
        if self.mode == "told":
            return f"Told apart: {', '.join(names[:-1])} and {names[-1]}."
        return ""

    def to_json(self) -> dict[str, Any]:
        return {"mode": self.mode, "conditions": [asdict(one) for one in self.conditions]}

    def sections(self, kind: str) -> Sections:
        """What config.json of a stage says of it: the key and text of every cohort, and how often they are left out."""
        if self.mode != "told" or kind not in CONDITIONED:
            return {}
        dropout = {"dropout": CONDITION_DROPOUT[kind]} if kind in CONDITION_DROPOUT else {}
        texts = {one.key: one.text for one in self.conditions}
        return {"conditioning": {"mode": "message", **dropout, "conditions": texts}}

    def asked(self, kind: str, *, rolled_out: bool) -> dict[str, Any]:
        """Fields of the query for records of this kind. rolled_out: prompts that PPO samples from."""
        if self.mode == "alone" and kind == "rankings":
            return {"cohort": self.cohorts[0]}
        if self.mode == "told" and kind in ("rankings", "demonstrations"):
            return {"among": list(self.cohorts), "keys": list(self.keys)}
        if self.mode == "told" and kind == "prompts" and rolled_out:
            return {"told": list(self.keys)}
        return {}


def audience_of(round_: Round) -> Audience:
    said: Mapping[str, Any] = round_.recipe.get("audience") or {}
    conditions = tuple(Condition(**one) for one in said.get("conditions", ()))
    return Audience(said["mode"], conditions) if said else Audience()


def audience_in(project: Project, mode: str, asked: Collection[str]) -> Audience:
    """As a researcher asks for it. asked: primary keys of cohorts, as typed. Raises RoundRefused."""
    known = next((one for one in MODES if one == mode), None)
    if known is None:
        raise RoundRefused(f"A round cannot be trained for {shown(mode)}; expected one of {', '.join(MODES)}.")
    wanted = list(dict.fromkeys(asked))
    there = {str(cohort.pk): cohort for cohort in project.cohorts.order_by("name")}
    for one in wanted:
        if one not in there:
            raise RoundRefused(f"{shown(one[:20])} is no cohort of this project. Choose among those that it has.")
    if known == "everybody" and wanted:
        raise RoundRefused("A round for everybody names no cohort. Take the cohorts out, or choose another audience.")
    if known == "alone" and len(wanted) != 1:
        raise RoundRefused(f"A round for one cohort alone names one cohort, and {len(wanted)} are named.")
    if known == "told" and not FEWEST_TOLD <= len(wanted) <= MOST_TOLD:
        raise RoundRefused(
            f"Cohorts that are told apart are {FEWEST_TOLD} to {MOST_TOLD}, and {len(wanted)} "
            f"{'is' if len(wanted) == 1 else 'are'} named."
        )
    chosen = [there[one] for one in sorted(wanted, key=lambda one: there[one].name)]
    for cohort in chosen:
        _refuse_few(cohort)
    return Audience(known, written_down(chosen))


def _refuse_few(cohort: Cohort) -> None:
    """Of fewer than five labelers a model would give away what each of them prefers."""
    people = CohortMember.objects.filter(cohort=cohort).values("labeler").distinct().count()
    if people < FEWEST_SHOWN:
        raise RoundRefused(
            f"Fewer than {FEWEST_SHOWN} labelers have been in {cohort.name}: a model of so few would give away what "
            f"each of them prefers. {FEWEST_SHOWN} or more would do."
        )


def known_to(checkpoint: Checkpoint) -> tuple[Condition, ...]:
    """What a checkpoint can be told, as its own job froze it; of a folder that was brought in, as its accord.json says;
    nothing where it learned none."""
    job = checkpoint.job
    section = (job.config.get("conditioning") or {}) if job is not None else {}
    texts: Mapping[str, str] = (section.get("conditions") or {}) if job is not None else told_by_its_folder(checkpoint)
    frozen = {one.key: one for one in audience_of(job.stage.round).conditions} if job is not None and job.stage else {}
    return tuple(
        Condition(key, text, frozen[key].name, frozen[key].cohort) if key in frozen else Condition(key, text, key)
        for key, text in sorted(texts.items())  # the database keeps no order
    )


def told_sections(checkpoint: Checkpoint, key: str) -> Sections:
    """Of config.json of Sample: the condition that its model is told with every prompt. Raises LaunchRefused."""
    known = {one.key: one.text for one in known_to(checkpoint)}
    if key not in known:
        knows = ", ".join(known) or "none"
        raise LaunchRefused(f"{checkpoint.name} knows no condition {shown(key[:100])}; it was trained with: {knows}.")
    return {"sample": {"condition": key}, "conditioning": {"mode": "message", "conditions": known}}
