"""An evaluation as JSON: the figures of its page."""

from collections.abc import Sequence

from labeling.views.worded import as_json
from training.evaluation import Evaluation
from training.verdicts import interactions, more_words, paired_tests, wanting_of
from training.virtues import virtues_of


def json_of(found: Evaluation, *, claim: str, verdict: str, depends: Sequence[str]) -> dict[str, object]:
    """depends: what can be claimed of each interaction."""
    scales = [scale["name"] for scale in found.campaign.guideline.scales]
    flags = [flag["name"] for flag in found.campaign.guideline.flags]
    return {
        "claim": claim, "verdict": verdict, "raters": found.raters, "labelers": found.labelers,
        "prompts": found.prompts, "subject": found.subject.label, "baseline": found.baseline.label,
        "generators": [
            {
                "key": author.key, "label": author.label, "kind": author.kind,
                "means": {scale: as_json(found.mean(author, scale)) for scale in scales},
                "differences": {
                    scale: as_json(found.difference(author, scale)) for scale in scales if author != found.baseline
                },
                "win_rate": as_json(found.wins(author, found.baseline)) if author != found.baseline else None,
                "flags": {flag: as_json(found.flagged(author, flag)) for flag in flags},
            }
            for author in found.authors
        ],
        "virtues": {
            one.name.lower(): {author.key: as_json(figure) for author, figure in one.shares}
            for one in virtues_of(found)
        },
        "tests": [
            {"generator": one.author.key, "p_value": one.p_value.value, "holm": one.adjusted,
             "reason": one.p_value.reason, "more": more_words(one.settles)}
            for one in paired_tests(found)
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
        "interactions": [
            {"cohorts": [one.one, one.other], "interaction": as_json(one.figure), "holm": one.adjusted,
             "shared": as_json(one.shared), "claim": said,
             "quality": {author.key: as_json(figure) for author, figure in one.quality}}
            for one, said in zip(interactions(found), depends, strict=True)
        ],
    }  # fmt: skip
