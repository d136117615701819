"""Rankings -> what a reward model learns from: token ids of a prompt's responses and every labeler's order of them.

A row is one item, or one for each condition that its labelers judged under where cohorts are told apart. Rows that are
too long, or in which nobody told two responses apart, are left out and counted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.exit_codes import DataRefused
from training.rlhf.contract.records import Answer, Comparison, Ranking, Row
from training.rlhf.layouts import Exchange
from training.rlhf.losses import Pairs, collect_pairs, untied_pairs
from training.rlhf.tokens import Budget, ChatTokens, keeps_condition

Order = tuple[Sequence[int | None], float]
"""One labeler's ranks of the responses (1 best, None not ranked), and how much they count."""


@dataclass(frozen=True)
class Judge:
    """Whose order it is: a pseudonym, and the cohort that the judgment was made in."""

    labeler: str
    cohort: str | None


@dataclass(frozen=True)
class Item:
    """A prompt with its responses, as judged under one condition. judges: of the orders, in their order."""

    id: str
    condition: str | None
    exchange: Exchange
    orders: list[Order]
    judges: list[Judge]

    @property
    def comparisons(self) -> int:
        return sum(len(untied_pairs(ranks)) for ranks, _ in self.orders)

    def judged_by(self, belongs: Callable[[Judge], bool]) -> "Item":
        """The same with the orders of these judges alone: perhaps none."""
        kept = [place for place, judge in enumerate(self.judges) if belongs(judge)]
        return replace(
            self, orders=[self.orders[place] for place in kept], judges=[self.judges[place] for place in kept]
        )


@dataclass
class Items:
    """The items of a data set, and what was left out of it."""

    budget: Budget
    items: list[Item] = field(default_factory=list)
    all_tied: int = 0

    @property
    def ids(self) -> set[str]:
        return {item.id for item in self.items}

    @property
    def labelers(self) -> list[str]:
        """Everybody whose order is in an item, sorted."""
        return sorted({judge.labeler for item in self.items for judge in item.judges})

    def judged_by(self, belongs: Callable[[Judge], bool]) -> list[Item]:
        """The items with the orders of these judges alone; those in which they told nothing apart are left out."""
        return [left for item in self.items if (left := item.judged_by(belongs)).comparisons]

    def report(self) -> dict[str, Any]:
        return {
            "prompts": len(self.ids),
            "comparisons": sum(item.comparisons for item in self.items),
            "all_tied": self.all_tied,
            "too_long": self.budget.report(),
        }


def read_items(rows: Iterable[Row], *, tokens: ChatTokens, config: RunConfig, dropout: float) -> Items:
    """Items of ranking and comparison rows. dropout: share of conditioned items that lose their condition's message.

    Raises DataRefused if nothing is left to compare, saying why.
    """
    found = Items(Budget(config.lengths))
    for row in rows:
        ranking = row.as_ranking() if isinstance(row, Comparison) else row
        assert isinstance(ranking, Ranking)
        for condition, judged in _judged_by_condition(ranking, config, dropout).items():
            orders = [order for order, _ in judged]
            if not any(untied_pairs(ranks) for ranks, _ in orders):
                found.all_tied += 1
                continue
            exchange = Exchange(
                tokens.prompt_of(ranking, condition=condition),
                [answer_ids(answer, tokens, row_id=ranking.id) for answer in ranking.responses],
            )
            if found.budget.fits(ranking, prompt=exchange.prompt, responses=exchange.responses):
                judges = [judge for _, judge in judged]
                found.items.append(Item(ranking.id, condition, exchange, orders, judges))
    return found


def _judged_by_condition(
    ranking: Ranking, config: RunConfig, dropout: float
) -> dict[str | None, list[tuple[Order, Judge]]]:
    """Orders in which nobody counts (weight 0) are left out."""
    judged: dict[str | None, list[tuple[Order, Judge]]] = {}
    for said in ranking.judged:
        if said.weight == 0:
            continue
        condition = None
        if config.conditioning.mode == "message":
            named = said.condition or ranking.condition
            row = f"{ranking.id}/{named}"
            condition = named if keeps_condition(row, seed=config.seed, dropout=dropout) else None
        judge = Judge(said.labeler, said.condition or ranking.condition)
        judged.setdefault(condition, []).append(((said.ranks, said.weight), judge))
    return judged


def answer_ids(answer: Answer, tokens: ChatTokens, *, row_id: str) -> list[int]:
    """The sampled ids where there are any, never encoded again from their text; else the text's, its stop included.

    Raises DataRefused for ids that the vocabulary does not have.
    """
    if answer.token_ids is None:
        return tokens.response_ids(answer.text)
    if not answer.token_ids or max(answer.token_ids) >= tokens.vocabulary or min(answer.token_ids) < 0:
        raise DataRefused(
            f"row {row_id}: response {answer.id} has token ids outside this model's vocabulary of {tokens.vocabulary}; "
            "leave token_ids out where another model's tokenizer wrote them"
        )
    return list(answer.token_ids)


def pairs_of(items: Sequence[Item]) -> Pairs:
    """The untied pairs of these items, their responses counted through in this order."""
    return collect_pairs([item.orders for item in items])


def agreement(item: Item, scores: Sequence[float]) -> tuple[float, float]:
    """(comparisons on which the scores agree with the labelers, comparisons); equal scores agree by half."""
    pairs = [pair for ranks, _ in item.orders for pair in untied_pairs(ranks)]
    agreed = sum((scores[a] > scores[b]) + 0.5 * (scores[a] == scores[b]) for a, b in pairs)
    return agreed, float(len(pairs))


def refuse_nothing(items: Items, *, what: str) -> None:
    """Raises DataRefused if there is nothing to compare, with the counts of what was left out."""
    if not items.items:
        raise DataRefused(
            f"{what} hold nothing to compare: {items.all_tied} are all tied, {items.budget.left_out} too long for "
            "lengths in config.json; expected at least one prompt with two responses that a labeler told apart"
        )
