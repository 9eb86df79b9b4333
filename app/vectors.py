"""Dense search: the FAISS index of this process, kept equal to the rows.

The rows hold every vector. The file in the home is a cache that saves reading them at start: one that is missing,
damaged, from another embedder or from another past of the database is not used, and the index is built from the rows.
Chunks that another embedder has seen are embedded again.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.access import Readable
from app.database import Database
from app.generation import generation, next_generation
from app.keywords import indexed_texts
from app.schema import StoredChunk
from retrieval.embedding import Embedder
from retrieval.query import Query
from retrieval.vector_index import IndexDamaged, VectorIndex

log = logging.getLogger(__name__)

_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The index at one generation, and the chunks of each collection in it."""

    index: VectorIndex
    members: Mapping[int, NDArray[np.int64]]
    generation: int


class Vectors:
    """The dense index of one process."""

    def __init__(self, database: Database, embedder: Callable[[], Embedder | None], folder: Path) -> None:
        self._database = database
        self._embedder = embedder
        self._folder = folder
        self._lock = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._saved_generation = -1

    def embed(self, texts: Sequence[str]) -> tuple[list[bytes | None], str | None]:
        """Return each text's vector as it is stored, and the embedder's fingerprint; None without an embedder."""
        embedder = self._embedder()
        if embedder is None:
            return [None] * len(texts), None
        return [vector.astype(np.float16).tobytes() for vector in embedder.embed(texts)], embedder.fingerprint

    def search(
        self, session: Session, query: NDArray[np.float32], k: int, readable: Readable
    ) -> list[tuple[int, float]]:
        """Return up to `k` (chunk id, score) of what is readable, best first."""
        snapshot = self.refresh()
        if snapshot is None:
            return []
        if readable.is_narrowed:
            ids = session.scalars(select(StoredChunk.id).where(*readable.conditions)).all()
            return snapshot.index.search(query, k, ids)
        allowed = [snapshot.members[number] for number in readable.collections if number in snapshot.members]
        if not allowed:
            return []
        everything = len(allowed) == len(snapshot.members)
        return snapshot.index.search(query, k, None if everything else np.concatenate(allowed))

    def query_vector(self, query: Query) -> NDArray[np.float32] | None:
        embedder = self._embedder()
        return query.vector(embedder.embed(query.texts())) if embedder else None

    def refresh(self) -> _Snapshot | None:
        """Make this process's index equal to the rows; None without an embedder."""
        embedder = self._embedder()
        if embedder is None:
            return None
        with self._database.read() as session:
            newest = generation(session)
        current = self._snapshot
        if current is not None and current.generation == newest:
            return current
        with self._lock:
            if self._snapshot is None:
                self._embed_again(embedder)
            with self._database.read() as session:
                self._snapshot = self._caught_up(session, embedder)
        return self._snapshot

    def save(self) -> None:
        """Write the index into the home if this process has a newer one, so that the next start need not build it."""
        snapshot = self._snapshot
        if snapshot is not None and snapshot.generation != self._saved_generation:
            snapshot.index.save(self._folder)
            self._saved_generation = snapshot.generation

    def _caught_up(self, session: Session, embedder: Embedder) -> _Snapshot:
        newest = generation(session)
        index = self._snapshot.index if self._snapshot else self._stored(embedder, newest)
        rows = session.execute(
            select(StoredChunk.id, StoredChunk.collection_id)
            .where(StoredChunk.embedder == embedder.fingerprint)
            .order_by(StoredChunk.id)
        ).all()
        ids = np.array([row.id for row in rows], dtype=np.int64)
        collections = np.array([row.collection_id for row in rows], dtype=np.int64)
        gone, new = np.setdiff1d(index.ids, ids), np.setdiff1d(ids, index.ids)
        index = index.updated(remove=gone, ids=new, vectors=_vectors(session, new, embedder.dim), generation=newest)
        members = {int(number): ids[collections == number] for number in np.unique(collections)}
        return _Snapshot(index, members, newest)

    def _stored(self, embedder: Embedder, newest: int) -> VectorIndex:
        empty = VectorIndex.build([], np.zeros((0, embedder.dim), np.float32), fingerprint=embedder.fingerprint)
        try:
            index = VectorIndex.load(self._folder)
        except FileNotFoundError:
            return empty
        except IndexDamaged as damage:
            log.warning("the saved index is built again: %s", damage)
            return empty
        if index.fingerprint != embedder.fingerprint or index.generation > newest or index.dim != embedder.dim:
            log.warning("the saved index belongs to another embedder or database and is built again")
            return empty
        self._saved_generation = index.generation
        return index

    def _embed_again(self, embedder: Embedder) -> None:
        """Embed the chunks whose vector is absent or of another embedder."""
        stale = or_(StoredChunk.embedder.is_(None), StoredChunk.embedder != embedder.fingerprint)
        while True:
            with self._database.read() as session:
                batch = indexed_texts(session, stale)
            if not batch:
                return
            vectors, fingerprint = self.embed([words for _, words in batch])
            with self._database.write() as session:
                for (chunk_id, _), vector in zip(batch, vectors, strict=True):
                    session.execute(
                        update(StoredChunk)
                        .where(StoredChunk.id == chunk_id)
                        .values(vector=vector, embedder=fingerprint)
                    )
                next_generation(session)


def _vectors(session: Session, ids: NDArray[np.int64], dim: int) -> NDArray[np.float32]:
    """Read vectors in the order of `ids`, which are ascending."""
    if not len(ids):
        return np.zeros((0, dim), np.float32)
    parts: list[NDArray[np.float32]] = []
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        rows = session.scalars(
            select(StoredChunk.vector).where(StoredChunk.id.in_(batch.tolist())).order_by(StoredChunk.id)
        )
        data = b"".join(bytes(vector or b"") for vector in rows)
        parts.append(np.frombuffer(data, dtype=np.float16).reshape(-1, dim).astype(np.float32))
    return np.concatenate(parts)
