"""A prompt that a labeler writes: from the fields of its form to a chat, and back for whoever corrects it.

Plain: a text. Few-shot: an instruction, examples of it done, and the query, as one text. User-based: a text for a use
case that the guideline gives, in one line (kept as the submission's note). All but few-shot ones may go on from a
conversation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext

from labeling.errors import Problem
from labeling.models import Prompt
from labeling.numbers import in_words

MOST_EXAMPLES, FEWEST_EXAMPLES = 8, 2
MOST_TURNS = 4
"""Turns that may come before the last one, each with its reply."""
USE_LINE_LIMIT = 300
EXAMPLE, REPLY = "Input: ", "Output:"
SURE = {"near": "sure-near", "personal": "sure-personal"}
"""Fields by which the writer answers a warning."""

FIELDS = frozenset(
    [
        *("style", "use_case", "use_line", "instruction", "query", *SURE.values()),
        *(f"{part}-{number}" for part in ("input", "output") for number in range(1, MOST_EXAMPLES + 1)),
        *(f"{part}-{number}" for part in ("said", "replied") for number in range(1, MOST_TURNS + 1)),
    ]
)
"""Names of the form's fields, but for the text."""


@dataclass(frozen=True)
class Written:
    """style, use_case: of Prompt; use_line: the use case it was written for, or empty."""

    style: str
    use_case: str
    use_line: str
    messages: list[dict[str, str]]


def written_in(fields: Mapping[str, str], text: str) -> Written:
    """The prompt of a form. fields: without the text, parts that are empty left out or not."""
    style = fields.get("style", "")
    few_shot = style == Prompt.Style.FEW_SHOT
    messages = [] if few_shot else [message for pair in _turns_before(fields) for message in pair]
    last = _few_shot(fields) if few_shot else text.strip()
    return Written(
        style=style,
        use_case=fields.get("use_case", ""),
        use_line=fields.get("use_line", "").strip() if style == Prompt.Style.USER_BASED else "",
        messages=[*messages, {"role": "user", "content": last}],
    )


def _part(fields: Mapping[str, str], name: str) -> str:
    return fields.get(name, "").strip()


def _turns_before(fields: Mapping[str, str]) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    for number in range(1, MOST_TURNS + 1):
        said, replied = _part(fields, f"said-{number}"), _part(fields, f"replied-{number}")
        if said or replied:
            yield {"role": "user", "content": said}, {"role": "assistant", "content": replied}


def examples_in(fields: Mapping[str, str]) -> list[tuple[int, str, str]]:
    """(number of the field, input, output) of each that is begun."""
    numbers = range(1, MOST_EXAMPLES + 1)
    found = [(number, _part(fields, f"input-{number}"), _part(fields, f"output-{number}")) for number in numbers]
    return [one for one in found if one[1] or one[2]]


def _few_shot(fields: Mapping[str, str]) -> str:
    examples = [f"{EXAMPLE}{given}\n{REPLY} {reply}" for _, given, reply in examples_in(fields)]
    return "\n\n".join([_part(fields, "instruction"), *examples, f"{EXAMPLE}{_part(fields, 'query')}\n{REPLY}"])


def problems_of_writing(fields: Mapping[str, str], text: str, *, limit: int) -> list[Problem]:
    """Everything wrong with the form, in the order of the page. limit: characters of the whole."""
    style = fields.get("style", "")
    if style not in Prompt.Style.values:
        unknown = gettext("%(style)s is no style; choose plain, few-shot or user-based.") % {"style": repr(style[:40])}
        says = unknown if style else gettext("No style is chosen; choose plain, few-shot or user-based.")
        return [Problem("style_missing", says, "style")]
    found = list(_few_shot_problems(fields) if style == Prompt.Style.FEW_SHOT else _text_problems(fields, text, style))
    use_case = fields.get("use_case", "")
    if use_case not in Prompt.UseCase.values:
        unknown = gettext("%(use_case)s is no use case; choose the one that fits best.")
        missing = gettext("No use case is chosen; choose the one that fits best.")
        says = unknown % {"use_case": repr(use_case[:40])} if use_case else missing
        found.append(Problem("use_case_missing", says, "use_case"))
    size = sum(len(message["content"]) for message in written_in(fields, text).messages)
    if size > limit:
        says = gettext("The prompt has %(many)s characters; at most %(most)s are taken.")
        says %= {"many": in_words(size), "most": in_words(limit)}
        found.append(Problem("text_too_long", says, ""))
    return found


def _few_shot_problems(fields: Mapping[str, str]) -> Iterator[Problem]:
    if not _part(fields, "instruction"):
        says = gettext("The instruction is empty: say what is to be done with each input.")
        yield Problem("text_empty", says, "instruction")
    examples = examples_in(fields)
    for number, given, reply in examples:
        if not (given and reply):
            name = "input" if not given else "output"
            lacks = {
                "input": gettext("Example %(number)s has no input."),
                "output": gettext("Example %(number)s has no output."),
            }
            yield Problem("example_half", lacks[name] % {"number": number}, f"{name}-{number}")
    if len(examples) < FEWEST_EXAMPLES:
        none = gettext("No examples so far; a few-shot prompt has at least %(least)s.")
        some = ngettext(
            "%(many)s example so far; a few-shot prompt has at least %(least)s.",
            "%(many)s examples so far; a few-shot prompt has at least %(least)s.",
            len(examples),
        )
        says = (some if examples else none) % {"many": len(examples), "least": FEWEST_EXAMPLES}
        place = f"input-{next(number for number in (1, 2) if not _part(fields, f'input-{number}'))}"
        yield Problem("examples_missing", says, place)
    if not _part(fields, "query"):
        yield Problem(
            "text_empty", gettext("The query is empty: the input whose output the model is to write."), "query"
        )


def _text_problems(fields: Mapping[str, str], text: str, style: str) -> Iterator[Problem]:
    for number in range(1, MOST_TURNS + 1):
        said, replied = _part(fields, f"said-{number}"), _part(fields, f"replied-{number}")
        if bool(said) != bool(replied):
            name = "replied" if said else "said"
            lacks = {
                "said": gettext("Turn %(number)s of the conversation has nothing that the user said."),
                "replied": gettext("Turn %(number)s of the conversation has no reply."),
            }
            yield Problem("turn_half", lacks[name] % {"number": number}, f"{name}-{number}")
    if style == Prompt.Style.USER_BASED:
        line = _part(fields, "use_line")
        if not line:
            says = gettext("Give the use case that the prompt is for, in a line.")
            yield Problem("use_line_missing", says, "use_line")
        elif len(line) > USE_LINE_LIMIT:
            says = gettext("The use case has %(many)s characters; at most %(most)s are taken.")
            says %= {"many": in_words(len(line)), "most": in_words(USE_LINE_LIMIT)}
            yield Problem("text_too_long", says, "use_line")
    if not text.strip():
        yield Problem("text_empty", gettext("The prompt is empty. Write it, or skip."), "text")


def fields_of_prompt(prompt: Prompt, *, use_line: str = "") -> dict[str, str]:
    """The fields that make this prompt: written_in gives the same messages again, to the character."""
    fields = {"style": str(prompt.style), "use_case": str(prompt.use_case), "use_line": use_line}
    if prompt.style == Prompt.Style.FEW_SHOT:
        return fields | _few_shot_fields(prompt.last_turn)
    for number, message in enumerate(prompt.messages[:-1]):
        fields[f"{'replied' if number % 2 else 'said'}-{number // 2 + 1}"] = str(message["content"])
    return {name: value for name, value in (fields | {"text": prompt.last_turn}).items() if value}


def _few_shot_fields(text: str) -> dict[str, str]:
    """An author's own "Input: " in the middle of a part moves to the next field, and comes back to the same text."""
    instruction, *parts = text.split(f"\n\n{EXAMPLE}")
    query = parts.pop().removesuffix(f"\n{REPLY}")
    fields = {"instruction": instruction, "query": query}
    for number, part in enumerate(parts, start=1):
        given, _, reply = part.partition(f"\n{REPLY} ")
        fields |= {f"input-{number}": given, f"output-{number}": reply}
    return fields
