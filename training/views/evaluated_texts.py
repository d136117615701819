"""The texts of an evaluation, to be read: each prompt with what everyone wrote to it, side by side, and its ratings."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.safestring import SafeString

from labeling.models import Prompt, Response, Task
from labeling.rendering import render_all
from training.authors import Author, key_of
from training.evaluation import OVERALL, Evaluation
from training.rated import Said


@dataclass(frozen=True)
class Voice:
    """One labeler's ratings of a response, in the order of the scales."""

    labeler: str
    simulated: bool
    ratings: list[tuple[str, int]]
    flags: list[str]


@dataclass(frozen=True)
class Text:
    """A response. mean: of the overall ratings, or empty."""

    author: Author
    html: SafeString
    mean: str
    voices: list[Voice]
    cut: bool


@dataclass(frozen=True)
class Compared:
    """A prompt with its texts. gap: the subject's mean less the baseline's, where both were rated."""

    prompt: Prompt
    html: SafeString
    texts: list[Text]
    gap: float | None


def prompts_to_read(found: Evaluation, which: str) -> list[int]:
    """Ids of prompts: all in the order of their ids, or those on which the subject was rated lower (higher) than the
    baseline, the widest gap first."""
    if which == "all":
        tasks = Task.objects.filter(campaign=found.campaign, prompt__isnull=False).order_by("prompt")
        return list(tasks.values_list("prompt_id", flat=True).distinct())
    sign = 1 if which == "lower" else -1
    gaps = [(sign * gap, prompt) for prompt, gap in _gaps(found).items() if sign * gap < 0]
    return [prompt for _, prompt in sorted(gaps)]


def _gaps(found: Evaluation) -> dict[int, float]:
    """Prompt -> mean of the subject less that of the baseline, where both were rated."""
    said, overall = found.said, found.said.rating(OVERALL)
    number = len(said.prompts.values)
    means = []
    for author in (found.subject, found.baseline):
        rows = said.by(author.key) & np.isfinite(overall)
        prompts = said.prompts.codes[rows]
        sums = np.bincount(prompts, weights=overall[rows], minlength=number)
        counts = np.bincount(prompts, minlength=number)
        means.append(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
    gaps = means[0] - means[1]
    return {int(said.prompts.values[code]): float(gaps[code]) for code in np.flatnonzero(np.isfinite(gaps))}


def compared_texts(found: Evaluation, prompts: Sequence[int]) -> list[Compared]:
    """These prompts with all that was written and said. Three queries, and two for the names of flags and labelers."""
    by_id = Prompt.objects.in_bulk(prompts)
    shown = Response.objects.filter(shown_in__task__campaign=found.campaign, prompt__in=prompts).distinct()
    responses: dict[int, list[Response]] = defaultdict(list)
    for one in shown.order_by("pk"):
        responses[one.prompt_id].append(one)
    said: dict[int, list[Said]] = defaultdict(list)
    for judgment in found.said.said_of(set(by_id)):
        said[judgment.response].append(judgment)
    flat = [one for prompt in prompts for one in responses[prompt]]
    html = dict(zip((one.pk for one in flat), render_all([one.text for one in flat]), strict=True))
    asked = render_all([by_id[prompt].last_turn for prompt in prompts])
    names = _Names(found, said)
    place = {author.key: number for number, author in enumerate(found.authors)}
    gaps = _gaps(found)
    return [
        Compared(
            prompt=by_id[prompt],
            html=asked[number],
            texts=[
                _text(one, names.author(one), html[one.pk], said[one.pk], names)
                for one in sorted(responses[prompt], key=lambda one: (place[names.author(one).key], one.pk))
            ],
            gap=gaps.get(prompt),
        )
        for number, prompt in enumerate(prompts)
    ]


class _Names:
    """Of authors, labelers, scales and flags. numbered: a pseudonym would tell who is in a cohort that a rule fills, so
    that labelers are numbered beside each text."""

    def __init__(self, found: Evaluation, said: dict[int, list[Said]]) -> None:
        self.authors = {author.key: author for author in found.authors}
        self.scales = [(scale["name"], scale["label"]) for scale in found.campaign.guideline.scales]
        self.flags = {flag["name"]: flag["label"] for flag in found.campaign.guideline.flags}
        self.numbered = found.campaign.kept_by_rule
        raters = {one.labeler for judgments in said.values() for one in judgments}
        labelers = found.campaign.project.labelers.filter(pk__in=raters)
        self.labelers: dict[int, str] = dict(labelers.values_list("pk", "pseudonym"))

    def author(self, response: Response) -> Author:
        return self.authors[key_of(response)]


def _text(response: Response, author: Author, html: SafeString, said: list[Said], names: _Names) -> Text:
    overall = [one.ratings[OVERALL] for one in said if OVERALL in one.ratings]
    voices = [
        Voice(
            labeler=f"labeler {number}" if names.numbered else names.labelers[one.labeler], simulated=one.simulated,
            ratings=[(label, one.ratings[name]) for name, label in names.scales if name in one.ratings],
            flags=[label for name, label in names.flags.items() if one.flags.get(name)],
        )
        for number, one in enumerate(said, 1)
    ]  # fmt: skip
    mean = f"{sum(overall) / len(overall):.1f}" if overall else ""
    return Text(author, html, mean, voices, cut=response.finish_reason == "length")
