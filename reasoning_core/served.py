"""What a server serves: told by itself where it is a Precept, else read from the folder that it was exported from.

vLLM and SGLang tell a name and a length. Tokenizer and layout come from the checkpoint's folder, and its weights say
what the server has to compute: one that ignores the prompt's direction answers fluently and wrongly, so a few next
tokens are compared before the first question is asked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from reasoning_core.checkpoint import Checkpoint, load_checkpoint
from reasoning_core.layout import Layout
from reasoning_core.parity import Probe, probes, verdict
from reasoning_core.tokenizer import CoreTokenizer

_TIMEOUT_S, _ALIVE_S = 30.0, 5.0


class CoreUnreachable(RuntimeError):
    """The server cannot be reached, or does not answer as it should; the message names its URL."""


@dataclass(frozen=True, slots=True)
class Served:
    """A core and how to ask for it; `layout` is None where the server keeps the core's own."""

    url: str
    model: str
    name: str
    tokenizer: CoreTokenizer
    max_tokens: int
    layout: Layout | None = None


def look_up(url: str, key: str | None = None, folder: Path | None = None, model: str | None = None) -> Served:
    """Ask a server what it serves; `folder` is the checkpoint that a vLLM or SGLang serves an export of.

    Raises:
        CoreUnreachable: the server is not there, refuses the key, or serves something else than `folder`.
        CheckpointDamaged: `folder` is not a core.
    """
    url = _base(url)
    with httpx2.Client(timeout=_TIMEOUT_S, headers=authorization(key)) as client:
        try:
            told = client.get(f"{url}/core")
            if told.status_code != 404:
                return _precept(url, _json(url, told))
            return _another(client, url, folder, model)
        except httpx2.HTTPError as error:
            raise CoreUnreachable(f"{url} cannot be reached: {str(error) or type(error).__name__}") from error


def check_alive(url: str) -> None:
    """Raises CoreUnreachable where no server answers at the URL; one that wants a key for this is there."""
    url = _base(url)
    try:
        told = httpx2.get(f"{url}/models", timeout=_ALIVE_S)
    except httpx2.HTTPError as error:
        raise CoreUnreachable(f"{url} cannot be reached: {str(error) or type(error).__name__}") from error
    if told.status_code >= 500:
        raise refusal(url, told.status_code, told.content)


def authorization(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def refusal(url: str, status: int, body: bytes) -> CoreUnreachable:
    """Return what a server's status and error say, in one sentence."""
    try:
        said = json.loads(body)
        said = message_of(said.get("error", said)) if isinstance(said, dict) else str(said)
    except ValueError:
        said = body[:200].decode(errors="replace")
    return CoreUnreachable(f"{url} answered {status}: {' '.join(said.split()).rstrip('.') or 'nothing'}")


def message_of(error: Any) -> str:
    """Return the message of an error in OpenAI's form, or in whatever form it has."""
    return str(error.get("message", error) if isinstance(error, Mapping) else error)[:300]


def _base(url: str) -> str:
    """Return the URL with `/v1`, as OpenAI's clients take it."""
    parsed = httpx2.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise CoreUnreachable(f"{url!r} is not the address of a server: give one like http://host:8000/v1")
    path = parsed.path.rstrip("/")
    return str(parsed.copy_with(path=path or "/v1")).rstrip("/")


def _json(url: str, response: httpx2.Response) -> dict[str, Any]:
    if response.status_code != 200:
        raise refusal(url, response.status_code, response.content)
    try:
        value = response.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CoreUnreachable(f"{url} is not an OpenAI-compatible server: it answers {response.text[:80]!r}")
    return value


def _precept(url: str, told: Mapping[str, Any]) -> Served:
    try:
        tokenizer = CoreTokenizer.from_json(told["tokenizer"])
        return Served(url, str(told["id"]), str(told["id"]), tokenizer, int(told["max_model_len"]))
    except (LookupError, TypeError, ValueError) as error:
        raise CoreUnreachable(f"{url} describes its core in a way this version cannot read: {error}") from error


def _another(client: httpx2.Client, url: str, folder: Path | None, model: str | None) -> Served:
    entries = {str(entry.get("id")): entry for entry in _json(url, client.get(f"{url}/models")).get("data") or []}
    if model is None and len(entries) == 1:
        (model,) = entries
    if model not in entries:
        names = ", ".join(sorted(entries)) or "none"
        raise CoreUnreachable(f"{url} serves the models {names}: name one of them" + (f", not {model!r}" * bool(model)))
    if folder is None:
        raise CoreUnreachable(f"{url} does not describe its core: name the checkpoint folder that {model} comes from")
    checkpoint = load_checkpoint(folder)
    config = checkpoint.model.config
    limit = min(config.max_position_embeddings, int(entries[model].get("max_model_len") or 1 << 30))
    name = f"{checkpoint.name}@{checkpoint.sha256[:12]}"
    served = Served(url, model, name, checkpoint.tokenizer, limit, config.layout)
    if config.layout is not Layout.CAUSAL:  # of which nothing is asked
        _compare(client, served, checkpoint)
    return served


def _compare(client: httpx2.Client, served: Served, checkpoint: Checkpoint) -> None:
    asked = probes(checkpoint)
    problem = verdict(checkpoint, asked, [_next_token(client, served, probe) for probe in asked])
    if problem:
        raise CoreUnreachable(f"{served.url} does not compute {served.name}: {problem}")


def _next_token(client: httpx2.Client, served: Served, probe: Probe) -> tuple[int, float]:
    body = {"model": served.model, "prompt": list(probe.tokens), "max_tokens": 1, "temperature": 0}
    body |= {"logprobs": 1, "return_token_ids": True}
    told = _json(served.url, client.post(f"{served.url}/completions", json=body))
    try:
        choice = told["choices"][0]
        return int(choice["token_ids"][0]), float(choice["logprobs"]["token_logprobs"][0])
    except (LookupError, TypeError, ValueError) as error:
        raise CoreUnreachable(
            f"{served.url} returns no token_ids with log probabilities: use a vLLM or SGLang that has return_token_ids"
        ) from error
