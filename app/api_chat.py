"""The OpenAI-compatible routes: chat completions and models, and an opinion on an answer.

What has not passed its checks never leaves here: a stream is kept open with comments while the core reads, and carries
the finished answer. Beside the protocol's fields stand `citations`, `working`, `verified` and `conversation`; send the
latter back to follow up. Without it, earlier messages of the request are the conversation.
"""

import threading
from collections.abc import AsyncIterator, Generator
from contextlib import closing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.callers import caller_with
from app.completion import MODEL, CompletionRequest, Reply
from app.errors import NotFound
from app.event_stream import Attended, event_stream, new_threads
from app.records import Answered, AnswerRecord, ChatEvent, Stage, User
from app.services import Services


class Opinion(BaseModel):
    liked: bool
    comment: str = ""


def chat_routes(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    caller = caller_with(services.keys, "chat")
    caller_type = Annotated[User, Depends(caller)]
    threads = new_threads()

    @routes.get("/models", dependencies=[Depends(caller)])
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model()]}

    @routes.get("/models/{name}", dependencies=[Depends(caller)])
    def model(name: str) -> dict[str, Any]:
        _check_model(name)
        return _model()

    @routes.post("/chat/completions")
    async def complete(body: CompletionRequest, request: Request, user: caller_type) -> Response:
        _check_model(body.model)
        body.check()
        question, said = body.question()
        cancel = threading.Event()
        events = services.chat.ask(user, question, body.conversation, body.collection, cancel, said)
        answer = Attended(_without_stages(events), request, cancel, threads)
        if body.stream:
            await answer.begun()
            return event_stream(_chunks(answer, body, services))
        *_, last = [event async for event in answer]
        assert isinstance(last, Answered), "an answer ends with its record"
        return JSONResponse((await _reply(body, last.record, services)).whole())

    @routes.post("/answers/{answer_id}/feedback", status_code=204)
    def rate(answer_id: int, opinion: Opinion, user: caller_type) -> None:
        services.conversations.rate(user, answer_id, liked=opinion.liked, comment=opinion.comment)

    return routes


def _without_stages(events: Generator[ChatEvent, None, None]) -> Generator[ChatEvent, None, None]:
    """Yield what the core has said, so that the first event comes when a core has taken the question."""
    with closing(events):
        yield from (event for event in events if not isinstance(event, Stage))


async def _chunks(
    answer: Attended[ChatEvent], body: CompletionRequest, services: Services
) -> AsyncIterator[dict[str, Any] | None]:
    async for event in answer:
        if not isinstance(event, Answered):
            yield None
            continue
        for chunk in (await _reply(body, event.record, services)).chunks(wants_usage=body.wants_usage):
            yield chunk


async def _reply(body: CompletionRequest, record: AnswerRecord, services: Services) -> Reply:
    def cut(text: str, tokens: int) -> str:
        tokenizer = services.core().tokenizer
        return tokenizer.decode(tokenizer.encode(text)[:tokens]).rstrip("\ufffd")

    return await run_in_threadpool(Reply.to, body, record, cut)


def _model() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": "precept"}


def _check_model(name: str) -> None:
    if name != MODEL:
        raise NotFound(f"There is no model {name[:80]!r}: use {MODEL!r}.")
