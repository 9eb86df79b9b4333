"""Nearest neighbours by inner product, restricted to allowed ids inside the search: exact up to `IVF_ABOVE` vectors.

Above that, vectors stand in lists by their nearest centroid (IVF), and a search looks into the nearest lists alone; the
fewer vectors are allowed, the more lists it looks into, up to all of them, so that a narrow search stays exact.

An index never changes: `updated` returns a new one, so that a reader keeps the generation it began with. On disk it
is a cache of database rows: a file of vectors and a manifest that names it, both written atomically, the manifest
last. A file that does not match its manifest raises `IndexDamaged`, and the index is rebuilt from the rows.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import ArrayLike, NDArray

MANIFEST = "manifest.json"
IVF_ABOVE = 500_000
_PROBES = 48  # lists to look into where everything is allowed
_TRAINED_ON = 40  # vectors for each list
_FORMAT = 1


class IndexDamaged(ValueError):
    """What is stored is not what was saved; the message says what differs."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the file of vectors must be."""

    format: int
    file: str
    sha256: str
    ntotal: int
    dim: int
    fingerprint: str
    generation: int


class VectorIndex:
    """Vectors of one embedder by chunk id; safe to search from many threads."""

    def __init__(self, index: Any, ids: NDArray[np.int64], fingerprint: str, generation: int) -> None:
        self._index = index
        self._inner = _inner(index)  # in which ids are rows
        self._ids = ids
        self.fingerprint = fingerprint
        self.generation = generation

    @classmethod
    def build(
        cls,
        ids: ArrayLike,
        vectors: ArrayLike,
        *,
        fingerprint: str,
        generation: int = 0,
        ivf_above: int = IVF_ABOVE,
        trained: Any = None,
    ) -> "VectorIndex":
        """Index row i of `vectors`, shape (N, dim), under ``ids[i]``; pass shape (0, dim) for an empty index.

        `trained` is a FAISS index with lists to use again.

        Raises:
            ValueError: ids repeat or are negative, shapes differ, or a number is not finite.
        """
        ids_N = np.ascontiguousarray(ids, dtype=np.int64).reshape(-1)
        vectors_ND = np.ascontiguousarray(vectors, dtype=np.float32)
        _check(ids_N, vectors_ND)
        flat = len(ids_N) <= ivf_above
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors_ND.shape[1]) if flat else _lists(vectors_ND, trained))
        if len(ids_N):
            index.add_with_ids(vectors_ND, ids_N)
            if not flat:
                _inner(index).make_direct_map()
        return cls(index, ids_N, fingerprint, generation)

    @property
    def is_exact(self) -> bool:
        return not isinstance(self._inner, faiss.IndexIVF)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    @property
    def ids(self) -> NDArray[np.int64]:
        return self._ids.copy()

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(
        self, query: ArrayLike, k: int, allowed: Iterable[int] | NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """Return up to `k` (id, score), best first, of the `allowed` ids; None allows all, an empty set allows none.

        Raises:
            ValueError: `query` is not one finite vector of this index's width.
        """
        query_1D = np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1)
        if query_1D.shape[1] != self.dim or not np.isfinite(query_1D).all():
            raise ValueError(f"the query is not one finite vector of {self.dim} numbers")
        mask_N = None if allowed is None else np.isin(self._ids, _as_ids(allowed))
        num_allowed = len(self) if mask_N is None else int(mask_N.sum())
        k = min(k, num_allowed)
        if k <= 0:
            return []
        parameters = self._parameters(mask_N, num_allowed)
        # Rows and not ids: a bitmap of rows is two to three times as fast as a set of ids where most are allowed.
        scores_1K, rows_1K = self._inner.search(query_1D, k, params=parameters)
        hits = zip(rows_1K[0], scores_1K[0], strict=True)
        found = [(int(self._ids[row]), float(score)) for row, score in hits if row >= 0]  # lists can hold fewer than k
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))

    def _parameters(self, mask_N: NDArray[np.bool_] | None, num_allowed: int) -> Any:
        library: Any = faiss  # its own stubs do not know that arrays and keywords are taken
        only = {} if mask_N is None else {"sel": library.IDSelectorBitmap(np.packbits(mask_N, bitorder="little"))}
        if self.is_exact:
            return library.SearchParameters(**only) if only else None
        probes = min(self._inner.nlist, _PROBES * len(self) // num_allowed)
        return library.SearchParametersIVF(nprobe=probes, **only)

    def updated(
        self,
        *,
        remove: Iterable[int] = (),
        ids: ArrayLike = (),
        vectors: ArrayLike | None = None,
        generation: int | None = None,
    ) -> "VectorIndex":
        """Return a new index without the ids of `remove` and with `vectors` under `ids`, in place of any they had."""
        new_ids = np.ascontiguousarray(ids, dtype=np.int64).reshape(-1)
        new = np.zeros((0, self.dim), np.float32) if vectors is None else np.asarray(vectors, dtype=np.float32)
        gone = np.concatenate([_as_ids(remove), new_ids])
        kept = ~np.isin(self._ids, gone)
        return VectorIndex.build(
            np.concatenate([self._ids[kept], new_ids]),
            np.concatenate([self.vectors()[kept], new]),
            fingerprint=self.fingerprint,
            generation=self.generation + 1 if generation is None else generation,
            trained=None if self.is_exact else self._inner,
        )

    def vectors(self) -> NDArray[np.float32]:
        """Return a copy of all vectors, in the order of `ids`."""
        if not len(self):
            return np.zeros((0, self.dim), np.float32)
        rows: NDArray[np.float32] = self._inner.reconstruct_n(0, len(self))
        return rows

    def vectors_of(self, ids: Iterable[int]) -> NDArray[np.float32]:
        """Return the vectors under `ids`, in that order.

        Raises:
            ValueError: an id is not here.
        """
        try:
            rows = [self._index.reconstruct(int(chunk_id)) for chunk_id in ids]
        except RuntimeError as error:
            raise ValueError("an id has no vector in this index") from error
        return np.asarray(rows, dtype=np.float32).reshape(-1, self.dim)

    def save(self, folder: Path) -> Manifest:
        """Write the index; a crash at any instant leaves the one saved before, or this one."""
        folder.mkdir(parents=True, exist_ok=True)
        data = faiss.serialize_index(self._index).tobytes()
        sha256 = hashlib.sha256(data).hexdigest()
        name = f"vectors-{self.generation}-{sha256[:12]}.faiss"
        manifest = Manifest(_FORMAT, name, sha256, len(self), self.dim, self.fingerprint, self.generation)
        before, replaced_at = _stored_file(folder), _written_at(folder / MANIFEST)
        _write(folder / name, data)
        _write(folder / MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
        # The file before this one stays, for a process that read the old manifest and is about to open it; and so does
        # what is younger than that manifest, for another process may be about to name it in its own.
        for path in folder.glob("vectors-*"):
            if path.name not in (name, before) and _written_at(path) < replaced_at:
                path.unlink(missing_ok=True)
        return manifest

    @classmethod
    def load(cls, folder: Path) -> "VectorIndex":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: nothing was ever saved here.
            IndexDamaged: what is here is not what was saved.
        """
        manifest = read_manifest(folder)
        try:
            data = (folder / manifest.file).read_bytes()
        except OSError as error:
            raise IndexDamaged(f"{manifest.file} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != manifest.sha256:
            raise IndexDamaged(f"{manifest.file} is not the file that was saved: its SHA-256 differs")
        try:
            index = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except RuntimeError as error:
            raise IndexDamaged(f"{manifest.file} is not an index") from error
        if not isinstance(index, faiss.IndexIDMap2) or (index.ntotal, index.d) != (manifest.ntotal, manifest.dim):
            raise IndexDamaged(f"{manifest.file} does not hold {manifest.ntotal} vectors of {manifest.dim} numbers")
        if isinstance(inner := _inner(index), faiss.IndexIVF):
            inner.make_direct_map()
        return cls(index, faiss.vector_to_array(index.id_map), manifest.fingerprint, manifest.generation)


def read_manifest(folder: Path) -> Manifest:
    """Read a saved index's manifest.

    Raises:
        FileNotFoundError: nothing was ever saved here.
        IndexDamaged: the manifest cannot be understood.
    """
    try:
        fields = json.loads((folder / MANIFEST).read_bytes())
        manifest = Manifest(**fields)
    except (ValueError, TypeError) as error:
        raise IndexDamaged(f"{folder / MANIFEST} cannot be understood: {error}") from error
    kinds = {
        "format": int,
        "file": str,
        "sha256": str,
        "ntotal": int,
        "dim": int,
        "fingerprint": str,
        "generation": int,
    }
    wrong = [name for name, kind in kinds.items() if type(fields[name]) is not kind]
    if wrong or manifest.format != _FORMAT or Path(manifest.file).name != manifest.file:
        raise IndexDamaged(f"{folder / MANIFEST} is not a manifest of format {_FORMAT}")
    return manifest


def _inner(index: Any) -> Any:
    """Return what an `IndexIDMap2` wraps, as the class that it is."""
    return faiss.downcast_index(index.index)


def _lists(vectors_ND: NDArray[np.float32], trained: Any) -> Any:
    """Return empty lists with trained centroids, about as many as the square root of the vectors."""
    if trained is not None:
        empty = faiss.clone_index(trained)
        empty.reset()
        return empty
    num, dim = vectors_ND.shape
    lists: Any = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, max(1, int(num**0.5)), faiss.METRIC_INNER_PRODUCT)
    lists.cp.min_points_per_centroid = 1
    sample = np.random.default_rng(0).permutation(num)[: _TRAINED_ON * lists.nlist]
    lists.train(vectors_ND[sample])
    return lists


def _as_ids(ids: Iterable[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    array = ids if isinstance(ids, np.ndarray) else np.fromiter(ids, dtype=np.int64)
    return np.asarray(array, dtype=np.int64)


def _check(ids_N: NDArray[np.int64], vectors_ND: NDArray[np.float32]) -> None:
    if vectors_ND.ndim != 2 or len(vectors_ND) != len(ids_N):
        raise ValueError(f"{len(ids_N)} ids need a matrix of {len(ids_N)} rows, not one of shape {vectors_ND.shape}")
    if len(np.unique(ids_N)) != len(ids_N) or (len(ids_N) and ids_N.min() < 0):
        raise ValueError("ids must be different from each other and not negative")
    if not np.isfinite(vectors_ND).all():
        raise ValueError("vectors must be finite")


def _stored_file(folder: Path) -> str:
    try:
        return read_manifest(folder).file
    except (FileNotFoundError, IndexDamaged):
        return ""


def _written_at(path: Path) -> int:
    """Return when a file was last written, in nanoseconds; 0 if it is not there."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _write(path: Path, data: bytes) -> None:
    """Replace a file so that a reader sees the old content or the new one, also after a power cut."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
