"""One forward pass of HRM-Text over new tokens as one call of machine code: what `model.py` says, without the overhead.

On a small core, calling torch some 3,400 times a token costs more than the arithmetic. Here weights are read as they
were packed for it, in bfloat16 where that loses nothing, and each token's attention reads the cache of its own row. A
row's logits are bit for bit the same whatever rows and drafts share the call.

Importing this file needs numba, and the first call compiles; `decoding` serves without either.

Shape suffixes: M new tokens of all rows, L tokens whose logits are wanted, D hidden_size, V vocabulary, N heads,
H head_dim, T positions.
"""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from reasoning_core import kernels, lanes
from reasoning_core.cache import KVCache
from reasoning_core.kernels import (
    GROUP,
    LANES,
    PANEL,
    Floats,
    Integers,
    Packed,
    add,
    address,
    attend,
    jit,
    multiply,
    norm,
    rotate,
    scratch,
    sigmoid,
    swiglu,
    turn_keys,
)
from reasoning_core.lanes import load, store
from reasoning_core.model import HrmTextCore


class Weights(NamedTuple):
    """A core's weights; each product's are packed in panels of 64 outputs, the L stack's layers before the H stack's.

    A panel holds for every input its 64 weights, in float32; or for every two inputs 64 words of two bfloat16 each.
    """

    gqkv: Packed
    o: Packed
    gate_up: Packed
    down: Packed
    head: Packed
    embedding_VD: Floats
    z_L_D: Floats
    cosine_TH: Floats
    sine_TH: Floats


class Shape(NamedTuple):
    num_heads: int
    intermediate_size: int
    num_layers: int
    H_cycles: int
    L_cycles: int
    eps: float
    embedding_scale: float


class NewTokens(NamedTuple):
    """The tokens to compute; each sees the first `visible` keys of its row, and lies in its row's cache at `position`.

    `keys` and `values` are the addresses of its row's cache, (slots, N, capacity, H) in float32.
    """

    token_M: Integers
    position_M: Integers
    visible_M: Integers
    keys_M: Integers
    values_M: Integers
    capacity_M: Integers


@jit
def attend_all(
    gqkv: Floats,
    new: NewTokens,
    slot: int,
    num_heads: int,
    weights: Weights,
    panels: Floats,
    scores: Floats,
    out: Floats,
) -> None:
    """Write the new keys and values into one slot of every row's cache, then every token's gated attention."""
    M, H = len(new.token_M), weights.cosine_TH.shape[1]
    W = num_heads * H
    turned = np.zeros((GROUP, H), np.float32)
    for m in range(M):
        cosine_H, sine_H = weights.cosine_TH[new.position_M[m]], weights.sine_TH[new.position_M[m]]
        for n in range(num_heads):
            place = 4 * H * ((slot * num_heads + n) * new.capacity_M[m] + new.position_M[m])
            rotate(gqkv[m], 2 * W + n * H, cosine_H, sine_H, turned[0])
            for h in range(0, 4 * H, 4 * LANES):
                store(new.keys_M[m] + place + h, load(turned.ctypes.data + h))
                store(new.values_M[m] + place + h, load(address(gqkv, m) + 4 * (3 * W + n * H) + h))
    scale = np.float32(1) / np.sqrt(np.float32(H))
    first = 0
    while first < M:
        last = first
        while last < M and new.keys_M[last] == new.keys_M[first]:
            last += 1
        for n in range(num_heads):
            place, head = 4 * H * (slot * num_heads + n) * new.capacity_M[first], 4 * n * H
            keys, values = new.keys_M[first] + place, new.values_M[first] + place
            if len(panels) > 0:
                turn_keys(keys, new.visible_M[last - 1], panels)
            for start in range(first, last, GROUP):
                end = min(start + GROUP, last)
                for m in range(start, end):
                    cosine_H, sine_H = weights.cosine_TH[new.position_M[m]], weights.sine_TH[new.position_M[m]]
                    rotate(gqkv[m], W + n * H, cosine_H, sine_H, turned[m - start])
                    for h in range(H):
                        turned[m - start, h] *= scale
                visible_G, at = new.visible_M[start:end], address(out, start) + head
                attend(turned, keys, values, visible_G, panels, scores, at, out.strides[0])
                for m in range(start, end):
                    for h in range(head, head + 4 * H, 4 * LANES):
                        store(address(out, m) + h, sigmoid(load(address(gqkv, m) + h)) * load(address(out, m) + h))
        first = last


@jit
def forward(new: NewTokens, weights: Weights, shape: Shape, long: bool, logits_LV: Floats) -> None:
    """Compute the new tokens of all rows, and the logits behind the last L of them.

    `long` is for many tokens of few rows: each row's keys are then turned once for all of them.
    """
    M, D = len(new.token_M), weights.embedding_VD.shape[1]
    N, width = shape.num_heads, shape.intermediate_size
    W = N * weights.cosine_TH.shape[1]
    z_H, z_L, x, normed = scratch(M, D), scratch(M, D), scratch(M, D), scratch(M, D)
    gqkv, gate_up, mixed, hidden = scratch(M, 4 * W), scratch(M, 2 * width), scratch(M, W), scratch(M, width)
    longest = 0
    for m in range(M):
        longest = max(longest, new.visible_M[m])
        for i in range(D):
            z_H[m, i] = weights.embedding_VD[new.token_M[m], i] * np.float32(shape.embedding_scale)
            z_L[m, i] = weights.z_L_D[i]
    H = weights.cosine_TH.shape[1]
    scores = np.zeros((GROUP, longest + PANEL + LANES), np.float32)
    panels = np.zeros((longest // PANEL + 1 if long else 0, H * PANEL), np.float32)
    for call in range(shape.H_cycles * (shape.L_cycles + 1)):
        slow = call % (shape.L_cycles + 1) == shape.L_cycles
        add(z_L, z_H, M, D, x)
        for number in range(shape.num_layers):
            layer = number + (weights.gqkv.shape[0] - shape.num_layers if slow else 0)
            norm(x, M, D, shape.eps, normed)
            multiply(normed, M, D, weights.gqkv[layer], gqkv, False)
            attend_all(gqkv, new, call * shape.num_layers + number, N, weights, panels, scores, mixed)
            multiply(mixed, M, W, weights.o[layer], x, True)
            norm(x, M, D, shape.eps, normed)
            multiply(normed, M, D, weights.gate_up[layer], gate_up, False)
            swiglu(gate_up, M, width, hidden)
            multiply(hidden, M, width, weights.down[layer], x, True)
        norm(x, M, D, shape.eps, z_H if slow else z_L)
    L, V = logits_LV.shape
    padded = scratch(L, V)
    for m in range(L):
        for i in range(D):
            x[m, i] = z_H[M - L + m, i]
    multiply(x, L, D, weights.head, padded, False)
    for m in range(L):
        for i in range(V):
            logits_LV[m, i] = padded[m, i]


class FusedCore:
    """A core packed for the fused pass: in float32 on the CPU, its sizes those that `Decoder` asks for.

    Rows are shared out among as many threads as torch has been given; no number depends on how.
    """

    def __init__(self, model: HrmTextCore) -> None:
        config = model.config
        self._weights, self._vocabulary_size = _packed(model), config.vocab_size
        self._shape = Shape(
            config.num_attention_heads,
            config.intermediate_size,
            config.num_layers_per_stack,
            config.H_cycles,
            config.L_cycles,
            config.rms_norm_eps,
            config.embedding_scale,
        )
        self._forward = compiled_forward()
        self._num_threads = torch.get_num_threads()
        self._threads = ThreadPoolExecutor(self._num_threads, "fused pass")

    def compute(
        self,
        tokens: Sequence[int],
        visible: Sequence[int],
        rows: Sequence[tuple[KVCache, int]],
        num_logits: int,
        *,
        long: bool = False,
    ) -> Tensor:
        """Return the logits behind the last `num_logits` of the new tokens of all rows, (L, V).

        `tokens` are those of all rows, `visible` how many keys of its row each sees; `rows` names each row's cache and
        number of tokens.
        """
        new = _new_tokens(tokens, visible, rows)
        logits_LV = torch.empty(num_logits, self._vocabulary_size)

        def run(part: slice) -> None:
            of_part = NewTokens(*(values_M[part] for values_M in new))
            self._forward(of_part, self._weights, self._shape, long, logits_LV.numpy()[part])

        if num_logits == len(tokens) and len(rows) > 1 and self._num_threads > 1:
            list(self._threads.map(run, _shares([count for _, count in rows], self._num_threads)))
        else:
            self._forward(new, self._weights, self._shape, long, logits_LV.numpy())
        for row, count in rows:
            row.advance(count)
        return logits_LV


@cache
def compiled_forward() -> Callable[[NewTokens, Weights, Shape, bool, Floats], None]:
    """Return `forward` as machine code, which numba keeps beside this file where it may write.

    numba knows that code by this file and by the values that a function closes over; the digest stands for the kernels.
    """
    digest = hashlib.sha256(b"".join(Path(str(file.__file__)).read_bytes() for file in (kernels, lanes))).hexdigest()

    def fused_forward(new: NewTokens, weights: Weights, shape: Shape, long: bool, logits_LV: Floats) -> None:
        _ = digest
        forward(new, weights, shape, long, logits_LV)

    try:
        return njit(fused_forward, nogil=True, error_model="numpy", cache=True)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder to keep it in
        return njit(fused_forward, nogil=True, error_model="numpy")  # type: ignore[no-any-return]


def _shares(counts: Sequence[int], num_threads: int) -> list[slice]:
    """Return the tokens of each thread: whole rows, because a token reads what its row's earlier ones have written."""
    ends, parts = [0, *accumulate(counts)], min(num_threads, len(counts))
    return [slice(ends[len(counts) * n // parts], ends[len(counts) * (n + 1) // parts]) for n in range(parts)]


def _new_tokens(tokens: Sequence[int], visible: Sequence[int], rows: Sequence[tuple[KVCache, int]]) -> NewTokens:
    places = np.empty((4, len(tokens)), np.int64)
    first = 0
    for row, count in rows:
        row.reserve(count)
        of_row = slice(first, first := first + count)
        places[0, of_row] = np.arange(row.length, row.length + count)
        places[1:, of_row] = np.array([*row.addresses, row.capacity])[:, None]
    return NewTokens(np.array(tokens, np.int64), places[0], np.array(visible, np.int64), *places[1:])


def _packed(model: HrmTextCore) -> Weights:
    inner = model.model
    layers = [*inner.L_module.layers, *inner.H_module.layers]
    products = [
        [layer.attn.gqkv_proj.weight for layer in layers],
        [layer.attn.o_proj.weight for layer in layers],
        [layer.mlp.gate_up_proj.weight for layer in layers],
        [layer.mlp.down_proj.weight for layer in layers],
        [model.lm_head.weight],
    ]
    halves = all(torch.equal(weight, weight.bfloat16().float()) for weights in products for weight in weights)
    gqkv, o, gate_up, down, head = (_stacked(weights, halves) for weights in products)
    rest = (inner.embed_tokens.weight, inner.z_L_init, inner.cosine, inner.sine)
    return Weights(gqkv, o, gate_up, down, head[0], *(tensor.detach().contiguous().numpy() for tensor in rest))


def _stacked(weights: list[Tensor], halves: bool) -> Packed:
    """Return the panels of some products one behind another, in memory that begins at a cache line as torch's does."""
    panels = np.stack([_panels(weight, halves) for weight in weights])
    aligned: Packed = torch.from_numpy(panels.view(np.int32)).clone().numpy().view(panels.dtype)  # type: ignore[assignment]
    return aligned


def _panels(weight: Tensor, halves: bool) -> Packed:
    """Return one product's weights (out, in) as panels; see `Packed`."""
    outputs, inputs = weight.shape
    padded = np.zeros((-(-outputs // PANEL) * PANEL, inputs), np.float32)
    padded[:outputs] = weight.detach().numpy()
    panels = np.ascontiguousarray(padded.reshape(-1, PANEL, inputs).transpose(0, 2, 1))
    if not halves:
        return panels
    upper = panels.view(np.uint32) >> 16
    return np.ascontiguousarray(upper[:, 0::2] | upper[:, 1::2] << 16)
