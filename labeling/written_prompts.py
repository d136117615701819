"""What labelers wrote becomes prompts of the project: new ones only, and what looks doubtful is asked about once.

A correction writes another prompt, as a corrected demonstration writes another response: where the first is in use
already it stays what it was, and only that of the current submission counts.
"""

from collections.abc import Mapping

from labeling.errors import Problem
from labeling.intake import beginning, fingerprint, own_group, personal_data_in, take_prompt
from labeling.models import Assignment, Project, Prompt, Response, Submission, Task
from labeling.prompt_writing import SURE, Written, written_in
from labeling.records import PromptText

COMPARED = 500
"""Of a labeler's own prompts so many are compared with a new one, the newest first."""
FEWEST_CHARACTERS = 20
"""Of a last turn: shorter ones begin alike by chance."""
PERSONAL_WORDS = {
    "email": "an e-mail address",
    "phone": "a phone number",
    "social_security_number": "a social security number",
    "card_number": "a card number",
    "ip_address": "an address on a network",
}
EXISTS = "This prompt is in the project already, word for word. Write another one, or change what it asks."


def problems_with_project(written: Written, assignment: Assignment, sure: dict[str, bool]) -> list[Problem]:
    """Why the project does not take this prompt, or not without asking. Holds the project until the transaction ends:
    of two labelers who send the same words at once the second is told. sure: which warnings are answered, by SURE."""
    project = assignment.campaign.project_id
    Project.objects.select_for_update(no_key=True).get(pk=project)
    same = Prompt.objects.filter(project=project, fingerprint=fingerprint(written.messages))
    if same.exclude(submission__assignment=assignment).exists():
        return [Problem("prompt_exists", EXISTS, "text")]
    found = []
    if not sure["near"] and (like := _begins_like(written, assignment)):
        says = f"It begins like {like}. If it asks for something else, say that you are sure, and submit again."
        found.append(Problem("prompt_like_another", says, SURE["near"]))
    personal = [PERSONAL_WORDS.get(name, name) for name in personal_data_in(written.messages)]
    if personal and not sure["personal"]:
        says = f"It seems to hold {' and '.join(personal)}. Take it out, or say that it is invented, and submit again."
        found.append(Problem("personal_data", says, SURE["personal"]))
    return found


def like_so_far(fields: Mapping[str, str], assignment: Assignment) -> str:
    """Whose prompt the form so far begins like, in words, for who is still writing it; empty if none is known, or too
    little is written to tell."""
    written = written_in(fields, fields.get("text", ""))
    if len(written.messages[-1]["content"]) < FEWEST_CHARACTERS:
        return ""
    return _begins_like(written, assignment)


def _begins_like(written: Written, assignment: Assignment) -> str:
    """Whose prompt begins like this one, in words; empty if none is known. Of others' only prompts without a group are
    known by their beginning."""
    digest = beginning(written.messages)
    of_project = Prompt.objects.filter(project=assignment.campaign.project_id)
    own = of_project.filter(submission__assignment__labeler=assignment.labeler_id)
    own = own.exclude(submission__assignment=assignment).order_by("-pk")
    if any(beginning(messages) == digest for messages in own.values_list("messages", flat=True)[:COMPARED]):
        return "a prompt that you wrote already"
    if of_project.filter(group_key=own_group(digest)).exists():
        return "a prompt that is in the project already"
    return ""


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
