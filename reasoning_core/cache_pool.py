"""All caches of an engine under one budget of bytes: those of running sessions, and idle ones for what comes next.

A request states its whole conversation. The pool gives it the idle cache with the longest usable prefix, cropped.
Because a cache is compared with the tokens it holds, no history of sends, stops, edits or regenerations can make it
stale (DESIGN 3.3); what can go wrong is only time. No two sessions ever share a cache.

A session's cache is made as large as it can ever need before the session begins, so that the budget holds at every
instant and no running session is ever short of memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from reasoning_core.cache import KVCache
from reasoning_core.core import ContextOverflow

_MEASURED_TOKENS = 256


@dataclass(slots=True, eq=False)
class CacheEntry:
    """A cache, the tokens it holds, the block each lies in, and the logits behind the newest prompt block."""

    cache: KVCache
    tokens: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    prompt_length: int = 0
    prompt_logits_V: Tensor | None = None

    def crop(self, length: int) -> None:
        """Forget every token from `length` on."""
        if length < len(self.tokens):
            self.cache.crop(length)
            del self.tokens[length:], self.blocks[length:]
        if length < self.prompt_length:
            self.prompt_length, self.prompt_logits_V = 0, None

    def hold(self, tokens: Sequence[int], blocks: Sequence[int]) -> None:
        """Take note of tokens that the cache has received."""
        self.tokens += tokens
        self.blocks += blocks

    def end_prompt(self, logits_V: Tensor) -> None:
        """Keep what the core says behind the tokens held, so that another response to them needs no forward pass."""
        self.prompt_length, self.prompt_logits_V = len(self.tokens), logits_V.clone()


class CachePool:
    """The caches of one engine; used by one thread alone."""

    def __init__(self, new_cache: Callable[[], KVCache], budget_bytes: int) -> None:
        self._new_cache = new_cache
        self._budget_bytes = budget_bytes
        self._sizes: dict[int, int] = {}
        self._idle: list[CacheEntry] = []  # least recently used first
        self._running: list[CacheEntry] = []
        self.evictions = 0

    @property
    def idle_bytes(self) -> int:
        return sum(entry.cache.size_bytes for entry in self._idle)

    @property
    def running_bytes(self) -> int:
        return sum(entry.cache.size_bytes for entry in self._running)

    def bytes_for(self, num_tokens: int) -> int:
        """Return the size of a cache that has room for so many tokens."""
        steps = -(-num_tokens // _MEASURED_TOKENS)
        if steps not in self._sizes:
            trial = self._new_cache()
            trial.reserve(num_tokens)  # pages that nobody writes to are never given out
            self._sizes[steps] = trial.size_bytes
        return self._sizes[steps]

    def take(self, tokens: Sequence[int], blocks: Sequence[int], num_tokens: int) -> CacheEntry | None:
        """Return a cache with room for `num_tokens` that holds as much of `tokens` as can be used.

        None says that running sessions leave too little of the budget now.

        Raises:
            ContextOverflow: the whole budget is too little.
        """
        needed, free = self.bytes_for(num_tokens), self._budget_bytes - self.running_bytes
        if needed > self._budget_bytes:
            raise ContextOverflow(
                f"a cache for {num_tokens} tokens takes {needed} bytes, the budget is {self._budget_bytes}: raise it"
            )
        if needed > free:
            return None
        entry, length = self._most_useful(tokens, blocks)
        if entry is None or entry.cache.size_bytes > free:
            entry, length = CacheEntry(self._new_cache()), 0
        else:
            self._idle.remove(entry)
        entry.crop(length)
        self.evict_down_to(free - max(needed, entry.cache.size_bytes))
        entry.cache.reserve(num_tokens - entry.cache.length)
        self._running.append(entry)
        return entry

    def give_back(self, entry: CacheEntry) -> None:
        """Make a running session's cache an idle one."""
        self._running.remove(entry)
        self._idle.append(entry)

    def evict_down_to(self, size_bytes: int) -> None:
        """Forget idle caches, the least recently used first, until no more than this is idle."""
        while self._idle and self.idle_bytes > size_bytes:
            self._idle.pop(0)
            self.evictions += 1

    def forget_all(self) -> None:
        """Drop every cache: after a failed forward pass nobody knows what they hold."""
        self._idle.clear()
        self._running.clear()

    def _most_useful(self, tokens: Sequence[int], blocks: Sequence[int]) -> tuple[CacheEntry | None, int]:
        """Return the idle cache with the longest usable prefix, the most recently used of several."""
        best, longest = None, 0
        for entry in self._idle:
            length = _usable(entry, tokens, blocks)
            if length and length >= longest:
                best, longest = entry, length
        return best, longest


def _usable(entry: CacheEntry, tokens: Sequence[int], blocks: Sequence[int]) -> int:
    whole = len(tokens)
    if entry.prompt_length == whole and entry.tokens[:whole] == tokens and entry.blocks[:whole] == blocks:
        return whole
    return usable_prefix(entry.tokens, entry.blocks, tokens, blocks)


def usable_prefix(
    old_tokens: Sequence[int], old_blocks: Sequence[int], new_tokens: Sequence[int], new_blocks: Sequence[int]
) -> int:
    """Return how many cached tokens are exact for the new sequence.

    Tokens must agree, and no block may be cut: a token of a block has seen all of it. At least the last new token is
    left to compute, because its logits are wanted.
    """
    longest = min(len(old_tokens), len(new_tokens) - 1)
    same = min(_common(old_tokens, new_tokens, longest), _common(old_blocks, new_blocks, longest))
    while same > 0 and (_cuts_block(old_blocks, same) or _cuts_block(new_blocks, same)):
        same -= 1
    return same


def _common(old: Sequence[int], new: Sequence[int], longest: int) -> int:
    """Return how many of the first `longest` numbers agree, by halving: slices compare far faster than loops."""
    low, high = 0, longest
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _cuts_block(blocks: Sequence[int], at: int) -> bool:
    return at < len(blocks) and blocks[at] >= 0 and blocks[at] == blocks[at - 1]
