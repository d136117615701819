"""What a reviewer sees of a submission: the text as labelers see it, under its guideline, and nothing of its author."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from labeling.models import Prompt, Review, Submission
from labeling.rendering import render_all
from labeling.screens import ShownPrompt, shown_prompt


@dataclass(frozen=True)
class ReviewScreen:
    """prompt: what was answered, or what was written; response: None where it is a prompt that was written."""

    prompt: ShownPrompt
    response: SafeString | None
    guideline: SafeString
    style: str = ""
    """This and what follows: of a prompt that was written, in words."""
    use_case: str = ""
    use_line: str = ""


def review_screen_of(submission: Submission) -> ReviewScreen | None:
    """None where the text is gone (erased, or replaced by the same author). Two queries, and the cache."""
    guideline = submission.guideline.body
    prompt = submission.assignment.task.prompt
    if prompt is None:
        written = submission.prompts.first()
        return None if written is None else _of_prompt(written, submission, guideline)
    response = submission.responses.first()
    if response is None:
        return None
    *turns, text, rules = render_all([*_contents(prompt), response.text, guideline])
    return ReviewScreen(shown_prompt(prompt, turns), text, rules)


def _of_prompt(written: Prompt, submission: Submission, guideline: str) -> ReviewScreen:
    *turns, rules = render_all([*_contents(written), guideline])
    return ReviewScreen(
        shown_prompt(written, turns),
        None,
        rules,
        style=str(written.get_style_display()),
        use_case=str(written.get_use_case_display()),
        use_line=submission.note,
    )


def _contents(prompt: Prompt) -> list[str]:
    return [str(message["content"]) for message in prompt.messages]


def earlier_reviews(submission: Submission) -> Sequence[Review]:
    """All there are of this piece of work, earlier versions included, the newest first (one query)."""
    found = Review.objects.filter(submission__assignment=submission.assignment_id)
    return list(found.select_related("submission"))
