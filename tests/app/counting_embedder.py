"""An embedder that counts what it is asked, and can be made to wait."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import HashingEmbedder


class CountingEmbedder:
    """Hashes like `HashingEmbedder`, and remembers every text; after `wait_at` texts it waits for `go`."""

    def __init__(self, dim: int = 64, wait_at: int | None = None) -> None:
        self._hashing = HashingEmbedder(dim)
        self.dim = dim
        self.fingerprint = self._hashing.fingerprint
        self.texts: list[str] = []
        self.wait_at = wait_at
        self.waiting, self.go = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += texts
        if self.wait_at is not None and len(self.texts) >= self.wait_at:
            self.waiting.set()
            assert self.go.wait(60)
        return self._hashing.embed(texts)
