"""Precept as LangChain's chat model: `ChatPrecept`, over the API, with a key that acts for its owner.

It lives with the application because it speaks the application's protocol, and over HTTP because a chain runs
elsewhere: in a notebook, in another service, under its own user. In process it would need the home, and would have to
be told whom to act for; a key says that already. Nothing of Precept but this file and
`forbid_tracing` is imported. Tools, structured output and pictures are not there, because the core has none.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Self

import httpx2
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.utils import secret_from_env
from pydantic import ConfigDict, Field, SecretStr, model_validator

from retrieval.langchain import forbid_tracing

_BESIDE = ("conversation", "kind", "verified", "confidence", "problems", "citations", "working", "core", "ignored")


class PreceptError(RuntimeError):
    """The API refused or failed; the message is its own sentence. `retry_after_s` says when to try again."""

    def __init__(self, status: int, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after_s = status, retry_after_s


class ChatPrecept(BaseChatModel):
    """Answers from the company's documents, checked; citations and working stand in `response_metadata`.

    `base_url` and `api_key` default to `PRECEPT_API_URL` and `PRECEPT_API_KEY`. `collection` restricts the documents,
    `conversation` goes on with a stored conversation, where the messages before the last one are not sent.
    """

    model_config = ConfigDict(populate_by_name=True)

    model_name: str = Field(default="precept", alias="model")
    base_url: str = Field(default_factory=lambda: os.environ.get("PRECEPT_API_URL", "http://127.0.0.1:7860/v1"))
    api_key: SecretStr | None = Field(default_factory=secret_from_env("PRECEPT_API_KEY", default=None))
    collection: str | None = None
    conversation: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    timeout: float = 120.0
    max_retries: int = 2
    streaming: bool = False

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        forbid_tracing()
        return self

    @property
    def _llm_type(self) -> str:
        return "precept"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model": self.model_name, "base_url": self.base_url, "collection": self.collection}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        return params | LangSmithParams(ls_provider="precept", ls_model_name=kwargs.get("model", self.model_name))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=self.max_retries), **self._client()) as client:
            response = client.post("chat/completions", json=self._body(messages, stop, kwargs))
            _raise_for(response)
            return _result(response.json())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        transport = httpx2.AsyncHTTPTransport(retries=self.max_retries)
        async with httpx2.AsyncClient(transport=transport, **self._client()) as client:
            response = await client.post("chat/completions", json=self._body(messages, stop, kwargs))
            _raise_for(response)
            return _result(response.json())

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        body = self._body(messages, stop, kwargs, stream=True)
        with (
            httpx2.Client(transport=httpx2.HTTPTransport(retries=self.max_retries), **self._client()) as client,
            client.stream("POST", "chat/completions", json=body) as response,
        ):
            if response.status_code != 200:
                response.read()
                _raise_for(response)
            for line in response.iter_lines():
                if (chunk := _chunk(line)) is not None:
                    if run_manager is not None:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        body = self._body(messages, stop, kwargs, stream=True)
        transport = httpx2.AsyncHTTPTransport(retries=self.max_retries)
        async with (
            httpx2.AsyncClient(transport=transport, **self._client()) as client,
            client.stream("POST", "chat/completions", json=body) as response,
        ):
            if response.status_code != 200:
                await response.aread()
                _raise_for(response)
            async for line in response.aiter_lines():
                if (chunk := _chunk(line)) is not None:
                    if run_manager is not None:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

    def _client(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.api_key.get_secret_value()}"} if self.api_key else {}
        return {"base_url": self.base_url, "headers": headers, "timeout": self.timeout}

    def _body(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, more: Mapping[str, Any], *, stream: bool = False
    ) -> dict[str, Any]:
        body = {
            "model": self.model_name,
            "messages": convert_to_openai_messages(messages),
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "stop": stop if stop is not None else self.stop,
            "collection": self.collection,
            "conversation": self.conversation,
        } | dict(more)
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return {name: value for name, value in body.items() if value is not None}


def _result(told: Mapping[str, Any]) -> ChatResult:
    choice = told["choices"][0]
    metadata = _metadata(told, choice["finish_reason"])
    message = AIMessage(choice["message"]["content"], response_metadata=metadata, usage_metadata=_usage(told["usage"]))
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk(line: str) -> ChatGenerationChunk | None:
    """Read one line of a stream; the last chunk is the one with the usage."""
    data = line.removeprefix("data: ")
    if data in (line, "[DONE]"):
        return None
    told = json.loads(data)
    if error := told.get("error"):
        raise PreceptError(500, str(error.get("message", error)))
    if not told["choices"]:
        message = AIMessageChunk(content="", usage_metadata=_usage(told["usage"]), chunk_position="last")
        return ChatGenerationChunk(message=message)
    choice = told["choices"][0]
    metadata = _metadata(told, choice["finish_reason"]) if choice["finish_reason"] else {}
    text = choice["delta"].get("content") or ""
    return ChatGenerationChunk(message=AIMessageChunk(content=text, response_metadata=metadata))


def _metadata(told: Mapping[str, Any], finish_reason: str) -> dict[str, Any]:
    beside = {name: told[name] for name in _BESIDE if name in told}
    return {"model_name": told["model"], "finish_reason": finish_reason, **beside}


def _usage(told: Mapping[str, Any]) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=told["prompt_tokens"],
        output_tokens=told["completion_tokens"],
        total_tokens=told["total_tokens"],
        input_token_details={"cache_read": told["prompt_tokens_details"]["cached_tokens"]},
    )


def _raise_for(response: httpx2.Response) -> None:
    if response.status_code == 200:
        return
    try:
        message = response.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        message = f"{response.url} answered {response.status_code}: {response.text[:200]!r}"
    wait = response.headers.get("retry-after", "")
    raise PreceptError(response.status_code, message, int(wait) if wait.isdigit() else None)
