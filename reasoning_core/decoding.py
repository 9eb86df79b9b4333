"""Forward passes of sessions: the prompt block of one, or the next tokens of many at once.

Whoever calls this owns the caches and calls from one thread at a time. Logits of a row do not depend on which other
rows share its step beyond rounding.

Shape suffixes: T new tokens, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from reasoning_core.attention import AttentionView
from reasoning_core.cache import KVCache
from reasoning_core.layout import RowLayout
from reasoning_core.model import HrmTextCore


class Decoder:
    """Runs one model for all sessions of an engine."""

    def __init__(self, model: HrmTextCore) -> None:
        self.config = model.config
        self._model = model

    def new_cache(self) -> KVCache:
        return KVCache(self.config, self._model.lm_head.weight.dtype)

    @torch.inference_mode()
    def prefill(self, tokens: Sequence[int], row: RowLayout, cache: KVCache) -> Tensor:
        """Compute what `cache` lacks of a whole conversation and return the logits behind its last token, (V,).

        `tokens` are all of the conversation, and `row` lays them out; a prompt block is never split.
        """
        cached = cache.length
        view = AttentionView(row.position_T[None, cached:], row.mask_QK(cached)[None, None])
        z_BTD = self._model.model(torch.tensor([list(tokens[cached:])]), view, cache)
        return self._model.lm_head(z_BTD[0, -1])  # type: ignore[no-any-return]

    @torch.inference_mode()
    def step(self, news: Sequence[Sequence[int]], caches: Sequence[KVCache]) -> list[Tensor]:
        """Feed each row its next response tokens, one or more, and return the logits behind each of them, (T, V)."""
        return [self._fed(new, cache) for new, cache in zip(news, caches, strict=True)]

    def _fed(self, new: Sequence[int], cache: KVCache) -> Tensor:
        start, T = cache.length, len(new)
        causal = None
        if T > 1:
            causal = torch.ones(T, start + T, dtype=torch.bool).tril(start)[None, None]
        view = AttentionView(torch.arange(start, start + T)[None], causal)
        return self._model.lm_head(self._model.model(torch.tensor([list(new)]), view, cache)[0])  # type: ignore[no-any-return]
