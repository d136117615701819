"""Prompts as token ids, and a count of those that do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.rlhf.contract.exit_codes import DataRefused
from training.rlhf.contract.records import Prompt
from training.rlhf.inputs import only
from training.rlhf.run import Run
from training.rlhf.tokens import Budget, ChatTokens


@dataclass(frozen=True)
class EncodedPrompts:
    """Prompts side by side: the row's id, the condition told to the model, token ids. left_out: a Budget's report."""

    ids: list[str]
    conditions: list[str | None]
    token_ids: list[list[int]]
    left_out: dict[str, Any]

    def spread(self, limit: int) -> "EncodedPrompts":
        """At most this many of them, spread evenly."""
        chosen = self.spread_places(limit)
        return EncodedPrompts(
            [self.ids[place] for place in chosen],
            [self.conditions[place] for place in chosen],
            [self.token_ids[place] for place in chosen],
            self.left_out,
        )

    def spread_places(self, limit: int) -> list[int]:
        """Which ones `spread` takes."""
        count = min(limit, len(self.ids))
        return [place * len(self.ids) // count for place in range(count)]

    def report(self) -> dict[str, Any]:
        return {"prompts": len(self.ids), "too_long": self.left_out}


def refuse_shared_prompts(train: Sequence[Prompt], validation: Sequence[Prompt]) -> None:
    """Raises DataRefused if a prompt is in both, whatever its id: the words are what would be learned by heart."""
    held_out = {row.messages: row.id for row in validation}
    both = [row for row in train if row.messages in held_out]
    if both:
        raise DataRefused(
            f"row {both[0].id} of data.train and {len(both) - 1} more have the messages of held-out rows (the first "
            f"those of {held_out[both[0].messages]}): leave them out of data.train or of data.validation"
        )


def read_prompts(run: Run, tokens: ChatTokens, names: Sequence[str], *, condition: str | None = None) -> EncodedPrompts:
    """All prompts of these data files that fit. condition: told with every prompt; else each row's own is, where the
    config tells conditions at all.

    Raises DataRefused if files are named and no prompt in them fits.
    """
    budget = Budget(run.config.lengths)
    told = run.config.conditioning.mode == "message"
    found = EncodedPrompts([], [], [], {})
    for row in only(Prompt, run.inputs.rows(names, "prompt")):
        key = condition or (row.condition if told else None)
        ids = tokens.prompt_of(row, condition=key)
        if budget.fits(row, prompt=ids):
            found.ids.append(row.id)
            found.conditions.append(key)
            found.token_ids.append(ids)
    found.left_out.update(budget.report())
    if names and not found.ids:
        raise DataRefused(
            f"no prompt in {', '.join(names)} can be used: {budget.left_out} are too long for lengths in config.json"
        )
    return found
