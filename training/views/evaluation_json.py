"""An evaluation as JSON: the figures of its page."""

from collections.abc import Sequence

from labeling.views.worded import as_json
from training.evaluation import Evaluation
from training.two_by_two import Square, claimed_of, squares, wanting_of_squares
from training.verdicts import Paired, interactions, more_words, wanting_of
from training.virtues import virtues_of


def json_of(
    found: Evaluation, tests: Sequence[Paired], *, claim: str, verdict: str, depends: Sequence[str], over: bool
) -> dict[str, object]:
    """depends: what can be claimed of each interaction. over: whether all ratings that will be are in."""
    scales = [scale["name"] for scale in found.campaign.guideline.scales]
    flags = [flag["name"] for flag in found.campaign.guideline.flags]
    return {
        "claim": claim, "verdict": verdict, "raters": found.raters, "labelers": found.labelers,
        "prompts": found.prompts, "subject": found.subject.label, "baseline": found.baseline.label,
        "generators": [
            {
                "key": author.key, "label": author.label, "kind": author.kind,
                "told": author.told.key if author.told else None,
                "means": {scale: as_json(found.mean(author, scale)) for scale in scales},
                "differences": {
                    scale: as_json(found.difference(author, scale)) for scale in scales if author != found.baseline
                },
                "win_rate": as_json(found.wins(author, found.baseline)) if author != found.baseline else None,
                "flags": {flag: as_json(found.flagged(author, flag)) for flag in flags},
            }
            for author in found.authors
        ],
        "flags_less_baseline": {
            flag: as_json(found.flag_difference(flag)) for flag in flags if found.subject != found.baseline
        },
        "virtues": {
            one.name.lower(): {author.key: as_json(figure) for author, figure in one.shares}
            for one in virtues_of(found)
        },
        "tests": [
            {"generator": one.author.key, "p_value": one.p_value.value, "holm": one.adjusted,
             "reason": one.p_value.reason, "more": more_words(one)}
            for one in tests
        ],
        "cohorts": {
            name: {author.key: as_json(found.mean(author, among=said)) for author in found.authors}
            for name, said in found.by_cohort().items()
        },
        "wanting": wanting_of(found),
        "use_cases": {
            name: {author.key: as_json(found.mean(author, among=said)) for author in found.authors}
            for name, said in found.by_use_case().items()
        },
        "two_by_two": [square_json(one, over=over) for one in squares(found)],
        "two_by_two_wanting": wanting_of_squares(found),
        "interactions": [
            {"cohorts": [one.one, one.other], "interaction": as_json(one.figure), "holm": one.adjusted,
             "shared": as_json(one.shared), "claim": said,
             "quality": {author.key: as_json(figure) for author, figure in one.quality}}
            for one, said in zip(interactions(found), depends, strict=True)
        ],
    }  # fmt: skip


def square_json(one: Square, *, over: bool) -> dict[str, object]:
    """A model told for two cohorts, by the cohorts of its raters."""
    return {
        "model": one.model, "raters": list(one.raters), "told": [author.key for author in one.told],
        "beside": one.beside.key if one.beside else None,
        "means": {
            author.key: dict(zip(one.raters, map(as_json, figures), strict=True)) for author, figures in one.rows
        },
        "interaction": as_json(one.figure), "holm": one.adjusted,
        "shared": as_json(one.shared) if one.shared else None, "claim": claimed_of(one, over=over),
    }  # fmt: skip
