"""The rows of data files: what a snapshot writes and a stage reads. JSON lines, UTF-8, sorted keys, sorted by id.

Ids are opaque, labelers are pseudonyms, and nothing says which model wrote a response except `source`. Rows are
written by `write_rows` and read by `read_rows`, which refuses a malformed row by file and line. What a labeler did
not say is null and stays null: it is never counted as 0.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from training.rlhf.contract.exit_codes import DataRefused, InputMissing
from training.rlhf.contract.settings import Name, NotNegativeNumber
from training.rlhf.contract.strict import Refused, Section, Within, Written, dump_json, parse_json, shown

ROW_LIMIT_BYTES = 8 * 1024 * 1024

Id = Annotated[str, Written(as_="a text that is not empty", if_=bool)]
Rank = Annotated[int, Within(at_least=1)]
Rating = Annotated[int, Within(at_least=1, at_most=7)]


@dataclass(frozen=True, kw_only=True)
class Message(Section):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class Text(Section):
    """A document for pretraining."""

    id: Id
    text: str


@dataclass(frozen=True, kw_only=True)
class Prompt(Section):
    """What is to be answered; the last message is the user's."""

    id: Id
    messages: tuple[Message, ...]
    use_case: str | None = None
    split: Literal["train", "valid", "test"] | None = None
    group: str | None = None
    """Hash of the author or document: a split never divides it."""
    condition: Name | None = None
    """Key of config.conditioning.conditions; null: everybody's preferences."""

    def check_together(self) -> None:
        if not self.messages:
            raise Refused("messages", "is []; expected at least one message")
        if self.messages[-1].role != "user":
            last = len(self.messages) - 1
            raise Refused(f"messages[{last}].role", f'is {shown(self.messages[-1].role)}; expected "user" at the end')


@dataclass(frozen=True, kw_only=True)
class Answer(Section):
    """A response inside a row. Token ids stand beside the text where a model wrote it: they are what is scored."""

    id: Id
    text: str
    token_ids: tuple[int, ...] | None = None
    source: str | None = None
    """Opaque: equal for responses of one origin."""


@dataclass(frozen=True, kw_only=True)
class Demonstration(Prompt):
    """A response that a person wrote, to be imitated."""

    response: Answer
    labeler: str | None = None
    weight: NotNegativeNumber = 1.0


@dataclass(frozen=True, kw_only=True)
class RankingJudgment(Section):
    """One labeler's order of the responses of a row."""

    labeler: str
    ranks: tuple[Rank | None, ...]
    """One per response: 1 is best, dense, ties share a rank; null is "not ranked" and gives no pair."""
    condition: Name | None = None
    guideline: str | None = None
    weight: NotNegativeNumber = 1.0

    def check_together(self) -> None:
        given = {rank for rank in self.ranks if rank is not None}
        if given != set(range(1, len(given) + 1)):
            raise Refused(
                "ranks", f"is {shown(list(self.ranks))}; expected dense ranks from 1 on, such as [1, 2, 2, null]"
            )


@dataclass(frozen=True, kw_only=True)
class Ranking(Prompt):
    """K responses to a prompt with every labeler's order of them."""

    responses: tuple[Answer, ...]
    judged: tuple[RankingJudgment, ...]

    def check_together(self) -> None:
        super().check_together()
        if len(self.responses) < 2:
            raise Refused("responses", f"has {len(self.responses)}; expected at least 2")
        for index, judgment in enumerate(self.judged):
            if len(judgment.ranks) != len(self.responses):
                raise Refused(
                    f"judged[{index}].ranks", f"has {len(judgment.ranks)} ranks for {len(self.responses)} responses"
                )


@dataclass(frozen=True, kw_only=True)
class Choice(Section):
    """One labeler's choice between two responses."""

    labeler: str
    choice: Literal[0, 1, "tie"]
    condition: Name | None = None
    strength: Annotated[int, Within(at_least=0, at_most=2)] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison(Prompt):
    """Two responses to a prompt with every labeler's choice; for the loss it is a ranking with K = 2."""

    responses: tuple[Answer, ...]
    judged: tuple[Choice, ...]

    def check_together(self) -> None:
        super().check_together()
        if len(self.responses) != 2:
            raise Refused("responses", f"has {len(self.responses)}; expected 2")

    def as_ranking(self) -> Ranking:
        ranks: dict[object, tuple[int, int]] = {0: (1, 2), 1: (2, 1), "tie": (1, 1)}
        judged = tuple(
            RankingJudgment(labeler=said.labeler, ranks=ranks[said.choice], condition=said.condition)
            for said in self.judged
        )
        shared = {name: getattr(self, name) for name in ("id", "messages", "use_case", "split", "group", "condition")}
        return Ranking(**shared, responses=self.responses, judged=judged)


@dataclass(frozen=True, kw_only=True)
class RatingJudgment(Section):
    """One labeler's ratings of one response, each 1 to 7 or null."""

    labeler: str
    condition: Name | None = None
    ratings: Mapping[str, Rating | None] = field(default_factory=dict)
    flags: Mapping[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RatingRow(Prompt):
    """A response with every labeler's ratings of it."""

    response: Answer
    judged: tuple[RatingJudgment, ...]


@dataclass(frozen=True, kw_only=True)
class Response(Section):
    """What `sample` and `score` write."""

    id: Id
    prompt: Id
    text: str
    token_ids: tuple[int, ...]
    """As sampled, the end of turn included where there is one; never encoded again from the text."""
    finish: Literal["stop", "length"]
    logprob: float | None = None
    """Of the whole response under the generator, at the temperature it was sampled with, in nats."""
    generator: Name
    condition: Name | None = None
    scores: Mapping[Name, float] = field(default_factory=dict)


Row = Text | Prompt | Demonstration | Ranking | Comparison | RatingRow | Response
Kind = Literal["text", "prompt", "demonstration", "ranking", "comparison", "rating", "response"]
KINDS: dict[Kind, type[Row]] = {
    "text": Text,
    "prompt": Prompt,
    "demonstration": Demonstration,
    "ranking": Ranking,
    "comparison": Comparison,
    "rating": RatingRow,
    "response": Response,
}


@dataclass(frozen=True, kw_only=True)
class FileDigest(Section):
    """What `write_rows` wrote."""

    rows: int
    bytes: int
    sha256: str


R = TypeVar("R", bound=Section)


def read_rows(path: Path, row_type: type[R]) -> Iterator[R]:
    """The rows of a file, one at a time.

    Raises InputMissing if the file is not there; DataRefused, naming file and line, for a row that is malformed, over
    8 MiB, or whose id was there before.
    """
    seen: set[str] = set()
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _read_row(line, row_type, f"{path.name} line {number}", seen)
    except FileNotFoundError as error:
        raise InputMissing(f"{path} is not there") from error


def _read_row(line: bytes, row_type: type[R], place: str, seen: set[str]) -> R:
    if len(line) > ROW_LIMIT_BYTES:
        raise DataRefused(f"{place}: the row has {len(line)} bytes; at most {ROW_LIMIT_BYTES} are read")
    try:
        row = row_type.from_json(parse_json(line))
    except Refused as refused:
        raise DataRefused(f"{place}: {refused}") from None
    row_id = getattr(row, "id")  # noqa: B009 (every row type has one; Section itself has not)
    if row_id in seen:
        raise DataRefused(f"{place}: id is {shown(row_id)}, which an earlier line has; expected each id once")
    seen.add(row_id)
    return row


def write_rows(path: Path, rows: Iterable[Row]) -> FileDigest:
    """Writes rows sorted by id through a temporary file, and hashes the bytes. Holds all lines in memory once.

    Raises Refused for a row over 8 MiB.
    """
    lines = [(row.id, dump_json(row.to_json()).encode() + b"\n") for row in rows]
    digest, size = hashlib.sha256(), 0
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        for row_id, line in sorted(lines):
            if len(line) > ROW_LIMIT_BYTES:
                raise Refused(row_id, f"has {len(line)} bytes; at most {ROW_LIMIT_BYTES} fit in a row")
            file.write(line)
            digest.update(line)
            size += len(line)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    return FileDigest(rows=len(lines), bytes=size, sha256=digest.hexdigest())
