"""A shelf of documents in Qdrant, for companies that outgrow one machine; needs the extra `precept[qdrant]`.

Who may read what is a condition of Qdrant's own search. Nothing is sent but to the server that the operator names;
`QdrantClient(":memory:")` or a path keeps everything in this process.
"""

import uuid
from collections.abc import Collection, Sequence

import numpy as np
from langchain_core.documents import Document
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from retrieval.langchain import Found

_NAMES = uuid.UUID("6f0f6c0e-5d0b-5c53-8f5e-7c1d1f2b7a11")  # any, the same for ever: ids are made from it
_BATCH = 256


class QdrantShelf:
    """A collection of a Qdrant server, made when the first document comes; `exact` searches it without HNSW."""

    def __init__(self, client: QdrantClient, collection: str, exact: bool = False) -> None:
        self._client = client
        self._collection = collection
        self._parameters = models.SearchParams(exact=True) if exact else None  # in memory every search is exact

    def put(self, documents: Sequence[Document], vectors: NDArray[np.float32]) -> None:
        if not self._is_there():
            size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
            self._client.create_collection(self._collection, vectors_config=size)
        points = [
            models.PointStruct(
                id=_point_id(str(document.id)),
                vector=vector.tolist(),
                payload={"id": document.id, "text": document.page_content, "metadata": document.metadata},
            )
            for document, vector in zip(documents, vectors, strict=True)
        ]
        for start in range(0, len(points), _BATCH):
            self._client.upsert(self._collection, points[start : start + _BATCH], wait=True)

    def drop(self, ids: Sequence[str] | None) -> None:
        if not self._is_there():
            return
        if ids is None:
            self._client.delete_collection(self._collection)
        elif ids:
            points: list[models.ExtendedPointId] = [_point_id(name) for name in ids]
            self._client.delete(self._collection, models.PointIdsList(points=points), wait=True)

    def get(self, ids: Sequence[str]) -> list[Document]:
        if not ids or not self._is_there():
            return []
        records = self._client.retrieve(self._collection, [_point_id(name) for name in ids], with_payload=True)
        found = {str(record.id): _document(record.payload) for record in records}
        return [found[_point_id(name)] for name in ids if _point_id(name) in found]

    def nearest(self, query: NDArray[np.float32], k: int, allowed: Collection[str] | None) -> list[Found]:
        if not self._is_there() or (allowed is not None and not allowed):
            return []
        answer = self._client.query_points(
            self._collection,
            query=query.tolist(),
            query_filter=_only(allowed),
            search_params=self._parameters,
            limit=k,
            with_payload=True,
            with_vectors=True,
        )
        return [(_document(hit.payload), hit.score, np.array(hit.vector, dtype=np.float32)) for hit in answer.points]

    def _is_there(self) -> bool:
        return self._client.collection_exists(self._collection)


def _only(allowed: Collection[str] | None) -> models.Filter | None:
    if allowed is None:
        return None
    points: list[models.ExtendedPointId] = [_point_id(name) for name in allowed]
    return models.Filter(must=[models.HasIdCondition(has_id=points)])


def _point_id(name: str) -> str:
    """Return the UUID under which Qdrant, which takes no other text, keeps an id."""
    return str(uuid.uuid5(_NAMES, name))


def _document(payload: models.Payload | None) -> Document:
    kept = payload or {}
    return Document(id=kept["id"], page_content=kept["text"], metadata=kept["metadata"])
