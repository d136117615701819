"""Running text as windows of tokens: what pretraining learns from, and what SFT and PPO mix in.

Documents are shuffled, encoded with an end after each, and joined; windows cut the stream at equal lengths, so that a
window may hold the end of one document and the beginning of the next. Which windows a step sees is a function of the
seed and the step alone: there is no position to save or to lose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from training.rlhf.chance import shuffled
from training.rlhf.contract.exit_codes import DataRefused
from training.rlhf.contract.records import Text
from training.rlhf.tokens import ChatTokens


@dataclass(frozen=True)
class Windows:
    """A stream of token ids, read in windows.

    stream: (N,) ids. tokens: predicted tokens of a window; it holds one more, to predict the first from.
    """

    stream: Tensor
    tokens: int
    seed: int

    def __len__(self) -> int:
        return max(len(self.stream) - 1, 0) // self.tokens

    def of_step(self, step: int, *, size: int) -> list[int]:
        """Which windows a step sees; the first step is 1. Each window once before any comes twice."""
        places = range((step - 1) * size, step * size)
        return [_order(len(self), self.seed, place // len(self))[place % len(self)] for place in places]

    def take(self, windows: Sequence[int]) -> Tensor:
        """(B, tokens + 1) ids of these windows."""
        starts = torch.tensor(windows)[:, None] * self.tokens
        return self.stream[starts + torch.arange(self.tokens + 1)]


@lru_cache(maxsize=4)
def _order(size: int, seed: int, epoch: int) -> list[int]:
    return shuffled(size, seed=seed, purpose="order of windows", number=epoch)


def read_windows(
    tokens: ChatTokens, texts: Sequence[Text], *, window_tokens: int, seed: int, enough_tokens: int | None = None
) -> Windows:
    """Encodes documents in a shuffled order, all of them or until there are `enough_tokens`.

    texts: shuffled by `seed` here. Raises DataRefused if there is not one window in them.
    """
    stream: list[int] = []
    for place in shuffled(len(texts), seed=seed, purpose="order of documents"):
        stream += tokens.document_ids(texts[place].text)
        if enough_tokens is not None and len(stream) > enough_tokens:
            break
    windows = Windows(torch.tensor(stream, dtype=torch.int64), window_tokens, seed)
    if len(windows) < 1:
        raise DataRefused(
            f"the text has {len(stream)} tokens in {len(texts)} documents; "
            f"expected more than the {window_tokens} of a window"
        )
    return windows
