"""The key-value cache of one session: append-only, cropped only at the end, exact by construction (DESIGN 3.3).

HRM-Text attends once for each layer of each stack call, so a cache has `config.num_slots` slots (transformers' order).
Under turn blocks no earlier token ever sees a later one; its keys and values never change once written.

Shape suffixes: B rows, N heads, T new tokens, K keys, H head_dim.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from reasoning_core.config import CoreConfig

_GROWTH_TOKENS = 256


@dataclass(frozen=True, slots=True)
class SlotView:
    """One slot of a cache, as the attention of one layer in one stack call sees it."""

    keys_BNKH: Tensor
    values_BNKH: Tensor
    length: int

    def extend(self, k_BNTH: Tensor, v_BNTH: Tensor) -> tuple[Tensor, Tensor]:
        """Write the new keys and values behind the old ones and return both together."""
        end = self.length + k_BNTH.shape[2]
        self.keys_BNKH[:, :, self.length : end] = k_BNTH
        self.values_BNKH[:, :, self.length : end] = v_BNTH
        return self.keys_BNKH[:, :, :end], self.values_BNKH[:, :, :end]


class KVCache:
    """Keys and values of `length` tokens in every slot."""

    def __init__(
        self, config: CoreConfig, dtype: torch.dtype, num_rows: int = 1, device: torch.device | None = None
    ) -> None:
        self._config = config
        self.length = 0
        shape = (config.num_slots, num_rows, config.num_attention_heads, 0, config.head_dim)
        self._keys = torch.empty(shape, dtype=dtype, device=device)
        self._values = torch.empty(shape, dtype=dtype, device=device)

    @property
    def size_bytes(self) -> int:
        return 2 * self._keys.numel() * self._keys.element_size()

    @property
    def capacity(self) -> int:
        """Tokens for which there is room before the memory moves."""
        return self._keys.shape[3]

    @property
    def addresses(self) -> tuple[int, int]:
        """Where keys and values lie in memory, each (slots, rows, N, capacity, H), until the next `reserve`."""
        return self._keys.data_ptr(), self._values.data_ptr()

    def reserve(self, num_tokens: int) -> None:
        """Make room for `num_tokens` more tokens.

        Raises:
            ValueError: they would pass the last position the core knows.
        """
        needed = self.length + num_tokens
        if needed > self._config.max_position_embeddings:
            raise ValueError(
                f"{needed} tokens do not fit the {self._config.max_position_embeddings} positions of this core"
            )
        if needed <= self.capacity:
            return
        capacity = min(-(-needed // _GROWTH_TOKENS) * _GROWTH_TOKENS, self._config.max_position_embeddings)
        self._keys = self._grown(self._keys, capacity)
        self._values = self._grown(self._values, capacity)

    def slot(self, index: int) -> SlotView:
        return SlotView(self._keys[index], self._values[index], self.length)

    def advance(self, num_tokens: int) -> None:
        """Count tokens whose keys and values every slot has received."""
        self.length += num_tokens

    def crop(self, length: int) -> None:
        """Forget every token from `length` on.

        Raises:
            ValueError: `length` lies beyond the tokens cached.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot crop a cache of {self.length} tokens to {length}")
        self.length = length

    def _grown(self, old: Tensor, capacity: int) -> Tensor:
        new = old.new_empty((*old.shape[:3], capacity, old.shape[4]))
        new[:, :, :, : self.length] = old[:, :, :, : self.length]
        return new
