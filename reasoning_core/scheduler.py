"""Continuous batching: which session's tokens each forward pass computes. Used by one thread alone.

A pass lets go of those who left, admits from the line, reads at most one prompt (whole: a prompt block is never split)
and then takes the next token of every session that has begun, in one step of the decoder. So a long prompt delays the
running sessions by one prefill and no more, and a session that is left, cancelled or late is gone before the next step.

What is written is what the logits of a full forward pass over the conversation alone would choose. Batches, caches and
drafts only round differently; where the best two tokens are so close that rounding could decide, the conversation is
computed anew in one pass of its own, and that pass decides.
"""

import time
from collections.abc import Callable

from torch import Tensor

from reasoning_core.cache_pool import CachePool
from reasoning_core.core import ContextOverflow, DeadlinePassed, Usage
from reasoning_core.decoding import Decoder
from reasoning_core.drafting import Drafter
from reasoning_core.load import Load
from reasoning_core.sampling import log_probability
from reasoning_core.session import Session
from reasoning_core.waiting_line import WaitingLine

CLOSE_CALL = 1e-3
"""Logits: twice what any two ways of computing one differ by, with room to spare (measured in the tests)."""


class Scheduler:
    """The sessions of one decoder.

    `drafted_tokens` of drafts are shared by the sessions of a step: the fewer there are, the cheaper is one more token.
    """

    def __init__(
        self,
        decoder: Decoder,
        pool: CachePool,
        end_token: int,
        *,
        max_sessions: int,
        drafted_tokens: int = 16,
        on_end: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._decoder, self._pool = decoder, pool
        self._end_token, self._max_sessions, self._drafted_tokens = end_token, max_sessions, drafted_tokens
        self._on_end, self._clock = on_end, clock
        self._line = WaitingLine()
        self._admitted: list[Session] = []
        self._begun: list[Session] = []
        self.load = Load()

    def submit(self, session: Session) -> None:
        """Put a session at the end of its caller's line."""
        self._line.add(session)

    def run_pass(self) -> bool:
        """Do one round of work and return whether there is more.

        Raises whatever the decoder raises; then no session can go on, and `fail` must be called.
        """
        self._let_go()
        self._admit()
        self._begin_next()
        self._step()
        self._note_load()
        return bool(self._line or self._admitted or self._begun)

    def fail(self, error: BaseException) -> None:
        """End every session with an error and forget all caches."""
        sessions = [*self._line, *self._admitted, *self._begun]
        self._pool.forget_all()
        for session in sessions:
            session.entry = None
            self._end(session, error)
        self._note_load()

    def _let_go(self) -> None:
        now = self._clock()
        for session in [*self._line, *self._admitted, *self._begun]:
            if session.is_cancelled:
                self.load.cancelled += 1
                self._end(session)
            elif now > session.request.deadline_s:
                self.load.late += 1
                waited = round(now - session.submitted_s)
                reason = f"the answer was not finished within {waited} s"
                self._end(session, DeadlinePassed(reason, self.load.retry_after_s(self._max_sessions)))

    def _admit(self) -> None:
        while len(self._admitted) + len(self._begun) < self._max_sessions:
            session = self._line.first()
            if session is None:
                return
            conversation = session.request.conversation
            try:
                entry = self._pool.take(conversation.tokens, conversation.blocks, session.request.most_tokens)
            except ContextOverflow as overflow:
                self._end(session, overflow)
                continue
            if entry is None:
                return  # Those behind it may need less, but then a large one would wait for ever.
            self._line.remove(session)
            self._admitted.append(session)
            session.entry, session.admitted_s = entry, self._clock()
            cached = len(entry.tokens)
            self.load.hits += cached > 0
            self.load.prompt_tokens += len(conversation.tokens)
            self.load.cached_tokens += cached
            session.stream.begin(Usage(len(conversation.tokens), cached, conversation.turns_left_out))

    def _begin_next(self) -> None:
        """Begin every response whose prompt is cached whole, and the first of the others."""
        has_computed = False
        for session in tuple(self._admitted):
            conversation, entry = session.request.conversation, session.cache
            cached = len(entry.tokens)
            if cached == len(conversation.tokens):
                logits_V = entry.prompt_logits_V
                assert logits_V is not None, "a prompt is whole in a cache only with the logits behind it"
            elif has_computed:
                continue
            else:
                has_computed = True
                logits_V = self._decoder.prefill(conversation.tokens, conversation.row, entry.cache)
                entry.hold(conversation.tokens[cached:], conversation.blocks[cached:])
                entry.end_prompt(logits_V)
                self.load.computed_tokens += len(conversation.tokens) - cached
            self._admitted.remove(session)
            self._begun.append(session)
            self._write(session, logits_V[None])

    def _step(self) -> None:
        """Feed every session its newest token, and a draft of what follows."""
        sessions = tuple(self._begun)
        if not sessions:
            return
        news = [[session.written[-1], *self._drafted(session, len(sessions))] for session in sessions]
        rows = self._decoder.step(news, [session.cache.cache for session in sessions])
        self.load.steps += 1
        for session, new, logits_TV in zip(sessions, news, rows, strict=True):
            session.cache.hold(new, [-1] * len(new))
            before = len(session.written)
            self._write(session, logits_TV)
            self._note_draft(session, len(new) - 1, len(session.written) - before - 1)

    def _drafted(self, session: Session, num_sessions: int) -> list[int]:
        most = min(self._drafted_tokens // num_sessions, session.room_left - 1)
        if most < 1:
            return []
        if session.drafter is None:
            session.drafter = Drafter(session.request.conversation.tokens, session.guide)
        try:
            return session.drafter.draft(session.written, most)
        except Exception:  # noqa: BLE001 - a guide that fails here fails again where the token is chosen
            return []

    def _note_draft(self, session: Session, num_drafted: int, num_kept: int) -> None:
        self.load.computed_tokens += 1 + num_drafted
        self.load.drafted_tokens += num_drafted
        # Behind the last draft kept, the pass gave one token more; a response that ended may not have needed it.
        kept = max(0, min(num_drafted, num_kept))
        self.load.kept_tokens += kept
        if session.drafter is not None:
            session.drafter.learn(num_drafted, kept)

    def _write(self, session: Session, logits_TV: Tensor) -> None:
        """Choose the token behind each of those fed, as long as those fed behind it prove to be the ones chosen."""
        for logits_V in logits_TV:
            try:
                token, said = self._choose(session, logits_V)
            except Exception as error:  # noqa: BLE001 - a guide's mistake is raised again where the response is read
                self._end(session, error)
                return
            if not session.written:
                self.load.note_first_token(self._clock() - session.submitted_s)
            session.written.append(token)
            session.stream.write(token, said)
            self.load.new_tokens += 1
            if token == self._end_token or len(session.written) == session.request.room:
                self.load.note_answer(self._clock() - session.admitted_s)
                self._end(session)
                return
            if not self._holds(session, token):
                return

    def _holds(self, session: Session, token: int) -> bool:
        """Return whether the token just written was fed already, as a draft; if not, forget what was in its place."""
        place, held = len(session.request.conversation.tokens) + len(session.written) - 1, session.cache.tokens
        if place < len(held) and held[place] == token:
            return True
        session.cache.crop(place)
        return False

    def _choose(self, session: Session, logits_V: Tensor) -> tuple[int, float]:
        guide, place = session.guide, len(session.written)
        allowed = guide.allowed(session.written) if guide is not None else None
        choice = session.sampler.choose(logits_V, place, allowed)
        if choice.margin < CLOSE_CALL:
            logits_V = self._computed_anew(session)
            choice = session.sampler.choose(logits_V, place, allowed)
        return choice.token, log_probability(logits_V, choice.token)

    def _computed_anew(self, session: Session) -> Tensor:
        """Return the logits behind what is written by one pass over all of it, in the session's own cache."""
        tokens, row = session.request.conversation.followed_by(session.written)
        entry = session.cache
        entry.crop(0)
        logits_V = self._decoder.prefill(tokens, row, entry.cache)
        entry.hold(tokens, row.block_T.tolist())
        self.load.close_calls += 1
        self.load.computed_tokens += len(tokens)
        return logits_V

    def _end(self, session: Session, error: BaseException | None = None) -> None:
        """Free the session first, so that whoever waits for its end finds room."""
        for sessions in (self._admitted, self._begun):
            if session in sessions:
                sessions.remove(session)
        if session in self._line:
            self._line.remove(session)
        if session.entry is not None:
            self._pool.give_back(session.entry)
            session.entry = None
        self.load.failed += error is not None
        self._on_end()
        session.stream.end(error)

    def _note_load(self) -> None:
        self.load.running, self.load.waiting = len(self._admitted) + len(self._begun), len(self._line)
        self.load.running_bytes, self.load.idle_bytes = self._pool.running_bytes, self._pool.idle_bytes
        self.load.evictions = self._pool.evictions
