"""A card for every checkpoint, in markdown: what it is, what it was made from, by whose judgments and whose choices.

Made from the rows alone, so that it says the same on the page and in a file, and nothing that nobody has measured.
"""

from collections.abc import Iterator

from training.audience import audience_of, known_to
from training.models import Checkpoint, Job, Snapshot
from training.origins import Origin, choices_of, in_words, origin_of, sources, withdrawn_from
from training.views.figures import figures_of

IS = {
    Checkpoint.Kind.BASE: "a base model: it continues text, and follows no instruction",
    Checkpoint.Kind.SFT: "an SFT model: it was trained to imitate demonstrations",
    Checkpoint.Kind.REWARD: "a reward model: it scores a response as the labelers it learned from would prefer it",
    Checkpoint.Kind.POLICY: "a policy: it was trained to write what a reward model scores high",
}
LIMITS = {
    Checkpoint.Kind.BASE: "What it writes is as true, as kind and as safe as the text it read.",
    Checkpoint.Kind.SFT: "It imitates the form of its demonstrations; whether what it says is true it does not know.",
    Checkpoint.Kind.REWARD: "Its scores mean something among responses to one prompt, in the languages and uses that "
    "its labelers judged. They are no measure of truth, and far from the responses it learned from they can be gamed.",
    Checkpoint.Kind.POLICY: "It prefers what these labelers preferred under these guidelines; other people would have "
    "preferred otherwise. The higher its KL, the less its reward model knew about what it writes.",
}


def card_of(checkpoint: Checkpoint) -> str:
    """Markdown. The names in it were typed by people and are escaped where the markdown is rendered."""
    return "\n".join(_lines(checkpoint, origin_of(checkpoint))) + "\n"


def _lines(checkpoint: Checkpoint, origin: Origin) -> Iterator[str]:
    job = checkpoint.job
    yield f"# {_plain(checkpoint.name)}"
    yield ""
    yield f"{_plain(checkpoint.name)} is {IS[Checkpoint.Kind(checkpoint.kind)]}."
    if checkpoint.project.simulated:
        yield ""
        yield "**It comes from a rehearsal**: its texts are generated and most of its labelers are programs."
    yield ""
    yield from _table("What it is", _identity(checkpoint, job))
    if job is not None:
        yield from _table("The researchers' choices", choices_of(job))
    yield from _table("What it was made from", _made_from(origin))
    yield from _table("Whose judgments are in it", _judgments(origin))
    if origin.snapshots:
        yield "## Frozen data of its line"
        yield ""
        yield "| read as | kind | rows | sha256 | asked for |"
        yield "|---|---|---|---|---|"
        for snapshot, roles in origin.snapshots:
            yield f"| {roles} | {snapshot.kind} | {snapshot.rows:,} | `{snapshot.sha256[:16]}…` | {_query(snapshot)} |"
        yield ""
    for name in withdrawn_from(origin):
        whose = f"Somebody withdrew the answer that had put them into {_plain(name)}"
        yield f"{whose}; what it learned from them is not undone."
        yield ""
    figures = figures_of(job) if job is not None else []
    if figures:
        yield "## What was measured"
        yield ""
        yield "| figure | value | 95 % interval | on |"
        yield "|---|---|---|---|"
        for one in figures:
            yield f"| {one.name} | {one.value} | {one.interval or '–'} | {one.note or '–'} |"
        yield ""
    yield "## Limits"
    yield ""
    yield LIMITS[Checkpoint.Kind(checkpoint.kind)]


def _table(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"## {title}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in rows:
        yield f"| {name} | {_plain(value)} |"
    yield ""


def _identity(checkpoint: Checkpoint, job: Job | None) -> list[tuple[str, str]]:
    found = [
        ("Project", checkpoint.project.name), ("Kind", checkpoint.get_kind_display()),
        ("sha256 of its files", f"`{checkpoint.sha256}`" if checkpoint.sha256 else "taken when it is first used"),
        ("Made", f"{checkpoint.created_at:%d %B %Y, %H:%M} UTC"),
    ]  # fmt: skip
    if checkpoint.removed_at is not None:
        found.append(("Weights", f"deleted on {checkpoint.removed_at:%d %B %Y}"))
    for one in checkpoint.erasures.all():
        found.append(("Words erased since", f"on {one.made_at:%d %B %Y}; its weights did not unlearn them"))
    if job is not None:
        stage = f"round {job.stage.round.number}, {job.stage.get_kind_display()}" if job.stage else "no round"
        found.append(("Made by", f"job {job.pk} ({stage}), in {job.attempt} attempt{'s' if job.attempt != 1 else ''}"))
        if job.created_by is not None:
            found.append(("Launched by", job.created_by.get_full_name() or job.created_by.username))
        if job.stage is not None:
            found.append(("Recipe", str(job.stage.round.recipe.get("name", ""))))
            audience = audience_of(job.stage.round)
            found += [("For whom", audience.sentence)] if audience.sentence else []
            learned = {"include": "learned from", "only": "alone learned from", "exclude": "kept out"}
            found.append(("Simulated labelers", learned.get(job.stage.round.recipe.get("simulated", ""), "kept out")))
    found += [(f"Told {one.name}", one.text) for one in known_to(checkpoint)]
    if checkpoint.code:
        found.append(("Code", in_words(checkpoint.code)))
    return found


def _made_from(origin: Origin) -> list[tuple[str, str]]:
    found = [(one.get_kind_display(), f"{one.name}, `{one.sha256[:16] or 'not hashed'}`") for one in origin.ancestors]
    if len(origin.codes) > 1:
        found += [("Code in its line", code) for code in origin.codes]
    return found


def _judgments(origin: Origin) -> list[tuple[str, str]]:
    if not origin.submissions:
        return [("Submissions", "none: what it read came from imports and texts")]
    found = [("Submissions", f"{origin.submissions:,}"), ("Labelers", sources(origin.labelers))]
    found += [(f"Of kind {kind}", f"{many:,}") for kind, many in sorted(origin.by_kind.items())]
    found += [
        (f"By the {kind} guideline, version {version}", f"{many:,}")
        for (kind, version), many in origin.guidelines.items()
    ]
    return found


def _query(snapshot: Snapshot) -> str:
    asked = {key: value for key, value in snapshot.query.items() if value not in (None, [], "") and key != "kind"}
    return _plain(", ".join(f"{key} {value}" for key, value in sorted(asked.items()) if key != "tokens_of"))


def _plain(text: str) -> str:
    """Nothing in it ends a cell of a table, begins another line, a link or a tag."""
    for character in "|[<":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")
