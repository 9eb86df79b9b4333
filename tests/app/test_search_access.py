"""Whatever people, collections and documents become: nobody is shown, or can notice, what they may not read.

A model in plain Python knows which texts each person may read. After random changes everybody searches; what comes
back must be, to the last digit of every score, what in-memory indexes over those texts alone would give.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.access import Filter
from app.database import utc_now
from app.errors import NotFound
from app.keywords import Keywords
from app.publishing import Prepared, Publication, publish
from app.records import Role, User
from app.schema import DocumentCollection
from app.search import Search
from app.services import Services
from retrieval.chunking import Chunk, indexed_text
from retrieval.embedding import HashingEmbedder
from retrieval.loading import LoadedDocument
from retrieval.postings import Postings, count_terms
from retrieval.query import Query
from retrieval.retriever import fuse, lift_by_document
from retrieval.vector_index import VectorIndex
from retrieval.words import index_terms
from tests.conftest import PASSWORD

PEOPLE = ("ada", "ben", "eve")
COLLECTIONS = ("finance", "staff", "board")
WORDS = ("travel", "hotel", "meal", "leave", "salary", "merger", "RF-2291", "sixty", "day")

TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join), min_size=1, max_size=3)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcde"), st.sampled_from(COLLECTIONS), TEXTS),
        st.tuples(st.just("remove"), st.sampled_from("abcde")),
        st.tuples(st.just("share"), st.sampled_from(COLLECTIONS), st.booleans(), st.sets(st.sampled_from(PEOPLE))),
    ),
    max_size=10,
)
QUERIES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)

Change = tuple[Any, ...]
Seen = dict[tuple[str, str], float]
"""What a search shows: the score of each passage by document and text."""


@dataclass
class Company:
    """The application, and beside it what it should be: texts by document in the order of writing, and readers."""

    services: Services
    operator: User
    people: dict[str, User]
    texts: dict[str, tuple[str, Sequence[str]]] = field(default_factory=dict)
    readers: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in COLLECTIONS})

    def put(self, name: str, collection: str, texts: Sequence[str]) -> None:
        collection = self.texts.pop(name, (collection, ()))[0]
        self.texts[name] = collection, texts
        document, chunks = cut(texts)
        vectors, embedder = self.services.vectors.embed([indexed_text(document.title, part) for part in chunks])
        prepared = Prepared("", document, chunks, vectors, embedder)
        with self.services.database.write() as session:
            publish(session, Keywords(self.services.database), Publication(name, collection, 1, 1), prepared)

    def remove(self, name: str) -> None:
        if self.texts.pop(name, None):
            self.services.documents.remove(self.operator, name)

    def share(self, collection: str, everyone: bool, readers: set[str]) -> None:
        emails = [self.people[name].email for name in readers]
        self.services.documents.share(self.operator, collection, everyone=everyone, readers=emails)
        self.readers[collection] = set(PEOPLE) if everyone else readers

    def shown(self, person: str, query: str, only: str | None = None) -> Seen:
        hits = self.services.search.search(self.people[person], query, 50, only).hits
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        return {(hit.document, hit.text): hit.score for hit in hits}

    def expected(self, person: str, query: str, only: str | None = None) -> Seen:
        """Search what the person may read, as if nothing else existed."""
        readable = [
            (name, *cut(texts))
            for name, (collection, texts) in self.texts.items()
            if person in self.readers[collection] and only in (None, collection)
        ]
        passages = [
            (name, indexed_text(document.title, part), part) for name, document, parts in readable for part in parts
        ]
        entries = [
            (n, part.end - part.start, count_terms(index_terms(words))) for n, (_, words, part) in enumerate(passages)
        ]
        words, names = Query(query).terms(), dict.fromkeys(Query(query).names(), 1.0)
        embedder = HashingEmbedder()
        vectors = embedder.embed([words for _, words, _ in passages]).astype(np.float16)
        dense = VectorIndex.build(range(len(passages)), vectors, fingerprint=embedder.fingerprint)
        postings = Postings.build(entries)
        rankings = {
            "keywords": postings.search(words, 100),
            "names": postings.search(names, 100),
            "vectors": dense.search(embedder.embed([query])[0], 100),
        }
        ranked = lift_by_document(fuse(rankings), {n: name for n, (name, _, _) in enumerate(passages)})
        return {(passages[one.id][0], passages[one.id][2].text): one.score for one in ranked}


def cut(texts: Sequence[str]) -> tuple[LoadedDocument, list[Chunk]]:
    """Return a document, each text a chunk of its own."""
    chunks, end = [], 0
    for number, text in enumerate(texts):
        part = f"{text} {number}\n"
        chunks.append(Chunk(end, end + len(part), (), part))
        end += len(part)
    return LoadedDocument("".join(part.text for part in chunks), "Title", "text/plain"), chunks


@pytest.fixture(params=["in the database", "in memory"])
def company(services: Services, operator: User, request: pytest.FixtureRequest) -> Company:
    keywords = Keywords(services.database, in_memory_above=0 if request.param == "in memory" else 20_000)
    services = replace(services, search=Search(services.database, keywords, services.vectors))
    add = services.identity.add_user
    people = {name: add(operator, f"{name}@company.example", name, Role.EMPLOYEE, PASSWORD) for name in PEOPLE}
    with services.database.write() as session:
        session.add_all(DocumentCollection(name=name, everyone=False, created_at=utc_now()) for name in COLLECTIONS)
    return Company(services, operator, people)


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES, QUERIES)
def test_a_search_is_as_if_what_is_forbidden_were_not_there(company: Company, changes: list[Change], query: str):
    for deed, *values in changes:
        getattr(company, deed)(*values)
    for person in PEOPLE:
        for only in (None, *(name for name in COLLECTIONS if person in company.readers[name])):
            shown = company.shown(person, query, only)
            assert shown == pytest.approx(company.expected(person, query, only), abs=1e-6)
            owners = {company.texts[document][0] for document, _ in shown}
            assert all(person in company.readers[collection] for collection in owners)


def test_a_forbidden_collection_and_a_missing_one_are_refused_in_the_same_words(company: Company):
    company.put("a", "board", ["merger"])
    ada = company.people["ada"]
    refusals = []
    for name in ("board", "nothing"):
        with pytest.raises(NotFound) as refusal:
            company.services.search.search(ada, "merger", 5, name)
        refusals.append(str(refusal.value).replace(name, "NAME"))
    assert refusals[0] == refusals[1]


def test_what_is_taken_away_between_ranking_and_reading_is_not_shown(company: Company):
    company.put("a", "staff", ["leave"])
    company.share("staff", False, {"ada"})
    search = company.services.search
    ranked = fuse(search._rankings(company.people["ada"], Query("leave"), 10, Filter()))
    company.share("staff", False, set())
    assert ranked
    assert company.shown("ada", "leave") == {}


def test_a_search_is_narrowed_by_kind_document_version_and_date(company: Company):
    company.put("a.md", "staff", ["leave first"])
    company.put("a.md", "staff", ["leave second"])
    company.put("b.txt", "staff", ["leave third"])
    company.share("staff", True, set())
    ada, search = company.people["ada"], company.services.search

    def found(**only: object) -> set[str]:
        return {hit.document for hit in search.search(ada, "leave", 9, Filter(**only)).hits}  # type: ignore[arg-type]

    assert found() == found(kind="text/plain") == {"a.md", "b.txt"}
    assert found(kind=".TXT") == found(document="b.txt") == found(version=1) == {"b.txt"}
    assert found(version=2) == found(kind="md", collection="staff") == {"a.md"}
    assert found(since=utc_now()) == found(kind="%") == set()
    assert found(until=utc_now()) == {"a.md", "b.txt"}


def test_a_question_for_an_identifier_finds_what_holds_exactly_it_first(company: Company):
    company.share("staff", True, set())
    company.put("near", "staff", ["RF-2292 RF-2290 form form form", "form RF form 2291"])
    company.put("exact", "staff", ["day " * 8, "the form RF 2291 is sent once a year together with all other papers"])
    for query in ("RF-2291", "What does rf/2291 say?", "form RF-2291"):
        hits = company.services.search.search(company.people["ada"], query, 4).hits
        assert (hits[0].document, hits[0].text[:13]) == ("exact", "the form RF 2")


def test_an_explanation_tells_ranks_scores_and_shared_words_of_the_same_hits(company: Company):
    company.share("staff", True, set())
    company.put("a", "staff", ["meals and hotels", "a hotel"])
    search, ada = company.services.search, company.people["ada"]
    explained = search.explain(ada, "hotel meal", 5)
    assert tuple(each.hit for each in explained) == search.search(ada, "hotel meal", 5).hits
    first = explained[0]
    assert first.ranks == {"keywords": 1, "vectors": 1}
    assert first.fused == pytest.approx(1)
    assert first.shared == ("hotel", "meal")
    assert explained[1].shared == ("hotel",)


class ShortestFirst:
    """A reranker without a model: the shorter a passage, the better."""

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        return [1 / len(passage) for passage in passages]


def test_a_reranker_orders_what_was_found_and_sees_nothing_else(company: Company):
    company.put("long", "staff", ["meal " * 12])
    company.put("short", "staff", ["hotel meal"])
    company.put("secret", "board", ["meal"])
    company.share("staff", True, set())
    database, vectors = company.services.database, company.services.vectors
    search = Search(database, Keywords(database), vectors, ShortestFirst())
    explained = search.explain(company.people["ada"], "meal", 5)
    assert [each.hit.document for each in explained] == ["short", "long"]
    assert [each.ranks["reranker"] for each in explained] == [1, 2]
    assert [hit.document for hit in search.search(company.people["ada"], "meal", 1).hits] == ["short"]
