"""Sigmoid-gated multi-head attention with rotary positions (HRM-Text, section 3; RoPE: arXiv 2104.09864).

Shape suffixes: B rows, T new tokens, K keys (cached and new), N heads, H head_dim, D hidden_size.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reasoning_core.cache import SlotView
from reasoning_core.config import CoreConfig
from reasoning_core.layout import RowLayout
from reasoning_core.segmented import Segments, attend

Mask = Tensor | Segments | None
"""An additive mask of shape (B, 1, T, K), segments, or None where every query sees every key."""


@dataclass(frozen=True, slots=True)
class AttentionView:
    """What the new tokens of a forward pass may see.

    `mask_B1TK` is True where a query sees a key. None means that every new token sees every key, which is what a whole
    prompt block after a cached history sees, and what one decoded token sees. `segments`, where given, stand for the
    mask of whole rows.
    """

    position_BT: Tensor
    mask_B1TK: Tensor | None
    segments: Segments | None = None

    @classmethod
    def of_rows(cls, rows: list[RowLayout]) -> "AttentionView":
        """Return the view of whole rows of equal length, without a cache."""
        return cls(
            torch.stack([row.position_T for row in rows]),
            torch.stack([row.mask_QK() for row in rows])[:, None],
        )

    @classmethod
    def of_segments(cls, rows: list[RowLayout]) -> "AttentionView":
        """Return the same view as `of_rows`, conversation by conversation: the quicker one on a CPU."""
        return cls(torch.stack([row.position_T for row in rows]), None, Segments.of_rows(rows))

    def mask(self, dtype: torch.dtype) -> Mask:
        """Return what every layer of a pass is given: numbers to add to the scores, made once for all of them."""
        if self.segments is not None or self.mask_B1TK is None:
            return self.segments
        hidden = ~self.mask_B1TK
        return torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, -torch.inf)


def rotary_table(config: CoreConfig) -> tuple[Tensor, Tensor]:
    """Return cosine and sine, each of shape (max_position_embeddings, head_dim), computed in float32."""
    exponent = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    frequency = 1.0 / config.rope_theta**exponent
    angle = torch.outer(torch.arange(config.max_position_embeddings, dtype=torch.float32), frequency)
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos(), angle.sin()


def rotate(x_BNTH: Tensor, cosine_B1TH: Tensor, sine_B1TH: Tensor) -> Tensor:
    """Turn each pair (i, i + H/2) of a head by its position's angle."""
    first, second = x_BNTH.chunk(2, dim=-1)
    return x_BNTH * cosine_B1TH + torch.cat((-second, first), dim=-1) * sine_B1TH


class GatedAttention(nn.Module):
    """Attention whose output is gated element by element: `o_proj(sigmoid(gate) * softmax(q k / sqrt(H)) v)`."""

    def __init__(self, config: CoreConfig) -> None:
        super().__init__()
        self.num_heads, self.head_dim = config.num_attention_heads, config.head_dim
        self.gqkv_proj = nn.Linear(config.hidden_size, 4 * config.attention_width, bias=False)
        self.o_proj = nn.Linear(config.attention_width, config.hidden_size, bias=False)

    def forward(self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor], mask: Mask, slot: SlotView | None) -> Tensor:
        B, T, _ = x_BTD.shape
        gate, q, k, v = self.gqkv_proj(x_BTD).view(B, T, 4, self.num_heads, self.head_dim).unbind(2)
        q_BNTH, k_BNTH, v_BNTH = (x.transpose(1, 2) for x in (q, k, v))
        q_BNTH, k_BNTH = rotate(q_BNTH, *rotary), rotate(k_BNTH, *rotary)
        if slot is not None:
            k_BNTH, v_BNTH = slot.extend(k_BNTH, v_BNTH)
        if isinstance(mask, Segments):
            o_BNTH = attend(q_BNTH, k_BNTH, v_BNTH, mask)
        else:
            o_BNTH = F.scaled_dot_product_attention(q_BNTH, k_BNTH, v_BNTH, attn_mask=mask)
        return self.o_proj((torch.sigmoid(gate) * o_BNTH.transpose(1, 2)).flatten(2))  # type: ignore[no-any-return]
