"""The core itself, by token ids, for another Precept or a program of an engineer: nothing is retrieved or checked here.

`/v1/core` describes it, `/v1/completions` lets it write. A prompt of ids is one prompt block; `spans` says where the
blocks and responses of a longer conversation begin, and `guide` restricts a response as the reader does. Both are ours,
`token_ids` is what vLLM and SGLang call it. Whoever asks needs a key of the scope `core` and has to manage cores.
"""

import threading
import time
import uuid
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.access import require
from app.callers import caller_with
from app.completion import StreamOptions, usage
from app.errors import Busy, InvalidRequest, NotFound, TooLarge, Unavailable
from app.event_stream import Attended, event_stream, new_threads
from app.records import Permission, TokenCounts, User
from app.services import Services
from reasoning_core.core import BusyError, ContextOverflow, Core, Generation, Usage
from reasoning_core.guide import WorkingGuide
from reasoning_core.layout import Span, SpanKind
from reasoning_core.remote import CoreUnreachable
from reasoning_core.sampling import Sampling

_MAX_GUIDE_CHARS = 100_000
_UNSUPPORTED = ("best_of", "echo", "logit_bias", "stop", "suffix", "frequency_penalty", "presence_penalty")


class SpanLength(BaseModel):
    kind: SpanKind
    length: int = Field(ge=1)


class GuideRecipe(BaseModel):
    passages: dict[int, str]
    questions: list[str] | None = None
    must_work: bool = False

    @model_validator(mode="after")
    def _is_small(self) -> "GuideRecipe":
        size = sum(map(len, (*self.passages.values(), *(self.questions or ()))))
        if size > _MAX_GUIDE_CHARS:
            raise ValueError(f"the guide has {size} characters: send at most {_MAX_GUIDE_CHARS}")
        return self


class TokenRequest(BaseModel):
    """A request for a response; temperature 0 is greedy, and the default."""

    model_config = ConfigDict(extra="allow")

    model: str
    prompt: list[int] = Field(min_length=1)
    spans: list[SpanLength] | None = None
    guide: GuideRecipe | None = None
    max_tokens: int = Field(default=192, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    top_p: float = 1.0
    n: int = 1
    logprobs: int | None = Field(default=None, ge=0, le=1)
    stream: bool = False
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _can_be_done(self) -> "TokenRequest":
        if name := next((name for name in _UNSUPPORTED if (self.model_extra or {}).get(name)), None):
            raise ValueError(f"{name} is not supported: leave it out")
        if self.n != 1 or self.top_p != 1:
            raise ValueError("one response is drawn from all tokens: leave n and top_p at 1")
        if self.spans is not None and sum(span.length for span in self.spans) != len(self.prompt):
            raise ValueError(f"the lengths of the spans do not add up to the {len(self.prompt)} ids of the prompt")
        if self.spans is not None and self.spans[-1].kind is not SpanKind.PROMPT:
            raise ValueError("the last span is a response: end the conversation with a prompt block")
        return self

    def conversation(self) -> list[Span]:
        lengths = self.spans or [SpanLength(kind=SpanKind.PROMPT, length=len(self.prompt))]
        ids, spans = iter(self.prompt), []
        for span in lengths:
            spans.append(Span(span.kind, tuple(next(ids) for _ in range(span.length))))
        return spans

    def start(self, core: Core, cancel: threading.Event) -> Generation:
        """Raises InvalidRequest, TooLarge, Busy."""
        size = core.tokenizer.vocabulary_size
        if unknown := next((token for token in self.prompt if not 0 <= token < size), None):
            raise InvalidRequest(f"The prompt holds the id {unknown}: this core knows 0 to {size - 1}.")
        guide = None
        if self.guide is not None:
            recipe = self.guide
            guide = WorkingGuide(core.tokenizer, recipe.passages, recipe.questions, must_work=recipe.must_work)
        sampling = Sampling(self.temperature, self.seed, self.max_tokens)
        return core.generate(self.conversation(), sampling, guide, cancel)


@dataclass(frozen=True, slots=True)
class Written:
    """One more token with its log probability, or the end: why, and what it has cost.

    `text` is empty where a token leaves a character unfinished; the text comes with the token that finishes it.
    """

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    text: str
    finish: str | None = None
    usage: Usage | None = None


def core_routes(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/v1")
    key_owner = caller_with(services.keys, "core")
    threads = new_threads()

    def caller(user: Annotated[User, Depends(key_owner)]) -> None:
        require(user, Permission.MANAGE_CORES)

    @routes.get("/core", dependencies=[Depends(caller)])
    def describe() -> dict[str, Any]:
        core = services.core()
        return {
            "object": "precept.core",
            "id": core.name,
            "max_model_len": core.max_tokens,
            "tokenizer": core.tokenizer.to_json(),
        }

    @routes.post("/completions", dependencies=[Depends(caller)])
    async def complete(body: TokenRequest, request: Request) -> Response:
        cancel = threading.Event()
        written = Attended(_write(body, services, cancel), request, cancel, threads)
        await written.begun()
        if body.stream:
            return event_stream(_chunks(written, body))
        return JSONResponse(_whole([part async for part in written], body))

    return routes


def _write(body: TokenRequest, services: Services, cancel: threading.Event) -> Generator[Written, None, None]:
    core = services.core()
    if body.model != core.name:
        raise NotFound(f"There is no core {body.model[:80]!r}: {core.name!r} serves.")
    try:
        generation = body.start(core, cancel)
        with closing(generation):
            pending, last = list[int](), None
            for last in generation:
                pending.append(last)
                text = core.tokenizer.decode(pending)
                is_whole = not text.endswith("\ufffd")
                yield Written((last,), (generation.log_probabilities[-1],), text if is_whole else "")
                if is_whole:
                    pending.clear()
            finish = "stop" if last == core.tokenizer.eoa_id else "length"
            yield Written((), (), core.tokenizer.decode(pending), finish, generation.usage)
    except BusyError as error:
        raise Busy(f"{error}.", error.retry_after_s) from error
    except ContextOverflow as error:
        raise TooLarge(f"{error}.") from error
    except CoreUnreachable as error:
        raise Unavailable(f"{error}.") from error
    except ValueError as error:
        raise InvalidRequest(f"{error}.") from error


async def _chunks(written: Attended[Written], body: TokenRequest) -> AsyncIterator[dict[str, Any] | None]:
    head, count = _head(body), 0
    async for part in written:
        count += len(part.tokens)
        yield head | {"choices": [_choice([part], part.finish, body)]}
        if part.usage is not None and body.stream_options is not None and body.stream_options.include_usage:
            yield head | {"choices": [], "usage": _usage(part.usage, count)}


def _whole(parts: Sequence[Written], body: TokenRequest) -> dict[str, Any]:
    counts = parts[-1].usage
    assert counts is not None, "the last part says what it has cost"
    count = sum(len(part.tokens) for part in parts)
    return _head(body) | {"choices": [_choice(parts, parts[-1].finish, body)], "usage": _usage(counts, count)}


def _head(body: TokenRequest) -> dict[str, Any]:
    return {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": body.model,
    }


def _choice(parts: Sequence[Written], finish: str | None, body: TokenRequest) -> dict[str, Any]:
    ids = [token for part in parts for token in part.tokens]
    said = [value for part in parts for value in part.log_probabilities]
    names = [f"token_id:{token}" for token in ids]
    told = None if body.logprobs is None else {"tokens": names, "token_logprobs": said, "top_logprobs": None}
    return {
        "index": 0,
        "text": "".join(part.text for part in parts),
        "token_ids": ids,
        "finish_reason": finish,
        "logprobs": told,
    }


def _usage(counts: Usage, written: int) -> dict[str, Any]:
    return usage(TokenCounts(counts.prompt, counts.cached, written))
