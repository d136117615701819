"""Prompts come in: exact duplicates merge, what looks like personal data is flagged, and a split is given by group.

Near-duplicates and the cap of prompts per group are matters of a stage's selection, not of intake.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from labeling.bulk_writing import write_unless_there
from labeling.models import ImportedRecord, Project, Prompt, Submission
from labeling.records import PromptText

SHARES = ((Prompt.Split.TRAIN, 0.8), (Prompt.Split.VALID, 0.1), (Prompt.Split.TEST, 0.1))
NEAR_DUPLICATE_CHARACTERS = 200
"""Prompts whose last turns begin with the same this many characters are taken for one."""
SPLIT_SEED = "accord split 1"
"""The same in every project, so that a group stands on the same side wherever it is imported."""

PERSONAL_DATA = {
    "email": re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,5}\.[A-Za-z]{2,24}\b"),
    "phone": re.compile(r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{3}\)|\d{3})[ .-]\d{3}[ .-]\d{4}(?![\w-])"),
    "social_security_number": re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
    "card_number": re.compile(r"(?<![\w-])\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?![\w-])"),
    "ip_address": re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"),
}
"""What is looked for, by name. A flag is a hint for people and filters, never a reason to refuse."""
NUMBERS = re.compile(r"\d[\d ().-]{5,}\d")
"""Every pattern of PERSONAL_DATA but that of an e-mail address finds only what this finds too."""


def fingerprint(messages: Sequence[dict[str, str]]) -> str:
    """sha256 of the roles and texts, to the character: prompts that differ by a space are two."""
    turns = [[message["role"], message["content"]] for message in messages]
    return hashlib.sha256(json.dumps(turns, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def split_of(group_key: str) -> Prompt.Split:
    """Train, valid or test by a hash of the group: 80, 10 and 10 % of the groups."""
    digest = hashlib.sha256(f"{SPLIT_SEED}\n{group_key}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64
    for split, share in SHARES:
        if point < share:
            return split
        point -= share
    return SHARES[-1][0]


def beginning(messages: Sequence[dict[str, str]]) -> str:
    """sha256 of how the last turn begins, case and white space aside, and of all turns before it: the same for prompts
    that are nearly one."""
    turns = [[message["role"], " ".join(message["content"].casefold().split())] for message in messages]
    turns[-1][1] = turns[-1][1][:NEAR_DUPLICATE_CHARACTERS]
    return hashlib.sha256(json.dumps(turns, ensure_ascii=False).encode()).hexdigest()


def own_group(digest: str) -> str:
    """The group of a prompt that came with none: those that begin as it does, by the digest of their beginning."""
    return f"prompt:{digest[:32]}"


def personal_data_in(messages: Sequence[dict[str, str]]) -> list[str]:
    """Names of what the texts seem to hold, of PERSONAL_DATA."""
    text = "\n".join(message["content"] for message in messages)
    # Most texts hold no @ and no such number: two cheap looks spare them five costly ones.
    if "@" not in text and not NUMBERS.search(text):
        return []
    return [name for name, pattern in PERSONAL_DATA.items() if pattern.search(text)]


@dataclass
class Intake:
    """The prompts of one batch: first look() at all of them, then ask refusal() of each, then take() those that remain.

    Looking costs four queries and taking two, however many prompts there are. Between the two the project must be
    held by the caller's transaction (importing.py locks it), or another intake may decide a group's split otherwise.
    """

    project: Project
    there: dict[str, Prompt] = field(default_factory=dict)
    """Prompts of the batch that the project has, by fingerprint."""
    known_ids: frozenset[str] = frozenset()
    """Ids of the batch under which the project had a prompt before."""
    _ids: dict[str, str] = field(default_factory=dict)
    _splits: dict[str, str] = field(default_factory=dict)
    _drafts: dict[str, Prompt] = field(default_factory=dict)

    def look(self, texts: Sequence[PromptText]) -> None:
        """Asks the database for what is already known of these texts, ids and groups (four queries)."""
        prompts = Prompt.objects.filter(project=self.project)
        fingerprints = {fingerprint(text.messages) for text in texts}
        self.there = {prompt.fingerprint: prompt for prompt in prompts.filter(fingerprint__in=fingerprints)}
        ids = {text.id for text in texts if text.id}
        self._ids = dict(prompts.filter(external_id__in=ids).values_list("external_id", "fingerprint"))
        # A record that merged left its id here only; the prompt keeps that of the first.
        merged = ImportedRecord.objects.filter(project=self.project, kind="prompt", external_id__in=ids)
        self._ids |= dict(merged.values_list("external_id", "prompt__fingerprint"))
        self.known_ids = frozenset(self._ids)
        groups = {text.group_key or own_group(beginning(text.messages)) for text in texts}
        self._splits = dict(prompts.filter(group_key__in=groups).values_list("group_key", "split").distinct())

    def refusal(self, text: PromptText, *, of_fingerprint: str) -> str:
        """Why the prompt cannot be taken, or "". One that can is remembered and decides about those that follow."""
        if text.id and self._ids.get(text.id, of_fingerprint) != of_fingerprint:
            return f"the prompt id {text.id!r} is the id of another text in this project; give this one its own id"
        known = self.there.get(of_fingerprint) or self._drafts.get(of_fingerprint)
        if known is not None:
            if text.split and text.split != known.split:
                return (
                    f"split is {text.split!r}, but the same text is in the project already, in {known.split};"
                    " leave the split out"
                )
        else:
            group_key = text.group_key or own_group(beginning(text.messages))
            decided = self._splits.get(group_key)
            if not text.group_key and text.split and decided and text.split != decided:
                # Whoever names the split has decided: it stands by itself, and freezing leaves it out if held out.
                group_key, decided = own_group(of_fingerprint), None
            if text.split and decided and text.split != decided:
                return (
                    f"split is {text.split!r}, but its group {group_key!r} stands in {decided}; a group is never"
                    " divided: leave the split out or name another group"
                )
            split = decided or text.split or split_of(group_key)
            self._splits[group_key] = split
            self._drafts[of_fingerprint] = self._draft(text, of_fingerprint, group_key=group_key, split=split)
        if text.id:
            self._ids[text.id] = of_fingerprint
        return ""

    def _draft(self, text: PromptText, of_fingerprint: str, *, group_key: str, split: str) -> Prompt:
        return Prompt(
            project=self.project,
            messages=text.messages,
            use_case=text.use_case,
            style=text.style,
            origin=text.origin,
            group_key=group_key,
            consent=text.consent,
            language=text.language,
            split=split,
            fingerprint=of_fingerprint,
            external_id=text.id,
            personal_data=personal_data_in(text.messages),
        )

    def take(self, fingerprints: set[str]) -> list[Prompt]:
        """Writes the new prompts among these and answers them; afterwards there holds all of them (two queries)."""
        drafts = [draft for key, draft in self._drafts.items() if key in fingerprints]
        # A labeler may be writing the same prompt at this moment: whoever comes first has it.
        written = {draft.fingerprint: draft for draft in write_unless_there(drafts, unique="fingerprint")}
        others = [draft.fingerprint for draft in drafts if draft.fingerprint not in written]
        read = Prompt.objects.filter(project=self.project, fingerprint__in=others) if others else ()
        self.there |= written | {prompt.fingerprint: prompt for prompt in read}
        return drafts


def take_prompt(project: Project, text: PromptText, *, submission: Submission | None = None) -> tuple[Prompt, bool]:
    """One prompt, as a labeler or a customer wrote it: the project's prompt of that text, and whether it is new.

    Needs a transaction. Raises ValueError with a sentence where the id or the split contradicts what is there.
    """
    intake = Intake(project)
    intake.look([text])
    key = fingerprint(text.messages)
    if reason := intake.refusal(text, of_fingerprint=key):
        raise ValueError(reason)
    new = key not in intake.there
    intake.take({key})
    prompt = intake.there[key]
    if new and submission is not None:
        prompt.submission = submission
        prompt.save(update_fields=["submission"])
    return prompt, new
