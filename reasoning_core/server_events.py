"""A response as a server streams it: events of OpenAI's completions with the token ids of vLLM, SGLang and Precept."""

import json
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from reasoning_core.core import Usage
from reasoning_core.served import CoreUnreachable, message_of
from reasoning_core.streaming import TokenStream
from reasoning_core.tokenizer import CoreTokenizer

_DEFAULT_WAIT_S = 1


@dataclass(frozen=True, slots=True)
class Wire:
    """One request to a server; `usage` holds what is known before it answers."""

    url: str
    body: Mapping[str, Any]
    usage: Usage
    tokenizer: CoreTokenizer

    async def write(self, lines: AsyncIterator[str], stream: TokenStream) -> None:
        """Write the tokens of the events as they come, and the counts where the server tells them.

        Raises:
            CoreUnreachable: the events break off, tell an error, or are not what this protocol says.
        """
        last, finish = -1, None
        async for line in lines:
            data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
            if not data or data == "[DONE]":
                continue
            event = self._read(data)
            for choice in event.get("choices") or []:
                for token, said in self._tokens(choice):
                    stream.write(token, said)
                    last = token
                finish = choice.get("finish_reason") or finish
            if event.get("usage"):
                stream.begin(self._counts(event["usage"]))
        if finish is None:
            raise CoreUnreachable(f"{self.url} broke off before the answer was finished")
        if finish == "stop" and last != self.tokenizer.eoa_id:
            stream.write(self.tokenizer.eoa_id, 0.0)  # a server may stop at the end token and not tell it

    def _read(self, data: str) -> dict[str, Any]:
        try:
            event = json.loads(data)
        except ValueError as error:
            raise CoreUnreachable(f"{self.url} sent what is no event: {data[:80]!r}") from error
        if not isinstance(event, dict):
            raise CoreUnreachable(f"{self.url} sent what is no event: {data[:80]!r}")
        if failure := event.get("error"):
            raise CoreUnreachable(f"{self.url} failed while it answered: {message_of(failure)}")
        return event

    def _tokens(self, choice: Mapping[str, Any]) -> list[tuple[int, float]]:
        ids: list[int] = choice.get("token_ids") or []
        if not ids and choice.get("text") and "token_ids" not in choice:
            raise CoreUnreachable(
                f"{self.url} sends text without token_ids: use a vLLM or SGLang that has return_token_ids"
            )
        said = (choice.get("logprobs") or {}).get("token_logprobs") or []
        if len(said) != len(ids):
            raise CoreUnreachable(f"{self.url} sends {len(ids)} tokens with {len(said)} log probabilities")
        size = self.tokenizer.vocabulary_size
        if unknown := next((token for token in ids if not 0 <= token < size), None):
            raise CoreUnreachable(f"{self.url} writes the token {unknown}, and the core has {size}: it serves another")
        return [(token, float(value)) for token, value in zip(ids, said, strict=True)]

    def _counts(self, told: Mapping[str, Any]) -> Usage:
        cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return Usage(told.get("prompt_tokens", self.usage.prompt), cached, self.usage.turns_left_out)


def next_try_s(retry_after: str | None) -> int:
    """Return the seconds of a Retry-After header, which holds a number or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return _DEFAULT_WAIT_S
    if retry_after.strip().isdigit():
        return int(retry_after)
    try:
        wait = parsedate_to_datetime(retry_after) - datetime.now(UTC)
    except (TypeError, ValueError):
        return _DEFAULT_WAIT_S
    return max(0, math.ceil(wait.total_seconds()))
