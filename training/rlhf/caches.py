"""A key-value cache with room for what is still to be sampled.

transformers' own grows by copying all of itself for every token: half of the memory that a step of sampling moves.
Here the room is there from the beginning and a token is written into it; attention reads what is filled so far.
"""

from typing import Any

from torch import Tensor
from transformers import DynamicCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):
    """One layer's keys and values, (rows, heads, T, width) each: the filled part of two larger tensors."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room
        self._stores: list[Tensor] = []

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        filled = self.get_seq_length()
        end = filled + key_states.shape[-2]
        if not self._stores or end > self._stores[0].shape[-2]:
            self._stores = [self._with_room(old, new, end) for old, new in self._both(key_states, value_states)]
        for store, new in zip(self._stores, (key_states, value_states), strict=True):
            store[:, :, filled:end] = new
        self.keys, self.values = (store[:, :, :end] for store in self._stores)
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._stores = []

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._stores = []

    def _both(self, keys: Tensor, values: Tensor) -> list[tuple[Tensor | None, Tensor]]:
        return [(self.keys, keys), (self.values, values)]

    def _with_room(self, old: Tensor | None, new: Tensor, end: int) -> Tensor:
        store = new.new_empty(*new.shape[:2], max(self._room, end), new.shape[-1])
        if old is not None and old.numel():
            store[:, :, : old.shape[-2]] = old
        return store


def roomy_cache(config: PretrainedConfig, *, room: int) -> DynamicCache:
    """A cache for so many tokens a row; layers of another kind, such as a sliding window, stay as they are."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
