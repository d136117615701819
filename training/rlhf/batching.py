"""From exchanges to micro-batches that fit: like lengths together, laid out one way, on one device.

Where a model's attention follows a mask, short exchanges share a row with each other, so that little is padding. Rows
are no longer than the longest exchange of their micro-batch: attention under a mask pays for the whole width of a row.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.rlhf.layouts import Exchange, Layout, pack, packed, padded


@dataclass(frozen=True)
class Batching:
    """How the exchanges of a run are cut and laid out.

    tokens: of one micro-batch, padding included; an exchange that is longer goes alone.
    shared: the K responses of a prompt behind one copy of it, and short exchanges in one row, rather than each response
        in a row of its own behind its own copy.
    """

    tokens: int
    shared: bool
    device: torch.device | str = "cpu"

    def cut(self, exchanges: Sequence[Exchange], among: Iterable[int] | None = None) -> Iterator[list[int]]:
        """Numbers of exchanges (of all, or those among them), micro-batch by micro-batch, short ones first."""
        numbers = range(len(exchanges)) if among is None else among
        batch: list[int] = []
        responses = 0  # counted as they come: a large batch would be gone through for each that is added
        for number in sorted(numbers, key=lambda number: (self._width(exchanges[number]), number)):
            responses += len(exchanges[number].responses)
            rows = len(_rows([exchanges[each] for each in [*batch, number]])) if self.shared else responses
            if batch and rows * self._width(exchanges[number]) > self.tokens:
                yield batch
                batch, responses = [], len(exchanges[number].responses)
            batch.append(number)
        if batch:
            yield batch

    def layouts(
        self, exchanges: Sequence[Exchange], among: Iterable[int] | None = None
    ) -> Iterator[tuple[list[int], Layout]]:
        """Each micro-batch with its layout: the numbers of its exchanges as they follow each other in it."""
        for batch in self.cut(exchanges, among):
            if not self.shared:
                yield batch, padded([exchanges[number] for number in batch], device=self.device)
                continue
            rows = [[batch[place] for place in row] for row in _rows([exchanges[number] for number in batch])]
            layout = packed([[exchanges[number] for number in row] for row in rows], device=self.device)
            yield [number for row in rows for number in row], layout

    def _width(self, exchange: Exchange) -> int:
        return exchange.tokens if self.shared else exchange.context_tokens


def _rows(batch: Sequence[Exchange]) -> list[list[int]]:
    sizes = [exchange.tokens for exchange in batch]
    return pack(sizes, row_tokens=max(sizes))


@torch.no_grad()
def score(
    reward: nn.Module,
    exchanges: Sequence[Exchange],
    *,
    batching: Batching,
    before_batch: Callable[[], object] = lambda: None,
    scored: dict[int, list[float]] | None = None,
    after_batch: Callable[[], object] = lambda: None,
    shifts: Sequence[float] | None = None,
) -> list[list[float]]:
    """The scores of all responses, exchange by exchange, by a reward model in evaluation mode.

    Each is read at the last token of its response, found from the layout: where a response ended, its stop token.
    scored: scores by the exchange's number. Those in it are not read again; every batch is added to it, and then
    after_batch is called.
    shifts: what each exchange's condition adds to its scores (Ensemble.shift); nothing where there are none.
    """
    reward.eval()
    scores = {} if scored is None else scored
    missing = [number for number in range(len(exchanges)) if number not in scores]
    for batch, layout in batching.layouts(exchanges, missing):
        before_batch()
        read = iter(reward(layout, layout.last).tolist())
        for number in batch:
            shift = shifts[number] if shifts is not None else 0.0
            scores[number] = [next(read) + shift for _ in exchanges[number].responses]
        after_batch()
    return [scores[number] for number in range(len(exchanges))]


def responses_of(prompts: Sequence[int], *, responses_per_prompt: int, device: torch.device | str = "cpu") -> Tensor:
    """Numbers of the responses to these prompts, where every prompt has as many and they are counted through."""
    first = torch.tensor(prompts, device=device)[:, None] * responses_per_prompt
    return (first + torch.arange(responses_per_prompt, device=device)).flatten()
