"""Prompts -> responses: sampled token ids with their logprobs, cut after the first stop id.

One light loop over a key-value cache instead of transformers' `generate`: it runs a prompt once for its K responses,
drops rows that have ended (an eighth of them at a time: each drop copies the cache), and reads nothing from a model's
generation config, which may hold a top_p or a repetition penalty that would bias every PPO ratio. Nothing is truncated
or penalised: a token is drawn from softmax(logits / temperature). Each response has random numbers of its own, so that
it does not depend on what stands beside it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from training.rlhf.caches import roomy_cache
from training.rlhf.contract.exit_codes import NotFinite
from training.rlhf.steps import named

DROPPED_SHARE = 1 / 8
"""Of the rows in the cache: so many have ended before they are dropped."""


@dataclass(frozen=True, slots=True)
class Response:
    """One sampled response.

    token_ids: the stop id at the end is one of them, where there is one.
    logprobs: of each token at the temperature of sampling, in nats; at temperature 0 those of temperature 1.
    ended: whether it stopped by itself, rather than being cut at the limit.
    """

    token_ids: list[int]
    logprobs: list[float]
    ended: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a response may become: response_tokens, and no more than fits behind its prompt in context_tokens."""

    response_tokens: int
    context_tokens: int

    def room(self, prompt: Sequence[int]) -> int:
        return min(self.response_tokens, self.context_tokens - len(prompt))


@torch.no_grad()
def sample_responses(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    responses_per_prompt: int,
    stop_token_ids: Sequence[int],
    limits: Limits,
    temperature: float,
    generator: torch.Generator,
    batch_tokens: int,
    before_batch: Callable[[], object] = lambda: None,
    answered: dict[int, list[Response]] | None = None,
    after_batch: Callable[[], object] = lambda: None,
    names: Sequence[str] | None = None,
) -> list[list[Response]]:
    """K responses to each prompt, in the order of the prompts. The model is left in evaluation mode.

    generator: on the CPU; draws the same numbers however the prompts are cut into batches.
    temperature: 0 takes the likeliest token. batch_tokens: prompts and responses that are held in one cache.
    answered: responses by the prompt's number. Those in it are not sampled again; every batch is added to it, and then
    after_batch is called.
    names: of the prompts, for a complaint; their numbers without.
    Raises ValueError for a prompt that leaves no room for a response, before anything is sampled, and NotFinite, naming
    prompts, if the model's logits are not numbers.
    """
    model.eval()
    for number, prompt in enumerate(prompts):
        if not prompt or limits.room(prompt) < 1:
            raise ValueError(
                f"prompt {number} has {len(prompt)} tokens; expected 1 to {limits.context_tokens - 1}, "
                "so that there is something to answer and room for a response"
            )
    chances = torch.rand(
        len(prompts), responses_per_prompt, limits.response_tokens, generator=generator, dtype=torch.float64
    )
    answers = {} if answered is None else answered
    missing = [number for number in range(len(prompts)) if number not in answers]
    for batch in _batches(prompts, missing, responses_per_prompt, limits, batch_tokens):
        before_batch()
        loop = _Loop(model, [prompts[number] for number in batch], responses_per_prompt, limits, temperature)
        drawn = loop.run(chances[batch].flatten(0, 1), stop_token_ids)
        _need_finite(drawn, [number for number in batch for _ in range(responses_per_prompt)], names)
        for place, number in enumerate(batch):
            answers[number] = drawn[place * responses_per_prompt : (place + 1) * responses_per_prompt]
        after_batch()
    count = sum(map(len, answers.values()))
    assert count == len(prompts) * responses_per_prompt, f"{count} responses to {len(prompts)} prompts"
    return [answers[number] for number in range(len(prompts))]


def _batches(
    prompts: Sequence[Sequence[int]],
    among: Sequence[int],
    responses_per_prompt: int,
    limits: Limits,
    batch_tokens: int,
) -> Iterator[list[int]]:
    """Numbers of prompts of like length side by side, as many as the cache may hold; at least one."""
    batch: list[int] = []
    for number in sorted(among, key=lambda number: (len(prompts[number]), number)):
        width = len(prompts[number]) + limits.response_tokens  # the longest so far: lengths ascend
        if batch and (len(batch) + 1) * responses_per_prompt * width > batch_tokens:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


class _Loop:
    """One batch: left-padded prompts, a cache, and the rows that have not ended."""

    def __init__(
        self, model: PreTrainedModel, prompts: Sequence[Sequence[int]], copies: int, limits: Limits, temperature: float
    ) -> None:
        self.model = model
        self.copies = copies
        self.temperature = temperature
        self.device = next(model.parameters()).device
        self.prompts = prompts
        self.width = max(map(len, prompts))
        self.last_position = limits.context_tokens - 1
        self.rooms = torch.tensor([limits.room(prompt) for prompt in prompts]).repeat_interleave(copies)

    def run(self, chances: Tensor, stop_token_ids: Sequence[int]) -> list[Response]:
        """chances: (rows, T) float64 in [0, 1), on the CPU; one for every token that may be drawn."""
        stops = torch.tensor(stop_token_ids, device=self.device)
        rooms, chances = self.rooms.to(self.device), chances.to(self.device)
        rows = torch.arange(len(rooms), device=self.device)  # of the rows in the cache: which response each is
        going = torch.ones(len(rooms), dtype=torch.bool, device=self.device)  # of these rows
        tokens = torch.zeros(len(rooms), chances.shape[1], dtype=torch.int64, device=self.device)
        logprobs = torch.zeros(tokens.shape, device=self.device)
        lengths = torch.zeros_like(rooms)
        ended = torch.zeros(len(rooms), dtype=torch.bool, device=self.device)
        logits = self._read_prompts()
        for step in range(int(rooms.max())):
            drawn, drawn_logprobs = draw(logits, chances[rows, step], temperature=self.temperature)
            tokens[rows, step], logprobs[rows, step] = drawn, drawn_logprobs
            stopped = going & torch.isin(drawn, stops)
            ended[rows[stopped]] = True
            lengths[rows[going]] = step + 1
            going &= ~stopped & (rooms[rows] > step + 1)
            kept = going.nonzero()[:, 0]
            if len(kept) == 0:
                break
            if len(kept) <= (1 - DROPPED_SHARE) * len(rows):
                rows, drawn, going = rows[kept], drawn[kept], going[kept]
                self._keep(kept)
            logits = self._read_token(drawn)
        return _cut(tokens.tolist(), logprobs.tolist(), lengths.tolist(), ended.tolist())

    def _read_prompts(self) -> Tensor:
        """Runs each prompt once, then copies its cache for its responses. (rows, V) logits of the first token."""
        missing = [self.width - len(prompt) for prompt in self.prompts]
        ids = torch.tensor([[0] * gap + list(prompt) for gap, prompt in zip(missing, self.prompts, strict=True)])
        padding = torch.tensor(missing)[:, None]
        mask = torch.arange(self.width) >= padding
        positions = (torch.arange(self.width) - padding).clamp(min=0)
        self.cache = roomy_cache(self.model.config, room=self.width + int(self.rooms.max()))
        # Without padding no mask at all: attention then takes its faster plain causal path.
        self.mask = mask.repeat_interleave(self.copies, 0).to(self.device) if any(missing) else None
        logits = self.model(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device) if any(missing) else None,
            position_ids=positions.to(self.device),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        if self.copies > 1:
            self.cache.batch_repeat_interleave(self.copies)
        self.positions = torch.tensor([len(prompt) for prompt in self.prompts], device=self.device)
        self.positions = self.positions.repeat_interleave(self.copies)[:, None]
        repeated: Tensor = logits.repeat_interleave(self.copies, 0)
        return repeated

    def _read_token(self, drawn: Tensor) -> Tensor:
        """Appends one token a row. (rows, V) logits of the next."""
        if self.mask is not None:
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(drawn), 1)], dim=1)
        logits: Tensor = self.model(
            input_ids=drawn[:, None],
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
        ).logits[:, -1]
        # A row that has used up its room may stay a while; a model need not have a position for what nobody reads.
        self.positions = (self.positions + 1).clamp(max=self.last_position)
        return logits

    def _keep(self, kept: Tensor) -> None:
        """Rows that have ended cost nothing more."""
        self.cache.batch_select_indices(kept)
        self.positions = self.positions[kept]
        if self.mask is not None:
            self.mask = self.mask[kept]


def draw(logits: Tensor, chances: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """Tokens (rows,) from logits (rows, V), by one uniform number each, and their logprobs at that temperature.

    The token where the cumulated probability passes the number; summed in float64, since a float32 sum over a large
    vocabulary is off by more than rare tokens weigh. At temperature 0 the likeliest token. Of logits that are not
    finite some token, with a logprob that is not finite either.
    """
    if temperature == 0:
        tokens = logits.argmax(-1)
        return tokens, logits.float().log_softmax(-1).gather(1, tokens[:, None])[:, 0]
    log_distribution = (logits.float() / temperature).log_softmax(-1)
    cumulated = log_distribution.exp().cumsum(-1, dtype=torch.float64)
    # Times the total, which is 1 but for rounding: the number is then always passed, and by a token that can occur.
    tokens = torch.searchsorted(cumulated, chances[:, None] * cumulated[:, -1:], right=True)[:, 0]
    tokens = tokens.clamp(max=logits.shape[-1] - 1)  # nothing passes NaN
    return tokens, log_distribution.gather(1, tokens[:, None])[:, 0]


def _need_finite(drawn: Sequence[Response], numbers: Sequence[int], names: Sequence[str] | None) -> None:
    bad = [
        number
        for number, response in zip(numbers, drawn, strict=True)
        if not all(map(math.isfinite, response.logprobs))
    ]
    if bad:
        told = [f"prompt {number}" if names is None else names[number] for number in dict.fromkeys(bad)]
        raise NotFinite(f"the model's logits are not finite, answering {named(told)}")


def _cut(tokens: list[list[int]], logprobs: list[list[float]], lengths: list[int], ended: list[bool]) -> list[Response]:
    return [
        Response(ids[:length], values[:length], stop)
        for ids, values, length, stop in zip(tokens, logprobs, lengths, ended, strict=True)
    ]
