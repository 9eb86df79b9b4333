"""A scheduler whose passes a test runs one by one, so that every interleaving can be had again."""

import threading
from collections.abc import Sequence

from reasoning_core.cache_pool import CachePool
from reasoning_core.checkpoint import Checkpoint
from reasoning_core.conversation import Conversation
from reasoning_core.core import Guide, Usage
from reasoning_core.decoding import Decoder
from reasoning_core.layout import Span
from reasoning_core.sampling import Sampling
from reasoning_core.scheduler import Scheduler
from reasoning_core.session import Request, Session
from reasoning_core.streaming import TokenStream


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class ByHand:
    """A checkpoint served without a thread."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        budget_bytes: int = 64 << 20,
        max_sessions: int = 3,
        decoder: Decoder | None = None,
        **options: object,
    ) -> None:
        self.config = checkpoint.model.config
        decoder = decoder or Decoder(checkpoint.model)
        self.pool = CachePool(decoder.new_cache, budget_bytes)
        self.clock = Clock()
        self.scheduler = Scheduler(
            decoder,
            self.pool,
            checkpoint.tokenizer.eoa_id,
            max_sessions=max_sessions,
            clock=self.clock,
            **options,  # type: ignore[arg-type]
        )

    def ask(
        self, spans: Sequence[Span], sampling: Sampling | None = None, guide: Guide | None = None, **rest: object
    ) -> Session:
        """Put a request into the line."""
        sampling = sampling or Sampling()
        most = self.config.max_position_embeddings
        conversation = Conversation.fitting(spans, self.config.layout, most, sampling.max_new_tokens)
        room = min(sampling.max_new_tokens, most - len(conversation.tokens))
        request = Request(conversation, sampling, room, guide, **rest)  # type: ignore[arg-type]
        stream = TokenStream(threading.get_ident(), Usage(len(conversation.tokens), 0, conversation.turns_left_out))
        session = Session(request, stream, self.clock())
        self.scheduler.submit(session)
        return session

    def run(self, passes: int = 10_000) -> int:
        """Run passes until nothing is left to do, or so many; return how many were run."""
        return next((n for n in range(1, passes + 1) if not self.scheduler.run_pass()), passes)

    def write(self, spans: Sequence[Span], sampling: Sampling | None = None, guide: Guide | None = None) -> list[int]:
        """Return a whole response."""
        session = self.ask(spans, sampling, guide)
        self.run()
        return list(session.stream)
