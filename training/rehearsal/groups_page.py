"""The page of a study of groups: the matrix of reward models, and the evaluation two by two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.agreement.figures import Figure
from labeling.agreement.matrix import MODELS, HeldOut, Matrix, claim_of, matrix_of
from labeling.evaluating import Rating, contrast, for_ones_own, interaction, mean_rating
from training.rehearsal.phrases import COHORTS
from training.rehearsal.tastes import RANKERS, RATERS

POOLED = "policy"
PEOPLE: dict[str, int] = {cohort: sum(one.cohort == cohort for one in (*RANKERS, *RATERS)) for cohort in COHORTS}
NOT_LOWER = 0.25
"""A loss of shared quality up to this many points of 7 counts as none; as on the page of an evaluation."""
SHARED_TRAITS = ("right", "second fact", "idle sentences", "own questions", "ended", "words")


@dataclass(frozen=True, kw_only=True)
class Groups:
    """held_out: by village. traits: by system, means over all villages. cpu_seconds: by village."""

    held_out: Mapping[int, Sequence[HeldOut]]
    ratings: Sequence[Rating]
    traits: Mapping[str, Mapping[str, float]]
    cpu_seconds: Mapping[int, float]


def told_name(cohort: str) -> str:
    return f'told "{cohort}"'


def write_page(path: Path, found: Groups, *, command: str, recipe: str) -> None:
    path.write_text(page_of(found, command=command, recipe=recipe))


def page_of(found: Groups, *, command: str, recipe: str) -> str:
    villages = ", ".join(str(seed) for seed in found.held_out)
    whole = matrix_of([one for rows in found.held_out.values() for one in rows], people=PEOPLE)
    by_village = {seed: matrix_of(rows, people=PEOPLE) for seed, rows in found.held_out.items()}
    cost = ", ".join(f"{seconds:.0f} s" for seconds in found.cpu_seconds.values())
    parts = [
        "# Whose preferences: the rehearsal's two cohorts",
        f"Villages {villages}, recipe {recipe}, made by `{command}`. Every labeler is simulated. CPU time of the\n"
        f"steps of each village, those of an earlier study included: {cost}.",
        f"## Reward models by cohorts\n\n{claim_of(whole)}",
        "Share of pairs of responses that a reward model orders as a rater did who is none of those it learned from,\n"
        "on prompts about creatures that no training ranking is about; 95 % intervals, creatures and raters vary in\n"
        "them together. *At equal n*: everybody's judgments, as many a prompt as one cohort made. *Another of the\n"
        "cohort*: how often one of its other raters orders the pair alike, their ties half.",
        _matrix(whole),
        "Differences on the same pairs, in points:",
        _differences(whole),
        "Each village by itself:",
        _by_village(by_village),
        f"## The conditioned policy, two by two\n\n{two_by_two_claim(found.ratings)}",
        "Mean rating, 1 to 7, of one policy told for whom to write, and of the pooled policy that is told nothing, at\n"
        "T = 1 on held-out prompts.",
        _two_by_two(found.ratings),
        "What both cohorts want alike, by what the responses say:",
        _traits(found.traits),
    ]
    return "\n\n".join(parts) + "\n"


# --- the matrix -------------------------------------------------------------------------------------------------------


def _matrix(matrix: Matrix) -> str:
    rows = [[model, *(_share(matrix.cells[model, cohort]) for cohort in matrix.cohorts)] for model in MODELS]
    rows.append(["*another of the cohort*", *(_share(matrix.agreement[cohort]) for cohort in matrix.cohorts)])
    return table(["reward model learned from", *matrix.cohorts], rows)


def _differences(matrix: Matrix) -> str:
    rows = [[one.model, one.than_model, one.cohort or "both", points(one.figure)] for one in matrix.differences]
    return table(["reward model", "less", "on", "difference"], rows)


def _by_village(matrices: Mapping[int, Matrix]) -> str:
    rows = [
        [seed, cohort, *(_value(matrix.cells[model, cohort]) for model in MODELS), _value(matrix.agreement[cohort])]
        for seed, matrix in matrices.items()
        for cohort in matrix.cohorts
    ]
    return table(["village", "cohort", *MODELS, "another of the cohort"], rows)


# --- two by two -------------------------------------------------------------------------------------------------------


def interaction_of(ratings: Sequence[Rating]) -> Figure:
    """By how much more each cohort likes what was written for it than the other does."""
    one, other = COHORTS
    first, second = (((told_name(told), one), (told_name(told), other)) for told in COHORTS)
    return contrast(ratings, interaction(first, second))


def shared_quality_of(ratings: Sequence[Rating]) -> Figure:
    """What each cohort gives to what was written for it, less what it gives to the pooled policy, mean of cohorts."""
    own = [(told_name(cohort), cohort) for cohort in COHORTS]
    return contrast(ratings, for_ones_own(own, [(POOLED, cohort) for cohort in COHORTS]))


def two_by_two_claim(ratings: Sequence[Rating]) -> str:
    own, quality = interaction_of(ratings), shared_quality_of(ratings)
    if own.interval is None or quality.interval is None:
        return f"Nothing can be claimed: {own.reason or own.interval_reason or quality.interval_reason}"
    depends = own.interval.low > 0
    kept = quality.interval.low > -NOT_LOWER
    first = "It can be claimed that" if depends else "It cannot be claimed that"
    second = (
        f"and quality for one's own is not lower than the pooled policy's by {NOT_LOWER} or more"
        if kept
        else f"and a loss of {NOT_LOWER} or more against the pooled policy cannot be ruled out"
    )
    return (
        f"{first} what is written for a cohort pleases it more than the other: the interaction is "
        f"{_number(own)}; {second}: {_number(quality)}."
    )


def _two_by_two(ratings: Sequence[Rating]) -> str:
    systems = [*(told_name(cohort) for cohort in COHORTS), POOLED]
    rows = [
        [system, *(_number(mean_rating(ratings, generator=(system, cohort))) for cohort in COHORTS)]
        for system in systems
    ]
    rows.append(["interaction", _number(interaction_of(ratings)), ""])
    rows.append(["for one's own, less the pooled policy", _number(shared_quality_of(ratings)), ""])
    return table(["policy", *(f"rated by {cohort}" for cohort in COHORTS)], rows)


def _traits(traits: Mapping[str, Mapping[str, float]]) -> str:
    rows = [[system, *(f"{of[name]:.2f}" for name in SHARED_TRAITS)] for system, of in traits.items()]
    return table(["policy", *SHARED_TRAITS], rows)


# --- words ------------------------------------------------------------------------------------------------------------


def table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _share(figure: Figure) -> str:
    if figure.value is None:
        return f"none: {figure.reason}"
    if figure.interval is None:
        return f"{figure.value:.3f} (no interval: {figure.interval_reason})"
    return f"{figure.value:.3f} ({figure.interval.low:.3f} to {figure.interval.high:.3f}; {figure.count:,} pairs)"


def _value(figure: Figure) -> str:
    return "–" if figure.value is None else f"{figure.value:.3f}"


def points(figure: Figure) -> str:
    if figure.value is None:
        return f"none: {figure.reason}"
    if figure.interval is None:
        return f"{100 * figure.value:+.1f} (no interval: {figure.interval_reason})"
    return f"{100 * figure.value:+.1f} ({100 * figure.interval.low:+.1f} to {100 * figure.interval.high:+.1f})"


def _number(figure: Figure) -> str:
    if figure.value is None:
        return f"none: {figure.reason}"
    if figure.interval is None:
        return f"{figure.value:.2f} (no interval: {figure.interval_reason})"
    return f"{figure.value:.2f} ({figure.interval.low:.2f} to {figure.interval.high:.2f})"
