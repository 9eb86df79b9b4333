"""Measures retrieval on public corpora: minutes on one core once the vectors are remembered in .cache, else an hour.

- scifact: nDCG@10 of each ranking and their fusion on the 300 test claims of BEIR, beside published figures. Weights
  were chosen on the claims of the train split, whose figures are printed too.
- doc2dial: turns of real dialogues over public-service pages; is the span that answers in the first five passages? The
  fifth of the dialogues that weights were chosen on is left out, and printed apart. The peer is dense search for the
  newest turn over fixed pieces of 900 characters that overlap by 150, as most tools do by default. A new topic is the
  first question of a dialogue behind the turns of another.
- squad2_dev, xquad_en: is the paragraph that the question was written for in the first five? Nothing was chosen here.
- handbook_18f: files loaded and cut per second.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import typer

from retrieval.chunking import chunk
from retrieval.embedding import Embedder, find_embedder
from retrieval.evaluation import Scores, mean, score
from retrieval.loading import load
from retrieval.postings import Postings, count_terms
from retrieval.query import Query
from retrieval.retriever import WEIGHTS, fuse, lift_by_document
from retrieval.vector_index import VectorIndex
from retrieval.words import index_terms
from tests.benchmarks.corpora import Asked, Passages, doc2dial, fixed, scifact, squad, structured
from tests.benchmarks.embedding_cache import RememberingEmbedder
from tests.benchmarks.measurement import Measurement

DEPTH = 100
CACHE = Path(".cache/embeddings")
_CHOICES = (0.3, 0.4, 0.5, 0.6, 0.7)  # of the dense ranking's weight, tried on the development parts

Ranking = list[tuple[int, float]]


class Bench:
    """Both rankings of one corpus, as the application makes them."""

    def __init__(self, passages: Passages, embedder: Embedder) -> None:
        self._passages = passages
        self._embedder = embedder
        sizes = [span.end - span.start for span in passages.spans]
        entries = [(i, sizes[i], count_terms(index_terms(text))) for i, text in enumerate(passages.texts)]
        self._postings = Postings.build(entries)
        vectors = embedder.embed(passages.texts)
        self._index = VectorIndex.build(range(len(vectors)), vectors, fingerprint=embedder.fingerprint)
        self._documents = dict(enumerate(span.document for span in passages.spans))

    def rankings(self, queries: Sequence[Query]) -> list[Mapping[str, Ranking]]:
        texts = sorted({text for query in queries for text in query.texts()})
        vectors = dict(zip(texts, self._embedder.embed(texts), strict=True))
        return [
            {
                "keywords": self._postings.search(query.terms(), DEPTH),
                "vectors": self._index.search(query.vector(np.array([vectors[text] for text in query.texts()])), DEPTH),
            }
            for query in queries
        ]

    def scores(
        self, found: Sequence[Mapping[str, Ranking]], asked: Sequence[Asked], k: int, weights: Mapping[str, float]
    ) -> Scores:
        """Score the fusion; a ranking that weighs nothing takes no part."""
        each: list[Scores] = []
        for rankings, question in zip(found, asked, strict=True):
            fused = fuse({name: ranking for name, ranking in rankings.items() if weights[name]}, weights)
            ranked = lift_by_document(fused, self._documents)
            each.append(score([self._passages.spans[one.id] for one in ranked[:k]], question.relevant, k))
        return mean(each)


_LEGS = {"fused": WEIGHTS, "keywords": {"keywords": 1.0, "vectors": 0.0}, "vectors": {"keywords": 0.0, "vectors": 1.0}}


def measure(data: Path) -> list[Measurement]:
    embedder = find_embedder()
    if embedder is None:
        raise typer.BadParameter("the embedder's files are not installed")
    remembering = RememberingEmbedder(embedder, CACHE)
    return [
        *_scifact(data, remembering),
        *_doc2dial(data, remembering),
        *_squad(data / "squad2_dev" / "dev-v2.0.json", "squad2_dev", remembering),
        *_squad(data / "xquad_en" / "xquad.en.json", "xquad_en", remembering),
        _handbook(data),
    ]


def _scifact(data: Path, embedder: Embedder) -> list[Measurement]:
    passages, test, train = scifact(data)
    bench = Bench(passages, embedder)
    found = bench.rankings([asked.query for asked in test])
    bm25 = (0.687, "BM25, published")
    published = {"fused": bm25, "keywords": bm25, "vectors": (0.645, "MiniLM, published")}
    table = [
        _against(f"scifact nDCG@10, {leg}", bench.scores(found, test, 10, weights).ndcg, published[leg], len(test))
        for leg, weights in _LEGS.items()
    ]
    return table + _chosen("scifact train claims nDCG@10", bench, train, lambda scores: scores.ndcg, 10)


def _doc2dial(data: Path, embedder: Embedder) -> list[Measurement]:
    pages, rest, development = doc2dial(data)
    bench = Bench(structured(pages), embedder)
    found = bench.rankings([asked.query for asked in rest])
    alone = bench.rankings([asked.alone for asked in rest])
    plain = Bench(fixed(pages), embedder)
    default = plain.scores(plain.rankings([asked.alone for asked in rest]), rest, 5, _LEGS["vectors"]).recall
    peer = (default, "dense, newest turn, fixed pieces")
    rows = [
        *((f"conversation, {leg}", bench.scores(found, rest, 5, weights).recall) for leg, weights in _LEGS.items()),
        ("last turn only, fused", bench.scores(alone, rest, 5, WEIGHTS).recall),
    ]
    table = [_against(f"doc2dial recall@5, {name}", recall, peer, len(rest)) for name, recall in rows]
    table += _new_topics(bench, rest)
    return table + _chosen("doc2dial development recall@5", bench, development, lambda scores: scores.recall, 5)


def _new_topics(bench: Bench, asked: Sequence[Asked]) -> list[Measurement]:
    first = [question for question in asked if not question.query.context]
    behind = [question.query.context for question in asked if len(question.query.context) >= 4]
    moved = [
        Asked(Query(question.alone.question, behind[len(behind) * i // len(first)]), question.relevant, question.alone)
        for i, question in enumerate(first)
    ]
    alone, after = (
        bench.scores(bench.rankings([question.query for question in part]), part, 5, WEIGHTS).recall
        for part in (first, moved)
    )
    return [_against("doc2dial recall@5, new topic", after, (alone, "the same, alone"), len(first))]


def _squad(path: Path, name: str, embedder: Embedder) -> list[Measurement]:
    passages, questions = squad(path)
    bench = Bench(passages, embedder)
    found = bench.rankings([asked.query for asked in questions])
    legs = {leg: bench.scores(found, questions, 5, weights).recall for leg, weights in _LEGS.items()}
    best = max((legs["keywords"], "keywords alone"), (legs["vectors"], "vectors alone"))
    return [_against(f"{name} passage recall@5, fused", legs["fused"], best, len(questions))]


def _chosen(
    name: str, bench: Bench, asked: Sequence[Asked], figure: Callable[[Scores], float], k: int
) -> list[Measurement]:
    found = bench.rankings([question.query for question in asked])
    tried = {
        share: figure(bench.scores(found, asked, k, {"keywords": 1 - share, "vectors": share})) for share in _CHOICES
    }
    return [
        Measurement(f"{name}, vectors weigh {share}", "share", value, None, None, None, len(asked))
        for share, value in tried.items()
    ]


def _handbook(data: Path) -> Measurement:
    paths = sorted((data / "handbook_18f" / "pages").rglob("*.md"))
    times: list[float] = []
    for _ in range(3):
        started = time.perf_counter()
        for path in paths:
            read = load(path)
            chunk(read.text, read.title)
        times.append(time.perf_counter() - started)
    return Measurement("handbook_18f, loaded and cut", "files/s", len(paths) / median(times), None, None, None, 3)


def _against(name: str, ours: float, peer: tuple[float, str], repeats: int) -> Measurement:
    return Measurement(name, "share", ours, peer[0], peer[1], ours / peer[0], repeats)
