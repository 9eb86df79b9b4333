"""The steps of a forward pass as loops over lanes, for numba: products, norms, gates, attention of one head.

Every number of a row depends on its own row alone and is summed in one fixed order, however many rows there are.

Shape suffixes: K keys, H head_dim. Matrices are scratch memory: padded with zeros to whole panels and tiles.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload
from numpy.typing import NDArray

from reasoning_core.lanes import (
    exp,
    fma,
    larger,
    largest,
    load,
    load_even,
    load_odd,
    load_spread,
    load_spread_wide,
    load_wide,
    sixteen_products,
    spread,
    spread_wide,
    store,
    total,
)

PANEL, LANES, TILE = 64, 16, 4
GROUP, BLOCK = 8, 64
ZERO, ONE = np.float32(0), np.float32(1)

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Packed = NDArray[np.float32] | NDArray[np.uint32]
"""A product's weights in panels of 64 outputs: for every input its 64 weights in float32, or for every two inputs 64
words of two bfloat16 each."""

jit = njit(nogil=True, error_model="numpy")


@jit
def address(matrix: Floats, row: int) -> int:
    return matrix.ctypes.data + row * matrix.strides[0]


@jit
def scratch(num_rows: int, width: int) -> Floats:
    return np.zeros(((num_rows + TILE - 1) // TILE * TILE, (width + PANEL - 1) // PANEL * PANEL), np.float32)


def _even(packed, at): ...
def _odd(packed, at): ...


@overload(_even)
def _even_inputs(packed, at):
    return (lambda packed, at: load_even(at)) if packed.dtype == types.uint32 else (lambda packed, at: load_wide(at))


@overload(_odd)
def _odd_inputs(packed, at):
    if packed.dtype == types.uint32:
        return lambda packed, at: load_odd(at)
    return lambda packed, at: load_wide(at + 4 * PANEL)


@jit
def one_row(x: int, packed: Packed, panel: int, pair: int, num_inputs: int, out: int, add: bool) -> None:
    a = load_wide(out) if add else spread_wide(ZERO)
    for _ in range(0, num_inputs, 2):
        a = fma(load_spread_wide(x), _even(packed, panel), a)
        a = fma(load_spread_wide(x + 4), _odd(packed, panel), a)
        x, panel = x + 8, panel + pair
    store(out, a)


@jit
def four_rows(
    x: int, row: int, packed: Packed, panel: int, pair: int, num_inputs: int, out: int, out_row: int, add: bool
) -> None:
    a = b = c = d = spread_wide(ZERO)
    if add:
        a, b, c, d = (
            load_wide(out),
            load_wide(out + out_row),
            load_wide(out + 2 * out_row),
            load_wide(out + 3 * out_row),
        )
    for _ in range(0, num_inputs, 2):
        even, odd = _even(packed, panel), _odd(packed, panel)
        a = fma(load_spread_wide(x + 4), odd, fma(load_spread_wide(x), even, a))
        b = fma(load_spread_wide(x + row + 4), odd, fma(load_spread_wide(x + row), even, b))
        c = fma(load_spread_wide(x + 2 * row + 4), odd, fma(load_spread_wide(x + 2 * row), even, c))
        d = fma(load_spread_wide(x + 3 * row + 4), odd, fma(load_spread_wide(x + 3 * row), even, d))
        x, panel = x + 8, panel + pair
    store(out, a)
    store(out + out_row, b)
    store(out + 2 * out_row, c)
    store(out + 3 * out_row, d)


@jit
def multiply(x: Floats, num_rows: int, num_inputs: int, packed: Packed, out: Floats, add: bool) -> None:
    """Write x W into `out`, or add it; panel by panel, so that weights are read once for all rows."""
    pair = packed.strides[0] // (num_inputs // 2)
    for number in range(packed.shape[0]):
        panel, column = address(packed, number), 4 * PANEL * number
        for m in range(0, num_rows - 1, TILE):
            rows, at = address(x, m), address(out, m) + column
            four_rows(rows, x.strides[0], packed, panel, pair, num_inputs, at, out.strides[0], add)
        if num_rows % TILE == 1:
            m = num_rows - 1
            one_row(address(x, m), packed, panel, pair, num_inputs, address(out, m) + column, add)


@jit
def norm(x: Floats, num_rows: int, width: int, eps: float, out: Floats) -> None:
    for m in range(num_rows):
        squares = spread(ZERO)
        for i in range(0, 4 * width, 4 * LANES):
            squares = fma(load(address(x, m) + i), load(address(x, m) + i), squares)
        scale = spread(ONE / np.sqrt(total(squares) / np.float32(width) + np.float32(eps)))
        for i in range(0, 4 * width, 4 * LANES):
            store(address(out, m) + i, load(address(x, m) + i) * scale)


@jit
def sigmoid(x: Any) -> Any:
    return spread(ONE) / (spread(ONE) + exp(spread(ZERO) - x))


@jit
def swiglu(gate_up: Floats, num_rows: int, width: int, out: Floats) -> None:
    for m in range(num_rows):
        gates, ups = address(gate_up, m), address(gate_up, m) + 4 * width
        for i in range(0, 4 * width, 4 * LANES):
            gate = load(gates + i)
            store(address(out, m) + i, gate * sigmoid(gate) * load(ups + i))


@jit
def rotate(row: Floats, start: int, cosine_H: Floats, sine_H: Floats, out_H: Floats) -> None:
    """Turn the head that begins at `start` of a row."""
    half = len(out_H) // 2
    for i in range(half):
        first, second = row[start + i], row[start + i + half]
        out_H[i] = first * cosine_H[i] - second * sine_H[i]
        out_H[i + half] = second * cosine_H[i + half] + first * sine_H[i + half]


@jit
def softmax(score_K: Floats, num_keys: int) -> None:
    at = score_K.ctypes.data
    store(at + 4 * num_keys, spread(np.float32(-np.inf)))
    top = spread(np.float32(-np.inf))
    for i in range(0, 4 * num_keys, 4 * LANES):
        top = larger(top, load(at + i))
    top, sums = spread(largest(top)), spread(ZERO)
    for i in range(0, 4 * num_keys, 4 * LANES):
        store(at + i, exp(load(at + i) - top))
        sums = sums + load(at + i)
    share = spread(ONE / total(sums))
    for i in range(0, 4 * num_keys, 4 * LANES):
        store(at + i, load(at + i) * share)


@jit
def score(query_H: Floats, keys: int, first: int, last: int, score_K: Floats) -> None:
    """Write q k of the keys from `first`, a whole lane, to `last`."""
    width, query = 4 * len(query_H), query_H.ctypes.data
    whole = last // LANES * LANES
    for j in range(first, whole, LANES):
        store(score_K.ctypes.data + 4 * j, sixteen_products(query, keys + j * width, width))
    for j in range(max(first, whole), last):
        products = spread(ZERO)
        for h in range(0, width, 4 * LANES):
            products = fma(load(query + h), load(keys + j * width + h), products)
        score_K[j] = total(products)


@jit
def mix(score_K: Floats, values: int, first: int, last: int, width: int, out: int) -> None:
    """Add to `out` the values from `first` to `last`, each by its share; a head is `width` bytes."""
    shares = score_K.ctypes.data
    wide = width // (4 * PANEL) * (4 * PANEL)
    for h in range(0, wide, 4 * PANEL):
        mixed = load_wide(out + h)
        for j in range(first, last):
            mixed = fma(load_spread_wide(shares + 4 * j), load_wide(values + j * width + h), mixed)
        store(out + h, mixed)
    for h in range(wide, width, 4 * LANES):
        some = load(out + h)
        for j in range(first, last):
            some = fma(load_spread(shares + 4 * j), load(values + j * width + h), some)
        store(out + h, some)


@jit
def turn_keys(keys: int, num_keys: int, panels: Floats) -> None:
    """Write one head's keys as panels of 64 keys, so that scores become a product like any other."""
    H = panels.shape[1] // PANEL
    head = np.empty(H, np.float32)
    for j in range(num_keys):
        for h in range(0, 4 * H, 4 * LANES):
            store(head.ctypes.data + h, load(keys + 4 * H * j + h))
        for h in range(H):
            panels[j // PANEL, h * PANEL + j % PANEL] = head[h]


@jit
def attend(
    queries: Floats, keys: int, values: int, visible_G: Integers, panels: Floats, scores: Floats, out: int, row: int
) -> None:
    """Write softmax(q k / sqrt(H)) v of one head of a group of tokens that share a cache.

    Keys and values are taken block by block, each for the whole group while it lies in the nearest memory; `panels`,
    where there are any, hold the keys once more for a whole group.
    """
    num_queries, H = len(visible_G), queries.shape[1]
    shortest = longest = visible_G[0]
    for g in range(num_queries):
        shortest, longest = min(shortest, visible_G[g]), max(longest, visible_G[g])
        for h in range(0, 4 * H, 4 * LANES):
            store(out + g * row + h, spread(ZERO))
    for first in range(0, longest, BLOCK):
        if len(panels) > 0:
            for g in range(0, num_queries, TILE):
                panel, at = address(panels, first // PANEL), address(scores, g) + 4 * first
                four_rows(address(queries, g), 4 * H, scores, panel, 8 * PANEL, H, at, scores.strides[0], False)
        else:
            for g in range(num_queries):
                score(queries[g], keys, first, min(first + BLOCK, visible_G[g]), scores[g])
    for g in range(num_queries):
        softmax(scores[g], visible_G[g])
    for first in range(0, longest, BLOCK):
        whole = H == PANEL and num_queries == GROUP and shortest >= first + BLOCK
        for g in range(0, GROUP if whole else 0, TILE):
            # Values of one head are a panel, shares the rows that meet it.
            shares = address(scores, g) + 4 * first
            panel, pair, at = values + 4 * H * first, 8 * H, out + g * row
            four_rows(shares, scores.strides[0], scores, panel, pair, BLOCK, at, row, True)
        for g in range(0 if whole else num_queries):
            mix(scores[g], values, first, min(first + BLOCK, visible_G[g]), 4 * H, out + g * row)


@jit
def add(x: Floats, y: Floats, num_rows: int, width: int, out: Floats) -> None:
    for m in range(num_rows):
        for i in range(0, 4 * width, 4 * LANES):
            store(address(out, m) + i, load(address(x, m) + i) + load(address(y, m) + i))
