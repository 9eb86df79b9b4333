"""A core that runs elsewhere: behind another Precept, or behind vLLM or SGLang, by token ids.

Text would be encoded again there, with `<|im_end|>` in a document read as a token; so ids go out, ids come back, and a
server that returns none is refused. What a server computes decides what it is asked:

    server          prompt                                    a later turn                   guide
    Precept         any spans, under the core's own layout    exact                          followed there
    vLLM, SGLang    everything before the response is one     exact for `single_prefix`      left out: the response is
                    bidirectional prefix                      alone, refused for others      free, its checks still hold

One event loop on a thread of its own holds all connections; a reader who leaves closes theirs, which frees the slot.
httpx2 carries it, and not the openai package: the fields that matter here are none of OpenAI's, the rest is one POST.

CoreRefused             what would not be what this core was trained for
CoreUnreachable         the server cannot be reached, or does not answer as it should
"""

import asyncio
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

import httpx2

from reasoning_core.conversation import Conversation
from reasoning_core.core import BusyError, DeadlinePassed, Generation, Guide, Usage
from reasoning_core.guide import WorkingGuide
from reasoning_core.layout import Layout, Span, SpanKind
from reasoning_core.sampling import Sampling
from reasoning_core.served import CoreUnreachable, Served, authorization, refusal
from reasoning_core.server_events import Wire, next_try_s
from reasoning_core.streaming import TokenStream

__all__ = ["CoreRefused", "CoreUnreachable", "RemoteCore", "Served"]

_LOOK_S = 0.05
_CONNECT_S = 10.0


class CoreRefused(ValueError):
    """The server would compute something else than the core was trained for; the message says what to do instead."""


class RemoteCore:
    """Lets a server write; a `Core` as the engine is one."""

    def __init__(self, served: Served, key: str | None = None, *, deadline_s: float = 120.0) -> None:
        self.name = served.name
        self.tokenizer = served.tokenizer
        self.max_tokens = served.max_tokens
        self.is_current = True
        """False as soon as the server said that it serves another core now."""
        self._served, self._deadline_s = served, deadline_s
        # Reading has no limit of its own but the deadline's: a server may let a request wait before its first token.
        timeout = httpx2.Timeout(None, connect=_CONNECT_S)
        self._client = httpx2.AsyncClient(timeout=timeout, limits=httpx2.Limits(), headers=authorization(key))
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def follows_guides(self) -> bool:
        return self._served.layout is None

    def generate(
        self,
        spans: Sequence[Span],
        sampling: Sampling,
        guide: Guide | None = None,
        cancel: threading.Event | None = None,
        *,
        caller: str = "",  # whose turn it is, the server decides by its key
        deadline_s: float | None = None,
    ) -> Generation:
        """Start a response to `spans`, which end in a prompt block.

        Reading it raises `BusyError` where the server stays busy until the deadline, and `CoreUnreachable`.

        Raises:
            ValueError: `spans` do not end in a prompt block.
            ContextOverflow: the current turn alone leaves no room for an answer.
            CoreRefused: the server does not know the layout of this core, or not for a later turn.
        """
        layout = self._served.layout or Layout.TURN_BLOCKS
        conversation = Conversation.fitting(spans, layout, self.max_tokens, sampling.max_new_tokens)
        self._check_layout(conversation)
        prompt = len(conversation.tokens)
        wire = Wire(
            url=self._served.url,
            body=self._body(conversation, sampling, guide),
            usage=Usage(prompt, 0, conversation.turns_left_out),
            tokenizer=self.tokenizer,
        )
        loop, thread = self._running_loop()
        stream = TokenStream(thread.ident, wire.usage)
        ends_s = time.monotonic() + (self._deadline_s if deadline_s is None else deadline_s)
        asyncio.run_coroutine_threadsafe(self._serve(wire, stream, cancel, ends_s), loop)
        return Generation(stream, stream.usage, stream.close, stream.log_probabilities)

    def _check_layout(self, conversation: Conversation) -> None:
        layout, url = self._served.layout, self._served.url
        if layout is Layout.CAUSAL:
            raise CoreRefused(f"{url} reads a prompt in both directions, and this core was trained to read it in one")
        turns = sum(span.kind is SpanKind.PROMPT for span in conversation.spans)
        if layout is Layout.TURN_BLOCKS and turns > 1:
            raise CoreRefused(
                f"{url} reads a whole conversation as one prompt, which this core was not trained for: "
                "start a new conversation for this question, or serve the core with Precept"
            )

    def _body(self, conversation: Conversation, sampling: Sampling, guide: Guide | None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._served.model,
            "prompt": conversation.tokens,
            "max_tokens": min(sampling.max_new_tokens, self.max_tokens - len(conversation.tokens)),
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "logprobs": 1,
            "return_token_ids": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._served.layout is None:
            body["spans"] = [{"kind": span.kind.value, "length": len(span.tokens)} for span in conversation.spans]
            if isinstance(guide, WorkingGuide):
                body["guide"] = guide.recipe
        return body

    def _running_loop(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        with self._lock:
            if self._loop is None or self._thread is None:
                self._loop = asyncio.new_event_loop()
                work = (self._loop, self._client)
                self._thread = threading.Thread(target=_run, args=work, name=f"ask {self.name}", daemon=True)
                self._thread.start()
                # The loop holds this object only while it asks: one that nobody holds any more ends the loop.
                weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)
            return self._loop, self._thread

    async def _serve(self, wire: Wire, stream: TokenStream, cancel: threading.Event | None, ends_s: float) -> None:
        """Write what the server says, until the response ends, its reader leaves or its time is over."""
        answer = asyncio.ensure_future(self._ask(wire, stream, ends_s))
        while not answer.done():
            await asyncio.wait({answer}, timeout=min(_LOOK_S, max(0.0, ends_s - time.monotonic())))
            is_left = stream.is_closed or (cancel is not None and cancel.is_set())
            if not answer.done() and (is_left or time.monotonic() >= ends_s):
                answer.cancel()
                await asyncio.wait({answer})
                stream.end(None if is_left else DeadlinePassed(f"{wire.url} has not finished the answer in time"))
                return
        stream.end(answer.exception())

    async def _ask(self, wire: Wire, stream: TokenStream, ends_s: float) -> None:
        while (wait_s := await self._try(wire, stream, ends_s)) is not None:
            await asyncio.sleep(wait_s)

    async def _try(self, wire: Wire, stream: TokenStream, ends_s: float) -> float | None:
        """Ask once; return in how many seconds to ask again, or None where the response was written.

        Raises:
            BusyError: the server has no room before the deadline.
            CoreUnreachable: it is not there, or breaks off, or says what cannot be understood.
        """
        try:
            async with self._client.stream("POST", f"{wire.url}/completions", json=wire.body) as response:
                if response.status_code in (429, 503):
                    return _before(ends_s, next_try_s(response.headers.get("retry-after")), wire.url)
                if response.status_code != 200:
                    self.is_current = response.status_code != 404
                    raise refusal(wire.url, response.status_code, await response.aread())
                await wire.write(response.aiter_lines(), stream)
        except httpx2.HTTPError as error:
            raise CoreUnreachable(f"{wire.url} cannot be reached: {str(error) or type(error).__name__}") from error
        return None


def _before(ends_s: float, wait_s: int, url: str) -> float:
    if time.monotonic() + wait_s >= ends_s:
        raise BusyError(f"{url} takes no more requests", wait_s)
    return wait_s


def _run(loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.run_until_complete(client.aclose())
    loop.close()
