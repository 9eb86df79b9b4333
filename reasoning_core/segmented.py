"""Attention over packed conversations, each by itself: no work on pairs of tokens that never see each other.

A row of several conversations has a mask of blocks along the diagonal. Here only those blocks are computed, one call
of torch's CPU kernel each, behind one operator that a compiled model calls as it is. It is what training on a CPU
uses; the result is that of the whole mask.

Shape suffixes: B rows, T tokens, N heads, H head_dim, S segments; P = B * T, the tokens of all rows one after another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from reasoning_core.layout import RowLayout


@dataclass(frozen=True, slots=True)
class Segments:
    """Where the conversations of all rows lie, and each one's own mask.

    `bounds` has S + 1 places that tile the P tokens, padding included; `masks` holds the additive masks of all segments
    row by row, one behind another.
    """

    bounds: Tensor
    masks: Tensor

    @classmethod
    def of_rows(cls, rows: list[RowLayout]) -> "Segments":
        """Return the segments of whole rows of equal length."""
        bounds, masks = [0], []
        for row in rows:
            _, lengths = torch.unique_consecutive(row.conversation_T, return_counts=True)
            start = 0
            for length in lengths.tolist():
                part = slice(start, start + length)
                alone = RowLayout(row.conversation_T[part], row.block_T[part], row.position_T[part])
                mask_QK = torch.zeros(length, length).masked_fill_(~alone.mask_QK(), -torch.inf)
                masks.append(mask_QK.flatten())
                bounds.append(bounds[-1] + length)
                start += length
        return cls(torch.tensor(bounds), torch.cat(masks))


def attend(q_BNTH: Tensor, k_BNTH: Tensor, v_BNTH: Tensor, segments: Segments) -> Tensor:
    """Return softmax(q k / sqrt(H) + mask) v of every segment, of shape (B, N, T, H)."""
    shape, dtype = q_BNTH.shape, v_BNTH.dtype  # under autocast, rotation leaves queries and keys in float32
    q, k, v = (x.to(dtype).transpose(0, 1).reshape(1, shape[1], -1, shape[3]) for x in (q_BNTH, k_BNTH, v_BNTH))
    out, _ = _segmented_attention(q, k, v, segments.bounds, segments.masks)
    attended: Tensor = out.view(shape[1], shape[0], shape[2], shape[3]).transpose(0, 1)
    return attended


@torch.library.custom_op("precept::segmented_attention", mutates_args=())
def _segmented_attention(q: Tensor, k: Tensor, v: Tensor, bounds: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Attend within each segment; all of shape (1, N, P, H). Returns the logarithms of the softmax sums as well."""
    out, sums = (
        torch.empty_like(q, memory_format=torch.contiguous_format),
        q.new_empty(q.shape[:3], dtype=torch.float32),
    )
    for part, mask in _parts(bounds, masks, q.dtype):
        out[:, :, part], sums[:, :, part] = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q[:, :, part], k[:, :, part], v[:, :, part], attn_mask=mask
        )
    return out, sums


@_segmented_attention.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, bounds: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(q, memory_format=torch.contiguous_format), q.new_empty(q.shape[:3], dtype=torch.float32)


@torch.library.custom_op("precept::segmented_attention_backward", mutates_args=())
def _segmented_attention_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, sums: Tensor, bounds: Tensor, masks: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    dq, dk, dv = (torch.empty_like(x, memory_format=torch.contiguous_format) for x in (q, k, v))
    for part, mask in _parts(bounds, masks, q.dtype):
        given = (x[:, :, part] for x in (grad, q, k, v, out, sums))
        found = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(*given, 0.0, False, attn_mask=mask)
        for whole, piece in zip((dq, dk, dv), found, strict=True):
            whole[:, :, part] = piece
    return dq, dk, dv


@_segmented_attention_backward.register_fake
def _(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, sums: Tensor, bounds: Tensor, masks: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = (torch.empty_like(x, memory_format=torch.contiguous_format) for x in (q, k, v))
    return q, k, v


def _parts(bounds: Tensor, masks: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    places, offset = bounds.tolist(), 0
    for start, end in pairwise(places):
        length = end - start
        mask = masks[offset : offset + length * length].view(1, 1, length, length)
        offset += length * length
        yield slice(start, end), mask.to(dtype)


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    q, k, v, bounds, masks = inputs
    ctx.save_for_backward(q, k, v, *output, bounds, masks)


def _backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    return (*_segmented_attention_backward(grad, *ctx.saved_tensors), None, None)


_segmented_attention.register_autograd(_backward, setup_context=_save)
