"""The OpenAI-compatible routes: chat completions and models, and an opinion on an answer.

What has not passed its checks never leaves here: a stream is kept open with comments while the core reads, and carries
the finished answer. Beside the protocol's fields stand `citations`, `working`, `verified` and `conversation`; send the
latter back to follow up. Without it, earlier messages of the request are the conversation.
"""

import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from itertools import pairwise
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import iterate_in_threadpool

from app.callers import caller_with
from app.errors import InvalidRequest, NotFound
from app.records import Answered, AnswerRecord, ChatEvent, User
from app.services import Services

MODEL = "precept"
_MAX_MESSAGES = 200
_WORDS_PER_CHUNK = 8


class Part(BaseModel):
    """One part of a message; only text is understood."""

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            if unknown := next((part.type for part in self.content if part.type != "text"), None):
                raise InvalidRequest(f"A message part of type {unknown!r} cannot be read: send text.")
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class Completion(BaseModel):
    """A request for an answer; fields of the protocol that do not apply are ignored."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=_MAX_MESSAGES)
    stream: bool = False
    n: int = 1
    conversation: str | None = None
    collection: str | None = None


class Opinion(BaseModel):
    liked: bool
    comment: str = ""


def chat_routes(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    caller = caller_with(services.keys, "chat")
    caller_type = Annotated[User, Depends(caller)]

    @routes.get("/models", dependencies=[Depends(caller)])
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model()]}

    @routes.get("/models/{name}", dependencies=[Depends(caller)])
    def model(name: str) -> dict[str, Any]:
        _check_model(name)
        return _model()

    @routes.post("/chat/completions")
    def complete(request: Completion, user: caller_type) -> Response:
        _check_model(request.model)
        if request.n != 1:
            raise InvalidRequest(f"n is {request.n}: one answer is given to one question.")
        question, said = _question(request)
        cancel = threading.Event()
        events = services.chat.ask(user, question, request.conversation, request.collection, cancel, said)
        first = next(events)  # refusals come before the first event, while a status can still be sent
        if request.stream:
            headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            return StreamingResponse(_stream(events, cancel), media_type="text/event-stream", headers=headers)
        record = next(event.record for event in (first, *events) if isinstance(event, Answered))
        return JSONResponse(_completion(record))

    @routes.post("/answers/{answer_id}/feedback", status_code=204)
    def rate(answer_id: int, opinion: Opinion, user: caller_type) -> None:
        services.conversations.rate(user, answer_id, liked=opinion.liked, comment=opinion.comment)

    return routes


def _question(request: Completion) -> tuple[str, list[tuple[str, str]]]:
    """Return the last message, and the exchanges before it; system messages change nothing here."""
    spoken = [message for message in request.messages if message.role in ("user", "assistant")]
    if not spoken or spoken[-1].role != "user":
        raise InvalidRequest("The last message is not the user's: end the messages with the question.")
    pairs = pairwise(spoken)
    said = [(a.text, b.text) for a, b in pairs if (a.role, b.role) == ("user", "assistant")]
    return spoken[-1].text, said if request.conversation is None else []


async def _stream(events: Iterator[ChatEvent], cancel: threading.Event) -> AsyncIterator[str]:
    """Yield server-sent events; a client that goes away cancels the answer."""
    try:
        async for event in iterate_in_threadpool(events):
            if isinstance(event, Answered):
                for chunk in _chunks(event.record):
                    yield f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
            else:
                yield ": reading\n\n"
        yield "data: [DONE]\n\n"
    finally:
        cancel.set()


def _chunks(record: AnswerRecord) -> Iterator[dict[str, Any]]:
    words = record.text.split(" ")
    pieces = [" ".join(words[i : i + _WORDS_PER_CHUNK]) for i in range(0, len(words), _WORDS_PER_CHUNK)]
    head = _head(record, "chat.completion.chunk")
    yield head | {"choices": [_choice({"role": "assistant", "content": ""}, None)]}
    for index, piece in enumerate(pieces):
        yield head | {"choices": [_choice({"content": piece if index == 0 else f" {piece}"}, None)]}
    yield head | _beside(record) | {"choices": [_choice({}, "stop")]}


def _choice(delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _completion(record: AnswerRecord) -> dict[str, Any]:
    message = {"role": "assistant", "content": record.text, "refusal": None}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return _head(record, "chat.completion") | _beside(record) | {"choices": choices}


def _head(record: AnswerRecord, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{record.id}", "object": kind, "created": int(time.time()), "model": MODEL}


def _beside(record: AnswerRecord) -> dict[str, Any]:
    return {
        "conversation": record.conversation,
        "kind": record.kind,
        "verified": record.verified,
        "problems": list(record.problems),
        "citations": [asdict(citation) for citation in record.citations],
        "working": [asdict(line) for line in record.working],
        "core": record.core,
        "timings_ms": record.timings_ms,
    }


def _model() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": "precept"}


def _check_model(name: str) -> None:
    if name != MODEL:
        raise NotFound(f"There is no model {name[:80]!r}: use {MODEL!r}.")
