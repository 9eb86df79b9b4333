"""Forward passes of sessions: the prompt block of one, or the next tokens of many at once.

Whoever calls this owns the caches and calls from one thread at a time. On a CPU a core of suitable shape is computed by
one call of machine code (`fused`), which is made ready behind the eager pass and takes over when it is there. From then
on `step` gives a row bit for bit the same logits whichever rows and drafts share it, and `prefill` those of the same
conversation over the same cached part; between the two, and with the eager pass, logits agree up to rounding.

Shape suffixes: T new tokens, V vocabulary.
"""

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reasoning_core.attention import AttentionView
from reasoning_core.cache import KVCache
from reasoning_core.layout import RowLayout
from reasoning_core.model import HrmTextCore

if TYPE_CHECKING:
    from reasoning_core.fused import FusedCore

# From here on it pays to turn the keys once for all tokens of a block.
_LONG_BLOCK = 32
_LANES = 16
# Beyond what a shared cache holds, one thread reads memory too slowly, and torch's threads win.
_LARGEST_FUSED_CORE = 32_000_000

log = logging.getLogger(__name__)


class Decoder:
    """Runs one model for all sessions of an engine."""

    def __init__(self, model: HrmTextCore) -> None:
        self.config = model.config
        self._model = model
        self._device = model.lm_head.weight.device
        self._fused: FusedCore | None = None
        self._fusing = threading.Thread(target=self._fuse, name="fuse the core", daemon=True)
        if reason := _unsuitable(model):
            log.info("decoding without the fused pass: %s", reason)
        else:
            self._fusing.start()

    def warm_up(self) -> bool:
        """Wait until the fused pass is ready or has been given up, and return whether it serves."""
        if self._fusing.ident is not None:
            self._fusing.join()
        return self._fused is not None

    def new_cache(self) -> KVCache:
        return KVCache(self.config, self._model.lm_head.weight.dtype, device=self._device)

    @torch.inference_mode()
    def prefill(self, tokens: Sequence[int], row: RowLayout, cache: KVCache) -> Tensor:
        """Compute what `cache` lacks of a whole conversation and return the logits behind its last token, (V,).

        `tokens` are all of the conversation, and `row` lays them out; a prompt block is never split.
        """
        cached = cache.length
        new, mask_QK = tokens[cached:], row.mask_QK(cached)
        if self._fused is not None:
            # Under every layout a token sees the tokens up to some place, and none behind it.
            return self._fused.compute(
                new, mask_QK.sum(1).tolist(), [(cache, len(new))], 1, long=len(new) >= _LONG_BLOCK
            )[0]
        return self._eager(new, None if bool(mask_QK.all()) else mask_QK, cache, 1)[0]

    @torch.inference_mode()
    def step(self, news: Sequence[Sequence[int]], caches: Sequence[KVCache]) -> list[Tensor]:
        """Feed each row its next response tokens, one or more, and return the logits behind each of them, (T, V)."""
        rows = [(cache, len(new)) for new, cache in zip(news, caches, strict=True)]
        if self._fused is None:
            return [
                self._eager(new, _causal(count, row.length), row, count)
                for new, (row, count) in zip(news, rows, strict=True)
            ]
        visible = [row.length + place for row, count in rows for place in range(1, count + 1)]
        logits = self._fused.compute([token for new in news for token in new], visible, rows, len(visible))
        return list(torch.split(logits, [count for _, count in rows]))

    def _eager(self, new: Sequence[int], mask_TK: Tensor | None, cache: KVCache, num_logits: int) -> Tensor:
        position_T = torch.arange(cache.length, cache.length + len(new), device=self._device)
        mask = None if mask_TK is None else mask_TK[None, None].to(self._device)
        tokens_BT = torch.tensor([list(new)], device=self._device)
        z_BTD = self._model.model(tokens_BT, AttentionView(position_T[None], mask), cache)
        return self._model.lm_head(z_BTD[0, -num_logits:])  # type: ignore[no-any-return]

    def _fuse(self) -> None:
        try:
            from reasoning_core.fused import FusedCore  # noqa: PLC0415  importing numba takes a second

            fused = FusedCore(self._model)
            fused.compute([0], [1], [(self.new_cache(), 1)], 1)  # compiles, or reads what was compiled before
            self._fused = fused
        except ImportError as reason:
            log.warning("decoding without the fused pass: %s", reason)
        except Exception:
            log.exception("decoding without the fused pass")


def _causal(num_new: int, num_cached: int) -> Tensor | None:
    """Return what new response tokens see; None where there is one, which sees everything."""
    return None if num_new == 1 else torch.ones(num_new, num_cached + num_new, dtype=torch.bool).tril(num_cached)


def _unsuitable(model: HrmTextCore) -> str | None:
    """Return why the fused pass does not serve a core, or None where it does."""
    config, weight = model.config, model.lm_head.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return f"its weights are {weight.dtype} on {weight.device}"
    if config.num_parameters > _LARGEST_FUSED_CORE:
        return f"with {config.num_parameters:,} parameters it is larger than {_LARGEST_FUSED_CORE:,}"
    if config.head_dim % _LANES or config.intermediate_size % _LANES or config.hidden_size % 2:
        return f"its heads of {config.head_dim} or width of {config.intermediate_size} are no multiple of {_LANES}"
    return None
