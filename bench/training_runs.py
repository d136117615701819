"""What both sides of bench/training.py are given: run folders for Accord, token ids for a peer, from one set of rows.

A peer gets the ids that Accord's own stage makes of a run folder, in the order of the stage's steps.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.adapters.hh import chat
from bench.adapters.rows import read_rows
from training.rlhf.chance import shuffled
from training.rlhf.contract.config import load_config
from training.rlhf.contract.records import (
    Answer,
    Demonstration,
    Kind,
    Message,
    Prompt,
    Ranking,
    RankingJudgment,
    Row,
)
from training.rlhf.contract.records import read_rows as read_records
from training.rlhf.contract.run_folder import (
    ModelEntry,
    RunFolder,
    model_identity,
    write_data_file,
    write_data_manifest,
    write_models_manifest,
)
from training.rlhf.demonstrations import encode_demonstrations, plan_steps
from training.rlhf.rankings import read_items
from training.rlhf.tokens import Budget, ChatTokens

SEED = 1
THREADS = 2
LEARNING_RATE = 1e-5
MICRO_BATCH_TOKENS = 4096
STEPS = 100_000
"""More than are ever taken: a side ends when nobody asks it for another turn."""


def base_config(stage: str, **sections: Any) -> dict[str, Any]:
    return {
        "format": 1, "stage": stage, "job": "bench", "seed": SEED,
        "hardware": {"threads": THREADS, "device": "cpu", "micro_batch_tokens": MICRO_BATCH_TOKENS},
        "precision": {"compute": "float32"},
        "optimizer": {"learning_rate": LEARNING_RATE, "schedule": "constant"},
        "checkpoints": {"every_steps": STEPS, "every_seconds": 1e6},
        "logging": {"samples_every_steps": STEPS, "samples": 0},
        **sections,
    }  # fmt: skip


def make_run(
    root: Path,
    config: Mapping[str, Any],
    *,
    models: Mapping[str, Path],
    data: Mapping[str, tuple[Kind, Iterable[Row]]],
) -> RunFolder:
    """As a launcher would leave it."""
    folder = RunFolder(root)
    (root / "models").mkdir(parents=True)
    entries = []
    for role, path in models.items():
        (root / "models" / role).symlink_to(path.resolve())
        entries.append(ModelEntry(path=f"models/{role}", sha256=model_identity(path)))
    write_models_manifest(folder, entries)
    files = [write_data_file(folder, name, kind, rows) for name, (kind, rows) in data.items()]
    write_data_manifest(folder, files)
    folder.config.write_text(json.dumps(config))
    return folder


# rows


def demonstrations(data: Path) -> list[Demonstration]:
    """What people wrote: Dolly without the kinds whose passage this copy lacks, OpenAssistant, Self-Instruct."""
    found = [
        (f"{name}/{row['id']}", row["prompt"], row["response"])
        for name in ("demos_dolly", "demos_oasst", "demos_self_instruct")
        for row in read_rows(data, name)
        if not row.get("context_missing") and row["prompt"].strip() and row["response"].strip()
    ]
    return [
        Demonstration(id=id_, messages=(user(prompt),), response=Answer(id="r", text=response))
        for id_, prompt, response in found
    ]


def user(text: str) -> Message:
    return Message(role="user", content=text)


def dialogues(data: Path) -> Iterator[tuple[str, tuple[Message, ...], str, str]]:
    """HH: id, messages, the better reply, the worse. Compared, and asked for replies; nothing of it is imitated."""
    for row in read_rows(data, "pairs_hh_harmless"):
        messages = tuple(Message(**message) for message in chat(row["prompt"]))  # type: ignore[arg-type]
        spoken = all(message.content.strip() for message in messages)
        if spoken and messages[-1].role == "user" and row["chosen"].strip() and row["rejected"].strip():
            yield row["id"], messages, row["chosen"], row["rejected"]


def rankings(data: Path, *, responses: int) -> list[Ranking]:
    """K real replies to each prompt: its own two, and above K = 2 the better ones of the dialogues that follow. What is
    measured does not hang on what they say, and the lengths are those of K = 2."""
    found = list(dialogues(data))
    rows = []
    for place, (id_, messages, better, worse) in enumerate(found):
        borrowed = [found[(place + next_) % len(found)][2] for next_ in range(1, responses - 1)]
        rows.append(
            Ranking(
                id=id_,
                messages=messages,
                responses=tuple(Answer(id=f"r{n}", text=text) for n, text in enumerate([better, *borrowed, worse])),
                judged=(RankingJudgment(labeler="bench", ranks=tuple(range(1, responses + 1))),),
            )
        )
    return rows


def prompts(data: Path, tokens: ChatTokens, *, at_most_tokens: int, exactly: bool = False) -> list[Prompt]:
    """HH's, those that are not longer; exactly: the last so many tokens of longer ones are asked as a text."""
    found = []
    for id_, messages, _, _ in dialogues(data):
        said = messages
        if exactly:
            said = _of_length(messages, tokens, at_most_tokens)
        if said and len(tokens.prompt_ids(said)) <= at_most_tokens:
            found.append(Prompt(id=id_, messages=said))
    return found


def _of_length(messages: Sequence[Message], tokens: ChatTokens, length: int) -> tuple[Message, ...]:
    """The dialogue's words as one message of this many tokens, template included; nothing where that cannot be."""
    ids = tokens.text_ids(" ".join(message.content for message in messages))
    around = len(tokens.prompt_ids((user("x"),))) - len(tokens.text_ids("x"))
    text = tokens.text(ids[: length - around])
    said = (user(text),) if text.strip() else ()
    return said if said and len(tokens.prompt_ids(said)) == length else ()


# the same for a peer


@dataclass(frozen=True)
class Plan:
    """Rows of token ids in the order of Accord's steps, and how much is in each step."""

    rows: list[dict[str, Any]]
    tokens_of_step: list[int]


def demonstration_ids(folder: RunFolder, tokens: ChatTokens) -> Plan:
    """One epoch of the stage's own plan."""
    config = load_config(folder.config)
    assert config.sft is not None
    found = list(read_records(folder.data(config.data.train[0]), Demonstration))
    items = encode_demonstrations(found, tokens, config, Budget(config.lengths))
    steps = plan_steps(items, [], config.sft, seed=config.seed)[0]
    return Plan(
        rows=[
            {"prompt": list(item.exchange.prompt), "response": list(item.exchange.responses[0])}
            for step in steps
            for item in step
        ],
        tokens_of_step=[sum(item.exchange.tokens for item in step) for step in steps],
    )


def ranking_ids(folder: RunFolder, tokens: ChatTokens) -> list[dict[str, Any]]:
    """The prompts of one epoch with their responses, best first."""
    config = load_config(folder.config)
    rows = read_records(folder.data(config.data.train[0]), Ranking)
    items = read_items(rows, tokens=tokens, config=config, dropout=0.0).items
    order = shuffled(len(items), seed=config.seed, purpose="order of prompts", number=0)
    exchanges = [items[number].exchange for number in order]
    return [{"prompt": list(e.prompt), "responses": [list(response) for response in e.responses]} for e in exchanges]
