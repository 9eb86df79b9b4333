"""The edge of the pages: whatever a handler raises becomes one sentence, with an id where the fault is ours."""

import functools
import inspect
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr

from app.errors import AppError

log = logging.getLogger(__name__)

Handler = Callable[..., Any]


def edge(handler: Handler) -> Handler:
    """Wrap a page handler that returns once."""
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def awaiting(*args: Any) -> Any:
            try:
                return await handler(*args)
            except Exception as error:
                raise _shown(error) from error

        return awaiting

    @functools.wraps(handler)
    def calling(*args: Any) -> Any:
        try:
            return handler(*args)
        except Exception as error:
            raise _shown(error) from error

    return calling


def streaming_edge(handler: Handler) -> Handler:
    """Wrap a page handler that yields."""

    @functools.wraps(handler)
    async def streaming(*args: Any) -> AsyncIterator[Any]:
        try:
            async for updates in handler(*args):
                yield updates
        except Exception as error:
            raise _shown(error) from error

    return streaming


def _shown(error: Exception) -> gr.Error:
    if isinstance(error, AppError):
        return gr.Error(str(error), print_exception=False)
    error_id = secrets.token_hex(4)
    log.exception("page handler failed, error %s", error_id)
    return gr.Error(f"Something went wrong; nothing was lost. Error {error_id}.", print_exception=False)
