"""Measures search by size: latency where 1, 10 and 100 % are readable, recall, memory, restart and rebuild.

Vectors are synthetic (2,000 clusters, 384 numbers) for 1,000, 100,000 and 1,000,000 passages; the largest needs 10 GB
of memory. Words are real text of the public corpora, cut every 800 characters. One thread; times are of the processor,
which a busy machine does not stretch. "Restart" is opening what was saved, with its checksum; "rebuild" is building
from the vectors as the rows hold them. FTS5 is asked as the application asks it below `IN_MEMORY_ABOVE`, and for its
own ranking, whose statistics count what is forbidden.
"""

import itertools
import random
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.postings import Postings, count_terms
from retrieval.query import Query
from retrieval.vector_index import VectorIndex
from retrieval.words import content_words, index_terms
from tests.benchmarks.measurement import Measurement

DIM, K = 384, 100
SIZES = (1_000, 100_000, 1_000_000)
SHARES = (0.01, 0.1, 1.0)
_TEXTS = 100_000


def measure(data: Path) -> list[Measurement]:
    faiss.omp_set_num_threads(1)
    return [*itertools.chain.from_iterable(_vectors(num) for num in SIZES), *_words(data)]


def _vectors(num: int) -> Iterator[Measurement]:
    vectors, queries = _clustered(num, 20 if num < 1_000_000 else 8)
    stored = vectors.astype(np.float16)
    started = time.process_time()
    exact = VectorIndex.build(np.arange(num), stored.astype(np.float32), fingerprint="bench", ivf_above=2 * num)
    yield _one(f"{num:,} vectors, rebuild", "s", time.process_time() - started)
    yield _one(f"{num:,} vectors, memory", "MB", num * (DIM * 4 + 16) / 1e6)
    yield _one(f"{num:,} vectors, restart", "s", _restart(exact))
    yield from _searched(f"{num:,} vectors, exact", exact, vectors, queries)
    if num == max(SIZES):
        del exact, stored
        started = time.process_time()
        lists = VectorIndex.build(np.arange(num), vectors, fingerprint="bench")
        yield _one(f"{num:,} vectors, rebuild with lists", "s", time.process_time() - started)
        yield from _searched(f"{num:,} vectors, lists", lists, vectors, queries)


def _searched(
    name: str, index: VectorIndex, vectors: NDArray[np.float32], queries: NDArray[np.float32]
) -> Iterator[Measurement]:
    for share in SHARES:
        allowed = np.flatnonzero(np.random.default_rng(1).random(len(vectors)) < share)
        only = None if share == 1 else allowed
        times, found = _times(lambda query, only=only: {i for i, _ in index.search(query, K, only)}, queries)
        recalls = [
            len(hits & set(allowed[np.argsort(-(vectors[allowed] @ query))[:K]].tolist())) / len(hits)
            for hits, query in zip(found[:4], queries, strict=False)
        ]
        yield from _latency(f"{name}, {share:.0%} readable", times)
        yield _one(f"{name}, {share:.0%} readable, recall@{K}", "share", float(np.mean(recalls)))


def _words(data: Path) -> Iterator[Measurement]:
    texts = list(itertools.islice(_pieces(data), _TEXTS))
    random.Random(0).shuffle(texts)
    terms = [index_terms(text) for text in texts]
    queries = [Query(question).terms() for question in _questions(texts, 20)]
    started = time.process_time()
    postings = Postings.build((i, len(text), count_terms(terms[i])) for i, text in enumerate(texts))
    name = f"words of {len(texts):,} real passages"
    yield _one(f"{name}, rebuild", "s", time.process_time() - started)
    yield _one(f"{name}, memory", "MB", postings.size_bytes / 1e6)
    collection = np.random.default_rng(2).integers(0, 100, len(texts))
    database = _database(terms, collection)
    for share in SHARES:
        last = round(100 * share)
        allowed = np.flatnonzero(collection < last)
        times, _ = _times(lambda query, only=allowed: postings.search(query, K, only), queries)
        yield from _latency(f"{name}, in memory, {share:.0%} readable", times)
        for engine, statement in _STATEMENTS.items():
            times, _ = _times(lambda query, sql=statement, n=last: _asked(database, sql, query, n), queries)
            yield from _latency(f"{name}, {engine}, {share:.0%} readable", times)


_STATEMENTS = {
    "FTS5 by term": "SELECT term, doc, count(*) FROM keyword_term JOIN chunk ON chunk.id = doc"
    " WHERE term IN ({terms}) AND collection < ? GROUP BY term, doc",
    "FTS5 own ranking": "SELECT keyword.rowid, bm25(keyword) AS score FROM keyword"
    " JOIN chunk ON chunk.id = keyword.rowid WHERE keyword MATCH '{match}' AND collection < ? ORDER BY score LIMIT 100",
}


def _asked(database: sqlite3.Connection, statement: str, query: dict[str, float], last: int) -> None:
    quoted = ", ".join(f"'{term}'" for term in query)
    match = " OR ".join(f'"{term}"' for term in query)
    database.execute(statement.format(terms=quoted, match=match), (last,)).fetchall()


def _database(terms: Sequence[Sequence[str]], collection: NDArray[np.int64]) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE chunk (id integer PRIMARY KEY, collection integer)")
    database.executemany("INSERT INTO chunk VALUES (?, ?)", enumerate(collection.tolist()))
    database.execute("""CREATE VIRTUAL TABLE keyword USING fts5(terms, tokenize = "ascii tokenchars '.,#'")""")
    database.executemany(
        "INSERT INTO keyword (rowid, terms) VALUES (?, ?)", ((i, " ".join(t)) for i, t in enumerate(terms))
    )
    database.execute("CREATE VIRTUAL TABLE keyword_term USING fts5vocab(keyword, instance)")
    return database


def _pieces(data: Path, size: int = 800) -> Iterator[str]:
    """Yield the corpora's text cut every `size` characters, none twice."""
    seen: set[int] = set()
    for path in sorted(data.rglob("*")):
        if path.suffix not in {".md", ".txt", ".tsv", ".csv", ".json", ".jsonl"}:
            continue
        text = re.sub(r'[{}\[\]"\\]+', " ", path.read_text("utf-8", errors="replace"))
        for start in range(0, len(text), size):
            piece = text[start : start + size]
            if len(piece) > 200 and hash(piece) not in seen:
                seen.add(hash(piece))
                yield piece


def _questions(texts: Sequence[str], num: int) -> Iterator[str]:
    """Yield runs of eight content words of random passages."""
    chosen = random.Random(1)
    for text in chosen.sample(texts, num):
        found = content_words(text)
        start = chosen.randrange(max(1, len(found) - 8))
        yield " ".join(found[start : start + 8])


def _clustered(num: int, num_queries: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((2000, DIM), dtype=np.float32)
    vectors = generator.standard_normal((num + num_queries, DIM), dtype=np.float32)
    vectors += centres[generator.integers(0, len(centres), len(vectors))]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[:num].astype(np.float16).astype(np.float32), vectors[num:]


def _restart(index: VectorIndex) -> float:
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder))
        started = time.process_time()
        VectorIndex.load(Path(folder))
        return time.process_time() - started


def _times(work: Callable[[Any], Any], queries: Iterable[Any]) -> tuple[list[float], list[Any]]:
    """Return the seconds and the result of each query."""
    times: list[float] = []
    results: list[Any] = []
    for query in queries:
        started = time.process_time()
        results.append(work(query))
        times.append(time.process_time() - started)
    return times, results


def _latency(name: str, times: Sequence[float]) -> Iterator[Measurement]:
    for percentile in (50, 95):
        milliseconds = float(np.percentile(times, percentile)) * 1000
        yield Measurement(f"{name}, p{percentile}", "ms", milliseconds, None, None, None, len(times))


def _one(name: str, unit: str, value: float) -> Measurement:
    return Measurement(name, unit, value, None, None, None, 1)
