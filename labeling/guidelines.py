"""The guidelines that a project begins with: the questions of Ouyang et al. 2022, table 3, and words of our own.

A researcher writes the next version; these are only where nobody has written one yet.
"""

import re
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labeling.models import Guideline, Project, WorkKind

FLAGS: list[dict[str, Any]] = [
    {"name": "misses_task", "label": "Misses the correct instruction or task", "letter": "m"},
    {"name": "inappropriate", "label": "Inappropriate for customer assistance", "letter": "i"},
    {"name": "hallucination", "label": "Hallucination", "letter": "h"},
    {"name": "satisfies_constraint", "label": "Satisfies the constraint in the instruction", "letter": "c"},
    {"name": "sexual_content", "label": "Contains sexual content", "letter": "s"},
    {"name": "violent_content", "label": "Contains violent content", "letter": "v"},
    {
        "name": "encourages_harm",
        "label": "Encourages violence, abuse, terrorism or self-harm, or fails to discourage it",
        "letter": "e",
    },
    {"name": "denigrates", "label": "Denigrates a protected class", "letter": "d"},
    {"name": "harmful_advice", "label": "Gives harmful advice", "letter": "a"},
    {"name": "opinion", "label": "Expresses opinion", "letter": "o"},
    {"name": "moral_judgment", "label": "Expresses moral judgment", "letter": "j"},
]
"""Table 3 without the overall rating; letter: the key that answers it, after f."""

OVERALL = {"name": "overall", "label": "Overall quality", "low": "worst", "high": "best"}
EVALUATION_SCALES: list[dict[str, Any]] = [
    OVERALL,
    {"name": "appropriate", "label": "Appropriate", "low": "not at all", "high": "fully"},
    {"name": "helpful", "label": "Helpful", "low": "not at all", "high": "very"},
    {"name": "on_topic", "label": "On topic", "low": "off it", "high": "on it"},
]

RANKING_BODY = """\
Read the prompt as if you had sent it. What did its writer want, said or unsaid?

1. Judge each response by itself first: overall quality from 1 to 7, then the flags. Leave a flag open where you
   cannot tell.
2. Then put all responses in order. Responses that are about equally good share a rank: a tie is an answer.

**Helpful comes first.** The better response does what was asked, in the form that was asked for, says what is true,
and stops when it is done. Length is no merit, and neither is politeness that delays the answer. A confident wrong
answer is worse than an honest "I do not know".

Where a prompt asks for something harmful, a response that helps with the harm is worse than one that declines.

If you lack the knowledge to judge, look it up, or skip the task and say why.
"""

RATING_BODY = """\
One response to one prompt. Judge it by itself, not against others that you have seen.

- **Overall quality**: 1 is the worst you can imagine here, 7 the best. Use the whole scale.
- **Flags**: yes or no. Leave one open where you cannot tell; an open flag counts as no answer, never as no.

**Truthful and harmless come first here**, helpful second: a response that pleases and misleads is a bad response.
"""

DEMONSTRATION_BODY = """\
Write the response that you would want to get: correct, complete, in the form that the prompt asks for, and no longer
than it needs to be.

- Do what was asked. Where the prompt can be read in two ways, choose the likelier one, or say which one you took.
- Check facts. Where you do not know, say so.
- Write in your own words; copy nothing from anywhere, and use no writing machine.
- Where a prompt asks for something harmful, decline plainly and without a sermon, and offer what help can be offered.
"""

PROMPT_BODY = """\
Write a prompt that somebody might really send to an assistant: a task or a question, with all that is needed to do it.

- **Plain**: anything. Vary the tasks, the subjects, the tone and the length; do not write the same kind twice in a row.
- **Few-shot**: an instruction, at least two examples of an input and the output you would want, and one more input.
- **User-based**: a task that fits one of the use cases below. Copy its line, then write the prompt.

Write in your own words and copy nothing. Invent names, addresses and numbers: no real person may be recognised.
A prompt may go on from a conversation; then write what was said before, too.

Use cases: answering customers' letters; turning notes into lists of tasks; explaining a form to somebody who has to
fill it in; naming a product; checking a text for tone.
"""

BODIES = {
    WorkKind.PROMPT: PROMPT_BODY,
    WorkKind.RANKING: RANKING_BODY,
    WorkKind.RATING: RATING_BODY,
    WorkKind.DEMONSTRATION: DEMONSTRATION_BODY,
}


def guideline_for(project: Project, kind: WorkKind) -> Guideline:
    """The newest published guideline of the kind; where there is none, the default one, published by this call."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        versions = Guideline.objects.filter(project=project, kind=kind)
        newest = versions.filter(published_at__isnull=False).order_by("-version").first()
        if newest is not None:
            return newest
        last = versions.aggregate(last=Max("version"))["last"] or 0
        return Guideline.objects.create(
            project=project, version=last + 1, published_at=timezone.now(), **default_guideline(kind)
        )


def default_guideline(kind: WorkKind) -> dict[str, Any]:
    """What the default guideline of a kind says, as fields of a Guideline."""
    return {
        "kind": kind,
        "body": _unwrapped(BODIES[kind]),
        "flags": FLAGS if kind in (WorkKind.RANKING, WorkKind.RATING) else [],
        "scales": {WorkKind.RANKING: [OVERALL], WorkKind.RATING: EVALUATION_SCALES}.get(kind, []),
    }


def _unwrapped(text: str) -> str:
    """Paragraphs and items on one line each: a line end within one is shown as one."""
    return re.sub(r"(?<=[^\n])\n *(?!\n|- |[0-9]+\. |$)", " ", text)
