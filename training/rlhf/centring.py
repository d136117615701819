"""The demonstrations that a reward model's zero is set by: read once for every condition that it may be told."""

from dataclasses import dataclass

from training.rlhf.contract.records import Demonstration
from training.rlhf.inputs import only
from training.rlhf.layouts import Exchange
from training.rlhf.rankings import answer_ids
from training.rlhf.run import Run
from training.rlhf.tokens import Budget, ChatTokens


@dataclass(frozen=True)
class Demonstrations:
    """told: condition (None for none) -> what is scored under it; empty where no demonstration fits.

    rows: demonstrations there are. used: of those, the ones that fit as they were written.
    """

    told: dict[str | None, list[Exchange]]
    rows: int
    used: int
    too_long: Budget

    @property
    def why_none(self) -> str:
        if self.rows:
            return f"none of the {self.too_long.left_out} rows of data.demonstrations fits lengths"
        return "data.demonstrations is empty"


def read_demonstrations(run: Run, tokens: ChatTokens) -> Demonstrations:
    """A condition is read from its own demonstrations, or from all of them where it has none."""
    config = run.config
    rows = only(Demonstration, run.inputs.rows(config.data.demonstrations, "demonstration"))
    telling = config.conditioning.mode == "message"
    counted = Budget(config.lengths)

    def read(among: list[Demonstration], condition: str | None, budget: Budget) -> list[Exchange]:
        found = []
        for row in among:
            prompt = tokens.prompt_of(row, condition=condition)
            exchange = Exchange(prompt, [answer_ids(row.response, tokens, row_id=row.id)])
            if budget.fits(row, prompt=exchange.prompt, responses=exchange.responses):
                found.append(exchange)
        return found

    own: dict[str | None, list[Demonstration]] = {}
    for row in rows:
        own.setdefault(row.condition if telling else None, []).append(row)
    told = {condition: read(among, condition, counted) for condition, among in own.items()}
    used = sum(map(len, told.values()))
    for condition in (None, *(sorted(config.conditioning.conditions) if telling else ())):
        if not told.get(condition):
            told[condition] = read(rows, condition, Budget(config.lengths))
    return Demonstrations({key: some for key, some in told.items() if some}, len(rows), used, counted)
