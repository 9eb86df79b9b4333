"""A chat completion of OpenAI's protocol: what may be asked, and how an answer looks.

A field that would change the form of what the client gets is honoured or refused. One that only says how to sample
has no effect, since answers are read and not sampled, and `ignored` names it in the reply. An answer cut at a stop
sequence or at `max_tokens` is not what was checked: it is not verified, and cites only what is left in it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import InvalidRequest
from app.records import AnswerRecord, TokenCounts

MODEL = "precept"
_MAX_MESSAGES = 200
_WORDS_PER_CHUNK = 8
_CUT = "the answer was cut where the request said so"
_SAMPLING = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "logit_bias")
_UNSUPPORTED = ("tools", "functions", "logprobs", "top_logprobs", "audio", "prediction", "web_search_options")


class Part(BaseModel):
    """One part of a message; only text is understood."""

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            if unknown := next((part.type for part in self.content if part.type != "text"), None):
                raise InvalidRequest(f"A message part of type {unknown!r} cannot be read: send text.")
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool = False


class ResponseFormat(BaseModel):
    type: str


class CompletionRequest(BaseModel):
    """A request for an answer; `conversation` and `collection` are ours."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=_MAX_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = None
    response_format: ResponseFormat | None = None
    conversation: str | None = None
    collection: str | None = None

    def check(self) -> None:
        """Raises InvalidRequest where the reply could not have the form that is asked for."""
        given = self.model_extra or {}
        if name := next((name for name in _UNSUPPORTED if given.get(name)), None):
            raise InvalidRequest(f"{name} is not supported: this model answers with text; leave the field out.")
        if self.n not in (None, 1):
            raise InvalidRequest(f"n is {self.n}: one answer is given to one question.")
        if self.response_format is not None and self.response_format.type != "text":
            raise InvalidRequest(f"response_format {self.response_format.type!r} is not supported: ask for 'text'.")
        if told := next((message.role for message in self.messages if message.role in ("tool", "function")), None):
            raise InvalidRequest(f"A message of the role {told!r} cannot be read: this model calls no tools.")

    @property
    def stops(self) -> list[str]:
        return [text for text in ([self.stop] if isinstance(self.stop, str) else self.stop or []) if text]

    @property
    def limit(self) -> int | None:
        limits = [limit for limit in (self.max_tokens, self.max_completion_tokens) if limit is not None]
        return min(limits, default=None)

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def ignored(self) -> list[str]:
        given = {name for name, value in {**(self.model_extra or {}), **vars(self)}.items() if value is not None}
        told = {message.role for message in self.messages} & {"system", "developer"}
        return [*(name for name in _SAMPLING if name in given), *(f"messages of role {role}" for role in sorted(told))]

    def question(self) -> tuple[str, list[tuple[str, str]]]:
        """Return the last message, and the exchanges before it; messages of one role in a row are one message.

        Raises:
            InvalidRequest: the last message is not the user's, or a part of one is not text.
        """
        spoken = [message for message in self.messages if message.role in ("user", "assistant")]
        turns = [
            (role, "\n".join(filter(None, (message.text for message in messages))))
            for role, messages in groupby(spoken, key=lambda message: message.role)
        ]
        if not turns or turns[-1][0] != "user":
            raise InvalidRequest("The last message is not the user's: end the messages with the question.")
        said = [(asked, answered) for (role, asked), (_, answered) in pairwise(turns) if role == "user"]
        return turns[-1][1], said if self.conversation is None else []


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it goes out, cut where the request says so; `finish` is stop or length."""

    record: AnswerRecord
    finish: str
    ignored: Sequence[str] = ()

    @classmethod
    def to(cls, request: CompletionRequest, record: AnswerRecord, cut: Callable[[str, int], str]) -> "Reply":
        """`cut` returns the beginning of a text that has so many tokens."""
        text, finish = record.text, "stop"
        for stop in request.stops:
            text = text.partition(stop)[0]
        # A token has a byte or more, so that a short text needs no counting.
        if request.limit is not None and len(text.encode()) > request.limit and cut(text, request.limit) != text:
            text, finish = cut(text, request.limit), "length"
        if text != record.text:
            kept = tuple(citation for citation in record.citations if f"[{citation.n}]" in text)
            record = replace(record, text=text, citations=kept, verified=False, problems=(*record.problems, _CUT))
        return cls(record, finish, request.ignored)

    def whole(self) -> dict[str, Any]:
        """Return a completion."""
        message = {"role": "assistant", "content": self.record.text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": self.finish, "logprobs": None}
        return (
            self._head("chat.completion") | {"choices": [choice], "usage": usage(self.record.tokens)} | self._beside()
        )

    def chunks(self, *, wants_usage: bool) -> Iterator[dict[str, Any]]:
        """Yield the chunks of a stream; the last one with a choice says why it ended, and on what it rests."""
        words = self.record.text.split(" ")
        pieces = [" ".join(words[i : i + _WORDS_PER_CHUNK]) for i in range(0, len(words), _WORDS_PER_CHUNK)]
        head = self._head("chat.completion.chunk") | ({"usage": None} if wants_usage else {})
        yield head | {"choices": [_choice({"role": "assistant", "content": ""}, None)]}
        for index, piece in enumerate(pieces):
            yield head | {"choices": [_choice({"content": piece if index == 0 else f" {piece}"}, None)]}
        yield head | self._beside() | {"choices": [_choice({}, self.finish)]}
        if wants_usage:
            yield head | {"choices": [], "usage": usage(self.record.tokens)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{self.record.id}", "object": kind, "created": int(time.time()), "model": MODEL}

    def _beside(self) -> dict[str, Any]:
        record = self.record
        return {
            "conversation": record.conversation,
            "kind": record.kind,
            "verified": record.verified,
            "confidence": record.confidence,
            "problems": list(record.problems),
            "citations": [asdict(citation) for citation in record.citations],
            "working": [asdict(line) for line in record.working],
            "core": record.core,
            "timings_ms": record.timings_ms,
            "ignored": list(self.ignored),
        }


def usage(tokens: TokenCounts) -> dict[str, Any]:
    """Return token counts in OpenAI's shape."""
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.written,
        "total_tokens": tokens.prompt + tokens.written,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
    }


def _choice(delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
