"""Hybrid search under the reader's permissions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import Filter, Readable, readable_chunks
from app.database import Database
from app.errors import InvalidRequest, TooLarge
from app.generation import generation
from app.identity import current_user
from app.keywords import Keywords
from app.names import clean_text
from app.records import Hit, User
from app.schema import DocumentVersion, StoredChunk, StoredDocument
from app.vectors import Vectors
from retrieval.query import Query
from retrieval.reranking import MAX_RERANKED, Reranker
from retrieval.retriever import Ranked, fuse, lift_by_document
from retrieval.words import content_words, index_terms, stem

MAX_QUERY_CHARS = 4000
_DIGITS = 9  # of a score, beyond which sums differ by the order of their terms
_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, and at which index generation."""

    hits: tuple[Hit, ...]
    generation: int


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a passage was found: its ranks from 1 and scores in each ranking, and the words it shares with the query.

    `fused` is the score before its document was counted; the hit's own is the one after.
    """

    hit: Hit
    ranks: Mapping[str, int]
    scores: Mapping[str, float]
    fused: float
    shared: tuple[str, ...]


class Search:
    """Fuses the keyword and the dense ranking of what a person may read."""

    def __init__(
        self, database: Database, keywords: Keywords, vectors: Vectors, reranker: Reranker | None = None
    ) -> None:
        self._database = database
        self._keywords = keywords
        self._vectors = vectors
        self._reranker = reranker

    def search(self, actor: User, query: str | Query, k: int, only: str | Filter | None = None) -> Found:
        """Return the `k` best passages; `only` is a filter, or the name of a collection.

        Raises:
            InvalidRequest: the query is empty or too long, or `k` is not positive.
            NotFound: no such collection for this person.
        """
        explained, at = self._explained(actor, _query(query), k, only)
        return Found(tuple(each.hit for each in explained), at)

    def explain(self, actor: User, query: str | Query, k: int, only: str | Filter | None = None) -> Sequence[Explained]:
        """Return what `search` returns, each passage with the reasons for its place. Raises as `search`."""
        return self._explained(actor, _query(query), k, only)[0]

    def _explained(self, actor: User, query: Query, k: int, only: str | Filter | None) -> tuple[list[Explained], int]:
        if k < 1:
            raise InvalidRequest(f"k is {k}: ask for at least 1 passage.")
        only = only if isinstance(only, Filter) else Filter(only)
        fused = fuse(self._rankings(actor, query, max(2 * k, _DEPTH), only))
        with self._database.read() as session:
            # Asked again: what was taken from the person or removed since it was ranked is not there any more.
            readable = readable_chunks(session, current_user(session, actor), only)
            ranked = lift_by_document(fused, _documents(session, fused, readable))
            ranked, hits = _best(session, ranked, max(k, MAX_RERANKED) if self._reranker else k)
            at = generation(session)
        before = {entry.id: entry.score for entry in fused}
        explained = [
            Explained(hit, entry.ranks, entry.scores, before[entry.id], _shared(query, hit))
            for hit, entry in zip(hits, ranked, strict=True)
        ]
        return (_reranked(self._reranker, query, explained) if self._reranker else explained)[:k], at

    def _rankings(self, actor: User, query: Query, depth: int, only: Filter) -> dict[str, list[tuple[int, float]]]:
        vector = self._vectors.query_vector(query)
        with self._database.read() as session:
            readable = readable_chunks(session, current_user(session, actor), only)
            rankings = {"keywords": self._keywords.search(session, query.terms(), depth, readable)}
            if names := query.names():
                rankings["names"] = self._keywords.search(session, dict.fromkeys(names, 1.0), depth, readable)
            if vector is not None:
                rankings["vectors"] = self._vectors.search(session, vector, depth, readable)
        return rankings


def _reranked(reranker: Reranker, query: Query, explained: Sequence[Explained]) -> list[Explained]:
    """Order passages by the reranker's scores, which become theirs."""
    texts = [f"{' > '.join((each.hit.title, *each.hit.headings))}\n{each.hit.text}" for each in explained]
    scores = reranker.scores(query.text, texts)
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    return [
        replace(
            explained[place],
            hit=replace(explained[place].hit, score=scores[place]),
            ranks={**explained[place].ranks, "reranker": rank},
            scores={**explained[place].scores, "reranker": scores[place]},
        )
        for rank, place in enumerate(order, start=1)
    ]


def _query(query: str | Query) -> Query:
    return query if isinstance(query, Query) else Query(valid_query(query))


def _shared(query: Query, hit: Hit) -> tuple[str, ...]:
    """Return the words of the query that a passage has, as the query spells them."""
    present = set(index_terms(f"{hit.title}\n{' '.join(hit.headings)}\n{hit.text}"))
    return tuple(word for word in dict.fromkeys(content_words(" ".join(query.texts()))) if stem(word) in present)


def _documents(session: Session, fused: Sequence[Ranked], readable: Readable) -> dict[int, int]:
    """Return the version that each readable chunk is of."""
    ids = [entry.id for entry in fused]
    rows = session.execute(
        select(StoredChunk.id, StoredChunk.version_id).where(StoredChunk.id.in_(ids), *readable.conditions)
    )
    return {row.id: row.version_id for row in rows}


def _best(session: Session, ranked: Sequence[Ranked], count: int) -> tuple[list[Ranked], list[Hit]]:
    """Return the best passages, with all that are as good as the last of them weighed by `in_order`."""
    if len(ranked) > count:
        last = round(ranked[count - 1].score, _DIGITS)
        ranked = [entry for entry in ranked if round(entry.score, _DIGITS) >= last]
    pairs = sorted(zip(ranked, _hits(session, ranked), strict=True), key=lambda pair: in_order(pair[1]))[:count]
    return [entry for entry, _ in pairs], [hit for _, hit in pairs]


def _hits(session: Session, ranked: Sequence[Ranked]) -> list[Hit]:
    """Read ranked chunks, all of them in this session's view of the rows."""
    part = func.substr(DocumentVersion.text, StoredChunk.start + 1, StoredChunk.end - StoredChunk.start)
    rows = session.execute(
        select(StoredChunk, StoredDocument.name, DocumentVersion.version, DocumentVersion.title, part)
        .join(DocumentVersion, DocumentVersion.id == StoredChunk.version_id)
        .join(StoredDocument, StoredDocument.id == DocumentVersion.document_id)
        .where(StoredChunk.id.in_([entry.id for entry in ranked]))
    )
    found = {chunk.id: (chunk, *rest) for chunk, *rest in rows}
    hits: list[Hit] = []
    for entry in ranked:
        chunk, name, version, title, data = found[entry.id]
        hits.append(
            Hit(
                document=name,
                version=version,
                start=chunk.start,
                end=chunk.end,
                score=entry.score,
                text=bytes(data).decode(),
                headings=tuple(chunk.headings),
                title=title,
                version_id=chunk.version_id,
            )
        )
    return hits


def in_order(hit: Hit) -> tuple[float, str, int]:
    """Return what hits are ordered by: of equal scores the first by document and place, however rows are numbered."""
    return -round(hit.score, _DIGITS), hit.document, hit.start


def valid_query(query: str) -> str:
    """Return what to look for, or refuse a query that is empty or too long."""
    if len(query) > MAX_QUERY_CHARS:
        raise TooLarge(f"The query has {len(query)} characters: use at most {MAX_QUERY_CHARS}.")
    query = clean_text(query)
    if not query:
        raise InvalidRequest("The query is empty: say what to look for.")
    return query
