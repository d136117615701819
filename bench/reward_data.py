"""Five sets of real preferences as ranking rows, and parts of them that share no prompt and no near-equal one.

The rows come from bench/adapters, as an import would see them. Two prompts belong together where their set says so (a
conversation, an article, a task), or where most of their words stand in the same order; what belongs together stands in
one part, across all five sets: two of them ask the same tasks.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from bench.adapters.fgrlhf import rankings_fgrlhf, rankings_fgrlhf_questions
from bench.adapters.hh import pairs_hh_harmless
from bench.adapters.oasst import rankings_oasst
from bench.adapters.pandalm import pairs_pandalm
from bench.adapters.rows import Adapter, RecordMembers, Source, read_rows
from bench.adapters.tulu import pairs_tulu
from labeling.records import dense
from training.rlhf.contract.records import Answer, Message, Ranking, RankingJudgment, Text

SETS: dict[str, Adapter] = {
    "pairs_hh_harmless": pairs_hh_harmless,
    "pairs_pandalm": pairs_pandalm,
    "pairs_tulu": pairs_tulu,
    "rankings_fgrlhf": rankings_fgrlhf_questions,
    "rankings_oasst": rankings_oasst,
}
WITH_PASSAGES: dict[str, Adapter] = SETS | {"rankings_fgrlhf": rankings_fgrlhf}

SHINGLE_WORDS = 5
NEAR_SHARE = 0.5
"""Prompts that share this much of the shorter one's runs of five words are nearly equal."""
CHOOSING_SHARE = 0.15
"""Of the groups: on them settings are chosen, and nothing is tested."""
FOLDS = 3


@dataclass(frozen=True)
class Judged:
    """A row and the group that it must not be parted from."""

    set_name: str
    row: Ranking
    group: str

    @property
    def fold(self) -> int | None:
        """Which third it is tested in; None: it is of the part on which settings are chosen."""
        digest = hashlib.sha256(f"reward models/{self.group}".encode()).digest()
        choosing = int.from_bytes(digest[:8]) < CHOOSING_SHARE * 2**64
        return None if choosing else int.from_bytes(digest[8:16]) % FOLDS


def read_sets(data: Path, *, most: int | None = None, adapters: dict[str, Adapter] = SETS) -> dict[str, list[Judged]]:
    """The rows of each set, grouped. most: of each set, for a quick run."""
    found = {name: list(_rows(name, adapter, data, most)) for name, adapter in adapters.items()}
    groups = joined([one for of_set in found.values() for one in of_set])
    return {name: [replace(one, group=groups[one.row.id]) for one in of_set] for name, of_set in found.items()}


def read_text(data: Path, *, most: int | None = None) -> list[Text]:
    return [
        Text(id=f"{number:06}", text=row["text"])
        for number, row in enumerate(islice(read_rows(data, "pretrain_text"), most))
    ]


def _rows(name: str, adapter: Adapter, data: Path, most: int | None) -> Iterator[Judged]:
    for members in islice(adapter(Source(data)), most):
        row_id = f"{name}:{members['id']}"
        yield Judged(name, _ranking(row_id, members), members["prompt"].get("group_key") or row_id)


def _ranking(row_id: str, members: RecordMembers) -> Ranking:
    responses: list[dict[str, Any]]
    if members["type"] == "comparison":
        responses = [members["chosen"], members["rejected"]]
        judged = [{"labeler": members["labeler"], "ranks": [1, 2]}]
    else:
        responses, judged = members["responses"], members["judged"]
    return Ranking(
        id=row_id,
        messages=tuple(Message(role=said["role"], content=said["content"]) for said in members["prompt"]["messages"]),
        responses=tuple(Answer(id=f"r{number}", text=one["text"]) for number, one in enumerate(responses)),
        judged=tuple(RankingJudgment(labeler=one["labeler"], ranks=dense(one["ranks"])) for one in judged),
    )


# --- what belongs together --------------------------------------------------------------------------------------------


def joined(rows: Sequence[Judged]) -> dict[str, str]:
    """Row id -> group, the groups of near-equal prompts made one. Equal prompts are near-equal too."""
    parent: dict[str, str] = {}

    def root(group: str) -> str:
        while parent.setdefault(group, group) != group:
            group = parent[group]
        return group

    for first, second in _near_equal(rows):
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return {one.row.id: root(one.group) for one in rows}


def _near_equal(rows: Sequence[Judged]) -> Iterator[tuple[str, str]]:
    """Groups of two prompts of which one holds half of the other's shingles, or that are equal but for case and space.

    A shingle that more than a hundred prompts share is of a form ("write a short story about"), not of a text.
    """
    having: dict[int, list[int]] = defaultdict(list)
    sizes: dict[int, int] = {}
    for number, one in enumerate(rows):
        found = shingles(_asked(one.row))
        sizes[number] = len(found)
        for shingle in found:
            having[shingle].append(number)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for numbers in having.values():
        for pair in _pairs(numbers if len(numbers) <= 100 else numbers[:1]):
            shared[pair] += 1
    for (first, second), count in shared.items():
        if count >= NEAR_SHARE * min(sizes[first], sizes[second]):
            yield rows[first].group, rows[second].group


def _asked(row: Ranking) -> str:
    """The last turn; a short one ("why?", "go on") means something only behind the turn that it follows."""
    texts = [message.content for message in row.messages if message.role == "user"]
    return texts[-1] if len(texts[-1].split()) >= 2 * SHINGLE_WORDS else "\n".join(texts[-2:])


def shingles(text: str) -> set[int]:
    """Hashes of all runs of five words; of the whole text where it is shorter."""
    words = re.findall(r"\w+", text.casefold())
    runs: Iterable[str] = (
        " ".join(words[start : start + SHINGLE_WORDS]) for start in range(max(1, len(words) - SHINGLE_WORDS + 1))
    )
    return {int.from_bytes(hashlib.blake2b(run.encode(), digest_size=8).digest()) for run in runs}


def _pairs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    for place, first in enumerate(numbers):
        for second in numbers[place + 1 :]:
            yield first, second
