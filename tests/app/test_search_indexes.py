"""Every index is a cache: damaged, missing or stale, it is built again from the rows."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, text, update

from app.access import Filter, readable_chunks
from app.keywords import Keywords
from app.records import User
from app.schema import StoredChunk
from app.services import Services, open_services
from app.settings import Settings
from app.vectors import Vectors
from retrieval.embedding import HashingEmbedder
from retrieval.query import Query
from retrieval.vector_index import read_manifest

QUERY = "how long are invoices kept"


@pytest.fixture
def index(settings: Settings, folder: Path) -> Path:
    """The folder of the saved index of a home that was filled and closed."""
    with open_services(settings, embedder=HashingEmbedder()) as services:
        services.documents.ingest(services.identity.operator(), [folder])
    return settings.home / "index"


def search_by_vector(services: Services, query: str = QUERY) -> list[str]:
    """Return what the dense ranking alone finds, as texts."""
    vector = services.vectors.query_vector(Query(query))
    assert vector is not None
    with services.database.read() as session:
        readable = readable_chunks(session, services.identity.operator(), Filter())
        found = services.vectors.search(session, vector, 3, readable)
    with services.database.read() as session:
        return [str(session.get_one(StoredChunk, chunk_id).start) for chunk_id, _ in found]


@pytest.fixture
def expected(settings: Settings, index: Path) -> Iterator[list[str]]:
    with open_services(settings, embedder=HashingEmbedder()) as services:
        found = search_by_vector(services)
    assert found
    yield found
    with open_services(settings, embedder=HashingEmbedder()) as services:
        assert search_by_vector(services) == found
        assert read_manifest(index).ntotal == len(services.vectors.refresh().index)  # type: ignore[union-attr]


@pytest.mark.parametrize("damage", ["truncated", "tampered", "missing file", "missing manifest", "nonsense", "none"])
def test_a_damaged_index_is_built_again(settings: Settings, index: Path, expected: list[str], damage: str):
    file = index / read_manifest(index).file
    data = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "tampered":
        file.write_bytes(data[:-40] + bytes(40))
    elif damage == "missing file":
        file.unlink()
    elif damage == "missing manifest":
        (index / "manifest.json").unlink()
    elif damage == "nonsense":
        (index / "manifest.json").write_text("{]")
    with open_services(settings, embedder=HashingEmbedder()) as services:
        assert search_by_vector(services) == expected
        assert services.documents.search(services.identity.operator(), QUERY, 1)[0].document == "policies/retention.txt"


def test_an_index_from_the_databases_future_is_not_used(settings: Settings, index: Path, expected: list[str]):
    with open_services(settings, embedder=HashingEmbedder()) as services, services.database.write() as session:
        session.execute(text("UPDATE setting SET value = '1' WHERE name = 'index_generation'"))
    with open_services(settings, embedder=HashingEmbedder()) as services:
        assert search_by_vector(services) == expected


def test_another_embedder_embeds_everything_again(settings: Settings, index: Path):
    with open_services(settings, embedder=HashingEmbedder(dim=64)) as services:
        assert search_by_vector(services)
        with services.database.read() as session:
            assert set(session.scalars(select(StoredChunk.embedder))) == {HashingEmbedder(dim=64).fingerprint}
            assert {len(vector or b"") for vector in session.scalars(select(StoredChunk.vector))} == {128}


def test_documents_that_came_without_an_embedder_are_embedded_later(settings: Settings, index: Path):
    with open_services(settings, embedder=HashingEmbedder()) as services, services.database.write() as session:
        session.execute(update(StoredChunk).values(vector=None, embedder=None))
    with open_services(settings, embedder=HashingEmbedder()) as services:
        assert len(search_by_vector(services)) == 3


def test_without_an_embedder_there_is_no_dense_ranking(services: Services, tmp_path: Path):
    vectors = Vectors(services.database, lambda: None, tmp_path / "index")
    assert vectors.embed(["some text"]) == ([None], None)
    assert vectors.query_vector(Query("some text")) is None
    with services.database.read() as session:
        readable = readable_chunks(session, services.identity.operator(), Filter())
        assert vectors.search(session, np.zeros(4, np.float32), 3, readable) == []
    vectors.save()
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("damage", ["DROP TABLE keyword", "DELETE FROM keyword", "of an earlier version"])
def test_a_missing_keyword_index_is_built_again(settings: Settings, index: Path, damage: str):
    with open_services(settings, embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        before = ranked_by_words(services, operator)
        with services.database.write() as session:
            if damage == "of an earlier version":
                session.execute(text("DROP TABLE keyword"))
                fts5 = "CREATE VIRTUAL TABLE keyword USING fts5(words, tokenize = 'porter unicode61')"
                tsvector = "CREATE TABLE keyword (chunk_id integer PRIMARY KEY, words tsvector NOT NULL)"
                damage = fts5 if services.database.is_sqlite else tsvector
            session.execute(text(damage))
    with open_services(settings, embedder=HashingEmbedder()) as services:
        assert ranked_by_words(services, services.identity.operator()) == before
        assert not Keywords(services.database).check()


def ranked_by_words(services: Services, user: User) -> list[int]:
    with services.database.read() as session:
        readable = readable_chunks(session, user, Filter())
        found = Keywords(services.database).search(session, Query(QUERY).terms(), 5, readable)
    assert found and all(score > 0 for _, score in found)
    return [chunk_id for chunk_id, _ in found]


def test_words_are_stemmed_and_only_what_is_readable_is_ranked(services: Services, operator: User, folder: Path):
    services.documents.ingest(operator, [folder])
    keywords = Keywords(services.database)
    invoices = Query("invoices").terms()
    with services.database.read() as session:
        readable = readable_chunks(session, operator, Filter())
        assert keywords.search(session, Query("keeping an invoice").terms(), 5, readable)
        assert keywords.search(session, invoices, 5, readable_chunks(session, operator, Filter(kind="md"))) == []
        nothing = replace(readable, collections=(), conditions=(StoredChunk.collection_id.in_([]),))
        assert keywords.search(session, invoices, 5, nothing) == []
