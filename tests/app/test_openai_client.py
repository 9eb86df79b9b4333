"""Our API as the real `openai` client finds it, over a real socket."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import openai
import pytest
from openai import OpenAI

from app.api import create_api
from app.keys import SCOPES
from app.records import User
from app.services import Services, open_services
from app.settings import Settings
from reasoning_core.checkpoint import save_checkpoint
from reasoning_core.engine import Engine
from reasoning_core.layout import Span, SpanKind
from reasoning_core.reader import Reader, ReaderOptions
from reasoning_core.sampling import Sampling
from retrieval.embedding import HashingEmbedder
from tests.app.quoting_reader import QuotingReader
from tests.live_server import live
from tests.reasoning_core.tiny import tiny_checkpoint, tiny_model, tiny_tokenizer

QUESTION = "What may a hotel cost per night?"
MESSAGES = [{"role": "user", "content": QUESTION}]


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: Path) -> Settings:
    """On SQLite alone: what goes over the socket is the same on both databases."""
    (tmp_path / "home").mkdir()
    shutil.copy(sqlite_template, tmp_path / "home" / "precept.sqlite")
    return Settings(home=tmp_path / "home", password_memory_kib=64)


@pytest.fixture
def reader() -> QuotingReader:
    return QuotingReader()


@pytest.fixture
def services(settings: Settings, reader: QuotingReader) -> Iterator[Services]:
    with open_services(settings, reader=reader, embedder=HashingEmbedder()) as opened:
        yield opened


@pytest.fixture
def url(services: Services, operator: User, folder: Path) -> Iterator[str]:
    services.documents.ingest(operator, [folder])
    with live(create_api(services)) as address:
        yield address


@pytest.fixture
def key(services: Services, operator: User) -> str:
    return services.keys.create(operator, "test", SCOPES)[1]


@pytest.fixture
def client(url: str, key: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as opened:
        yield opened


def until(holds: Callable[[], bool], most_s: float = 20.0) -> bool:
    """Wait for what another thread does; a test that needs all of the time has failed."""
    end = time.monotonic() + most_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_an_answer_comes_with_usage_and_citations(client: OpenAI):
    answer = client.chat.completions.create(model="precept", messages=MESSAGES, temperature=0.3, seed=7)
    (choice,) = answer.choices
    assert choice.finish_reason == "stop" and choice.message.role == "assistant" and "180" in choice.message.content
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    extra = answer.model_extra
    assert extra["citations"][0]["quote"] and extra["verified"] and extra["ignored"] == ["temperature", "seed"]


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_stream_adds_up_to_the_answer_and_tells_usage_where_that_is_asked(client: OpenAI, wants_usage: bool):
    whole = client.chat.completions.create(model="precept", messages=MESSAGES)
    options = {"include_usage": wants_usage}
    chunks = list(
        client.chat.completions.create(model="precept", messages=MESSAGES, stream=True, stream_options=options)
    )
    spoken = [chunk for chunk in chunks if chunk.choices]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in spoken)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in spoken] == [None] * (len(spoken) - 1) + ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1 and spoken[-1].model_extra["citations"]
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert usages == ([whole.usage] if wants_usage else [])
    assert not wants_usage or chunks[-1].choices == []


def test_a_follow_up_goes_on_by_conversation_or_by_messages(client: OpenAI, services: Services, reader: QuotingReader):
    first = client.chat.completions.create(model="precept", messages=MESSAGES)
    said = {"role": "assistant", "content": first.choices[0].message.content}
    system = {"role": "system", "content": "Be rude."}
    developer = {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}
    asked = {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "meals?"}]}
    by_messages = client.chat.completions.create(
        model="precept", messages=[system, developer, *MESSAGES, said, asked, {"role": "user", "content": "Please."}]
    )
    asked_before, asked_now = reader.prompts[-1]
    assert asked_before.question == QUESTION and asked_now.question == "And\nmeals?\nPlease."
    assert by_messages.model_extra["ignored"] == ["messages of role developer", "messages of role system"]
    conversation = {"conversation": first.model_extra["conversation"]}
    by_name = client.chat.completions.create(model="precept", messages=[asked], extra_body=conversation)
    assert by_name.model_extra["conversation"] == first.model_extra["conversation"]


def test_an_answer_that_is_cut_is_not_verified_any_more(client: OpenAI, services: Services, tmp_path: Path):
    whole = client.chat.completions.create(model="precept", messages=MESSAGES)
    text = whole.choices[0].message.content
    stopped = client.chat.completions.create(model="precept", messages=MESSAGES, stop=["zebra", "180"])
    assert stopped.choices[0].message.content == text.partition("180")[0]
    assert stopped.choices[0].finish_reason == "stop" and not stopped.model_extra["verified"]
    assert stopped.model_extra["citations"] == []
    serve_tiny_core(services, tmp_path)
    cut = client.chat.completions.create(model="precept", messages=MESSAGES, max_tokens=5)
    tokenizer = tiny_tokenizer()
    assert cut.choices[0].message.content == tokenizer.decode(tokenizer.encode(text)[:5]).rstrip("\ufffd")
    assert cut.choices[0].finish_reason == "length" and not cut.model_extra["verified"]
    roomy = client.chat.completions.create(model="precept", messages=MESSAGES, max_completion_tokens=4000)
    assert roomy.choices[0].message.content == text and roomy.model_extra["verified"]


@pytest.mark.parametrize("stream", [True, False])
def test_what_is_not_supported_is_refused_by_name(client: OpenAI, stream: bool):
    picture = {"type": "image_url", "image_url": {"url": "x"}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    refused: list[tuple[dict, str]] = [
        ({"n": 2}, "n is 2"),
        ({"tools": [tool]}, "tools"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "json_object"),
        ({"temperature": 9}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "user", "content": [picture]}]}, "image_url"),
        ({"messages": [*MESSAGES, {"role": "tool", "tool_call_id": "1", "content": "x"}, *MESSAGES]}, "tool"),
        ({"messages": []}, "messages"),
    ]
    for changes, word in refused:
        with pytest.raises(openai.BadRequestError, match=word) as error:
            client.chat.completions.create(**{"model": "precept", "messages": MESSAGES, "stream": stream} | changes)
        assert error.value.type == "invalid_request_error" and error.value.body["message"].endswith(".")


def test_a_wrong_key_an_unknown_model_and_an_unknown_path_are_told_apart(client: OpenAI, url: str):
    with pytest.raises(openai.AuthenticationError, match="not known"):
        client.with_options(api_key="wrong").models.list()
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError, match="gpt-4"):
            client.chat.completions.create(model="gpt-4", messages=MESSAGES, stream=stream)
    with pytest.raises(openai.NotFoundError, match="embeddings"):
        client.embeddings.create(model="precept", input="x")
    assert [model.id for model in client.models.list()] == ["precept"]
    assert client.models.retrieve("precept").owned_by == "precept"


def test_a_client_that_goes_away_stops_its_answer(url: str, key: str, services: Services, operator: User):
    body = {"model": "precept", "messages": [{"role": "user", "content": "wait for the hotel"}]}
    for stream in (True, False):
        headers = {"authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=0.5) as leaving:
            if stream:
                with leaving.stream("POST", "/v1/chat/completions", json=body | {"stream": True}) as response:
                    next(response.iter_lines())
            else:
                with pytest.raises(httpx2.ReadTimeout):
                    leaving.post("/v1/chat/completions", json=body)
        conversation = services.conversations.list(operator)[0]
        assert until(lambda: services.conversations.messages(operator, conversation.id)[-1].answer is not None)  # noqa: B023
        assert services.conversations.messages(operator, conversation.id)[-1].answer.kind == "stopped"


@pytest.fixture
def busy(request: pytest.FixtureRequest, settings: Settings, folder: Path) -> Iterator[tuple[OpenAI, Engine]]:
    """A client of a Precept whose engine writes one answer and lets nobody wait, if the parameter says nothing else."""
    waiting, deadline_s = getattr(request, "param", (0, 120.0))
    engine = Engine(
        tiny_checkpoint(max_position_embeddings=4096), max_sessions=1, max_waiting=waiting, deadline_s=deadline_s
    )
    reader = Reader(engine, ReaderOptions(tries=1, max_new_tokens=3000, guided=False))
    with open_services(settings, reader=reader, embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        services.documents.ingest(operator, [folder])
        key = services.keys.create(operator, "test", SCOPES)[1]
        with live(create_api(services)) as url, OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            yield client, engine
    engine.close()


@pytest.mark.parametrize("stream", [True, False])
def test_an_overloaded_core_says_when_to_come_back(busy: tuple[OpenAI, Engine], stream: bool):
    client, engine = busy
    prompt = [Span(SpanKind.PROMPT, tuple(tiny_tokenizer().encode("hotel")))]
    held = engine.generate(prompt, Sampling(max_new_tokens=4000), Endless())
    try:
        with pytest.raises(openai.APIStatusError, match="try again in") as refused:
            client.chat.completions.create(model="precept", messages=MESSAGES, stream=stream)
    finally:
        held.close()
    assert refused.value.status_code == 503 and int(refused.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("busy", [(4, 2.0)], indirect=True)
def test_an_error_that_comes_when_the_stream_is_open_is_its_last_event(busy: tuple[OpenAI, Engine]):
    client, engine = busy
    prompt = [Span(SpanKind.PROMPT, tuple(tiny_tokenizer().encode("hotel")))]
    held = engine.generate(prompt, Sampling(max_new_tokens=4000), Endless(), deadline_s=600)
    try:
        stream = client.chat.completions.create(model="precept", messages=MESSAGES, stream=True)
        assert stream.response.status_code == 200
        with pytest.raises(openai.APIError, match="try again in"):
            list(stream)
    finally:
        held.close()


def test_a_slot_is_free_again_when_its_client_has_gone(busy: tuple[OpenAI, Engine]):
    client, engine = busy
    with client.chat.completions.create(model="precept", messages=MESSAGES, stream=True) as stream:
        assert stream.response.status_code == 200 and until(lambda: engine.load.running == 1)
    assert until(lambda: engine.load.running == 0)
    held = engine.generate([Span(SpanKind.PROMPT, tuple(tiny_tokenizer().encode("hotel")))], Sampling(max_new_tokens=1))
    assert len(list(held)) == 1


class Endless:
    """A guide under which a response never ends by itself."""

    def allowed(self, generated: object) -> list[int]:
        return [tiny_tokenizer().question_id]


def serve_tiny_core(services: Services, folder: Path, seed: int = 0) -> None:
    made = folder / f"tiny-{seed}"
    save_checkpoint(made, tiny_model(seed=seed), tiny_tokenizer(), lineage={}, card="A tiny core.\n")
    services.cores.import_(made)
    services.cores.promote(made.name)


def test_the_core_writes_by_token_ids_what_the_engine_writes(
    client: OpenAI, services: Services, tmp_path: Path, operator: User
):
    serve_tiny_core(services, tmp_path)
    core = services.core()
    prompt = core.tokenizer.encode("Meals are paid up to $60.")
    for sampling in (Sampling(0.0, 0, 20), Sampling(0.9, 5, 20)):
        generation = Engine(tiny_checkpoint()).generate([Span(SpanKind.PROMPT, tuple(prompt))], sampling)
        expected = list(generation)
        asked = {
            "model": core.name, "prompt": prompt, "max_tokens": 20, "seed": sampling.seed, "logprobs": 1,
            "temperature": sampling.temperature,
        }  # fmt: skip
        whole = client.completions.create(**asked)
        assert whole.choices[0].model_extra["token_ids"] == expected
        assert whole.choices[0].logprobs.token_logprobs == pytest.approx(generation.log_probabilities, abs=1e-5)
        assert whole.choices[0].text == core.tokenizer.decode(expected)
        assert whole.usage.completion_tokens == len(expected) and whole.usage.prompt_tokens == len(prompt)
        chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
        assert [token for chunk in chunks for c in chunk.choices for token in c.model_extra["token_ids"]] == expected
        assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
        assert chunks[-1].usage.completion_tokens == len(expected)


def test_token_requests_that_cannot_be_done_are_refused(url: str, key: str, services: Services, tmp_path: Path):
    serve_tiny_core(services, tmp_path)
    refused: list[tuple[dict, int]] = [
        ({"prompt": "text"}, 400),
        ({"prompt": [5, 100_000]}, 400),
        ({"prompt": []}, 400),
        ({"prompt": [20] * 600}, 413),
        ({"spans": [{"kind": "prompt", "length": 1}]}, 400),
        ({"spans": [{"kind": "prompt", "length": 1}, {"kind": "response", "length": 1}]}, 400),
        ({"guide": {"passages": {"1": "x" * 200_000}}}, 400),
        ({"stop": ["x"]}, 400),
        ({"n": 2}, 400),
        ({"seed": -1}, 400),
        ({"model": "another"}, 404),
    ]
    with httpx2.Client(base_url=url, headers={"authorization": f"Bearer {key}"}) as client:
        for changes, status in refused:
            body = {"model": services.core().name, "prompt": [20, 21]} | changes
            response = client.post("/v1/completions", json=body)
            message = response.json()["error"]["message"]
            assert response.status_code == status and message.endswith(".") and len(message) < 300


def test_only_keys_for_the_core_of_those_who_manage_cores_reach_it(
    url: str, services: Services, employee: User, key: str
):
    chat_only = services.keys.create(services.identity.operator(), "chat", ("chat",))[1]
    an_employees = services.keys.create(employee, "core", ("core",))[1]
    for secret in (chat_only, an_employees):
        for method, path in (("GET", "/v1/core"), ("POST", "/v1/completions")):
            body = {"model": "x", "prompt": [1]} if method == "POST" else None
            headers = {"authorization": f"Bearer {secret}"}
            assert httpx2.request(method, f"{url}{path}", json=body, headers=headers).status_code == 403


def test_the_waiting_do_not_keep_others_from_the_rest_of_the_api(url: str, key: str):
    body = {"model": "precept", "messages": [{"role": "user", "content": "wait for the hotel"}]}
    headers = {"authorization": f"Bearer {key}"}
    leave = threading.Event()

    def ask() -> None:
        with (
            httpx2.Client(timeout=60) as client,
            client.stream("POST", f"{url}/v1/chat/completions", json=body | {"stream": True}, headers=headers) as reply,
        ):
            lines = reply.iter_lines()
            while not leave.is_set():
                next(lines)

    askers = [threading.Thread(target=ask) for _ in range(45)]  # more than the threads that answer everything else
    for asker in askers:
        asker.start()
    try:
        assert httpx2.get(f"{url}/healthz", timeout=60).json() == {"status": "ok"}
    finally:
        leave.set()
        for asker in askers:
            asker.join()
