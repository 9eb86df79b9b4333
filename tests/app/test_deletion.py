"""What is removed is gone at once: from rows, both indexes, caches of every process, and answers to come."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select

from app.errors import NotFound
from app.records import Answered, AnswerRecord, User
from app.schema import StoredChunk
from app.services import Services, open_services
from app.settings import Settings
from retrieval.embedding import HashingEmbedder
from tests.app.quoting_reader import QuotingReader

SECRET, NAME = "quetzalcoatlus", "project.md"
QUESTION = f"Who may know of the project {SECRET}?"


@pytest.fixture
def reader() -> QuotingReader:
    return QuotingReader()


@pytest.fixture
def services(settings: Settings, reader: QuotingReader) -> Iterator[Services]:
    with open_services(settings, reader=reader, embedder=HashingEmbedder()) as opened:
        yield opened


@pytest.fixture
def project(services: Services, operator: User, folder: Path) -> str:
    """A document of two versions beside three others, both of which speak of the secret."""
    for who in ("the board", "the board and its secretary"):
        (folder.parent / NAME).write_text(f"# Project\n\nOnly {who} may know of the project {SECRET}.\n")
        services.documents.ingest(operator, [folder, folder.parent / NAME])
    return NAME


def ask(services: Services, user: User, question: str, conversation: str | None = None) -> AnswerRecord:
    last = list(services.chat.ask(user, question, conversation))[-1]
    assert isinstance(last, Answered)
    return last.record


def test_a_removed_document_leaves_no_row_behind(services: Services, operator: User, project: str):
    services.documents.remove(operator, project)
    tables = MetaData()
    with services.database.engine.connect() as connection:
        tables.reflect(connection)
        for table in tables.sorted_tables:
            if table.name.startswith("keyword"):
                continue  # the engine forgets words in its own time; below it is asked
            for row in connection.execute(select(table)):
                assert SECRET not in str([_text(value) for value in row]), table.name


def _text(value: object) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)


def test_no_process_finds_it_from_the_next_search_on(
    services: Services, settings: Settings, operator: User, project: str
):
    with open_services(settings, reader=QuotingReader(), embedder=HashingEmbedder()) as other:
        for each in (services, other):
            assert SECRET in each.documents.search(operator, SECRET, 1)[0].text
        services.documents.remove(operator, project)
        for each in (services, other):
            for date in (None, "2999-01-01"):
                hits = each.documents.search(operator, QUESTION, 100, as_of=date)
                assert hits and all(SECRET not in hit.text and hit.document != project for hit in hits)
            for version in (None, 1, 2):
                with pytest.raises(NotFound):
                    each.documents.text(operator, project, version)
            ids = each.vectors.refresh().index.ids.tolist()  # type: ignore[union-attr]
            with each.database.read() as session:
                assert ids == session.scalars(select(StoredChunk.id).order_by(StoredChunk.id)).all()


def test_a_home_that_is_opened_again_has_forgotten_it(
    services: Services, settings: Settings, operator: User, project: str
):
    services.documents.search(operator, SECRET, 1)
    services.vectors.save()
    services.documents.remove(operator, project)
    with open_services(settings, embedder=HashingEmbedder()) as later:
        assert all(SECRET not in hit.text for hit in later.documents.search(operator, QUESTION, 100))


def test_an_open_conversation_answers_without_it_and_shows_it_no_more(
    services: Services, operator: User, project: str, reader: QuotingReader
):
    first = ask(services, operator, QUESTION)
    assert SECRET in first.text and SECRET in str(first.working)
    services.documents.remove(operator, project)
    second = ask(services, operator, "And who else may know of it?", first.conversation)
    assert SECRET not in str(second.passages) + second.text + str(second.citations)
    *before, now = reader.prompts[-1]
    for turn in before:
        assert SECRET not in str(turn.passages) + str(turn.response)
    assert SECRET not in str(now.passages)
    shown = services.conversations.messages(operator, first.conversation)[0].answer
    assert shown is not None and "withdrawn" in shown.text
    assert SECRET not in shown.text + str(shown.working) + str(shown.citations) + str(shown.passages)


def test_an_open_conversation_builds_on_no_superseded_answer(
    services: Services, operator: User, folder: Path, reader: QuotingReader
):
    services.documents.ingest(operator, [folder])
    first = ask(services, operator, "How many days of annual leave?")
    assert "25 days" in first.text
    (folder / "leave.md").write_text("# Leave\n\nEmployees receive 28 days of annual leave per year.\n")
    services.documents.ingest(operator, [folder])
    ask(services, operator, "How many days of annual leave per year now?", first.conversation)
    assert "25 days" not in str(reader.prompts[-1])
    shown = services.conversations.messages(operator, first.conversation)[0].answer
    assert shown == first  # what was said stays to be read, with the version it cites
