"""The vector index against brute force, and against damage on disk."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from numpy.typing import NDArray

from retrieval.vector_index import MANIFEST, IndexDamaged, VectorIndex

DIM = 8


def vectors_of(num: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((num, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def built(num: int = 20, generation: int = 3) -> VectorIndex:
    return VectorIndex.build(range(100, 100 + num), vectors_of(num), fingerprint="test-1", generation=generation)


def brute_force(
    vectors: dict[int, NDArray[np.float32]], query: NDArray[np.float32], k: int, allowed: set[int] | None
) -> list[tuple[int, float]]:
    scored = [(i, float(v @ query)) for i, v in vectors.items() if allowed is None or i in allowed]
    return sorted(scored, key=lambda hit: (-hit[1], hit[0]))[:k]


def assert_same_hits(found: list[tuple[int, float]], expected: list[tuple[int, float]]) -> None:
    """Compare scores closely and ids where no tie leaves the choice open."""
    np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], atol=1e-5)
    for (found_id, score), (expected_id, _) in zip(found, expected, strict=True):
        tied = sum(abs(score - other) < 1e-5 for _, other in expected) > 1 or abs(score - expected[-1][1]) < 1e-5
        assert tied or found_id == expected_id


MATRICES = st.integers(1, 40).flatmap(
    lambda n: hnp.arrays(np.float32, (n, DIM), elements=st.floats(-1, 1, width=16, allow_subnormal=False))
)


@settings(max_examples=150, deadline=None)
@given(MATRICES, st.data())
def test_search_equals_brute_force_with_and_without_an_allow_list(
    matrix: NDArray[np.float32], data: st.DataObject
) -> None:
    ids = data.draw(st.lists(st.integers(0, 2**62), min_size=len(matrix), max_size=len(matrix), unique=True))
    index = VectorIndex.build(ids, matrix, fingerprint="test-1")
    allowed = data.draw(st.none() | st.sets(st.sampled_from(ids) | st.integers(0, 50)))
    k = data.draw(st.integers(0, 50))
    query = matrix[data.draw(st.integers(0, len(matrix) - 1))]
    expected = brute_force(dict(zip(ids, matrix, strict=True)), query, k, allowed)
    assert_same_hits(index.search(query, k, allowed), expected)


def test_an_empty_allow_list_allows_nothing() -> None:
    index = built()
    assert index.search(vectors_of(1)[0], 5, []) == []
    assert index.search(vectors_of(1)[0], 5, np.array([], dtype=np.int64)) == []
    assert index.search(vectors_of(1)[0], 5, {7, 8}) == []
    assert len(index.search(vectors_of(1)[0], 5)) == 5


def test_a_narrow_allow_list_still_finds_all_that_it_allows() -> None:
    index = VectorIndex.build(range(5000), vectors_of(5000), fingerprint="test-1")
    hits = index.search(vectors_of(1, seed=9)[0], 10, range(0, 5000, 100))
    assert len(hits) == 10
    assert all(i % 100 == 0 for i, _ in hits)


def test_lists_find_most_and_a_narrow_search_in_them_everything(tmp_path: Path) -> None:
    vectors = vectors_of(4000)
    lists = VectorIndex.build(range(4000), vectors, fingerprint="test-1", ivf_above=1000)
    exact = VectorIndex.build(range(4000), vectors, fingerprint="test-1")
    assert exact.is_exact and not lists.is_exact
    lists.save(tmp_path)
    updated = lists.updated(remove=range(0, 4000, 2), generation=5)
    for query in vectors_of(20, seed=3):
        expected = {i for i, _ in exact.search(query, 10)}
        for index in (lists, VectorIndex.load(tmp_path)):
            assert len(expected & {i for i, _ in index.search(query, 10)}) >= 9
        narrow = range(1, 4000, 40)
        assert_same_hits(lists.search(query, 10, narrow), exact.search(query, 10, narrow))
        assert_same_hits(updated.search(query, 10, narrow), exact.search(query, 10, narrow))
    np.testing.assert_array_equal(lists.vectors(), vectors)
    np.testing.assert_array_equal(lists.vectors_of([7, 3]), vectors[[7, 3]])


def test_an_empty_index_answers_with_nothing(tmp_path: Path) -> None:
    index = VectorIndex.build([], np.zeros((0, DIM)), fingerprint="test-1")
    assert index.search(vectors_of(1)[0], 5) == []
    index.save(tmp_path)
    assert len(VectorIndex.load(tmp_path)) == 0


@pytest.mark.parametrize(
    ("ids", "vectors"),
    [
        ([1, 1], np.ones((2, DIM))),
        ([-1], np.ones((1, DIM))),
        ([1], np.ones((2, DIM))),
        ([1], np.ones(DIM)),
        ([1], np.full((1, DIM), np.nan)),
    ],
)
def test_what_is_no_index_is_refused(ids: list[int], vectors: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match=r"must|need"):
        VectorIndex.build(ids, vectors, fingerprint="test-1")


@pytest.mark.parametrize("query", [np.ones(DIM + 1), np.full(DIM, np.inf)])
def test_a_query_of_another_width_or_without_end_is_refused(query: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="finite vector"):
        built().search(query, 3)


class IndexAndDictionary(RuleBasedStateMachine):
    """Any sequence of additions, replacements and removals leaves the index equal to a dictionary of vectors."""

    @initialize()
    def start(self) -> None:
        self.index = VectorIndex.build([], np.zeros((0, DIM)), fingerprint="test-1")
        self.model: dict[int, NDArray[np.float32]] = {}

    @rule(
        ids=st.sets(st.integers(0, 30), max_size=6),
        remove=st.sets(st.integers(0, 30), max_size=6),
        seed=st.integers(0, 99),
    )
    def update(self, ids: set[int], remove: set[int], seed: int) -> None:
        before = len(self.index)
        old = self.index
        vectors = vectors_of(len(ids), seed) if ids else None
        self.index = self.index.updated(remove=remove, ids=sorted(ids), vectors=vectors)
        for gone in remove:
            self.model.pop(gone, None)
        self.model |= dict(zip(sorted(ids), vectors, strict=True)) if vectors is not None else {}
        assert len(old) == before
        assert self.index.generation == old.generation + 1

    @rule()
    def restart(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(Path(folder))
            self.index = VectorIndex.load(Path(folder))

    @rule(allowed=st.sets(st.integers(0, 30)), k=st.integers(0, 12), seed=st.integers(0, 99))
    def search(self, allowed: set[int], k: int, seed: int) -> None:
        query = vectors_of(1, seed)[0]
        assert_same_hits(self.index.search(query, k, allowed), brute_force(self.model, query, k, allowed))

    @invariant()
    def agrees(self) -> None:
        query = vectors_of(1, seed=5)[0]
        assert set(self.index.ids.tolist()) == set(self.model)
        assert_same_hits(self.index.search(query, 40), brute_force(self.model, query, 40, None))
        for chunk_id, vector in self.model.items():
            np.testing.assert_array_equal(self.index.vectors_of([chunk_id])[0], vector)


TestIndexAndDictionary = IndexAndDictionary.TestCase
TestIndexAndDictionary.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


def test_a_saved_index_is_loaded_as_it_was(tmp_path: Path) -> None:
    index = built()
    index.save(tmp_path)
    loaded = VectorIndex.load(tmp_path)
    query = vectors_of(1, seed=4)[0]
    assert loaded.search(query, 20) == index.search(query, 20)
    assert (loaded.generation, loaded.fingerprint, loaded.dim, len(loaded)) == (3, "test-1", DIM, 20)
    np.testing.assert_array_equal(loaded.vectors(), index.vectors())


def test_saving_again_replaces_the_index_and_keeps_one_file_for_slow_readers(tmp_path: Path) -> None:
    for generation in range(1, 5):
        built(num=10 + generation, generation=generation).save(tmp_path)
    assert len(VectorIndex.load(tmp_path)) == 14
    assert len(list(tmp_path.glob("vectors-*"))) == 2


def test_a_save_that_stopped_before_the_manifest_leaves_the_index_before_it(tmp_path: Path) -> None:
    built(num=10, generation=1).save(tmp_path)
    manifest = (tmp_path / MANIFEST).read_bytes()
    built(num=12, generation=2).save(tmp_path)
    (tmp_path / MANIFEST).write_bytes(manifest)
    assert len(VectorIndex.load(tmp_path)) == 10


def test_a_file_that_another_process_is_writing_is_left_alone_and_one_that_it_left_behind_goes(tmp_path: Path) -> None:
    built(num=10, generation=1).save(tmp_path)
    written_now = tmp_path / "vectors-2-0123456789ab.faiss.77.tmp"
    written_now.write_bytes(b"half")
    left_behind = tmp_path / "vectors-0-0123456789ab.faiss.66.tmp"
    left_behind.write_bytes(b"half")
    os.utime(left_behind, (0, 0))
    built(num=12, generation=2).save(tmp_path)
    assert written_now.exists()
    assert not left_behind.exists()


def test_a_folder_without_an_index_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        VectorIndex.load(tmp_path)


def vector_file(folder: Path) -> Path:
    return next(folder.glob("vectors-*"))


@pytest.mark.parametrize("size", [0, 1, 40, 200])
def test_a_truncated_file_is_found_damaged(tmp_path: Path, size: int) -> None:
    built().save(tmp_path)
    path = vector_file(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(IndexDamaged, match="SHA-256"):
        VectorIndex.load(tmp_path)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_one_changed_byte_anywhere_is_found(tmp_path_factory: pytest.TempPathFactory, place: int) -> None:
    folder = tmp_path_factory.mktemp("index")
    built().save(folder)
    data = bytearray(vector_file(folder).read_bytes())
    data[place % len(data)] ^= 1
    vector_file(folder).write_bytes(bytes(data))
    with pytest.raises(IndexDamaged):
        VectorIndex.load(folder)


def test_a_missing_and_a_swapped_file_are_found_damaged(tmp_path: Path) -> None:
    built().save(tmp_path / "one")
    built(num=5).save(tmp_path / "other")
    vector_file(tmp_path / "one").write_bytes(vector_file(tmp_path / "other").read_bytes())
    with pytest.raises(IndexDamaged, match="SHA-256"):
        VectorIndex.load(tmp_path / "one")
    vector_file(tmp_path / "one").unlink()
    with pytest.raises(IndexDamaged, match="cannot be read"):
        VectorIndex.load(tmp_path / "one")


@pytest.mark.parametrize(
    "change",
    [{"ntotal": 7}, {"dim": 9}, {"format": 2}, {"file": "../x"}, {"generation": "3"}, {"extra": 1}, {"sha256": None}],
)
def test_a_tampered_manifest_is_found_damaged(tmp_path: Path, change: dict[str, object]) -> None:
    built().save(tmp_path)
    path = tmp_path / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(IndexDamaged):
        VectorIndex.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '"x"', "\x00"])
def test_a_manifest_that_is_no_manifest_is_found_damaged(tmp_path: Path, text: str) -> None:
    built().save(tmp_path)
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(IndexDamaged):
        VectorIndex.load(tmp_path)
