"""LangChain's own standard suites over our adapters, and its tracing kept off."""

import os
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests

from retrieval.embedding import HashingEmbedder
from retrieval.langchain import EmbedderEmbeddings, MemoryVectorStore, PassageRetriever

TEXTS = [
    "Meals are paid up to $60.",
    "Hotels are paid up to $180.",
    "Printers need toner.",
    "Meals in Paris cost more.",
]


def store() -> MemoryVectorStore:
    return MemoryVectorStore.from_texts(TEXTS, EmbedderEmbeddings(HashingEmbedder()), ids=["a", "b", "c", "d"])


def find(query: str, k: int) -> list[Document]:
    return store().similarity_search(query, k)


class TestVectorStoreSuite(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> VectorStore:
        return MemoryVectorStore(self.get_embeddings())

    @staticmethod
    def get_embeddings() -> Embeddings:
        return EmbedderEmbeddings(HashingEmbedder(dim=32))


class TestRetrieverSuite(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return PassageRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"search": find}

    @property
    def retriever_query_example(self) -> str:
        return "Which meals are paid?"


def test_an_allow_list_restricts_the_search_itself() -> None:
    assert [hit.id for hit in store().similarity_search("meals", k=2, allowed=["b", "c"])] in (["b", "c"], ["c", "b"])
    assert store().similarity_search("meals", k=2, allowed=[]) == []
    assert store().similarity_search("meals", k=2, allowed=["unknown"]) == []


def test_scores_fall_and_relevance_lies_between_nothing_and_one() -> None:
    scores = [score for _, score in store().similarity_search_with_score("paid meals", k=4)]
    assert scores == sorted(scores, reverse=True)
    relevant = store().similarity_search_with_relevance_scores("paid meals", k=4)
    assert all(0 <= score <= 1 for _, score in relevant)


def test_marginal_relevance_prefers_what_is_new() -> None:
    texts = ["paid meals", "paid meals", "paid hotels"]
    varied = MemoryVectorStore.from_texts(texts, EmbedderEmbeddings(HashingEmbedder()))
    found = varied.max_marginal_relevance_search("paid meals", k=2, fetch_k=3, lambda_mult=0.3)
    assert {document.page_content for document in found} == {"paid meals", "paid hotels"}


def test_an_id_given_twice_keeps_its_last_text() -> None:
    twice = MemoryVectorStore.from_texts(["one", "two"], EmbedderEmbeddings(HashingEmbedder()), ids=["x", "x"])
    assert [document.page_content for document in twice.similarity_search("anything", k=5)] == ["two"]


def test_no_trace_is_sent_even_when_the_environment_asks_for_it() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*a, **k): print('connected', file=sys.stderr)\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from tests.retrieval.test_langchain import find\n"
        "from retrieval.langchain import PassageRetriever\n"
        "from langsmith.utils import tracing_is_enabled\n"
        "assert PassageRetriever(search=find).invoke('meals')\n"
        "assert not tracing_is_enabled()\n"
    )
    asked = {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "k"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
