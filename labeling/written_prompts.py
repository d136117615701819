"""What labelers wrote becomes prompts of the project: new ones only, and what looks doubtful is asked about once.

A correction writes another prompt, as a corrected demonstration writes another response: where the first is in use
already it stays what it was, and only that of the current submission counts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.text import Truncator, get_text_list
from django.utils.translation import gettext, gettext_lazy

from labeling.errors import Problem
from labeling.intake import (
    NEAR_DUPLICATE_CHARACTERS,
    beginning,
    fingerprint,
    own_group,
    personal_data_in,
    take_prompt,
)
from labeling.models import Assignment, Project, Prompt, Response, Submission, Task
from labeling.prompt_writing import SURE, Written, written_in
from labeling.records import PromptText

Messages = list[dict[str, str]]

COMPARED = 500
"""Of a labeler's own prompts so many are compared with a new one, the newest first."""
FEWEST_CHARACTERS = 20
"""Of a last turn: shorter ones begin alike by chance."""
FEWEST_WORDS, SHARED_WORDS = 5, 0.8
"""Two prompts of one labeler are close where they have so many words, and share this part of all that either has."""
QUOTED = NEAR_DUPLICATE_CHARACTERS
"""Characters of a prompt that is close, as they are shown: of somebody else's no more than is in one's own."""
PERSONAL_WORDS = {
    "email": gettext_lazy("an e-mail address"),
    "phone": gettext_lazy("a phone number"),
    "social_security_number": gettext_lazy("a social security number"),
    "card_number": gettext_lazy("a card number"),
    "ip_address": gettext_lazy("an address on a network"),
}
EXISTS = gettext_lazy(
    "This prompt is in the project already, word for word. Write another one, or change what it asks."
)
ASKED = {
    True: gettext_lazy(
        "It begins like a prompt that you wrote already. If it asks for something else, say that you are sure, "
        "and submit again."
    ),
    False: gettext_lazy(
        "It begins like a prompt that is in the project already. If it asks for something else, say that you are "
        "sure, and submit again."
    ),
}
"""By whether it is one's own."""


@dataclass(frozen=True)
class Like:
    """A prompt that is here already, and close to one that is being written. text: of its last turn, cut short."""

    text: str
    is_own: bool

    @property
    def says(self) -> str:
        if self.is_own:
            return gettext("Close to a prompt that you wrote already:")
        return gettext("Close to a prompt that is here already:")


def problems_with_project(written: Written, assignment: Assignment, sure: dict[str, bool]) -> list[Problem]:
    """Why the project does not take this prompt, or not without asking. Holds the project until the transaction ends:
    of two labelers who send the same words at once the second is told. sure: which warnings are answered, by SURE."""
    project = assignment.campaign.project_id
    Project.objects.select_for_update(no_key=True).get(pk=project)
    same = Prompt.objects.filter(project=project, fingerprint=fingerprint(written.messages))
    if same.exclude(submission__assignment=assignment).exists():
        return [Problem("prompt_exists", str(EXISTS), "text")]
    found = []
    if not sure["near"] and (like := _begins_like(written, assignment, _own(assignment))):
        found.append(Problem("prompt_like_another", str(ASKED[like.is_own]), SURE["near"]))
    if (personal := personal_data_in(written.messages)) and not sure["personal"]:
        held = get_text_list([str(PERSONAL_WORDS.get(name, name)) for name in personal], gettext("and"))
        says = gettext("It seems to hold %(what)s. Take it out, or say that it is invented, and submit again.")
        found.append(Problem("personal_data", says % {"what": held}, SURE["personal"]))
    return found


def like_so_far(fields: Mapping[str, str], assignment: Assignment) -> Like | None:
    """Which prompt the form so far is close to, for who is still writing it; None if none is known, or too little is
    written to tell (at most three queries)."""
    written = written_in(fields, fields.get("text", ""))
    if len(written.messages[-1]["content"]) < FEWEST_CHARACTERS:
        return None
    same = Prompt.objects.filter(project=assignment.campaign.project_id, fingerprint=fingerprint(written.messages))
    if there := same.exclude(submission__assignment=assignment).first():
        return Like(_quoted(there.messages), is_own=there.group_key == assignment.labeler.pseudonym)
    own = _own(assignment)
    return _begins_like(written, assignment, own) or _shares_words(written, own)


def _begins_like(written: Written, assignment: Assignment, own: Sequence[Messages]) -> Like | None:
    """A prompt that begins like this one. Of others' only prompts without a group are known by their beginning."""
    digest = beginning(written.messages)
    for messages in own:
        if beginning(messages) == digest:
            return Like(_quoted(messages), is_own=True)
    there = Prompt.objects.filter(project=assignment.campaign.project_id, group_key=own_group(digest)).first()
    return Like(_quoted(there.messages), is_own=False) if there else None


def _shares_words(written: Written, own: Sequence[Messages]) -> Like | None:
    """A prompt of the labeler's own with mostly the same words in its last turn. A hint: nobody is asked to be sure."""
    words = _words(written.messages)
    for messages in own:
        others = _words(messages)
        if min(len(words), len(others)) >= FEWEST_WORDS and len(words & others) >= SHARED_WORDS * len(words | others):
            return Like(_quoted(messages), is_own=True)
    return None


def _own(assignment: Assignment) -> list[Messages]:
    """What the labeler wrote in the project, the newest first, but for this assignment's."""
    own = Prompt.objects.filter(
        project=assignment.campaign.project_id, submission__assignment__labeler=assignment.labeler_id
    )
    own = own.exclude(submission__assignment=assignment).order_by("-pk")
    return list(own.values_list("messages", flat=True)[:COMPARED])


def _words(messages: Messages) -> set[str]:
    return set(re.findall(r"\w+", messages[-1]["content"].casefold()))


def _quoted(messages: Messages) -> str:
    return Truncator(" ".join(messages[-1]["content"].split())).chars(QUOTED)


def write_prompt(submission: Submission, written: Written) -> Prompt:
    """The prompt of a submission; its group is the author, so that the split is by author. Needs a transaction that
    holds the project (problems_with_project)."""
    assignment = submission.assignment
    own = Prompt.objects.filter(
        project=assignment.campaign.project_id, fingerprint=fingerprint(written.messages)
    ).first()
    if own is not None:
        # Back to words of an earlier submission of the same task.
        own.submission, own.style, own.use_case = submission, written.style, written.use_case
        own.save(update_fields=["submission", "style", "use_case"])
        return own
    text = PromptText(
        messages=written.messages,
        use_case=written.use_case,
        style=written.style,
        origin=Prompt.Origin.LABELER,
        group_key=assignment.labeler.pseudonym,
    )
    prompt, _ = take_prompt(assignment.campaign.project, text, submission=submission)
    return prompt


def is_in_use(submission: Submission) -> bool:
    """Whether tasks were made of what it wrote, or responses to it (two queries)."""
    return (
        Task.objects.filter(prompt__submission=submission).exists()
        or Response.objects.filter(prompt__submission=submission).exists()
    )
