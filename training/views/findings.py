"""What an evaluation found, in sentences: the claim of the page, and what it rests on."""

import numpy as np

from labeling.agreement.figures import Figure
from labeling.views.worded import between, number, plural
from training.authors import Author
from training.evaluation import Evaluation
from training.verdicts import is_settled

WHO = {"people": "People", "simulated": "Simulated labelers", "both": "People and simulated labelers"}


def name_of(author: Author) -> str:
    """As a sentence speaks of it: the round's own policy and SFT need no number."""
    if author.is_human:
        return "human demonstrations"
    if author.kind == "base":
        return "the base model"
    own = {"policy": "the policy", "sft": "SFT"}
    if not author.own or author.kind not in own:
        return author.label
    return f"{own[author.kind]} told {author.told.name}" if author.told else own[author.kind]


def claim_of(evaluation: Evaluation, *, over: bool) -> str:
    """One sentence. over: whether all ratings that will be are in; before that it says "so far"."""
    subject, baseline = evaluation.subject, evaluation.baseline
    if not len(evaluation.said):
        return _nobody(evaluation, over=over)
    who = WHO[evaluation.raters] if over else f"So far {WHO[evaluation.raters][0].lower()}{WHO[evaluation.raters][1:]}"
    if subject == baseline:
        mean = evaluation.mean(subject)
        return f"{who} rate {name_of(subject)} {_with_interval(mean, mean.value)}."
    difference = evaluation.difference(subject)
    if difference.value is None:
        return f"{who} have not rated {name_of(subject)} and {name_of(baseline)} on the same prompts."
    how, range_ = _compared(difference, name_of(baseline))
    on = f"on {plural(evaluation.shared_prompts, 'held-out prompt')}"
    if difference.interval and difference.interval.holds(0):
        return f"{who} rate {name_of(subject)} {how} {on}, which may be chance ({range_})."
    if difference.interval and not is_settled(evaluation):
        return f"{who} rate {name_of(subject)} {how} ({range_}) {on}; beside the other comparisons it may be chance."
    return f"{who} rate {name_of(subject)} {how}{f' ({range_})' if range_ else ''} {on}."


def _nobody(evaluation: Evaluation, *, over: bool) -> str:
    if evaluation.withheld:
        return evaluation.withheld
    other = "simulated" if evaluation.raters == "people" else "people"
    count = evaluation.by_source.get(other, 0)
    if count and other == "simulated":
        return (
            f"No person has rated these responses; {plural(count, 'simulated labeler has', 'simulated labelers have')}."
        )
    if count:
        return f"No simulated labeler has rated these responses; {plural(count, 'person has', 'people have')}."
    return "Nobody rated these responses." if over else "Nobody has rated these responses yet."


def _compared(difference: Figure, baseline: str) -> tuple[str, str]:
    """ "0.62 above SFT" and "0.41 to 0.83", the second in the same direction as the first; empty without interval."""
    value, interval = difference.known(), difference.interval
    if number(abs(value)) == number(0):
        how = f"like {baseline}"
    else:
        how = f"{number(abs(value))} {'above' if value > 0 else 'below'} {baseline}"
    if interval is None:
        return how, ""
    if interval.holds(0):
        return how, f"{number(interval.low, sign=True)} to {number(interval.high, sign=True)}"
    if value < 0:
        return how, f"{number(-interval.high)} to {number(-interval.low)}"
    return how, between(difference)


def _with_interval(figure: Figure, value: float | None) -> str:
    if value is None:
        return "not at all"
    return f"{number(value)} of 7" + (f" ({between(figure)})" if figure.interval else "")


def basis_of(evaluation: Evaluation, *, done: int, wanted: int) -> str:
    """What the claim rests on. done, wanted: submissions of everybody."""
    campaign = evaluation.campaign
    said = evaluation.said
    who = {
        "people": plural(evaluation.labelers, "person", "people"),
        "simulated": plural(evaluation.labelers, "simulated labeler"),
        "both": f"{plural(evaluation.by_source.get('people', 0), 'person', 'people')} and "
        f"{plural(evaluation.by_source.get('simulated', 0), 'simulated labeler')}",
    }[evaluation.raters]
    sentences = []
    if len(said):
        sentences.append(
            f"{plural(len(np.unique(said.prompts.codes)), 'held-out prompt')}, "
            f"{plural(len(np.unique(said.responses)), 'response')}, {plural(len(said), 'rating')} by "
            f"{'at least ' if campaign.kept_by_rule else ''}{who}, "
            f"one response at a time, blind and in mixed order."
        )
    sentences.append(f"{done:,} of {plural(wanted, 'rating')} are in." if done != wanted else "All ratings are in.")
    difference = evaluation.difference(evaluation.subject) if evaluation.subject != evaluation.baseline else None
    if len(said) and difference is not None and difference.value is not None:
        if difference.interval:
            sentences.append(
                "95 % intervals; prompts and labelers vary in them together. The difference is taken prompt by prompt."
            )
        else:
            sentences.append(f"No interval: {difference.interval_reason[:1].lower()}{difference.interval_reason[1:]}")
    sentences.append(f"Guideline {campaign.guideline.version}.")
    return " ".join(sentences)
