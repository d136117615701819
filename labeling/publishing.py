"""Versions of guidelines: begun from the newest one, edited as drafts, checked, published for good, or deleted.

Labelers work under what is published and under nothing else; what is published never changes.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from labeling.audit.recording import record
from labeling.checking import unstorable
from labeling.errors import CannotDelete, InvalidWork, Problem, WrongState
from labeling.guidelines import OVERALL, default_guideline
from labeling.models import AuditKind, Guideline, Project, WorkKind

BODY_LIMIT = 20_000
"""Characters; a longer text is not rendered as markdown."""
CHANGES_LIMIT = 2_000
MOST_FLAGS = 40
LABEL_LIMIT, NAME_LIMIT = 120, 40
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
FLAG_KEY = "f"
"""The key that opens the flags, of static/js/key-table.js. The letters of flags are pressed after it, so they meet no
other key of the workspace; this one they would meet where it is pressed twice by mistake."""
JUDGED = (WorkKind.RANKING, WorkKind.RATING)
"""Kinds of work that have flags and scales."""


@dataclass(frozen=True)
class Content:
    """What a guideline says. flags, scales: as in the model."""

    body: str = ""
    changes: str = ""
    flags: Sequence[dict[str, Any]] = field(default_factory=list)
    scales: Sequence[dict[str, Any]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        said = [self.body, self.changes, list(self.flags), list(self.scales)]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode(errors="surrogatepass")).hexdigest()[:16]


def content_of(guideline: Guideline) -> Content:
    return Content(guideline.body, guideline.changes, guideline.flags, guideline.scales)


def begin_version(project: Project, kind: WorkKind) -> tuple[Guideline, bool]:
    """A draft that begins as the newest version of the kind; where that is a draft itself, it is answered with, and
    the second part is False. A kind without any begins with the default guideline."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        newest = Guideline.objects.filter(project=project, kind=kind).order_by("-version").first()
        if newest is not None and newest.published_at is None:
            return newest, False
        if newest is not None:
            says = {"kind": kind, "body": newest.body, "flags": newest.flags, "scales": newest.scales}
        else:
            says = default_guideline(kind)
        version = newest.version + 1 if newest else 1
        return Guideline.objects.create(project=project, version=version, **says), True


def save_draft(guideline: Guideline, content: Content, *, seen: str) -> None:
    """seen: the digest of what was on the page before it was edited, so that nobody's words are written over unseen.

    A draft may be unfinished, but not what the database cannot keep. Raises InvalidWork, WrongState.
    """
    if problems := list(_unkeepable(content)):
        raise InvalidWork(problems)
    with transaction.atomic():
        locked = _locked_draft(guideline)
        if content_of(locked).digest not in (seen, content.digest):
            raise WrongState(
                "Somebody else has saved this draft since you opened it. Nothing of yours was written over theirs: "
                "copy what you wrote, open the draft again and put it in."
            )
        _write(locked, content)
    _write(guideline, content, save=False)


def _write(guideline: Guideline, content: Content, *, save: bool = True) -> None:
    guideline.body, guideline.changes = content.body, content.changes
    guideline.flags, guideline.scales = list(content.flags), list(content.scales)
    if save:
        guideline.save(update_fields=["body", "changes", "flags", "scales"])


def _locked_draft(guideline: Guideline) -> Guideline:
    locked = Guideline.objects.select_for_update().get(pk=guideline.pk)
    if locked.published_at is not None:
        raise WrongState(f"Version {locked.version} is published and never changes. Write the next version instead.")
    return locked


def publish(guideline: Guideline, *, without_flags: bool = False, major: bool = False, seen: str | None = None) -> None:
    """From then on campaigns can be made under it, and it never changes. Campaigns that are there keep their version.

    without_flags: said on purpose, where a ranking or rating guideline asks no yes-or-no question. Publishing twice is
    publishing once. major: labelers must read it before their next task under it. seen: the digest of what whoever
    publishes has read; words that somebody saved since are not published unread. Raises InvalidWork with everything
    that is in the way, WrongState.
    """
    with transaction.atomic():
        locked = Guideline.objects.select_for_update().get(pk=guideline.pk)
        if locked.published_at is None:
            content = content_of(locked)
            if seen is not None and content.digest != seen:
                raise WrongState(
                    "Somebody has saved this draft since you looked at it, so it was not published. Read what it says "
                    "now, then publish it."
                )
            problems = problems_of(WorkKind(locked.kind), content)
            if asks_about_flags(locked) and not without_flags:
                problems.append(Problem("no_flags", NO_FLAGS, "without_flags"))
            if problems:
                raise InvalidWork(problems)
            locked.published_at = timezone.now()
            earlier = Guideline.objects.filter(project=locked.project_id, kind=locked.kind, version__lt=locked.version)
            before = earlier.filter(published_at__isnull=False).order_by("-version").first()
            locked.read_from = locked.version if major else before.read_from if before else 0
            Guideline.objects.filter(pk=locked.pk).update(published_at=locked.published_at, read_from=locked.read_from)
            facts = {"guideline": locked.pk, "version": locked.version, "major": major}
            record(AuditKind.GUIDELINE, project=locked.project_id, facts=facts)
    guideline.published_at, guideline.read_from = locked.published_at, locked.read_from


NO_FLAGS = (
    "This guideline has no flags: labelers are asked no yes-or-no question, and what is not asked now cannot be told "
    "later. Add flags, or say below that it is meant."
)


def asks_about_flags(guideline: Guideline) -> bool:
    return guideline.kind in JUDGED and not guideline.flags


def problems_of(kind: WorkKind, content: Content) -> list[Problem]:
    """What keeps it from being published, in the order of the form."""
    found = list(_unkeepable(content))
    if not content.body.strip():
        found.append(Problem("body_empty", "The body is empty; labelers would have nothing to work by.", "body"))
    if kind not in JUDGED:
        if content.flags or content.scales:
            found.append(Problem("nothing_to_judge", f"A {kind} guideline has no flags and no scales.", "body"))
        return found
    return found + list(_flag_problems(content.flags)) + list(_scale_problems(content.scales))


def _flag_problems(flags: Sequence[dict[str, Any]]) -> Iterator[Problem]:
    for number, flag in enumerate(flags):
        name, label, letter = (str(flag.get(part, "")) for part in ("name", "label", "letter"))
        if not label:
            yield Problem("flag_unlabelled", f"Flag {number + 1} has no label.", f"flag-{number}-label")
        if not NAME.match(name):
            says = f"The name {name!r} is not one; expected small letters a to z, digits and _, a letter first."
            yield Problem("flag_name", says, f"flag-{number}-name")
        yield from _letter_problems(letter, label, f"flag-{number}-letter")
    for part in ("name", "letter"):
        for value, often in Counter(str(flag.get(part, "")) for flag in flags).items():
            if value and often > 1:
                second = max(number for number, flag in enumerate(flags) if flag.get(part) == value)
                says = f"{often} flags have the {part} {value!r}; give each one of its own."
                yield Problem(f"flag_{part}_twice", says, f"flag-{second}-{part}")


def _letter_problems(letter: str, label: str, place: str) -> Iterator[Problem]:
    if not letter:
        yield Problem("flag_letter_missing", f"The flag “{label}” has no letter, so no key answers it.", place)
    elif letter == FLAG_KEY:
        says = f"The key {FLAG_KEY} opens the flags; pressed twice by mistake it would answer “{label}”. Take another."
        yield Problem("flag_letter_is_a_key", says, place)
    elif len(letter) > 1 or not letter.isalpha() or letter != letter.lower():
        yield Problem("flag_letter", f"The letter {letter!r} is not one small letter.", place)
    elif letter not in label.lower():
        says = f"The letter {letter!r} is not in “{label}”, where it would be underlined. Take one that is."
        yield Problem("flag_letter_elsewhere", says, place)


def _scale_problems(scales: Sequence[dict[str, Any]]) -> Iterator[Problem]:
    if OVERALL["name"] not in [scale.get("name") for scale in scales]:
        yield Problem("no_overall", "Overall quality is always asked for, and it is missing.", "scale-overall-label")
    for scale in scales:
        for part, words in (("label", "label"), ("low", "word for 1"), ("high", "word for 7")):
            if not scale.get(part):
                says = f"The scale {scale.get('name')} has no {words}."
                yield Problem("scale_incomplete", says, f"scale-{scale.get('name')}-{part}")
        for step in scale.get("steps", {}):
            if step not in tuple("1234567"):
                says = f"The scale {scale.get('name')} has words for the step {step[:20]!r}; its steps are 1 to 7."
                yield Problem("scale_step", says, f"scale-{scale.get('name')}-label")


def _unkeepable(content: Content) -> Iterator[Problem]:
    for place, text, limit in (("body", content.body, BODY_LIMIT), ("changes", content.changes, CHANGES_LIMIT)):
        if len(text) > limit:
            says = f"This text has {len(text):,} characters; at most {limit:,} are taken."
            yield Problem("text_too_long", says, place)
        if wrong := unstorable(text):
            yield Problem("text_unstorable", f"This text holds {wrong}; remove it.", place)
    if len(content.flags) > MOST_FLAGS:
        says = f"There are {len(content.flags)} flags; at most {MOST_FLAGS} are asked of one response."
        yield Problem("too_many_flags", says, f"flag-{MOST_FLAGS}-label")
    for place, part, text in _short_texts(content):
        limit = NAME_LIMIT if part in ("name", "letter") else LABEL_LIMIT
        if len(text) > limit:
            says = f"“{text[:30]}…” has {len(text):,} characters; at most {limit} are taken."
            yield Problem("text_too_long", says, f"{place}-{part}")
        if wrong := unstorable(text):
            yield Problem("text_unstorable", f"This text holds {wrong}; remove it.", f"{place}-{part}")


def _short_texts(content: Content) -> Iterator[tuple[str, str, str]]:
    for number, flag in enumerate(content.flags):
        yield from ((f"flag-{number}", part, str(text)) for part, text in flag.items())
    for scale in content.scales:
        texts = {part: text for part, text in scale.items() if part != "steps"}
        texts |= {f"step-{step}": text for step, text in scale.get("steps", {}).items()}
        yield from ((f"scale-{scale.get('name')}", part, str(text)) for part, text in texts.items())


def delete_draft(guideline: Guideline) -> None:
    """Raises CannotDelete where it was published, or a campaign is to be worked by it."""
    with transaction.atomic():
        locked = Guideline.objects.select_for_update().get(pk=guideline.pk)
        if hindrance := hindrance_to_deleting(locked):
            raise CannotDelete(hindrance)
        locked.delete()


def hindrance_to_deleting(guideline: Guideline) -> str:
    """Why it stays, in a sentence; empty where it can be deleted (two queries)."""
    if guideline.published_at is not None:
        return f"Version {guideline.version} is published and stays: what was said under it is read by it."
    names = list(guideline.campaigns.values_list("name", flat=True)[:3])
    if names:
        return f"The draft stays: it belongs to {', '.join(names)}. Give that another guideline first."
    if guideline.submissions.exists():
        return "The draft stays: work was submitted under it."
    return ""


def current_versions(project: Project) -> dict[str, int]:
    """By kind, the newest published version: what new campaigns are offered first (one query)."""
    published = Guideline.objects.filter(project=project, published_at__isnull=False)
    return dict(published.order_by().values_list("kind").annotate(Max("version")))
