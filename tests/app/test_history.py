"""Versions: each is in force for a time, a search may ask for that time, and nothing superseded answers otherwise."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.errors import InvalidRequest, NotFound
from app.history import instant
from app.records import Answered, User
from app.schema import DocumentVersion, PastChunk
from app.services import Services, open_services
from app.settings import Settings
from tests.app.counting_embedder import CountingEmbedder
from tests.app.quoting_reader import QuotingReader

NAME = "leave.md"
DAYS = {1: (25, "2024-01-01"), 2: (28, "2025-01-01"), 3: (30, "2026-01-01")}


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    with open_services(settings, reader=QuotingReader(), embedder=CountingEmbedder()) as opened:
        yield opened


@pytest.fixture
def leave(services: Services, operator: User, tmp_path: Path) -> str:
    """A document of three versions, of 2024, 2025 and 2026, beside one that never changed."""
    (tmp_path / "desks.md").write_text("# Desks\n\nDesks are booked two weeks ahead.\n")
    services.documents.ingest(operator, [tmp_path / "desks.md"], "people")
    for days, _ in DAYS.values():
        (tmp_path / NAME).write_text(f"# Leave\n\nEmployees receive {days} days of annual leave per year.\n")
        services.documents.ingest(operator, [tmp_path / NAME], "people")
    dates = {version: datetime.fromisoformat(day).replace(tzinfo=UTC) for version, (_, day) in DAYS.items()}
    with services.database.write() as session:
        for version, at in dates.items():
            session.execute(
                update(DocumentVersion)
                .where(DocumentVersion.title == "Leave", DocumentVersion.version == version)
                .values(created_at=at, superseded_at=dates.get(version + 1))
            )
    return NAME


@pytest.mark.parametrize(
    ("date", "days"),
    [
        ("2024-01-01", 25),
        ("2024-12-31", 25),
        ("2025-01-01T00:00:00+00:00", 28),
        ("2025-12-31T23:59:59", 28),
        ("2026-01-01T00:30+01:00", 28),
        ("2026-01-01", 30),
        ("2999-01-01", 30),
    ],
)
def test_a_search_as_of_a_date_finds_the_version_in_force_then(
    services: Services, operator: User, leave: str, date: str, days: int
):
    hit = services.documents.search(operator, "annual leave", 5, as_of=date)[0]
    assert f"{days} days" in hit.text and DAYS[hit.version][0] == days
    assert services.documents.text(operator, leave, hit.version)[hit.start : hit.end].decode() == hit.text


def test_nothing_is_found_before_the_first_version(services: Services, operator: User, leave: str):
    assert services.documents.search(operator, "annual leave", 5, as_of="2023-12-31") == []


def test_superseded_versions_answer_only_when_asked(services: Services, operator: User, leave: str):
    hits = services.documents.search(operator, "annual leave days", 50)
    assert {hit.version for hit in hits if hit.document == leave} == {3}
    record = list(services.chat.ask(operator, "How many days of annual leave per year?"))[-1]
    assert isinstance(record, Answered)
    assert [citation.version for citation in record.record.citations] == [3]


def test_a_search_of_today_and_one_as_of_now_rank_alike(services: Services, operator: User, folder: Path):
    services.documents.ingest(operator, [folder])
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    for query in ("annual leave", "hotel per night", "invoices ten years", "Employees"):
        today = services.documents.search(operator, query, 10)
        assert services.documents.search(operator, query, 10, as_of=later) == today


def test_who_may_not_read_a_document_now_finds_none_of_its_past(
    services: Services, operator: User, employee: User, leave: str
):
    assert services.documents.search(employee, "annual leave", 5, as_of="2024-06-01") == []
    with pytest.raises(NotFound):
        services.documents.search(employee, "annual leave", 5, "people", as_of="2024-06-01")
    with pytest.raises(NotFound):
        services.documents.versions(employee, leave)
    services.documents.share(operator, "people", everyone=True)
    assert services.documents.search(employee, "annual leave", 5, as_of="2024-06-01")[0].version == 1


def test_a_removed_document_is_in_no_past_either(services: Services, operator: User, leave: str):
    services.documents.remove(operator, leave)
    found = services.documents.search(operator, "annual leave", 5, as_of="2024-06-01")
    assert all(hit.document != leave for hit in found)
    with services.database.read() as session:
        assert session.scalars(select(PastChunk)).all() == []


def test_versions_without_stored_chunks_are_found_by_their_words(services: Services, operator: User, leave: str):
    with services.database.write() as session:
        for row in session.scalars(select(PastChunk)):
            session.delete(row)
    hit = services.documents.search(operator, "annual leave", 5, as_of="2024-06-01")[0]
    assert (hit.document, hit.version) == (leave, 1)


def test_versions_are_listed_with_their_time_newest_first(services: Services, operator: User, leave: str):
    listed = services.documents.versions(operator, leave)
    assert [version.version for version in listed] == [3, 2, 1]
    assert [version.superseded_at for version in listed] == [None, listed[0].created_at, listed[1].created_at]


@pytest.mark.parametrize("date", ["", "yesterday", "2026-13-01", "2026-02-30", "31.12.2026", "12"])
def test_what_is_no_date_is_refused_with_one_sentence(services: Services, operator: User, leave: str, date: str):
    with pytest.raises(InvalidRequest, match="is no date: write 2026-03-31"):
        services.documents.search(operator, "annual leave", 5, as_of=date)


def test_a_date_means_its_end():
    assert instant("2026-03-31") > instant("2026-03-31T23:59:59") and instant("2026-03-31") < instant(
        "2026-04-01T00:00"
    )
