"""What a submission must be. Every problem is a sentence with the value and the remedy, named at its form field.

Responses are known by the letters under which this assignment showed them, A to I, and by nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.text import get_text_list
from django.utils.translation import gettext

from labeling.errors import Problem
from labeling.models import Campaign, Guideline, Submission, WorkKind
from labeling.numbers import in_words
from labeling.prompt_writing import problems_of_writing

LETTERS = "ABCDEFGHI"
TEXT_LIMIT = 20_000
"""Characters that a demonstration may have; the paper's responses end at 1,000 tokens."""
NOTE_LIMIT = 5_000


@dataclass(frozen=True)
class Said:
    """What was said of one response. What was not answered is absent."""

    rank: int | None = None
    ratings: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Work:
    """What a labeler submits.

    responses: by letter. order_is_proposed: the ranks are a proposal made from the ratings that nobody confirmed.
    text: the demonstration, or the prompt's last turn. writing: the other fields of a prompt that is written, by
    their names (prompt_writing.py). active_ms: milliseconds at work as the browser measured them.
    """

    responses: Mapping[str, Said] = field(default_factory=dict)
    verdict: str = ""
    strength: int | None = None
    note: str = ""
    text: str = ""
    writing: Mapping[str, str] = field(default_factory=dict)
    order_is_proposed: bool = False
    active_ms: int | None = None


def scales_of(guideline: Guideline) -> list[dict[str, Any]]:
    """The guideline's scales; overall quality where it names none, in the language of the page."""
    overall = {"name": "overall", "label": gettext("Overall quality"), "low": gettext("worst"), "high": gettext("best")}
    return guideline.scales or [overall]


def problems_of(work: Work, campaign: Campaign, shown: int) -> list[Problem]:
    """Everything wrong with the work, in the order of the page. shown: how many responses the task shows."""
    letters = LETTERS[:shown]
    found = list(_text_problems(work.note, "note", gettext("The note"), NOTE_LIMIT))
    if campaign.kind == WorkKind.PROMPT:
        return found + list(_writing_problems(work))
    if work.writing:
        says = gettext("%(name)s is not a field of this form.") % {"name": repr(min(work.writing))}
        found.append(Problem("unknown_field", says))
    if campaign.kind == WorkKind.DEMONSTRATION:
        return found + list(_demonstration_problems(work))
    for letter, said in work.responses.items():
        if letter not in letters:
            says = gettext("There is no response %(letter)s here; %(shown)s.")
            found.append(Problem("unknown_response", says % {"letter": letter, "shown": _shows(letters)}, letter))
        else:
            found += _response_problems(letter, said, campaign.guideline, shown)
    if work.verdict not in ("", *Submission.Verdict.values):
        says = gettext("%(verdict)s is not a verdict; expected none_acceptable.") % {"verdict": repr(work.verdict)}
        found.append(Problem("unknown_verdict", says))
    elif work.verdict and campaign.is_screening:
        says = gettext("That none is acceptable is no answer in these tasks; their order is known. Rank the responses.")
        found.append(Problem("verdict_in_screening", says, "order"))
    found += _strength_problems(work, campaign, letters)
    # What is missing is asked for once what is there makes sense.
    return found or list(_nothing_said(work, campaign)) or list(_missing(work, campaign, letters))


def close_gaps(ranks: Mapping[str, int | None]) -> dict[str, int | None]:
    """2, 2, 4 becomes 1, 1, 2; what is not ranked stays so."""
    steps = sorted({rank for rank in ranks.values() if rank is not None})
    return {name: None if rank is None else steps.index(rank) + 1 for name, rank in ranks.items()}


def _shows(letters: Sequence[str]) -> str:
    if len(letters) == 1:
        return gettext("this task shows %(letter)s") % {"letter": letters[0]}
    return gettext("this task shows %(first)s to %(last)s") % {"first": letters[0], "last": letters[-1]}


def _demonstration_problems(work: Work) -> Iterator[Problem]:
    if not work.text.strip():
        yield Problem("text_empty", gettext("The response is empty. Write it, or skip."), "text")
    yield from _text_problems(work.text, "text", gettext("The response"), TEXT_LIMIT)
    yield from _judging_problems(work)


def _writing_problems(work: Work) -> Iterator[Problem]:
    yield from problems_of_writing(work.writing, work.text, limit=TEXT_LIMIT)
    for name, text in {"text": work.text, **work.writing}.items():
        if wrong := unstorable(text):
            yield Problem("text_unstorable", gettext("The text holds %(what)s; remove it.") % {"what": wrong}, name)
    yield from _judging_problems(work)


def _judging_problems(work: Work) -> Iterator[Problem]:
    if work.responses or work.verdict or work.strength is not None:
        says = gettext("This task shows no responses; nothing can be rated, ranked or flagged here.")
        yield Problem("nothing_to_judge", says)


def _response_problems(letter: str, said: Said, guideline: Guideline, shown: int) -> Iterator[Problem]:
    scales = [scale["name"] for scale in scales_of(guideline)]
    for scale, rating in said.ratings.items():
        place = f"rating-{letter}-{scale}"
        if scale not in scales:
            says = gettext("%(scale)s is not a scale here; expected %(scales)s.")
            expected = get_text_list(scales, gettext("or"))
            yield Problem("unknown_scale", says % {"scale": repr(scale), "scales": expected}, place)
        elif not 1 <= rating <= 7:
            says = gettext(
                "The %(scale)s rating of response %(letter)s is %(rating)s; expected a whole number from 1 to 7."
            )
            yield Problem("rating_out_of_range", says % {"scale": scale, "letter": letter, "rating": rating}, place)
    for flag in said.flags:
        if flag not in guideline.flag_names:
            expected = ", ".join(guideline.flag_names) or gettext("none")
            says = gettext("%(flag)s is not a flag of this guideline; it has: %(flags)s.")
            yield Problem("unknown_flag", says % {"flag": repr(flag), "flags": expected}, f"flag-{letter}-{flag}")
    if said.rank is not None and not 1 <= said.rank <= shown:
        says = gettext("The rank of response %(letter)s is %(rank)s; expected 1 to %(last)s, or not ranked.")
        says %= {"letter": letter, "rank": said.rank, "last": shown}
        yield Problem("rank_out_of_range", says, f"rank-{letter}")
    the_note = gettext("The note on response %(letter)s") % {"letter": letter}
    yield from _text_problems(said.note, f"note-{letter}", the_note, NOTE_LIMIT)


def _strength_problems(work: Work, campaign: Campaign, letters: Sequence[str]) -> Iterator[Problem]:
    if work.strength is None:
        return
    if campaign.kind != WorkKind.RANKING or len(letters) != 2:
        says = gettext("Strength is for two responses; %(shown)s.") % {"shown": _shows(letters)}
        yield Problem("strength_of_pairs_only", says, "strength")
    elif not 0 <= work.strength <= 2:
        says = gettext("The strength is %(strength)s; expected 0, 1 or 2.") % {"strength": work.strength}
        yield Problem("strength_out_of_range", says, "strength")


def _nothing_said(work: Work, campaign: Campaign) -> Iterator[Problem]:
    """A ranking without an order somebody made, a rating without a rating."""
    if campaign.kind == WorkKind.RATING:
        if not any(said.ratings for said in work.responses.values()):
            says = gettext("Nothing is rated yet. Rate the response, or skip.")
            yield Problem("nothing_rated", says, "rating-A-overall")
        return
    ranked = [letter for letter, said in work.responses.items() if said.rank is not None]
    if work.verdict:
        return
    if not ranked:
        says = gettext("Nothing is ranked yet. Rank the responses, skip, or say that none is acceptable.")
        if campaign.is_screening:
            says = gettext("Nothing is ranked yet. Rank the responses, or skip.")
        yield Problem("nothing_ranked", says, "order")
    elif work.order_is_proposed:
        says = gettext("The order is still a proposal: confirm it, or move any card.")
        yield Problem("order_is_proposed", says, "order")
    elif len(ranked) == 1:
        says = gettext("Only response %(letter)s is ranked; an order needs at least two.") % {"letter": ranked[0]}
        yield Problem("one_ranked", says, f"rank-{ranked[0]}")


def _missing(work: Work, campaign: Campaign, letters: Sequence[str]) -> Iterator[Problem]:
    guideline = campaign.guideline
    for letter in letters:
        said = work.responses.get(letter, Said())
        if "ratings" in campaign.required:
            for scale in scales_of(guideline):
                if scale["name"] not in said.ratings:
                    says = gettext("Response %(letter)s has no rating: %(scale)s.")
                    says %= {"letter": letter, "scale": scale["label"]}
                    yield Problem("rating_missing", says, f"rating-{letter}-{scale['name']}")
        if "flags" in campaign.required:
            for flag in guideline.flags:
                if flag["name"] not in said.flags:
                    says = gettext("Response %(letter)s: “%(flag)s” is not answered.")
                    says %= {"letter": letter, "flag": flag["label"]}
                    yield Problem("flag_missing", says, f"flag-{letter}-{flag['name']}")
        ranks_all = "ranks" in campaign.required and campaign.kind == WorkKind.RANKING and not work.verdict
        if ranks_all and said.rank is None:
            says = gettext("Response %(letter)s is not ranked; here every response is.") % {"letter": letter}
            yield Problem("rank_missing", says, f"rank-{letter}")


def _text_problems(text: str, place: str, name: str, limit: int) -> Iterator[Problem]:
    if len(text) > limit:
        yield Problem("text_too_long", too_long(name, text, limit), place)
    if wrong := unstorable(text):
        yield Problem(
            "text_unstorable", gettext("%(name)s holds %(what)s; remove it.") % {"name": name, "what": wrong}, place
        )


def too_long(name: str, text: str, limit: int) -> str:
    """name: "The note"."""
    says = gettext("%(name)s has %(many)s characters; at most %(most)s are taken.")
    return says % {"name": name, "many": in_words(len(text)), "most": in_words(limit)}


def unstorable(text: str) -> str:
    """The character that a database cannot keep, in words with its place; empty where there is none."""
    if "\0" in text:
        return gettext("a NUL character (character %(place)s)") % {"place": in_words(text.index(chr(0)) + 1)}
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return gettext("half of a character pair (character %(place)s)") % {"place": in_words(error.start + 1)}
    return ""
