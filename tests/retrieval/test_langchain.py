"""LangChain's own standard suites over our adapters, and its tracing kept off."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests
from numpy.typing import NDArray

from retrieval.embedding import HashingEmbedder
from retrieval.langchain import EmbedderEmbeddings, MemoryShelf, PreceptRetriever, PreceptVectorStore, Shelf

TEXTS = [
    "Meals are paid up to $60.",
    "Hotels are paid up to $180.",
    "Printers need toner.",
    "Meals in Paris cost more.",
]


def qdrant_shelf() -> Shelf:
    pytest.importorskip("qdrant_client", reason="precept[qdrant] is not installed")
    from qdrant_client import QdrantClient

    from retrieval.qdrant import QdrantShelf

    return QdrantShelf(QdrantClient(":memory:"), "passages")


SHELVES: dict[str, Callable[[], Shelf]] = {"memory": MemoryShelf, "qdrant": qdrant_shelf}


@pytest.fixture(params=SHELVES)
def shelf(request: pytest.FixtureRequest) -> Shelf:
    return SHELVES[request.param]()


@pytest.fixture
def store(shelf: Shelf) -> PreceptVectorStore:
    embeddings = EmbedderEmbeddings(HashingEmbedder())
    return PreceptVectorStore.from_texts(TEXTS, embeddings, ids=["a", "b", "c", "d"], shelf=shelf)


def find(query: str, k: int) -> list[Document]:
    return PreceptVectorStore.from_texts(TEXTS, EmbedderEmbeddings(HashingEmbedder())).similarity_search(query, k)


class TestVectorStoreSuite(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, shelf: Shelf) -> VectorStore:
        return PreceptVectorStore(self.get_embeddings(), shelf)

    @staticmethod
    def get_embeddings() -> Embeddings:
        return EmbedderEmbeddings(HashingEmbedder(dim=32))


class TestRetrieverSuite(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return PreceptRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"search": find}

    @property
    def retriever_query_example(self) -> str:
        return "Which meals are paid?"


def test_an_allow_list_restricts_the_search_itself(store: PreceptVectorStore) -> None:
    assert [hit.id for hit in store.similarity_search("meals", k=2, allowed=["b", "c"])] in (["b", "c"], ["c", "b"])
    assert store.similarity_search("meals", k=2, allowed=[]) == []
    assert store.similarity_search("meals", k=2, allowed=["unknown"]) == []


def test_scores_fall_and_relevance_lies_between_nothing_and_one(store: PreceptVectorStore) -> None:
    scores = [score for _, score in store.similarity_search_with_score("paid meals", k=4)]
    assert scores == sorted(scores, reverse=True)
    relevant = store.similarity_search_with_relevance_scores("paid meals", k=4)
    assert all(0 <= score <= 1 for _, score in relevant)


def test_marginal_relevance_prefers_what_is_new(shelf: Shelf) -> None:
    texts = ["paid meals", "paid meals", "paid hotels"]
    varied = PreceptVectorStore.from_texts(texts, EmbedderEmbeddings(HashingEmbedder()), shelf=shelf)
    found = varied.max_marginal_relevance_search("paid meals", k=2, fetch_k=3, lambda_mult=0.3)
    assert {document.page_content for document in found} == {"paid meals", "paid hotels"}


def test_an_id_given_twice_keeps_its_last_text(shelf: Shelf) -> None:
    embeddings = EmbedderEmbeddings(HashingEmbedder())
    twice = PreceptVectorStore.from_texts(["one", "two"], embeddings, ids=["x", "x"], shelf=shelf)
    assert [document.page_content for document in twice.similarity_search("anything", k=5)] == ["two"]


@pytest.mark.parametrize("kind", SHELVES)
def test_a_shelf_is_a_dictionary_of_vectors_whatever_happens_to_it(kind: str) -> None:
    """Model-based: after any puts and drops, what is near is what brute force over a dictionary finds."""

    class ShelfAndDictionary(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.shelf = SHELVES[kind]()
            self.model: dict[str, NDArray[np.float32]] = {}

        @rule(names=st.sets(st.sampled_from("abcdef"), min_size=1), seed=st.integers(0, 99))
        def put(self, names: set[str], seed: int) -> None:
            vectors = np.random.default_rng(seed).standard_normal((len(names), 4)).astype(np.float32)
            documents = [Document(id=name, page_content=f"{name}{seed}") for name in sorted(names)]
            self.shelf.put(documents, vectors)
            self.model |= dict(zip(sorted(names), vectors, strict=True))
            assert self.shelf.get(sorted(names)) == documents

        @rule(names=st.none() | st.lists(st.sampled_from("abcdefz")))
        def drop(self, names: list[str] | None) -> None:
            self.shelf.drop(names)
            for name in list(self.model) if names is None else names:
                self.model.pop(name, None)

        @rule(allowed=st.none() | st.sets(st.sampled_from("abcdefz")), k=st.integers(1, 8), seed=st.integers(0, 99))
        def search(self, allowed: set[str] | None, k: int, seed: int) -> None:
            query = np.random.default_rng(seed).standard_normal(4).astype(np.float32)
            scores = {n: float(v @ query) for n, v in self.model.items() if allowed is None or n in allowed}
            expected = sorted(scores, key=lambda name: -scores[name])[:k]
            found = self.shelf.nearest(query, k, allowed)
            assert [document.id for document, _, _ in found] == expected
            np.testing.assert_allclose([score for _, score, _ in found], [scores[n] for n in expected], atol=1e-5)
            for document, _, vector in found:
                np.testing.assert_allclose(vector, self.model[str(document.id)], atol=1e-6)

    run_state_machine_as_test(
        ShelfAndDictionary, settings=settings(max_examples=25, stateful_step_count=12, deadline=None)
    )


def test_no_trace_is_sent_even_when_the_environment_asks_for_it() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*a, **k): print('connected', file=sys.stderr)\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from tests.retrieval.test_langchain import find\n"
        "from retrieval.langchain import PreceptRetriever\n"
        "from langsmith.utils import tracing_is_enabled\n"
        "assert PreceptRetriever(search=find).invoke('meals')\n"
        "assert not tracing_is_enabled()\n"
    )
    asked = {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "k"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
