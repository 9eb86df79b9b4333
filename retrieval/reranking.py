"""Ordering the best passages anew by a cross-encoder that reads question and passage together; off by default.

Only a model folder that the operator names is read, safetensors alone, and nothing is ever fetched.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from retrieval.embedding import forbid_hub

MAX_RERANKED = 30  # passages for each question: each costs a pass of the model


class Reranker(Protocol):
    """Says how well passages answer a question."""

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        """Return a score between 0 and 1 for each passage."""
        ...


class RerankerDamaged(ValueError):
    """The folder named holds no cross-encoder; the message says what is missing."""


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder in a local folder, loaded by the first call; one call runs at a time."""

    def __init__(self, folder: Path) -> None:
        missing = [name for name in ("config.json", "model.safetensors") if not (folder / name).is_file()]
        if missing:
            raise RerankerDamaged(f"{folder} lacks {', '.join(missing)}; name a folder with a whole cross-encoder")
        self._folder = folder
        self._lock = threading.Lock()
        self._model: Any = None

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        if not passages:
            return []
        with self._lock:
            if self._model is None:
                self._model = _open_model(self._folder)
            logits = self._model.predict([(question, passage) for passage in passages], show_progress_bar=False)
        return [float(score) for score in logits]


def _open_model(folder: Path) -> Any:
    forbid_hub()
    from sentence_transformers import CrossEncoder  # noqa: PLC0415 (seconds to import, and flags come first)
    from torch.nn import Sigmoid  # noqa: PLC0415

    return CrossEncoder(
        str(folder),
        device="cpu",
        activation_fn=Sigmoid(),
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )
