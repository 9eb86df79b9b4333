"""LangChain's interfaces over our embedder, vector index and search, so that its chains can read company passages.

Tracing to LangSmith is switched off by every constructor here: LangChain starts it from environment variables, and
questions and passages do not leave the company's machines. Nothing is saved by LangChain: its own save is a pickle.
"""

import os
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Protocol, Self

import langsmith
import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from numpy.typing import NDArray

from retrieval.embedding import Embedder
from retrieval.vector_index import VectorIndex

Search = Callable[[str, int], Sequence[Document]]


def forbid_tracing() -> None:
    """Switch LangSmith tracing off in this process and in those that it starts."""
    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"):
        os.environ[name] = "false"
    langsmith.configure(enabled=False)


class EmbedderEmbeddings(Embeddings):
    """Our embedder as LangChain's."""

    def __init__(self, embedder: Embedder) -> None:
        forbid_tracing()
        self._embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._embedder.embed(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class PreceptRetriever(BaseRetriever):
    """Any search of ours as a LangChain retriever; `search` gets the query and how many passages are wanted."""

    search: Search
    k: int = 4

    def model_post_init(self, context: Any) -> None:
        forbid_tracing()
        super().model_post_init(context)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return list(self.search(query, self.k if k is None else k))


Found = tuple[Document, float, NDArray[np.float32]]
"""A document with its inner product with the query, and its vector."""


class Shelf(Protocol):
    """Where documents and their vectors are kept by id; safe to use from many threads."""

    def put(self, documents: Sequence[Document], vectors: NDArray[np.float32]) -> None:
        """Keep documents with different ids, each in place of the one that its id had."""
        ...

    def drop(self, ids: Sequence[str] | None) -> None:
        """Forget documents; None forgets all, ids that are not here are ignored."""
        ...

    def get(self, ids: Sequence[str]) -> list[Document]:
        """Return the documents that are here, in the order of `ids`."""
        ...

    def nearest(self, query: NDArray[np.float32], k: int, allowed: Collection[str] | None) -> list[Found]:
        """Return up to `k`, best first, of the `allowed` ids; None allows all, an empty collection none."""
        ...


class PreceptVectorStore(VectorStore):
    """Documents on a shelf, in memory or in Qdrant; ids are upserted, and `allowed` restricts the search itself."""

    def __init__(self, embedding: Embeddings, shelf: Shelf | None = None) -> None:
        forbid_tracing()
        self._embedding = embedding
        self._shelf = shelf or MemoryShelf()

    @property
    def embeddings(self) -> Embeddings:
        return self._embedding

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        shelf: Shelf | None = None,
        **kwargs: Any,
    ) -> Self:
        store = cls(embedding, shelf)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, each in place of the one that its id had; an id that is None is made up."""
        contents = list(texts)
        names = [name or str(uuid.uuid4()) for name in ids or [None] * len(contents)]
        documents = [
            Document(id=name, page_content=content, metadata=metadata)
            for name, content, metadata in zip(names, contents, metadatas or [{} for _ in contents], strict=True)
        ]
        newest = {name: place for place, name in enumerate(names)}  # the last of several with one id stays
        if documents:
            vectors = np.asarray(self._embedding.embed_documents(contents), dtype=np.float32)
            self._shelf.put([documents[place] for place in newest.values()], vectors[list(newest.values())])
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents; None deletes all, ids that are not here are ignored."""
        self._shelf.drop(ids)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return self._shelf.get(ids)

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, allowed: Collection[str] | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Return (document, inner product), best first; with `allowed`, of documents with these ids alone."""
        found = self._nearest(self._embedding.embed_query(query), k, allowed)
        return [(document, score) for document, score, _ in found]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, allowed: Collection[str] | None = None, **kwargs: Any
    ) -> list[Document]:
        return [document for document, _, _ in self._nearest(embedding, k, allowed)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        embedded = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(embedded, k, fetch_k, lambda_mult, **kwargs)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        allowed: Collection[str] | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        found = self._nearest(embedding, fetch_k, allowed)
        vectors = [vector.tolist() for _, _, vector in found]
        chosen = maximal_marginal_relevance(np.asarray(embedding, dtype=np.float32), vectors, lambda_mult, k)
        return [found[place][0] for place in chosen]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda inner_product: (inner_product + 1) / 2

    def _nearest(self, query: Sequence[float], k: int, allowed: Collection[str] | None) -> list[Found]:
        return self._shelf.nearest(np.asarray(query, dtype=np.float32), k, allowed) if k > 0 else []


class MemoryShelf:
    """A shelf in memory, searched by `VectorIndex`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._documents: dict[str, Document] = {}
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._next = 0
        self._index: VectorIndex | None = None

    def put(self, documents: Sequence[Document], vectors: NDArray[np.float32]) -> None:
        with self._lock:
            for document in documents:
                name = str(document.id)
                if name not in self._numbers:
                    self._numbers[name], self._names[self._next] = self._next, name
                    self._next += 1
                self._documents[name] = document
            index = self._index or VectorIndex.build([], np.zeros((0, vectors.shape[1])), fingerprint="langchain")
            self._index = index.updated(ids=[self._numbers[str(each.id)] for each in documents], vectors=vectors)

    def drop(self, ids: Sequence[str] | None) -> None:
        with self._lock:
            gone = {name for name in (self._numbers if ids is None else ids) if name in self._numbers}
            numbers = [self._numbers.pop(name) for name in gone]
            for number in numbers:
                self._documents.pop(self._names.pop(number))
            if self._index is not None:
                self._index = self._index.updated(remove=numbers)

    def get(self, ids: Sequence[str]) -> list[Document]:
        with self._lock:
            return [_copy(self._documents[name]) for name in ids if name in self._documents]

    def nearest(self, query: NDArray[np.float32], k: int, allowed: Collection[str] | None) -> list[Found]:
        with self._lock:
            if self._index is None:
                return []
            numbers = None if allowed is None else [self._numbers[name] for name in allowed if name in self._numbers]
            found = self._index.search(query, k, numbers)
            vectors = self._index.vectors_of([number for number, _ in found])
            return [
                (_copy(self._documents[self._names[number]]), score, vector)
                for (number, score), vector in zip(found, vectors, strict=True)
            ]


def _copy(document: Document) -> Document:
    """Return a document that its receiver may change without changing ours."""
    return document.model_copy(deep=True)
