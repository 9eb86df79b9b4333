"""The port of a core: what the reader needs of one, whether it runs here or elsewhere.

BusyError               too much to do: come back after `retry_after_s`
└── DeadlinePassed      the time of a request ran out while it waited or was answered
ContextOverflow         the question and its passages alone do not fit
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from reasoning_core.layout import Span
from reasoning_core.sampling import Sampling
from reasoning_core.tokenizer import CoreTokenizer


class BusyError(RuntimeError):
    """More requests than the core takes at once; it expects to have room after `retry_after_s`."""

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(f"{reason}: busy, retry after {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DeadlinePassed(BusyError):
    """A response was not finished in the time that it was given."""


class ContextOverflow(ValueError):
    """The conversation does not fit the core."""


class Guide(Protocol):
    """Restricts the next token of a response by what was written so far, and by nothing else."""

    def allowed(self, generated: Sequence[int]) -> Sequence[int] | None:
        """Return the ids that may come next, or None where anything may."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one request; `cached` tokens of the prompt were not computed again.

    `turns_left_out` of the oldest turns did not fit and were not read; `prompt` counts what was.
    """

    prompt: int
    cached: int
    turns_left_out: int = 0


class Generation:
    """One running response: iterate over it for token ids, the end token included.

    It holds a session until it is written to its end or closed, whichever comes first. Where `usage` is a function, it
    may wait until the core has begun; `log_probabilities` are those of the tokens read so far.
    """

    def __init__(
        self,
        tokens: Iterator[int],
        usage: Usage | Callable[[], Usage],
        release: Callable[[], None],
        log_probabilities: Sequence[float] = (),
    ) -> None:
        self._tokens = tokens
        self._usage = usage
        self._release = release
        self._log_probabilities = log_probabilities

    def __iter__(self) -> Iterator[int]:
        return self._tokens

    @property
    def usage(self) -> Usage:
        return self._usage() if callable(self._usage) else self._usage

    @property
    def log_probabilities(self) -> Sequence[float]:
        """Those of the tokens read so far, at temperature 1 and before any guide; empty where they are not told."""
        return self._log_probabilities

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the probabilities of the tokens so far; None where the core does not tell them."""
        known = self._log_probabilities
        return min(1.0, math.exp(sum(known) / len(known))) if known else None

    def close(self) -> None:
        """Stop early and give the session back; return when that is done."""
        close_tokens = getattr(self._tokens, "close", None)
        if close_tokens is not None:
            close_tokens()
        # A generator that was never started runs no finally clause of its own.
        self._release()


class Core(Protocol):
    """A core that writes responses."""

    name: str
    tokenizer: CoreTokenizer
    max_tokens: int

    def generate(
        self,
        spans: Sequence[Span],
        sampling: Sampling,
        guide: Guide | None = None,
        cancel: threading.Event | None = None,
        *,
        caller: str = "",
    ) -> Generation:
        """Start a response; where requests wait, callers take turns."""
