"""An embedder that remembers vectors on disk, so that a benchmark is repeated in minutes."""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import Embedder

_BATCH = 512  # texts between two commits: what is lost when a run is interrupted


class RememberingEmbedder:
    """The vectors of another embedder, each computed once; the file is named after its fingerprint."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self.dim = embedder.dim
        self.fingerprint = embedder.fingerprint
        folder.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(folder / f"{embedder.fingerprint}.sqlite")
        self._file.execute("CREATE TABLE IF NOT EXISTS known (sha256 BLOB PRIMARY KEY, vector BLOB NOT NULL)")

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text, shape (N, dim)."""
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        # By length: a batch of like lengths is padded least.
        new = sorted(
            {key: text for key, text in zip(keys, texts, strict=True) if self._known(key) is None}.items(),
            key=lambda item: len(item[1]),
        )
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            vectors = self._embedder.embed([text for _, text in batch])
            rows = [(key, vector.tobytes()) for (key, _), vector in zip(batch, vectors, strict=True)]
            with self._file:
                self._file.executemany("INSERT OR IGNORE INTO known VALUES (?, ?)", rows)
        data = b"".join(self._known(key) or b"" for key in keys)
        return np.frombuffer(data, dtype=np.float32).reshape(len(texts), self.dim)

    def _known(self, key: bytes) -> bytes | None:
        row = self._file.execute("SELECT vector FROM known WHERE sha256 = ?", (key,)).fetchone()
        return row[0] if row else None
