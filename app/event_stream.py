"""Answers that are read beside the event loop, and stopped as soon as their caller has gone.

The core works on its own thread and is waited for on others, apart from those that answer the rest of the API: a full
waiting line must not keep anyone from `/healthz`. A caller who leaves is noticed while nothing is sent at all.
"""

import asyncio
import json
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Generator
from typing import Any, Generic, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.responses import StreamingResponse

from app.errors import AppError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
_THREADS = 128
_PATIENCE_S = 1.0


class Attended(Generic[Item]):
    """The items of a blocking generator, for a caller who may leave: then `cancel` is set and the rest is not made."""

    def __init__(
        self, items: Generator[Item, None, None], request: Request, cancel: threading.Event, threads: CapacityLimiter
    ) -> None:
        self._items, self._cancel, self._threads = items, cancel, threads
        self._watch = asyncio.create_task(_set_when_gone(cancel, request))
        self._next = asyncio.create_task(self._take())

    async def begun(self) -> None:
        """Wait for the first item, but not long; what is refused until then can still be refused by a status.

        Raises:
            AppError: the answer was refused.
        """
        await asyncio.wait({self._next}, timeout=_PATIENCE_S)
        if self._next.done():
            self._next.result()

    async def __aiter__(self) -> AsyncIterator[Item]:
        try:
            while (item := await asyncio.shield(self._next)) is not None:
                self._next = asyncio.create_task(self._take())
                yield item
        finally:
            self._cancel.set()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({self._next})
                await to_thread.run_sync(self._items.close, limiter=self._threads)
            self._watch.cancel()

    async def _take(self) -> Item | None:
        return await to_thread.run_sync(next, self._items, None, limiter=self._threads)


def new_threads() -> CapacityLimiter:
    """Return room for as many answers as may run and wait at once."""
    return CapacityLimiter(_THREADS)


def event_stream(chunks: AsyncIterator[dict[str, Any] | None]) -> StreamingResponse:
    """Return server-sent events, one for each chunk, a comment for None; an error that comes late is an event too."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(chunks), media_type="text/event-stream", headers=headers)


def error_body(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """Return an error as OpenAI's clients read it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"message": message, "type": kind, "param": param, "code": code}


async def _events(chunks: AsyncIterator[dict[str, Any] | None]) -> AsyncIterator[str]:
    try:
        async for chunk in chunks:
            yield ": reading\n\n" if chunk is None else _event(chunk)
        yield "data: [DONE]\n\n"
    except AppError as refusal:
        yield _event({"error": error_body(refusal.status, refusal.code, str(refusal))})
    except Exception as error:
        error_id = secrets.token_hex(4)
        log.error("a stream failed", exc_info=error, extra={"error_id": error_id})
        message = f"Something went wrong (error {error_id}); the log says more."
        yield _event({"error": error_body(500, "error", message) | {"id": error_id}})


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


async def _set_when_gone(cancel: threading.Event, request: Request) -> None:
    """Wait for the end of the connection; the body was read before, so that nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    cancel.set()
