"""kill -9 during ingestion, twenty times at random instants: every document is wholly there once, or absent."""

import multiprocessing
import random
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from app.records import User
from app.schema import AuditEvent, DocumentVersion, Job, StoredChunk, StoredDocument
from app.services import Services, open_services
from app.settings import Settings
from retrieval.embedding import HashingEmbedder

FILES, KILLS = 16, 20


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    """Processes that start at once: the fork server has imported the application."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["app.services", "retrieval.embedding", "tests.conftest"])
    return context


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    write_round(folder, 0)
    return folder


def write_round(folder: Path, number: int) -> None:
    for index in range(FILES):
        rules = "\n\n".join(
            f"## Rule {rule}\n\nRound {number} allows {rule + index} days – at most." for rule in range(12)
        )
        (folder / f"policy-{index:02}.md").write_text(f"# Policy {index}\n\n{rules}\n", encoding="utf-8")


def ingest(settings: Settings, folder: Path) -> None:
    """What the killed process does."""
    with open_services(settings, embedder=HashingEmbedder()) as services:
        services.documents.ingest(services.identity.operator(), [folder])


def check_wholeness(services: Services, operator: User) -> int:
    """Every document that is listed is there with all its chunks, words and vectors; return how many there are."""
    with services.database.read() as session:
        rows = session.execute(
            select(StoredDocument, DocumentVersion).join(
                DocumentVersion,
                (DocumentVersion.document_id == StoredDocument.id)
                & (DocumentVersion.version == StoredDocument.version),
            )
        ).all()
        for document, version in rows:
            chunks = session.scalars(
                select(StoredChunk).where(StoredChunk.version_id == version.id).order_by(StoredChunk.start)
            ).all()
            ends = [0, *(chunk.end for chunk in chunks)]
            assert [chunk.start for chunk in chunks] == ends[:-1] and ends[-1] == len(version.text), document.name
            assert all(chunk.vector and chunk.embedder for chunk in chunks)
        newest = [version.id for _, version in rows]
        assert session.scalar(select(func.count()).where(StoredChunk.version_id.not_in(newest))) == 0
        assert session.scalar(text("SELECT count(*) FROM keyword")) == session.scalar(
            select(func.count(StoredChunk.id))
        )
        numbers = session.execute(select(DocumentVersion.document_id, DocumentVersion.version)).all()
        assert len(numbers) == len(set(numbers))
    hits = services.documents.search(operator, "how many days does the rule allow", 50)
    for hit in hits:
        assert services.documents.text(operator, hit.document)[hit.start : hit.end].decode() == hit.text
    return len(rows)


def test_kill_9_at_random_instants_leaves_every_document_whole_or_absent(
    settings: Settings, handbook: Path, processes: multiprocessing.context.ForkServerContext
):
    chance = random.Random(20261123)
    started = time.monotonic()
    ingest(settings.model_copy(update={"home": settings.home / "measured", "database_url": None}), handbook)
    usual_s = time.monotonic() - started
    killed = 0
    for number in range(KILLS):
        write_round(handbook, number)
        process = processes.Process(target=ingest, args=(settings, handbook))
        process.start()
        process.join(chance.uniform(0.05, 1.2 * usual_s))
        killed += process.is_alive()
        process.kill()
        process.join()
        with open_services(settings, embedder=HashingEmbedder()) as services:
            check_wholeness(services, services.identity.operator())
    assert killed > KILLS // 3
    with open_services(settings, embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        reports = services.documents.ingest(operator, [handbook])
        assert {report.status for report in reports} <= {"added", "updated", "unchanged"}
        assert check_wholeness(services, operator) == FILES
        for path in handbook.iterdir():
            assert services.documents.text(operator, f"handbook/{path.name}") == path.read_bytes()
        with services.database.read() as session:
            assert session.scalar(select(func.count()).where(Job.state.in_(("queued", "running")))) == 0


def test_two_processes_ingest_the_same_folder_once(
    settings: Settings, handbook: Path, processes: multiprocessing.context.ForkServerContext
):
    both = [processes.Process(target=ingest, args=(settings, handbook)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    with open_services(settings, embedder=HashingEmbedder()) as services:
        operator = services.identity.operator()
        assert check_wholeness(services, operator) == FILES
        assert {document.version for document in services.documents.list(operator)} == {1}
        with services.database.read() as session:
            assert session.scalar(select(func.count()).where(AuditEvent.action == "document.added")) == FILES
