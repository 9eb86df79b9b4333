"""One request on its way from the waiting line to its last token."""

import math
import threading
from dataclasses import dataclass, field

from reasoning_core.cache_pool import CacheEntry
from reasoning_core.conversation import Conversation
from reasoning_core.core import Guide
from reasoning_core.drafting import AskedOnce, Drafter
from reasoning_core.sampling import Sampler, Sampling
from reasoning_core.streaming import TokenStream


@dataclass(frozen=True, slots=True)
class Request:
    """What a response is written to, and how; `room` is how many tokens it may have.

    Callers take turns in the waiting line; `deadline_s` is a time of the scheduler's clock.
    """

    conversation: Conversation
    sampling: Sampling
    room: int
    guide: Guide | None = None
    cancel: threading.Event | None = None
    caller: str = ""
    deadline_s: float = math.inf

    @property
    def most_tokens(self) -> int:
        """How long conversation and response together can become."""
        return len(self.conversation.tokens) + self.room


@dataclass(slots=True, eq=False)
class Session:
    """A request being answered; used by the scheduler's thread alone, but for the stream."""

    request: Request
    stream: TokenStream
    submitted_s: float
    sampler: Sampler = field(init=False)
    guide: Guide | None = field(init=False)
    drafter: Drafter | None = None
    entry: CacheEntry | None = None
    admitted_s: float = 0.0
    written: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sampler = Sampler(self.request.sampling)
        self.guide = AskedOnce(self.request.guide) if self.request.guide is not None else None

    @property
    def is_cancelled(self) -> bool:
        cancel = self.request.cancel
        return self.stream.is_closed or (cancel is not None and cancel.is_set())

    @property
    def room_left(self) -> int:
        return self.request.room - len(self.written)

    @property
    def cache(self) -> CacheEntry:
        assert self.entry is not None, "a session has a cache from its admission on"
        return self.entry
