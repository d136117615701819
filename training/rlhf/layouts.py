"""Where the tokens of prompts and responses stand in a batch, and where to read the answers of a model.

A batch is rows of exchanges: a prompt and the responses that follow it. Three ways of laying them out, one result:

* `padded`: every response in a row of its own behind its own copy of the prompt; works with any model.
* `packed`: several exchanges in one row, kept apart by an explicit mask and restarted positions.
* `shared_prefix`: one copy of a prompt, then its K responses, each of which sees the prompt and itself alone.

Whatever the layout, outputs are read through flat indices into (B * T), response after response, so that a loss never
knows how the batch was laid out and the language model head runs on response positions only. Sampling lays out its own
left-padded prompts; the cutting of a step into micro-batches is in steps.py.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and the responses to it, as token ids. A demonstration is an exchange with one response."""

    prompt: Sequence[int]
    responses: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        if len(self.prompt) == 0:
            raise ValueError("a prompt has no tokens: the first token of its response has nothing to be predicted from")
        if any(len(response) == 0 for response in self.responses):
            raise ValueError("a response has no tokens; even an empty answer ends with its stop token")

    @property
    def tokens(self) -> int:
        """Tokens this exchange takes in a row where the prompt stands once."""
        return len(self.prompt) + sum(len(response) for response in self.responses)

    @property
    def context_tokens(self) -> int:
        """Positions the longest prompt-and-response needs: what a model's context must hold."""
        return len(self.prompt) + max((len(response) for response in self.responses), default=0)


@dataclass(frozen=True, slots=True)
class Layout:
    """B rows of T tokens, and N response tokens of R responses to be read from them.

    ids, positions: (B, T) int64. Positions restart at every exchange and, behind a shared prompt, at every response.
    segments: (B, T) the exchange within its row, from 0; -1 where there is padding.
    branches: (B, T) 0 in the prompt, 1.. in the responses of an exchange.
    mask: (B, 1, T, T) bool, True where a query (third axis) sees a key (fourth); None where plain causal attention is
        enough, because what stands right of a token is never seen and padding stands on the right.
    before: (N,) flat index of the position whose output predicts each response token; for the first token of a response
        that is the last token of its prompt.
    at: (N,) flat index of each response token itself.
    response: (N,) which of the R responses a token belongs to, ascending.
    last: (R,) flat index of the last token of each response: where a reward model's score is read.
    lengths: (R,) tokens in each response, the stop token included.
    """

    ids: Tensor
    positions: Tensor
    segments: Tensor
    branches: Tensor
    mask: Tensor | None
    before: Tensor
    at: Tensor
    response: Tensor
    last: Tensor
    lengths: Tensor

    @property
    def targets(self) -> Tensor:
        """(N,) the response tokens, in the order of `before`."""
        return self.ids.flatten()[self.at]

    @property
    def tokens(self) -> int:
        """Tokens the model runs on, padding included: what a micro-batch costs."""
        return self.ids.numel()

    def inputs(self) -> dict[str, Any]:
        """Arguments of a transformers model for this batch; positions are always explicit."""
        return {
            "input_ids": self.ids,
            "attention_mask": self.mask,
            "position_ids": self.positions,
            "use_cache": False,
        }


def read(outputs: Tensor, where: Tensor) -> Tensor:
    """The outputs at flat indices: (B, T, ...) and (N,) give (N, ...)."""
    return outputs.flatten(0, 1).index_select(0, where)


def response_logits(model: nn.Module, layout: Layout) -> Tensor:
    """(N, V) logits that predict each response token, from a causal language model of transformers.

    The head runs on these positions only: on a long prompt it would be most of the work and memory of a small model.
    It runs once where K responses are predicted from one last token of their prompt.
    """
    wanted = torch.zeros(layout.ids.shape, dtype=torch.bool, device=layout.ids.device)
    wanted.view(-1)[layout.before] = True
    logits: Tensor = model(**layout.inputs(), logits_to_keep=wanted).logits
    if len(logits) == len(layout.before):  # no position twice, and they ascend: the rows are in order already
        return logits
    number = wanted.view(-1).cumsum(0) - 1
    return logits.index_select(0, number[layout.before])


def response_mask(lengths: Tensor) -> Tensor:
    """(R,) lengths -> (R, T) bool, True on the tokens of each response. T is the longest of them."""
    return torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]


def to_rows(flat: Tensor, *, mask: Tensor) -> Tensor:
    """(N,) values of response tokens -> (R, T) rows, 0 behind the end of each; `rows[mask]` is the way back."""
    rows = torch.zeros(mask.shape, dtype=flat.dtype, device=flat.device)
    rows[mask] = flat
    return rows


def padded(exchanges: Sequence[Exchange], *, pad_token_id: int = 0, device: torch.device | str | None = None) -> Layout:
    """Each response behind its own copy of its prompt, one a row, padding on the right: plain causal attention."""
    alone = [Exchange(e.prompt, [response]) for e in exchanges for response in e.responses]
    return packed([[exchange] for exchange in alone], pad_token_id=pad_token_id, device=device)


def shared_prefix(
    exchanges: Sequence[Exchange], *, pad_token_id: int = 0, device: torch.device | str | None = None
) -> Layout:
    """One exchange a row: its prompt once, then its responses, masked apart from each other."""
    return packed([[exchange] for exchange in exchanges], pad_token_id=pad_token_id, device=device)


def packed(
    rows: Sequence[Sequence[Exchange]], *, pad_token_id: int = 0, device: torch.device | str | None = None
) -> Layout:
    """Rows of exchanges, all kept apart. `pad_token_id` may be any id of the vocabulary: no output there is read.

    The mask is explicit as soon as a row holds more than one response: restarted positions without a mask would make
    a model's attention isolate each response from its own prompt, silently.
    """
    if not any(exchange.responses for row in rows for exchange in row):
        raise ValueError("there is no response to lay out")
    width = max(sum(exchange.tokens for exchange in row) for row in rows)
    plain = all(len(row) == 1 and len(row[0].responses) == 1 for row in rows)
    table = _Table()
    for number, row in enumerate(rows):
        table.start_row(at=number * width)
        for segment, exchange in enumerate(row):
            table.add(exchange, segment=segment)
        table.pad(to=width, pad_token_id=pad_token_id, keep_counting=plain)

    def tensor(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=device)

    segments = tensor(table.segments).view(len(rows), width)
    branches = tensor(table.branches).view(len(rows), width)
    lengths = tensor(table.lengths)
    return Layout(
        ids=tensor(table.ids).view(len(rows), width),
        positions=tensor(table.positions).view(len(rows), width),
        segments=segments,
        branches=branches,
        mask=None if plain else visible(segments=segments, branches=branches),
        before=tensor(table.before),
        at=tensor(table.at),
        response=torch.arange(len(table.lengths), device=device).repeat_interleave(lengths),
        last=tensor(table.last),
        lengths=lengths,
    )


def visible(*, segments: Tensor, branches: Tensor) -> Tensor:
    """Who sees whom, (B, 1, T, T): earlier tokens of the same exchange, in its prompt or in the same response.

    Padding sees padding (and so itself): a query that sees nothing would be NaN, and NaN times 0 is NaN in a gradient.
    """
    together = segments[:, :, None] == segments[:, None, :]
    related = (branches[:, None, :] == 0) | (branches[:, :, None] == branches[:, None, :])
    causal = torch.ones(segments.shape[1:] * 2, dtype=torch.bool, device=segments.device).tril()
    return (together & related & causal)[:, None]


def pack(tokens: Sequence[int], *, row_tokens: int) -> list[list[int]]:
    """Fill rows of at most `row_tokens` with items of these sizes: longest first, each into the fullest row it fits.

    Returns the indices of the items row by row; the same sizes always give the same rows. An item longer than a row
    gets a row of its own: to drop it is the caller's decision, and to be counted.
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (tokens left, row), ascending
    for item in sorted(range(len(tokens)), key=lambda index: (-tokens[index], index)):
        place = bisect_left(room, (tokens[item], -1))
        left, row = room.pop(place) if place < len(room) else (max(row_tokens, tokens[item]), len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(item)
        insort(room, (left - tokens[item], row))
    return rows


class _Table:
    """The columns of a layout while it is being filled, row by row."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.segments: list[int] = []
        self.branches: list[int] = []
        self.before: list[int] = []
        self.at: list[int] = []
        self.last: list[int] = []
        self.lengths: list[int] = []
        self._row_start = 0

    def start_row(self, *, at: int) -> None:
        self._row_start = at

    def add(self, exchange: Exchange, *, segment: int) -> None:
        prompt_tokens = len(exchange.prompt)
        self._extend(exchange.prompt, first_position=0, segment=segment, branch=0)
        prompt_end = len(self.ids) - 1
        for branch, response in enumerate(exchange.responses, start=1):
            start = len(self.ids)
            self._extend(response, first_position=prompt_tokens, segment=segment, branch=branch)
            end = len(self.ids)
            self.before.append(prompt_end)
            self.before.extend(range(start, end - 1))
            self.at.extend(range(start, end))
            self.last.append(end - 1)
            self.lengths.append(end - start)

    def pad(self, *, to: int, pad_token_id: int, keep_counting: bool) -> None:
        """Fill the row. Without a mask positions go on counting: a restart would be read as a second sequence."""
        missing = self._row_start + to - len(self.ids)
        first = self.positions[-1] + 1 if keep_counting else 0
        self._extend([pad_token_id] * missing, first_position=first, segment=-1, branch=0)

    def _extend(self, ids: Sequence[int], *, first_position: int, segment: int, branch: int) -> None:
        self.ids.extend(ids)
        self.positions.extend(range(first_position, first_position + len(ids)))
        self.segments.extend([segment] * len(ids))
        self.branches.extend([branch] * len(ids))


@torch.no_grad()
def obeys_masks(trunk: nn.Module, *, vocabulary: int, context_tokens: int) -> bool:
    """Whether a model's attention follows an explicit mask: a short exchange laid out both ways gives one answer.

    Models with short sliding windows, recurrence or positions made from a 2-D mask misread a 4-D mask, and do so in
    silence; such a model has to run one response a row. A window wider than `context_tokens` does no harm.
    """
    if _window_tokens(trunk.config) < context_tokens:
        return False
    ids = [(7 * index) % vocabulary for index in range(12)]
    exchange = Exchange(ids[:5], [ids[5:8], ids[8:]])
    device = next(trunk.parameters()).device
    training = trunk.training
    trunk.eval()
    alone, together = (
        read(trunk(**layout.inputs())[0], layout.last).float()
        for layout in (padded([exchange], device=device), shared_prefix([exchange], device=device))
    )
    trunk.train(training)
    # Measured against how far the two responses are apart: this holds in bfloat16 and for freshly made weights.
    return bool((alone - together).norm() <= 0.05 * (alone[0] - alone[1]).norm())


def _window_tokens(config: Any) -> float:
    """The narrowest attention of a model in tokens; 0 where a layer is no attention; infinite where it is full."""
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
    if kinds - {"full_attention", "sliding_attention"}:
        return 0
    return window if window and "sliding_attention" in kinds else float("inf")
