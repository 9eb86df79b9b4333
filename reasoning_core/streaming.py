"""The handover of tokens from the scheduler's thread to whoever reads them, who may be slow, or gone.

The writer never waits: a response has a limit of tokens, and that many numbers are kept for a slow reader. The reader
waits for the next token, or for the end.
"""

import threading
from queue import SimpleQueue

from reasoning_core.core import Usage


class TokenStream:
    """The tokens of one response, written by one thread and read by one other.

    `writer` is the identity of the thread that writes; `source` lives until the end is written.
    """

    def __init__(self, writer: int | None, usage: Usage, source: object = None) -> None:
        self._source: object | None = source
        self.is_closed = False
        self.log_probabilities: list[float] = []
        self._writer = writer
        self._usage = usage
        self._error: BaseException | None = None
        self._tokens: SimpleQueue[tuple[int, float] | None] = SimpleQueue()
        self._begun, self._ended = threading.Event(), threading.Event()

    def begin(self, usage: Usage) -> None:
        self._usage = usage
        self._begun.set()

    def write(self, token: int, log_probability: float) -> None:
        self._tokens.put((token, log_probability))

    def end(self, error: BaseException | None = None) -> None:
        """Let the reader's iteration end behind what was written, with an error where there is one."""
        self._error, self._source = error, None
        self._begun.set()
        self._ended.set()
        self._tokens.put(None)

    def __iter__(self) -> "TokenStream":
        return self

    def __next__(self) -> int:
        if self.is_closed:
            raise StopIteration
        written = self._tokens.get()
        if written is None:
            self.is_closed = True
            if self._error is not None:
                raise self._error
            raise StopIteration
        token, log_probability = written
        self.log_probabilities.append(log_probability)
        return token

    def usage(self) -> Usage:
        """Return the counts, once the request has come to the front of the line."""
        if threading.get_ident() != self._writer:
            self._begun.wait()
        return self._usage

    def close(self) -> None:
        """Read no more, and return when the session is free; the scheduler sees it before its next pass."""
        self.is_closed = True
        # A reader that is thrown away may be closed on the writer's own thread, which must not wait for itself.
        if threading.get_ident() != self._writer:
            self._ended.wait()
