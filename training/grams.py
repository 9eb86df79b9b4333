"""The tokens and n-grams by which texts are compared, as 64-bit hashes.

A token is a run of letters, one digit, or a run of other visible characters, in lower case: what the core's tokenizer
cuts text into before it merges bytes, so that n counts words and digits whatever the vocabulary. Two n-grams are taken
for equal where their hashes are. The hashes are Python's and hold for this process alone.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_TOKEN = re.compile(r"[^\W\d_]+|\d|(?:[^\w\s]|_)+")
_BASE = 0x9E37_79B9_7F4A_7C15
_TABLE_BITS = 22


def token_hashes(text: str) -> Hashes:
    """Return one hash for each token of `text`."""
    tokens = _TOKEN.findall(text.lower())
    return np.fromiter(map(hash, tokens), np.int64, len(tokens)).view(np.uint64)


def grams(tokens: Hashes, n: int) -> Hashes:
    """Return the hash of each run of `n` tokens in order; nothing where there are fewer than `n`."""
    if len(tokens) < n:
        return np.empty(0, np.uint64)
    result, size = tokens, 1
    # By doubling, as a power is computed: a gram of 2 k is two of k side by side.
    for bit in f"{n:b}"[1:]:
        result, size = result[:-size] * np.uint64(pow(_BASE, size, 1 << 64)) + result[size:], 2 * size
        if bit == "1":
            result, size = result[:-1] * np.uint64(_BASE) + tokens[size:], size + 1
    return result


def grams_or_whole(tokens: Hashes, n: int) -> Hashes:
    """Return the n-grams, or the whole as one gram where there are fewer than `n` tokens."""
    return grams(tokens, min(n, len(tokens))) if len(tokens) else np.empty(0, np.uint64)


def covered(matched: npt.NDArray[np.bool_], num_tokens: int) -> npt.NDArray[np.bool_]:
    """Return which tokens lie inside a matched gram; `matched` tells for each gram in order."""
    if not len(matched):
        return np.zeros(num_tokens, np.bool_)
    n = num_tokens - len(matched) + 1
    open_grams = np.zeros(num_tokens + 1, np.int64)
    open_grams[: len(matched)] += matched
    open_grams[n : n + len(matched)] -= matched
    return np.cumsum(open_grams)[:-1] > 0


class GramSet:
    """A fixed set of grams, asked for millions at a time."""

    def __init__(self, members: Sequence[Hashes]) -> None:
        together = np.concatenate([*members, np.empty(0, np.uint64)])
        self._sorted = np.unique(together)
        self._maybe = np.zeros(1 << _TABLE_BITS, np.bool_)
        self._maybe[self._short(self._sorted)] = True

    def __len__(self) -> int:
        return len(self._sorted)

    def places(self, asked: Hashes) -> npt.NDArray[np.int64]:
        """Return for each gram that is a member its place, from 0 to the size of the set; others are passed over."""
        # A table that fits the processor's cache answers for almost all grams, which are no members.
        asked = asked[self._maybe[self._short(asked)]]
        found = np.searchsorted(self._sorted, asked)
        inside = found < len(self._sorted)
        found, asked = found[inside], asked[inside]
        places: npt.NDArray[np.int64] = found[self._sorted[found] == asked]
        return places

    def _short(self, grams: Hashes) -> npt.NDArray[np.int64]:
        return (grams >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)
