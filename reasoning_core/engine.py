"""The engine: sessions with exact caches over one model, one forward pass at a time.

A request states its whole conversation. The engine finds the cached history with the longest usable prefix, crops it,
encodes only what is new, and decodes. Because a cache is compared with the tokens it holds, no history of sends,
stops, edits or regenerations can make it stale (DESIGN 3.3); what can go wrong is only time.

Sessions take turns token by token, so a slow reader holds up nobody. No two sessions ever share a cache.
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from reasoning_core.cache import KVCache
from reasoning_core.checkpoint import Checkpoint
from reasoning_core.decoding import Decoder
from reasoning_core.layout import RowLayout, Span, SpanKind, lay_out
from reasoning_core.sampling import Sampler, Sampling, log_probability
from reasoning_core.tokenizer import CoreTokenizer


class BusyError(RuntimeError):
    """More requests than the engine takes at once; try again shortly."""


class ContextOverflow(ValueError):
    """The conversation does not fit the positions of the core."""


class Guide(Protocol):
    """Restricts the next token of a response by what was written so far."""

    def allowed(self, generated: Sequence[int]) -> Sequence[int] | None:
        """Return the ids that may come next, or None where anything may."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one request; `cached` tokens of the prompt were not computed again."""

    prompt: int
    cached: int


class Generation:
    """One running response: iterate over it for token ids, the end token included.

    It holds a session until it has been read to its end or closed, whichever comes first.
    """

    def __init__(
        self,
        tokens: Iterator[int],
        usage: Usage,
        release: Callable[[], None],
        log_probabilities: Sequence[float] = (),
    ) -> None:
        self._tokens = tokens
        self._release = release
        self._log_probabilities = log_probabilities
        self.usage = usage

    def __iter__(self) -> Iterator[int]:
        return self._tokens

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the probabilities of the tokens so far; None where the core does not tell them."""
        known = self._log_probabilities
        return min(1.0, math.exp(sum(known) / len(known))) if known else None

    def close(self) -> None:
        """Stop early and give the session's cache back."""
        self._tokens.close()  # type: ignore[attr-defined]
        # A generator that was never started runs no finally clause of its own.
        self._release()


class Core(Protocol):
    """What the reader needs of a core, whether it runs here or elsewhere."""

    name: str
    tokenizer: CoreTokenizer
    max_tokens: int

    def generate(
        self,
        spans: Sequence[Span],
        sampling: Sampling,
        guide: Guide | None = None,
        cancel: threading.Event | None = None,
    ) -> Generation: ...


@dataclass(slots=True)
class _Entry:
    """A cache with the tokens it holds and the block each lies in."""

    cache: KVCache
    tokens: list[int]
    blocks: list[int]


class Engine:
    """Serves one checkpoint."""

    def __init__(self, checkpoint: Checkpoint, *, cache_bytes: int = 256 << 20, max_sessions: int = 8) -> None:
        self.name = f"{checkpoint.name}@{checkpoint.sha256[:12]}"
        self.tokenizer = checkpoint.tokenizer
        self.max_tokens = checkpoint.model.config.max_position_embeddings
        self._decoder = Decoder(checkpoint.model)
        self._layout = checkpoint.model.config.layout
        self._cache_bytes, self._max_sessions = cache_bytes, max_sessions
        self._idle: list[_Entry] = []  # least recently used first
        self._bookkeeping, self._forward_turn = threading.Lock(), threading.Lock()
        self._num_sessions = 0

    def generate(
        self,
        spans: Sequence[Span],
        sampling: Sampling,
        guide: Guide | None = None,
        cancel: threading.Event | None = None,
    ) -> Generation:
        """Start a response to `spans`, which end in a prompt block.

        Raises:
            ValueError: `spans` do not end in a prompt block.
            BusyError: too many responses are being written.
            ContextOverflow: the conversation leaves no room for an answer.
        """
        row = lay_out([spans], self._layout)
        tokens = [token for span in spans for token in span.tokens]
        if len(tokens) + 1 > self.max_tokens:
            raise ContextOverflow(f"{len(tokens)} tokens leave no room in the {self.max_tokens} positions of this core")
        if not spans or spans[-1].kind is not SpanKind.PROMPT or not spans[-1].tokens:
            raise ValueError("a response is written to a prompt block: the conversation must end in one")
        entry = self._take(tokens, row.block_T.tolist())
        usage = Usage(len(tokens), entry.cache.length)
        release, log_probabilities = self._releaser(entry), list[float]()
        written = self._decode(entry, release, tokens, row, sampling, guide, cancel, log_probabilities)
        return Generation(written, usage, release, log_probabilities)

    def _decode(
        self,
        entry: _Entry,
        release: Callable[[], None],
        tokens: list[int],
        row: RowLayout,
        sampling: Sampling,
        guide: Guide | None,
        cancel: threading.Event | None,
        log_probabilities: list[float],
    ) -> Iterator[int]:
        try:
            sampler, generated = Sampler(sampling), list[int]()
            logits_V = self._prefill(entry, tokens, row)
            room = min(sampling.max_new_tokens, self.max_tokens - len(tokens))
            while len(generated) < room and not (cancel is not None and cancel.is_set()):
                token = sampler.choose(logits_V, guide.allowed(generated) if guide else None)
                generated.append(token)
                log_probabilities.append(log_probability(logits_V, token))
                yield token
                if token == self.tokenizer.eoa_id or len(generated) == room:
                    return
                logits_V = self._feed(entry, token)
        finally:
            release()

    def _releaser(self, entry: _Entry) -> Callable[[], None]:
        """Return what ends the session of a taken cache and puts it back, once, whichever way the response ends."""
        running = [entry]

        def release() -> None:
            with self._bookkeeping:
                if not running:
                    return
                self._num_sessions -= 1
                self._idle.append(running.pop())
                while len(self._idle) > 1 and sum(e.cache.size_bytes for e in self._idle) > self._cache_bytes:
                    self._idle.pop(0)

        return release

    def _take(self, tokens: list[int], blocks: list[int]) -> _Entry:
        """Open a session on the idle cache that saves most, cropped to what is usable, or on a new one."""
        with self._bookkeeping:
            if self._num_sessions >= self._max_sessions:
                raise BusyError(f"{self._num_sessions} answers are being written: try again in a moment")
            self._num_sessions += 1
            lengths = [usable_prefix(entry.tokens, entry.blocks, tokens, blocks) for entry in self._idle]
            best = max(range(len(lengths)), key=lengths.__getitem__, default=None)
            if best is None or lengths[best] == 0:
                return _Entry(self._decoder.new_cache(), [], [])
            entry, length = self._idle.pop(best), lengths[best]
        entry.cache.crop(length)
        del entry.tokens[length:], entry.blocks[length:]
        return entry

    def _prefill(self, entry: _Entry, tokens: list[int], row: RowLayout) -> Tensor:
        cached = entry.cache.length
        with self._forward_turn:
            logits_V = self._decoder.prefill(tokens, row, entry.cache)
        entry.tokens += tokens[cached:]
        entry.blocks += row.block_T[cached:].tolist()
        return logits_V

    def _feed(self, entry: _Entry, token: int) -> Tensor:
        with self._forward_turn:
            (logits_TV,) = self._decoder.step([[token]], [entry.cache])
        entry.tokens.append(token)
        entry.blocks.append(-1)
        return logits_TV[-1]


def usable_prefix(
    old_tokens: Sequence[int], old_blocks: Sequence[int], new_tokens: Sequence[int], new_blocks: Sequence[int]
) -> int:
    """Return how many cached tokens are exact for the new sequence.

    Tokens must agree, and no block may be cut: a token of a block has seen all of it. At least the last new token is
    left to compute, because its logits are wanted.
    """
    longest = min(len(old_tokens), len(new_tokens) - 1)
    same = 0
    while same < longest and old_tokens[same] == new_tokens[same] and old_blocks[same] == new_blocks[same]:
        same += 1
    while same > 0 and (_cuts_block(old_blocks, same) or _cuts_block(new_blocks, same)):
        same -= 1
    return same


def _cuts_block(blocks: Sequence[int], at: int) -> bool:
    return at < len(blocks) and blocks[at] >= 0 and blocks[at] == blocks[at - 1]
