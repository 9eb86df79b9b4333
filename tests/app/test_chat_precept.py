"""LangChain's own standard suites over `ChatPrecept`, over a real socket; and what they do not ask."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from app.api import create_api
from app.langchain import ChatPrecept, PreceptError
from app.services import Services, open_services
from app.settings import Settings
from reasoning_core.checkpoint import save_checkpoint
from retrieval.embedding import HashingEmbedder
from tests.app.quoting_reader import QuotingReader
from tests.live_server import live
from tests.reasoning_core.tiny import tiny_model, tiny_tokenizer

QUESTION = "What may a hotel cost per night?"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[tuple[Services, str, str]]:
    """A Precept with two policies behind a real socket, its URL, and a key for its chat."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(sqlite_template, home / "precept.sqlite")
    (home / "travel.md").write_text("# Hello\n\nA hotel may cost up to €180 per night. Meals are paid up to $60.\n")
    settings = Settings(home=home, password_memory_kib=64)
    with open_services(settings, reader=QuotingReader(), embedder=HashingEmbedder()) as services:
        save_checkpoint(home / "tiny", tiny_model(), tiny_tokenizer(), lineage={}, card="A tiny core.\n")
        services.cores.import_(home / "tiny")
        services.cores.promote("tiny")
        operator = services.identity.operator()
        services.documents.ingest(operator, [home / "travel.md"])
        key = services.keys.create(operator, "langchain", ("chat",))[1]
        with live(create_api(services)) as url:
            yield services, f"{url}/v1", key


@pytest.fixture
def model(served: tuple[Services, str, str]) -> ChatPrecept:
    return ChatPrecept(base_url=served[1], api_key=served[2])


class TestUnitSuite(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[ChatPrecept]:
        return ChatPrecept

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        given = {"PRECEPT_API_KEY": "secret", "PRECEPT_API_URL": "http://precept.example/v1"}
        return given, {}, {"api_key": "secret", "base_url": "http://precept.example/v1"}


class TestIntegrationSuite(ChatModelIntegrationTests):
    address: dict[str, str]

    @pytest.fixture(autouse=True)
    def _address(self, served: tuple[Services, str, str]) -> None:
        type(self).address = {"base_url": served[1], "api_key": served[2]}

    @property
    def chat_model_class(self) -> type[ChatPrecept]:
        return ChatPrecept

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return self.address

    @property
    def supports_model_override(self) -> bool:
        return False


def test_citations_and_working_come_with_the_message_whole_or_streamed(model: ChatPrecept):
    whole = model.invoke(QUESTION)
    cited = whole.response_metadata["citations"]
    assert cited[0]["quote"] and cited[0]["document"] == "travel.md" and f"[{cited[0]['n']}]" in whole.text
    streamed = AIMessageChunk("")
    for chunk in model.stream(QUESTION):
        streamed += chunk
    assert streamed.text == whole.text and streamed.usage_metadata == whole.usage_metadata
    for name in ("citations", "working", "verified", "kind", "model_name", "finish_reason"):
        assert streamed.response_metadata[name] == whole.response_metadata[name]


def test_a_conversation_goes_on_where_it_is_named(served: tuple[Services, str, str], model: ChatPrecept):
    first = model.invoke(QUESTION)
    later = ChatPrecept(
        **{"base_url": served[1], "api_key": served[2]}, conversation=first.response_metadata["conversation"]
    )
    second = later.invoke([HumanMessage(QUESTION), first, HumanMessage("And meals?")])
    assert second.response_metadata["conversation"] == first.response_metadata["conversation"]


def test_a_refusal_is_the_apis_own_sentence(served: tuple[Services, str, str], model: ChatPrecept):
    with pytest.raises(PreceptError, match="not known") as refused:
        ChatPrecept(base_url=served[1], api_key="wrong").invoke(QUESTION)
    assert refused.value.status == 401 and "wrong" not in str(refused.value)
    for call in (model.invoke, lambda messages: list(model.stream(messages))):
        with pytest.raises(PreceptError, match="image_url"):
            call([HumanMessage([{"type": "image_url", "image_url": {"url": "http://x/y.png"}}])])
    with pytest.raises(PreceptError, match="gpt-4"):
        model.invoke(QUESTION, model="gpt-4")


def test_the_key_is_never_shown(model: ChatPrecept, served: tuple[Services, str, str]):
    assert served[2] not in repr(model) and served[2] not in str(model.asdict())


def test_it_stands_in_a_chain(model: ChatPrecept):
    chain = (
        ChatPromptTemplate.from_messages([("user", "{question}")]) | model | (lambda message: Document(message.text))
    )
    assert "180" in chain.invoke({"question": QUESTION}).page_content
