"""Asking: from a question to a stored answer whose citations are the documents' own bytes.

One transaction before the core reads, one after, none while it writes. What the core is given, in which numbering, is
decided in `app.context`; how an answer is stored, in `app.answers`.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Protocol

from sqlalchemy import select as select_rows
from sqlalchemy.orm import Session

from app.access import require
from app.answers import StoredAnswer, answer_records, past_turns
from app.asking import Ask, chat_events, nothing_found, remembered
from app.citations import verified_spans, without_unverified
from app.context import NumberedPassage, Numbering, PastTurn, fitting, prompt_turns, select
from app.conversations import new_conversation, owned_conversation
from app.database import Database, utc_now
from app.errors import Busy, Conflict, InvalidRequest, TooLarge, Unavailable
from app.identity import current_user
from app.jobs import is_gone, this_process
from app.names import clean_text
from app.records import Answered, AnswerRecord, ChatEvent, Hit, Permission, Stage, TokenCounts, User, WorkedLine
from app.schema import StoredMessage
from app.search import Search
from app.settings import Settings
from reasoning_core.engine import BusyError, ContextOverflow
from reasoning_core.prompt import Passage, Turn
from reasoning_core.reader import Answer, ReaderEvent
from reasoning_core.remote import CoreRefused, CoreUnreachable
from reasoning_core.response import Response

_LONGEST_ANSWER = timedelta(minutes=15)
_HISTORY_SHARES = (1.0, 0.5, 0.0)  # of the context budget, where a core's context proves to be shorter
_NOT_FINISHED = "The answer was not finished; ask again."


class Reader(Protocol):
    """What reads passages and answers: `reasoning_core.reader.Reader`."""

    core: str

    def read(
        self,
        history: Sequence[Turn],
        question: str,
        passages: Sequence[Passage],
        cancel: threading.Event | None = None,
        *,
        caller: str = "",
    ) -> Iterator[ReaderEvent]: ...


class Chat:
    """Answers questions; `reader` gives the reader of the core that serves at that moment."""

    def __init__(self, database: Database, search: Search, reader: Callable[[], Reader], settings: Settings) -> None:
        self._database = database
        self._search = search
        self._reader = reader
        self._settings = settings

    def ask(
        self,
        actor: User,
        question: str,
        conversation: str | None = None,
        collection: str | None = None,
        cancel: threading.Event | None = None,
        said: Sequence[tuple[str, str]] = (),
    ) -> Generator[ChatEvent, None, None]:
        """Answer a question, in a new conversation where none is named; the last event is always `Answered`.

        `said` are questions and answers that a program brings along in place of a stored conversation. Set `cancel`,
        or close the iterator, to stop: what was written so far is stored as stopped.

        Raises:
            InvalidRequest: the question is empty or too long.
            NotFound: the conversation or collection is not there, or not theirs.
            Conflict: an answer is being written in this conversation.
            Busy: the core takes no more questions now.
        """
        question = self._valid(question)
        asked = self._open(actor, question, conversation, cancel or threading.Event())
        asked.past += [PastTurn((), clean_text(before), Response((), clean_text(answer))) for before, answer in said]
        try:
            yield Stage("searching")
            hits = self._find(asked, collection)
            yield Stage("reading")
            record = yield from self._answer(asked, hits)
            yield Answered(record)
        finally:
            if not asked.is_stored:
                self._abandon(asked)

    def _valid(self, question: str) -> str:
        limit = self._settings.question_chars
        if len(question) > limit:
            raise TooLarge(f"The question has {len(question)} characters: ask in at most {limit}.")
        question = clean_text(question)
        if not question:
            raise InvalidRequest("The question is empty: write what you want to know.")
        return question

    def _open(self, actor: User, question: str, conversation: str | None, cancel: threading.Event) -> Ask:
        with self._database.write() as session:
            actor = current_user(session, actor)
            require(actor, Permission.CHAT)
            if conversation is None:
                owned = new_conversation(session, actor, question)
            else:
                owned = owned_conversation(session, actor, conversation)
                session.refresh(owned, with_for_update=True)
            messages = session.scalars(
                select_rows(StoredMessage).where(StoredMessage.conversation_id == owned.id).order_by(StoredMessage.id)
            ).all()
            _close_abandoned(messages)
            row = StoredMessage(
                conversation_id=owned.id,
                question=question,
                state="running",
                owner=this_process(),
                asked_at=utc_now(),
            )
            session.add(row)
            session.flush()
            return Ask(actor, question, row.id, owned.id, past_turns(session, actor, messages), cancel)

    def _find(self, asked: Ask, collection: str | None) -> Sequence[Hit]:
        limit = 3 * self._settings.passages_per_question  # some are in the context already, or say the same
        found = self._search.search(asked.actor, asked.query, limit, collection)
        asked.generation, asked.found_at = found.generation, time.monotonic()
        return found.hits

    def _answer(self, asked: Ask, hits: Sequence[Hit]) -> Generator[ChatEvent, None, AnswerRecord]:
        if not hits and not asked.past:
            return self._store(asked, nothing_found(), Numbering({}), {})
        reader = self._reader()
        asked.core = reader.core
        for share in _HISTORY_SHARES:
            turns = fitting(asked.past, int(self._settings.history_chars * share))
            try:
                return (yield from self._read(asked, reader, turns, hits))
            except ContextOverflow:
                continue
        raise TooLarge("The question and its passages are more than this core can read: ask a shorter question.")

    def _read(
        self, asked: Ask, reader: Reader, turns: Sequence[PastTurn], hits: Sequence[Hit]
    ) -> Generator[ChatEvent, None, AnswerRecord]:
        in_context = [(passage, text) for turn in turns for passage, text in turn.passages if text]
        asked.selection = select(
            asked.query.text,
            hits,
            [passage for passage, _ in in_context],
            asked.earlier(),
            limit=self._settings.passages_per_question,
            window_chars=self._settings.window_chars,
        )
        new = asked.selection.new
        history, numbering = prompt_turns(turns, [passage for passage, _ in new])
        shown = {passage.n: (passage, text) for passage, text in (*in_context, *new)}
        answer: Answer | None = None
        try:
            texts = [text for _, text in new]
            for event in reader.read(history, asked.question, texts, asked.cancel, caller=str(asked.actor.id)):
                if isinstance(event, Answer):
                    answer = event
                else:
                    yield from chat_events(asked, event, numbering)
        except BusyError as error:
            wait = f"try again in {error.retry_after_s} s"
            raise Busy(f"The core is answering as many questions as it can: {wait}.", error.retry_after_s) from error
        except CoreRefused as refusal:
            raise InvalidRequest(f"{refusal}.") from refusal
        except CoreUnreachable as error:
            raise Unavailable(f"{error}.") from error
        assert answer is not None, "a reader's last event is an Answer"
        yield Stage("checking")
        asked.turns_left_out = len(asked.past) - len(turns) + answer.turns_left_out
        return self._store(asked, answer, numbering, shown)

    def _store(
        self,
        asked: Ask,
        answer: Answer,
        numbering: Numbering,
        shown: dict[int, tuple[NumberedPassage, Passage]],
    ) -> AnswerRecord:
        """Verify every citation against the stored bytes, and keep the answer."""
        with self._database.write() as session:
            actor = current_user(session, asked.actor)
            spans, problems = verified_spans(session, actor, answer.citations, numbering, shown)
            found = (*asked.selection.known, *(passage for passage, _ in asked.selection.new))
            cited = [shown[n][0] for n in sorted({span.n for span in spans} - {passage.n for passage in found})]
            stored = StoredAnswer(
                text=without_unverified(numbering.for_people(answer.text), spans),
                kind=answer.kind,
                verified=answer.verified and not problems,
                problems=(*map(numbering.for_people, answer.problems), *problems),
                working=tuple(
                    WorkedLine(numbering.for_people(verdict.line), verdict.holds, numbering.for_people(verdict.reason))
                    for verdict in answer.working
                ),
                passages=(*found, *cited),
                new=tuple(passage.n for passage, _ in asked.selection.new),
                citations=spans,
                response=remembered(answer, numbering),
                core=answer.core,
                generation=asked.generation,
                timings_ms=asked.timings_ms(),
                confidence=answer.confidence,
                tokens=TokenCounts(answer.prompt_tokens, answer.cached_tokens, answer.new_tokens),
                turns_left_out=asked.turns_left_out,
            )
            record = _keep(session, actor, asked, stored)
        asked.is_stored = True
        return record

    def _abandon(self, asked: Ask) -> None:
        """Keep what was written of an answer that was closed or that failed."""
        asked.cancel.set()
        with self._database.write() as session:
            row = session.get(StoredMessage, asked.message_id)
            if row is None or row.state != "running":
                return
            if not asked.text:
                row.state, row.error = "failed", _NOT_FINISHED
                return
            partial = StoredAnswer(
                text=asked.text,
                kind="stopped",
                verified=False,
                problems=("the answer was stopped",),
                working=tuple(asked.working),
                passages=tuple(passage for passage, _ in asked.selection.new),
                new=tuple(passage.n for passage, _ in asked.selection.new),
                citations=(),
                response=Response(tuple(line.line for line in asked.working), asked.text),
                core=asked.core,
                generation=asked.generation,
                timings_ms=asked.timings_ms(),
            )
            _keep(session, asked.actor, asked, partial)


def _close_abandoned(messages: Iterable[StoredMessage]) -> None:
    """Fail what a dead process has left running.

    Raises:
        Conflict: an answer is being written by a live one.
    """
    for row in messages:
        if row.state != "running":
            continue
        if not is_gone(row.owner) and utc_now() - row.asked_at < _LONGEST_ANSWER:
            raise Conflict("An answer is still being written in this conversation: stop it, or wait for it.")
        row.state, row.error = "failed", _NOT_FINISHED


def _keep(session: Session, actor: User, asked: Ask, stored: StoredAnswer) -> AnswerRecord:
    row = session.get_one(StoredMessage, asked.message_id)
    row.state, row.answer, row.answered_at = "done", stored.to_json(), utc_now()
    owned_conversation(session, actor, asked.conversation).updated_at = utc_now()
    session.flush()
    return answer_records(session, actor, [row])[row.id]
