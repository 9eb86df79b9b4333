"""HRM-Text: two recurrent stacks, H (slow) and L (fast), over one stream of tokens (arXiv 2605.20613, section 3).

    z_H = scaled embeddings;  z_L = a fixed vector, never trained
    repeat H_cycles times:
        repeat L_cycles times:  z_L = L(z_L + z_H)
        z_H = H(z_H + z_L)
    logits = lm_head(z_H)

Blocks are pre-norm; every stack call ends in one more norm (MagicNorm), so the state that crosses calls has bounded
variance while the truncated backward pass crosses only the norms of its last K calls.

Shape suffixes: B rows, T tokens, D hidden_size, V vocabulary.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reasoning_core.attention import AttentionView, GatedAttention, Mask, rotary_table
from reasoning_core.cache import KVCache, SlotView
from reasoning_core.config import CoreConfig


class SwiGLU(nn.Module):
    """`down(silu(gate) * up)` (arXiv 2002.05202), gate and up in one projection."""

    def __init__(self, config: CoreConfig) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        gate, up = self.gate_up_proj(x_BTD).chunk(2, dim=-1)
        return self.down_proj(F.silu(gate) * up)  # type: ignore[no-any-return]


class Block(nn.Module):
    """One pre-norm block; its norms have no parameters."""

    def __init__(self, config: CoreConfig) -> None:
        super().__init__()
        self.attn = GatedAttention(config)
        self.mlp = SwiGLU(config)
        self.eps = config.rms_norm_eps

    def forward(self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor], mask: Mask, slot: SlotView | None) -> Tensor:
        x_BTD = x_BTD + self.attn(norm(x_BTD, self.eps), rotary, mask, slot)
        return x_BTD + self.mlp(norm(x_BTD, self.eps))  # type: ignore[no-any-return]


class Stack(nn.Module):
    """One of the two modules: its blocks, then the norm at the module's exit."""

    def __init__(self, config: CoreConfig, num_layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(config) for _ in range(num_layers))
        self.eps = config.rms_norm_eps

    def forward(
        self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor], mask: Mask, slots: Iterator[SlotView] | None
    ) -> Tensor:
        for layer in self.layers:
            x_BTD = layer(x_BTD, rotary, mask, next(slots) if slots is not None else None)
        return norm(x_BTD, self.eps)


class HrmTextModel(nn.Module):
    """The recurrence over both stacks, from token ids to the last z_H."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, config: CoreConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        # A Transformer, the recurrence with no L cycle, has no L layers either.
        self.L_module = Stack(config, config.num_layers_per_stack if config.L_cycles else 0)
        self.H_module = Stack(config, config.num_layers_per_stack)
        self.z_L_init = nn.Parameter(torch.zeros(config.hidden_size), requires_grad=False)
        cosine, sine = rotary_table(config)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(
        self, tokens_BT: Tensor, view: AttentionView, cache: KVCache | None = None, grad_calls: int | None = None
    ) -> Tensor:
        if view is None:
            raise ValueError("the model needs an attention layout: without one it would silently be causal")
        slots = self._slots(cache, tokens_BT.shape[1])
        H_from, L_from = first_calls_with_gradient(self.config, grad_calls)
        z_H: Tensor = self.embed_tokens(tokens_BT) * self.config.embedding_scale
        mask = view.mask(z_H.dtype)
        rotary = self._rotary(view.position_BT, z_H.dtype)
        z_L = self.z_L_init.to(z_H.dtype).expand_as(z_H)
        for h in range(self.config.H_cycles):
            for c in range(self.config.L_cycles):
                with torch.set_grad_enabled(torch.is_grad_enabled() and h * self.config.L_cycles + c >= L_from):
                    z_L = self.L_module(z_L + z_H, rotary, mask, slots)
            with torch.set_grad_enabled(torch.is_grad_enabled() and h >= H_from):
                z_H = self.H_module(z_H + z_L, rotary, mask, slots)
        if cache is not None:
            cache.advance(tokens_BT.shape[1])
        return z_H

    def _rotary(self, position_BT: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        return self.cosine[position_BT][:, None].to(dtype), self.sine[position_BT][:, None].to(dtype)

    def _slots(self, cache: KVCache | None, num_tokens: int) -> Iterator[SlotView] | None:
        """Return the cache's slots in the order the calls use them: call by call, layer by layer."""
        if cache is None:
            return None
        cache.reserve(num_tokens)
        return map(cache.slot, range(self.config.num_slots))


class HrmTextCore(nn.Module):
    """The language model: `HrmTextModel` and an untied output projection."""

    def __init__(self, config: CoreConfig) -> None:
        super().__init__()
        self.config = config
        self.model = HrmTextModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(
        self, tokens_BT: Tensor, view: AttentionView, cache: KVCache | None = None, grad_calls: int | None = None
    ) -> Tensor:
        """Return logits of shape (B, T, V).

        `grad_calls` is K, the number of stack calls that carry gradient (section 3.3); None lets all of them.

        Raises:
            ValueError: `view` is None, or the tokens do not fit the cache.
        """
        return self.lm_head(self.model(tokens_BT, view, cache, grad_calls))  # type: ignore[no-any-return]

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights: truncated LeCun normal, z_L from a truncated unit normal (paper, section 3.1).

        The embedding's scale undoes its small standard deviation. lm_head starts as the embedding scaled to LeCun's
        deviation: a core of this kind copies far more than it recalls, and so it begins by knowing each token's name.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear) and module is not self.lm_head:
                _truncated_normal(module.weight, module.in_features**-0.5, generator)
        _truncated_normal(self.model.embed_tokens.weight, self.config.initializer_range, generator)
        _truncated_normal(self.model.z_L_init, 1.0, generator)
        scale = self.config.hidden_size**-0.5 / self.config.initializer_range
        self.lm_head.weight.copy_(self.model.embed_tokens.weight * scale)


def norm(x_BTD: Tensor, eps: float) -> Tensor:
    """Root-mean-square norm without parameters (arXiv 1910.07467)."""
    return F.rms_norm(x_BTD, (x_BTD.shape[-1],), eps=eps)


def first_calls_with_gradient(config: CoreConfig, grad_calls: int | None) -> tuple[int, int]:
    """Return the first H call and the first L call, each counted over the whole pass, that carry gradient.

    H calls are taken first as long as one L call is left: K = 2, 3, 4, 5 are 1H+1L, 2H+1L, 2H+2L and 2H+3L.
    """
    num_L = config.H_cycles * config.L_cycles
    if grad_calls is None:
        return 0, 0
    fewest, most = 1 + min(1, num_L), config.H_cycles + num_L
    if not fewest <= grad_calls <= most:
        raise ValueError(f"K is {grad_calls}: it must lie between {fewest} and {most}")
    with_H = min(config.H_cycles, grad_calls - min(1, num_L))
    return config.H_cycles - with_H, num_L - (grad_calls - with_H)


def _truncated_normal(weight: Tensor, std: float, generator: torch.Generator) -> None:
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std, generator=generator)
