"""Measures retrieval on public corpora: minutes on two cores.

- doc2dial: turns of real dialogues over public-service pages; is the span that answers in the first five passages?
  Ours is keyword and dense search fused, over what a follow-up leaves unsaid; the peer is dense search for the newest
  turn over fixed pieces of 900 characters that overlap by 150, as most tools do by default.
- handbook_18f: files loaded and cut per second.
- 100,000 vectors of 384 numbers, half of them allowed: milliseconds for the exact 100 nearest; the peer is FAISS's set
  of ids.
"""

import ast
import csv
import sqlite3
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from statistics import median

import faiss
import numpy as np
import typer

from retrieval.chunking import chunk, indexed_text
from retrieval.embedding import Embedder, find_embedder
from retrieval.evaluation import Span, mean, score
from retrieval.keyword_index import fts5_query
from retrieval.loading import load
from retrieval.retriever import conversation_query, fuse
from retrieval.vector_index import VectorIndex
from tests.benchmarks.measurement import Measurement

K = 5
DEPTH = 100


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, the user's questions before it (oldest first), and the span that answers it."""

    question: str
    earlier: tuple[str, ...]
    answer: Span


@dataclass(frozen=True, slots=True)
class Pieces:
    """A corpus cut into passages, with what the indexes see of each."""

    spans: list[Span]
    texts: list[str]


def measure(data: Path, every: int = 5) -> list[Measurement]:
    return [*_doc2dial(data, every), _handbook(data), _restricted_search()]


def _doc2dial(data: Path, every: int) -> list[Measurement]:
    embedder = find_embedder()
    if embedder is None:
        raise typer.BadParameter("the embedder's files are not installed")
    pages, turns = _read_doc2dial(data / "doc2dial_rc_val" / "doc2dial_rc_val.csv.zip")
    turns = turns[::every]
    ours, fixed = _structured(pages), _fixed(pages)
    alone = [turn.question for turn in turns]
    carried = [conversation_query(turn.question, turn.earlier) for turn in turns]
    dense = _dense(ours, embedder, carried)
    keyword = _keyword(ours, carried)
    fused = [
        [ranked.id for ranked in fuse({"keyword": by_word, "dense": by_meaning})]
        for by_word, by_meaning in zip(keyword, dense, strict=True)
    ]
    peer = _recall(fixed, [[i for i, _ in hits] for hits in _dense(fixed, embedder, alone)], turns)
    legs = {"fused": fused, "keyword alone": _ids(keyword), "dense alone": _ids(dense)}
    return [
        _against(
            f"doc2dial recall@{K}, {name}",
            "share",
            _recall(ours, ranked, turns),
            peer,
            "dense, newest turn, fixed pieces",
            len(turns),
        )
        for name, ranked in legs.items()
    ]


def _read_doc2dial(path: Path) -> tuple[dict[str, str], list[Turn]]:
    csv.field_size_limit(1 << 30)
    pages: dict[str, str] = {}
    turns: list[Turn] = []
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        for row in csv.DictReader(TextIOWrapper(file, "utf-8")):
            page, title = row["context"], row["title"]
            pages[title] = page
            said = [part.strip() for part in row["question"].split("\t")]  # newest first
            users = [part.removeprefix("user:") for part in said if part.startswith("user:")]
            answer = ast.literal_eval(row["answers"])
            start = len(page[: answer["answer_start"][0]].encode())
            span = Span(title, start, start + len(answer["text"][0].encode()))
            turns.append(Turn(users[0], tuple(users[:0:-1]), span))
    return pages, turns


def _structured(pages: dict[str, str]) -> Pieces:
    cut = [(title, part) for title, text in pages.items() for part in chunk(text, title)]
    spans = [Span(title, part.start, part.end) for title, part in cut]
    return Pieces(spans, [indexed_text(title.partition("#")[0], part) for title, part in cut])


def _fixed(pages: dict[str, str], size: int = 900, overlap: int = 150) -> Pieces:
    spans: list[Span] = []
    texts: list[str] = []
    for title, text in pages.items():
        for start in range(0, max(1, len(text) - overlap), size - overlap):
            piece = text[start : start + size]
            first = len(text[:start].encode())
            spans.append(Span(title, first, first + len(piece.encode())))
            texts.append(piece)
    return Pieces(spans, texts)


def _dense(pieces: Pieces, embedder: Embedder, queries: Sequence[str]) -> list[list[tuple[int, float]]]:
    index = VectorIndex.build(range(len(pieces.texts)), embedder.embed(pieces.texts), fingerprint=embedder.fingerprint)
    return [index.search(vector, DEPTH) for vector in embedder.embed(queries)]


def _keyword(pieces: Pieces, queries: Sequence[str]) -> list[list[tuple[int, float]]]:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE pieces USING fts5(words, tokenize = 'porter unicode61')")
    database.executemany("INSERT INTO pieces (rowid, words) VALUES (?, ?)", enumerate(pieces.texts))
    statement = "SELECT rowid, -bm25(pieces) FROM pieces WHERE pieces MATCH ? ORDER BY bm25(pieces), rowid LIMIT ?"
    found = [
        database.execute(statement, (expression, DEPTH)).fetchall() if (expression := fts5_query(query)) else []
        for query in queries
    ]
    database.close()
    return found


def _ids(rankings: Sequence[Sequence[tuple[int, float]]]) -> list[list[int]]:
    return [[chunk_id for chunk_id, _ in ranking] for ranking in rankings]


def _recall(pieces: Pieces, rankings: Sequence[Sequence[int]], turns: Sequence[Turn]) -> float:
    scores = [
        score([pieces.spans[i] for i in ranking[:K]], [turn.answer], K)
        for ranking, turn in zip(rankings, turns, strict=True)
    ]
    return mean(scores).recall


def _handbook(data: Path) -> Measurement:
    paths = sorted((data / "handbook_18f" / "pages").rglob("*.md"))
    seconds = _seconds(lambda: [chunk((read := load(path)).text, read.title) for path in paths], 3)
    return Measurement("handbook_18f, loaded and cut", "files/s", len(paths) / seconds, None, None, None, 3)


def _restricted_search(num: int = 100_000, dim: int = 384, repeats: int = 9) -> Measurement:
    faiss.omp_set_num_threads(1)
    random = np.random.default_rng(0)
    vectors = random.standard_normal((num, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = VectorIndex.build(range(num), vectors, fingerprint="bench")
    plain = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
    plain.add_with_ids(vectors, np.arange(num))
    allowed = np.flatnonzero(random.random(num) < 0.5)

    def by_set() -> None:
        plain.search(vectors[:1], DEPTH, params=faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed)))

    ours = _seconds(lambda: index.search(vectors[0], DEPTH, allowed), repeats)
    name = "exact search of 100,000 vectors, half allowed"
    return _against(name, "ms", ours * 1000, _seconds(by_set, repeats) * 1000, "FAISS IDSelectorBatch", repeats)


def _seconds(work: Callable[[], object], repeats: int) -> float:
    times: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return median(times)


def _against(name: str, unit: str, ours: float, peer: float, peer_name: str, repeats: int) -> Measurement:
    return Measurement(name, unit, ours, peer, peer_name, ours / peer, repeats)
