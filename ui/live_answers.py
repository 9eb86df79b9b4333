"""Answers in the making: each runs in its own thread, and any page of its owner may watch or stop it.

A closed tab does not lose the answer: it is finished, stored, and found again when the page is opened.
"""

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from app.errors import AppError
from app.records import Answered, AnswerRecord, ChatEvent, Delta, Stage, User, Worked, WorkedLine

log = logging.getLogger(__name__)

UPDATE_PERIOD_S = 0.1
STAGES = {"searching": "Searching the documents…", "reading": "Reading…", "checking": "Checking the answer…"}


class Asker(Protocol):
    """What answers a question: `services.chat`."""

    def ask(
        self,
        actor: User,
        question: str,
        conversation: str | None = None,
        collection: str | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[ChatEvent]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What can be shown of an answer at one moment."""

    question: str
    stage: str = STAGES["searching"]
    text: str = ""
    working: tuple[WorkedLine, ...] = ()
    record: AnswerRecord | None = None
    refusal: str = ""
    error_id: str = ""
    finished: bool = False


@dataclass(slots=True)
class LiveAnswer:
    """One running answer; only its own thread writes `progress`, and always a whole new one."""

    progress: Progress
    cancel: threading.Event = field(default_factory=threading.Event)

    async def watch(self) -> AsyncIterator[Progress]:
        """Yield the latest progress, at most ten times a second, until the answer is finished."""
        seen: Progress | None = None
        while seen is None or not seen.finished:
            if self.progress is not seen:
                seen = self.progress
                yield seen
            await asyncio.sleep(UPDATE_PERIOD_S)

    def run(self, events: Iterator[ChatEvent]) -> None:
        """Follow `events` to their end; the edge where an unforeseen error becomes a sentence with an id."""
        try:
            for event in events:
                self.progress = _after(self.progress, event)
        except AppError as error:
            self.progress = replace(self.progress, refusal=str(error))
        except Exception:
            error_id = secrets.token_hex(4)
            log.exception("answer failed, error %s", error_id)
            sentence = "Something went wrong while answering. Nothing was lost; please ask again."
            self.progress = replace(self.progress, refusal=sentence, error_id=error_id)
        finally:
            self.progress = replace(self.progress, finished=True)


class LiveAnswers:
    """The running answers of this process, by owner and conversation."""

    def __init__(self, chat: Asker) -> None:
        self._chat = chat
        self._running: dict[tuple[int, str], LiveAnswer] = {}
        self._lock = threading.Lock()

    def start(self, user: User, question: str, conversation: str, collection: str | None) -> LiveAnswer:
        """Begin an answer.

        Raises:
            AppError: the question is not taken; nothing was begun.
        """
        answer = LiveAnswer(Progress(question))
        events = self._chat.ask(user, question, conversation, collection, answer.cancel)
        answer.progress = _after(answer.progress, next(events))
        key = (user.id, conversation)
        with self._lock:
            self._running[key] = answer
        threading.Thread(target=self._follow, args=(key, answer, events), name="answer", daemon=True).start()
        return answer

    def running(self, user: User, conversation: str) -> LiveAnswer | None:
        with self._lock:
            return self._running.get((user.id, conversation))

    def stop(self, user: User, conversation: str) -> LiveAnswer | None:
        """Stop the answer that runs in this user's conversation, if any, and return it."""
        answer = self.running(user, conversation)
        if answer:
            answer.cancel.set()
        return answer

    def stop_all(self) -> None:
        with self._lock:
            for answer in self._running.values():
                answer.cancel.set()

    def _follow(self, key: tuple[int, str], answer: LiveAnswer, events: Iterator[ChatEvent]) -> None:
        try:
            answer.run(events)
        finally:
            with self._lock:
                if self._running.get(key) is answer:
                    del self._running[key]


def _after(progress: Progress, event: ChatEvent) -> Progress:
    match event:
        case Stage(name):
            return replace(progress, stage=STAGES.get(name, name))
        case Delta(text, restart):
            return replace(progress, text=text if restart else progress.text + text)
        case Worked(line, holds, reason):
            return replace(progress, working=(*progress.working, WorkedLine(line, holds, reason)))
        case Answered(record):
            return replace(progress, record=record)
