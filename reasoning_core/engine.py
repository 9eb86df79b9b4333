"""The engine: one model, one thread that runs it, many sessions (DESIGN 3.4).

Whoever asks lays out the conversation on their own thread and hands it to the scheduler's; tokens come back through a
stream. More requests than can be answered at once wait in line, up to a bound; more than that are told to come back,
and when. The thread starts with the first request and ends with the engine.
"""

import logging
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

from reasoning_core.cache_pool import CachePool
from reasoning_core.checkpoint import Checkpoint
from reasoning_core.conversation import Conversation
from reasoning_core.core import BusyError, ContextOverflow, Core, DeadlinePassed, Generation, Guide, Usage
from reasoning_core.decoding import Decoder
from reasoning_core.layout import Span
from reasoning_core.load import Load
from reasoning_core.sampling import Sampling
from reasoning_core.scheduler import Scheduler
from reasoning_core.session import Request, Session
from reasoning_core.streaming import TokenStream

__all__ = ["BusyError", "ContextOverflow", "Core", "DeadlinePassed", "Engine", "Generation", "Guide", "Usage"]

log = logging.getLogger(__name__)

Inbox = SimpleQueue[Session | None]

_LONGEST_PASS_S = 60.0


class EngineStopped(RuntimeError):
    """The engine was closed, or its model failed, before the response was finished."""


class Engine:
    """Serves one checkpoint.

    `cache_bytes` is the budget of all caches together, `max_sessions` how many responses are written at once,
    `max_waiting` how many more may wait, `deadline_s` how long a request may take where it does not say, and
    `drafted_tokens` how many tokens a step may guess ahead for all sessions together; 0 guesses none.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        cache_bytes: int = 512 << 20,
        max_sessions: int = 16,
        max_waiting: int = 64,
        deadline_s: float = 120.0,
        drafted_tokens: int = 16,
    ) -> None:
        self.name = f"{checkpoint.name}@{checkpoint.sha256[:12]}"
        self.tokenizer = checkpoint.tokenizer
        self.max_tokens = checkpoint.model.config.max_position_embeddings
        self._layout = checkpoint.model.config.layout
        self._deadline_s = deadline_s
        self._places = _Places(max_sessions, max_waiting)
        self._decoder = decoder = Decoder(checkpoint.model)
        self._scheduler = Scheduler(
            decoder,
            CachePool(decoder.new_cache, cache_bytes),
            self.tokenizer.eoa_id,
            max_sessions=max_sessions,
            drafted_tokens=drafted_tokens,
            on_end=self._places.leave,
        )
        self._inbox: Inbox = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        # The thread holds the scheduler and not the engine: an engine that nobody holds any more ends it, and so does
        # the end of the program, which must not find it in the middle of a pass.
        self._stop = weakref.finalize(self, _end, self._inbox, self._threads)

    @property
    def load(self) -> Load:
        """What the engine is doing and has done, at this moment."""
        load = self._scheduler.load
        return replace(load, first_tokens=list(load.first_tokens))

    def generate(
        self,
        spans: Sequence[Span],
        sampling: Sampling,
        guide: Guide | None = None,
        cancel: threading.Event | None = None,
        *,
        caller: str = "",
        deadline_s: float | None = None,
    ) -> Generation:
        """Start a response to `spans`, which end in a prompt block; callers take turns where requests wait.

        Raises:
            ValueError: `spans` do not end in a prompt block.
            BusyError: too many requests wait.
            ContextOverflow: the current turn alone leaves no room for an answer.
            EngineStopped: the engine is closed.
        """
        conversation = Conversation.fitting(spans, self._layout, self.max_tokens, sampling.max_new_tokens)
        room = min(sampling.max_new_tokens, self.max_tokens - len(conversation.tokens))
        now = time.monotonic()
        deadline_s = now + (self._deadline_s if deadline_s is None else deadline_s)
        request = Request(conversation, sampling, room, guide, cancel, caller, deadline_s)
        with self._lock:
            thread = self._running_thread()
            self._places.enter(self._scheduler.load)
            usage = Usage(len(conversation.tokens), 0, conversation.turns_left_out)
            stream = TokenStream(thread.ident, usage, source=self)
            self._inbox.put(Session(request, stream, now))
        return Generation(stream, stream.usage, stream.close, stream.log_probabilities)

    def warm_up(self) -> None:
        """Wait until the fastest forward pass is ready, or has been given up; nobody has to."""
        self._decoder.warm_up()

    def close(self) -> None:
        """End every response with `EngineStopped`, and the thread; return when that is done."""
        with self._lock:
            self._stop()

    def _running_thread(self) -> threading.Thread:
        if not self._stop.alive:
            raise EngineStopped(f"the engine of {self.name} is closed: open the core again")
        if not self._threads:
            work = (self._inbox, self._scheduler)
            # A daemon, because the interpreter waits for other threads before it lets anything end them.
            self._threads.append(threading.Thread(target=_serve, args=work, name=f"engine {self.name}", daemon=True))
            self._threads[0].start()
        return self._threads[0]


class _Places:
    """Counts those who are being answered or wait."""

    def __init__(self, max_sessions: int, max_waiting: int) -> None:
        self._max_sessions, self._max_waiting = max_sessions, max_waiting
        self._lock = threading.Lock()
        self._taken = 0

    def enter(self, load: Load) -> None:
        with self._lock:
            if self._taken >= self._max_sessions + self._max_waiting or not self._max_sessions:
                reason = f"{self._taken} answers are being written or wait"
                raise BusyError(reason, load.retry_after_s(self._max_sessions))
            self._taken += 1

    def leave(self) -> None:
        with self._lock:
            self._taken -= 1


def _end(inbox: Inbox, threads: list[threading.Thread]) -> None:
    """Let the thread of an engine end behind the pass that it is in, and wait for that."""
    inbox.put(None)
    for thread in threads:
        # What nobody holds may be cleared away on any thread, on this one too.
        if thread is not threading.current_thread():
            thread.join(_LONGEST_PASS_S)


def _serve(inbox: Inbox, scheduler: Scheduler) -> None:
    """Run the scheduler for what comes through the inbox, until None comes."""
    while (session := inbox.get()) is not None:
        scheduler.submit(session)
        try:
            while scheduler.run_pass():
                if not _submit_all(inbox, scheduler):
                    scheduler.fail(EngineStopped("the engine was closed before the answer was finished"))
                    return
        except BaseException as crash:  # whatever it is: a thread that ended here would leave its readers waiting
            log.error("a forward pass failed", exc_info=crash)
            failure = EngineStopped(f"the core failed while it answered: {str(crash) or type(crash).__name__}")
            failure.__cause__ = crash
            scheduler.fail(failure)


def _submit_all(inbox: Inbox, scheduler: Scheduler) -> bool:
    """Hand over what has come meanwhile; return whether the engine is to go on."""
    while True:
        try:
            session = inbox.get_nowait()
        except Empty:
            return True
        if session is None:
            return False
        scheduler.submit(session)
