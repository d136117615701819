"""The prompts of a project, narrowed and searched; and one prompt with everything that was written in reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling.browsing.aside import stands, why_aside
from labeling.browsing.opinions import Opinion, opinions_of
from labeling.browsing.searching import Found, LastTurn, TurnTexts, beginning, with_words
from labeling.datasets import counted
from labeling.models import Labeler, Project, Prompt, Response, Task
from labeling.rendering import render_all
from labeling.screens import ShownTurn

FIRST_CHARACTERS = 240
MOST_RESPONSES = 60
"""On the page of one prompt; the list of responses has the others."""


def found_prompts(project: Project, said: Mapping[str, str]) -> Found[Prompt]:
    """said: what PromptFilters accepted."""
    rows = Prompt.objects.filter(project=project)
    rows = rows.filter(**{name: said[name] for name in ("split", "use_case", "style", "origin") if name in said})
    if "demonstration" in said:
        written = Exists(demonstrations().filter(prompt=OuterRef("pk")))
        rows = rows.filter(written if said["demonstration"] == "yes" else ~written)
    if "generator" in said:
        rows = rows.filter(Exists(Response.objects.filter(prompt=OuterRef("pk"), generator_id=int(said["generator"]))))
    if "standing" in said:
        rows = rows.filter(stands() if said["standing"] == "stands" else ~stands())
    return with_words(rows, said.get("q", ""), text=TurnTexts("messages"))


def demonstrations() -> QuerySet[Response]:
    """Those that count: a corrected one is there twice and is one."""
    return Response.objects.filter(counted("submission"), labeler__isnull=False, judged_only=False)


def as_lines(rows: QuerySet[Prompt]) -> QuerySet[Prompt]:
    """With the first words of the last turn, why it is set aside where it is, and how much there is of each, counted by
    the database."""
    return rows.defer("messages").annotate(
        aside=why_aside(),
        first_words=beginning(LastTurn("messages"), characters=FIRST_CHARACTERS),
        demonstrated=_how_many(demonstrations()),
        generated=_how_many(Response.objects.filter(generator__isnull=False)),
        tasked=_how_many(Task.objects.all()),
    )


def _how_many(rows: QuerySet[Any]) -> Coalesce:
    """Of the rows that belong to a prompt: a subquery each, or two joins would multiply each other."""
    counted = rows.filter(prompt=OuterRef("pk")).order_by().values("prompt").annotate(many=Count("pk")).values("many")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


@dataclass(frozen=True)
class Tally:
    """Of all prompts of a project."""

    prompts: int
    train: int
    valid: int
    test: int
    demonstrated: int
    aside: int


def tally_of(project: Project) -> Tally:
    """Three queries, none of which reads a text."""
    splits = {f"{split}": Count("pk", filter=Q(split=split)) for split in Prompt.Split.values}
    counts = Prompt.objects.filter(project=project).aggregate(prompts=Count("pk"), **splits)
    written = demonstrations().filter(prompt__project=project).aggregate(many=Count("prompt", distinct=True))["many"]
    # Only what labelers wrote here can be set aside.
    here = Prompt.objects.filter(project=project, submission__isnull=False)
    return Tally(**counts, demonstrated=written, aside=here.filter(~stands()).count())


# --- one prompt -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShownText:
    """A response with what was said of it."""

    response: Response
    html: str
    opinion: Opinion

    @property
    def sampling(self) -> list[tuple[str, str]]:
        """How it was sampled, without what is no plain value (the ids of its tokens)."""
        plain = [
            (name, value) for name, value in self.response.sampling.items() if isinstance(value, int | float | str)
        ]
        return [(name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in plain]


@dataclass(frozen=True)
class PromptSheet:
    """responses: how many there are in all; what is shown of them is in the three lists."""

    prompt: Prompt
    turns: Sequence[ShownTurn]
    demonstrations: Sequence[ShownText]
    generated: Sequence[ShownText]
    judged_only: Sequence[ShownText]
    responses: int
    tasks: Sequence[Task]

    @property
    def shown(self) -> int:
        return len(self.demonstrations) + len(self.generated) + len(self.judged_only)


def prompt_sheet(prompt: Prompt) -> PromptSheet:
    """Costs the same few queries however many responses there are; people's texts are shown before machines'."""
    rows = Response.objects.filter(prompt=prompt)
    taken = list(
        rows.select_related("generator", "labeler").order_by(
            Coalesce("labeler_id", -1).desc(), "judged_only", "generator__name", "pk"
        )[:MOST_RESPONSES]
    )
    html = render_all([*(str(turn["content"]) for turn in prompt.messages), *(one.text for one in taken)])
    turns = [ShownTurn(str(turn["role"]), rendered) for turn, rendered in zip(prompt.messages, html, strict=False)]
    opinions = opinions_of(taken)
    texts = [
        ShownText(one, rendered, opinions[one.pk]) for one, rendered in zip(taken, html[len(turns) :], strict=True)
    ]
    return PromptSheet(
        prompt=prompt,
        turns=turns,
        demonstrations=[one for one in texts if one.response.labeler and not one.response.judged_only],
        generated=[one for one in texts if one.response.generator],
        judged_only=[one for one in texts if one.response.labeler and one.response.judged_only],
        responses=rows.count() if len(taken) == MOST_RESPONSES else len(taken),
        tasks=list(Task.objects.filter(prompt=prompt).select_related("campaign").order_by("-pk")[:MOST_RESPONSES]),
    )


def author_of(prompt: Prompt) -> Labeler | None:
    """Who wrote the prompt, where it came from a submission (loaded with it)."""
    return prompt.submission.assignment.labeler if prompt.submission else None
