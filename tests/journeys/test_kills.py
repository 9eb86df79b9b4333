"""kill -9 at random instants: whatever was going on, indexes equal rows and every document is wholly there, or absent.

What is killed is ingestion, a sync with changed, moved and deleted files, removals, embedding everything again for
another embedder, and writing the index. After each kill another process opens the home and does what is left to do.
"""

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import func, select, text

from app.records import User
from app.schema import AuditEvent, DocumentVersion, Job, PastChunk, StoredChunk, StoredDocument
from app.services import Services, open_services
from app.settings import Settings
from app.sync import Sync
from retrieval.embedding import HashingEmbedder

FILES = 12
DIMS = (64, 96)

Deed = Callable[[Services, User, Path], object]


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
    for index in range(FILES):
        write(folder / f"policy-{index:02}.md", 0)
    return folder


def write(path: Path, number: int) -> None:
    rules = "\n\n".join(f"## Rule {rule}\n\nRound {number} allows {rule} days – at most." for rule in range(8))
    path.write_text(f"# {path.stem}\n\n{rules}\n", encoding="utf-8")


def change(folder: Path, number: int, chance: random.Random) -> None:
    """Change, move, delete and add some files."""
    paths = sorted(folder.iterdir())
    for path in chance.sample(paths, len(paths) // 2):
        write(path, number)
    for path in chance.sample(paths, len(paths) // 6):
        path.rename(folder / f"moved-{number}-{path.name[-5:]}")
    for path in chance.sample(sorted(folder.iterdir()), len(paths) // 6):
        path.unlink()
    while len(list(folder.iterdir())) < FILES:
        write(folder / f"policy-{number}-{chance.randrange(1000)}.md", number)


def ingest(services: Services, operator: User, folder: Path) -> None:
    services.documents.ingest(operator, [folder])


def sync(services: Services, operator: User, folder: Path) -> None:
    at_once = Sync(services.database, services.sync.folders, services.documents, services.sync._keywords, settle_s=0)
    at_once.sync(operator, folder)


def remove(services: Services, operator: User, folder: Path) -> None:
    for document in services.documents.list(operator)[::3]:
        services.documents.remove(operator, document.name)


def reindex(services: Services, operator: User, folder: Path) -> None:
    services.documents.search(operator, "days", 1)


def publish(services: Services, operator: User, folder: Path) -> None:
    for _ in range(20):
        services.vectors.refresh()
        services.vectors._saved_generation = -1
        services.vectors.save()


DEEDS: dict[str, Deed] = {each.__name__: each for each in (ingest, sync, remove, reindex, publish)}


def do(settings: Settings, folder: Path, deed: str, dim: int) -> None:
    """What the killed process does."""
    with open_services(settings, embedder=HashingEmbedder(dim)) as services:
        DEEDS[deed](services, services.identity.operator(), folder)


def check_wholeness(services: Services, operator: User) -> dict[str, bytes]:
    """Every document that is listed is there with all its chunks, words and vectors, and nothing else is anywhere."""
    texts: dict[str, bytes] = {}
    with services.database.read() as session:
        rows = session.execute(
            select(StoredDocument, DocumentVersion).join(
                DocumentVersion, DocumentVersion.document_id == StoredDocument.id
            )
        ).all()
        newest = [version.id for document, version in rows if version.version == document.version]
        assert sorted(document.name for document, version in rows if version.id in newest) == sorted(
            session.scalars(select(StoredDocument.name))
        )
        for document, version in rows:
            kind: type[StoredChunk] | type[PastChunk] = StoredChunk if version.id in newest else PastChunk
            chunks = session.scalars(select(kind).where(kind.version_id == version.id).order_by(kind.start)).all()
            ends = [0, *(chunk.end for chunk in chunks)]
            assert [chunk.start for chunk in chunks] == ends[:-1] and ends[-1] == len(version.text), document.name
            assert all(chunk.vector and chunk.embedder for chunk in chunks)
            assert (version.superseded_at is None) == (version.id in newest)
            if version.id in newest:
                texts[document.name] = bytes(version.text)
        assert session.scalar(select(func.count()).where(StoredChunk.version_id.not_in(newest))) == 0
        assert session.scalar(text("SELECT count(*) FROM keyword")) == session.scalar(
            select(func.count(StoredChunk.id))
        )
        assert session.scalar(select(func.count()).where(Job.state.in_(("queued", "running")))) == 0
    hits = services.documents.search(operator, "how many days does the rule allow", 5000)
    assert {hit.document for hit in hits} == set(texts)
    for hit in hits:
        assert texts[hit.document][hit.start : hit.end].decode() == hit.text
    with services.database.read() as session:
        index = services.vectors.refresh().index  # type: ignore[union-attr]
        assert sorted(index.ids.tolist()) == session.scalars(select(StoredChunk.id).order_by(StoredChunk.id)).all()
    return texts


def check_nothing_lost(deed: str, before: dict[str, bytes], after: dict[str, bytes], folder: Path) -> None:
    """Say which documents may have changed and which may have gone by what was killed."""
    files = {f"{folder.name}/{path.name}": path.read_bytes() for path in folder.iterdir()}
    for name, data in before.items():
        may_be_gone = (deed == "sync" and name not in files) or deed == "remove"
        assert name in after or may_be_gone, (deed, name)
        if name in after:
            may_be_new = deed in ("ingest", "sync") and after[name] == files.get(name)
            assert after[name] == data or may_be_new, (deed, name)
    for name in set(after) - set(before):
        assert deed in ("ingest", "sync") and after[name] == files[name], (deed, name)


@contextmanager
def reopened(settings: Settings, dim: int) -> Iterator[Services]:
    """The home as the next process finds it, once what was left to do is done."""
    with open_services(settings, embedder=HashingEmbedder(dim)) as services:
        services.work(Event(), once=True)
        yield services


def kill_often(
    settings: Settings,
    folder: Path,
    processes: multiprocessing.context.ForkServerContext,
    kills: int,
    seed: int,
) -> int:
    """Kill that many processes, and return how many of them were still at work."""
    chance = random.Random(seed)
    usual_s: dict[str, float] = {}
    dim, killed, before = DIMS[0], 0, dict[str, bytes]()
    for number in range(kills + len(DEEDS)):
        is_measured = number < len(DEEDS)  # the first time nothing is killed
        deed = list(DEEDS)[number] if is_measured else chance.choice(list(DEEDS))
        if deed in ("ingest", "sync"):
            change(folder, number + 1, chance)
        dim = DIMS[DIMS.index(dim) - 1] if deed == "reindex" else dim
        process = processes.Process(target=do, args=(settings, folder, deed, dim))
        started = time.monotonic()
        process.start()
        process.join(None if is_measured else chance.uniform(0.02, 1.1 * usual_s[deed]))
        usual_s.setdefault(deed, time.monotonic() - started)
        killed += process.is_alive()
        process.kill()
        process.join()
        with reopened(settings, dim) as services:
            after = check_wholeness(services, services.identity.operator())
        check_nothing_lost(deed, before, after, folder)
        before = after
    for path in folder.iterdir():
        write(path, -seed - 1)
    with reopened(settings, dim) as services:
        operator = services.identity.operator()
        sync(services, operator, folder)
        texts = check_wholeness(services, operator)
        kept = {f"{folder.name}/{path.name}": path.read_bytes() for path in folder.iterdir()}
        assert {name: texts.get(name) for name in kept} == kept
    return killed


def test_kill_9_at_random_instants_leaves_indexes_equal_to_rows_and_every_document_whole_or_absent(
    settings: Settings, handbook: Path, processes: multiprocessing.context.ForkServerContext
):
    assert kill_often(settings, handbook, processes, kills=20, seed=20261123) > 20 // 3


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(4))
def test_200_kills(settings: Settings, handbook: Path, processes: multiprocessing.context.ForkServerContext, part: int):
    assert kill_often(settings, handbook, processes, kills=50, seed=part) > 50 // 3


def test_two_processes_ingest_the_same_folder_once(
    settings: Settings, handbook: Path, processes: multiprocessing.context.ForkServerContext
):
    both = [processes.Process(target=do, args=(settings, handbook, "ingest", DIMS[0])) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    with open_services(settings, embedder=HashingEmbedder(DIMS[0])) as services:
        operator = services.identity.operator()
        assert len(check_wholeness(services, operator)) == FILES
        assert {document.version for document in services.documents.list(operator)} == {1}
        with services.database.read() as session:
            assert session.scalar(select(func.count()).where(AuditEvent.action == "document.added")) == FILES
