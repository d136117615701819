"""Demonstrations as token ids, and which of them each step of SFT learns from.

The plan of a run is made before its first step from the seed alone, so that a resumed run learns in the same order:
there is no position to save.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training.rlhf.chance import shuffled
from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.exit_codes import DataRefused
from training.rlhf.contract.records import Demonstration, Text
from training.rlhf.contract.stages import Sft
from training.rlhf.layouts import Exchange
from training.rlhf.texts import read_windows
from training.rlhf.tokens import Budget, ChatTokens, keeps_condition

MIXED_TEXT_TOKENS = 512
"""Predicted tokens of a window of pretraining text, where the context holds as many."""


@dataclass(frozen=True)
class Item:
    """Something to imitate: a prompt with its demonstration, or a window of pretraining text.

    weight: how much each of its response tokens counts. condition: what its prompt is told; None where nothing is.
    """

    id: str
    exchange: Exchange
    weight: float
    condition: str | None = None

    @property
    def response_tokens(self) -> int:
        return len(self.exchange.responses[0])


def encode_demonstrations(
    rows: Sequence[Demonstration],
    tokens: ChatTokens,
    config: RunConfig,
    budget: Budget,
    *,
    dropout: float | None = None,
) -> list[Item]:
    """The rows that fit the budget and have a weight; the others are counted in the budget, or are of weight 0.

    dropout: share of the rows that lose their condition's message; None: as the config has it for training.
    """
    dropout = config.condition_dropout if dropout is None else dropout
    items = []
    for row in rows:
        condition = row.condition if config.conditioning.mode == "message" else None
        if not keeps_condition(row.id, seed=config.seed, dropout=dropout):
            condition = None
        prompt = tokens.prompt_of(row, condition=condition)
        response = tokens.response_ids(row.response.text)
        if row.weight > 0 and budget.fits(row, prompt=prompt, responses=[response]):
            items.append(Item(row.id, Exchange(prompt, [response]), row.weight, condition))
    return items


def encode_texts(texts: Sequence[Text], tokens: ChatTokens, config: RunConfig, *, count: int) -> list[Item]:
    """Windows of pretraining text, every token but the first of each predicted; at most `count`."""
    window_tokens = min(MIXED_TEXT_TOKENS, config.lengths.context_tokens - 1)
    windows = read_windows(
        tokens, texts, window_tokens=window_tokens, seed=config.seed, enough_tokens=(count + 1) * window_tokens
    )
    numbers = range(min(count, len(windows)))
    return [
        Item(f"window {number}", Exchange(ids[:1], [ids[1:]]), 1.0)
        for number, ids in zip(numbers, windows.take(numbers).tolist(), strict=True)
    ]


def texts_per_epoch(demonstrations: int, fraction: float) -> int:
    """How many windows of text make up this share of all rows."""
    return round(demonstrations * fraction / (1 - fraction))


def without_weight(rows: Sequence[Demonstration]) -> int:
    """How many nothing is learned from, since nobody gave them a weight."""
    return sum(row.weight == 0 for row in rows)


def need_demonstrations(items: Sequence[Item], *, rows: Sequence[Demonstration], budget: Budget, use: str) -> None:
    """Raises DataRefused, with the counts, if nothing is left to learn from."""
    if not items:
        raise DataRefused(
            f"data.{use} has {len(rows)} demonstrations and none that can be learned from: {budget.left_out} are "
            f"longer than lengths allows (prompts {budget.prompts}, responses {budget.responses}, together "
            f"{budget.contexts}), {without_weight(rows)} have the weight 0"
        )


def plan_steps(items: Sequence[Item], texts: Sequence[Item], settings: Sft, *, seed: int) -> list[list[list[Item]]]:
    """What each step of each epoch learns from: epochs -> steps -> items.

    Every epoch holds every demonstration once, in an order of its own, and its share of the pretraining text; its last
    step may be a smaller one.
    """
    mixed = texts_per_epoch(len(items), settings.pretrain_fraction)
    epochs = []
    for epoch in range(settings.epochs):
        first = epoch * mixed
        share = [texts[number % len(texts)] for number in range(first, first + mixed)]
        together = [*items, *share]
        turn = shuffled(len(together), seed=seed, purpose="order of demonstrations", number=epoch)
        order = [together[place] for place in turn]
        epochs.append(_cut(order, settings))
    return epochs


def _cut(order: Sequence[Item], settings: Sft) -> list[list[Item]]:
    steps: list[list[Item]] = []
    filled = 0
    for item in order:
        if settings.sequences is not None:
            full = bool(steps) and len(steps[-1]) >= settings.sequences
        else:
            assert settings.tokens_per_step is not None
            full = filled + item.exchange.tokens > settings.tokens_per_step
        if not steps or full:
            steps.append([])
            filled = 0
        steps[-1].append(item)
        filled += item.exchange.tokens
    return steps
