"""Jobs as people see and steer them: stages, progress, cancelling, trying again, reasons."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.errors import Conflict, InvalidRequest, NotAllowed, NotFound
from app.jobs import Cancelled, Jobs
from app.records import JobEntry, User
from app.schema import DocumentVersion, Setting, StoredChunk
from app.services import Services, open_services
from app.settings import Settings
from app.sources import expand
from tests.app.counting_embedder import CountingEmbedder
from tests.app.quoting_reader import QuotingReader


@pytest.fixture
def embedder() -> Iterator[CountingEmbedder]:
    """One that stops after the first batch until it is let go on."""
    made = CountingEmbedder(wait_at=17)
    yield made
    made.go.set()


@pytest.fixture
def services(settings: Settings, embedder: CountingEmbedder) -> Iterator[Services]:
    with open_services(settings, reader=QuotingReader(), embedder=embedder) as opened:
        yield opened


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    """A document of 40 sections, which is three batches of the embedder."""
    rules = "\n\n".join(f"## Rule {number}\n\nRule {number} allows {number} days at most." for number in range(40))
    path = tmp_path / "handbook.md"
    path.write_text(f"# Handbook\n\n{rules}\n")
    return path


@pytest.fixture
def ingesting(services: Services, operator: User, handbook: Path, embedder: CountingEmbedder) -> Iterator[JobEntry]:
    """The job of the handbook, in the middle of embedding."""
    reading = threading.Thread(target=services.documents.ingest, args=(operator, [handbook]))
    reading.start()
    assert embedder.waiting.wait(60)
    yield until(lambda: services.jobs.list(operator)[0], lambda entry: entry.stage == "embed")
    embedder.go.set()
    reading.join(60)


def until(look: Callable[[], JobEntry], is_so: Callable[[JobEntry], bool]) -> JobEntry:
    deadline = time.monotonic() + 60
    while not is_so(entry := look()):
        assert time.monotonic() < deadline, entry
        time.sleep(0.02)
    return entry


def num_rows(services: Services) -> tuple[int, int]:
    with services.database.read() as session:
        counts = (session.scalar(select(func.count()).select_from(kind)) for kind in (DocumentVersion, StoredChunk))
        first, second = (count or 0 for count in counts)
        return first, second


def test_a_running_job_says_its_stage_and_how_far_it_is(ingesting: JobEntry):
    assert (ingesting.state, ingesting.stage, ingesting.name) == ("running", "embed", "handbook.md")
    assert ingesting.done == 16 and ingesting.total == 40


def test_a_job_that_is_cancelled_while_it_embeds_embeds_no_more_and_keeps_nothing(
    services: Services, operator: User, ingesting: JobEntry, embedder: CountingEmbedder
):
    assert services.jobs.cancel(operator, ingesting.id).state == "running"
    time.sleep(0.6)  # until the pulse has heard of it
    embedder.go.set()
    ended = until(lambda: services.jobs.get(operator, ingesting.id), lambda entry: entry.state == "cancelled")
    assert ended.error and ended.error.startswith("Cancelled")
    assert len(embedder.texts) == 32 and num_rows(services) == (0, 0)
    assert services.documents.list(operator) == []


def test_a_job_cancelled_before_its_last_step_publishes_nothing(services: Services, operator: User, handbook: Path):
    (number,) = services.documents.queue(operator, expand([handbook]))
    jobs = Jobs(services.database, lease_s=30)
    claim = jobs.claim(number)
    assert claim is not None
    services.jobs.cancel(operator, claim.job_id)
    with pytest.raises(Cancelled), services.database.write() as session:
        session.add(Setting(name="made by the job", value=""))
        jobs.finish(session, claim, result={})
    with services.database.read() as session:
        assert session.get(Setting, "made by the job") is None
    jobs.close_cancelled(claim)
    assert services.jobs.get(operator, claim.job_id).state == "cancelled"


def test_a_queued_job_is_cancelled_at_once_and_retried_as_a_new_one(
    services: Services, operator: User, handbook: Path, embedder: CountingEmbedder
):
    embedder.go.set()
    (number,) = services.documents.queue(operator, expand([handbook]))
    assert number is not None
    assert services.jobs.cancel(operator, number).state == "cancelled"
    services.work(threading.Event(), once=True)
    assert services.documents.list(operator) == []
    with pytest.raises(Conflict, match=f"Job {number} is cancelled already"):
        services.jobs.cancel(operator, number)
    again = services.jobs.retry(operator, number)
    assert again.id != number and again.state == "queued"
    services.work(threading.Event(), once=True)
    assert services.jobs.get(operator, again.id).status == "added"
    with pytest.raises(Conflict, match="only a failed or cancelled one"):
        services.jobs.retry(operator, again.id)


def test_a_failed_job_tells_its_stage_and_reason_and_succeeds_once_the_file_is_right(
    services: Services, operator: User, handbook: Path, embedder: CountingEmbedder
):
    embedder.go.set()
    text = handbook.read_text()
    handbook.write_bytes(b"")
    services.documents.ingest(operator, [handbook])
    (failed,) = services.jobs.list(operator, "failed")
    assert failed.stage == "load" and failed.error and failed.error.startswith("handbook.md is empty")
    handbook.write_text(text)
    (again,) = services.jobs.retry_failed(operator)
    services.work(threading.Event(), once=True)
    assert services.jobs.get(operator, again.id).status == "added"
    assert services.jobs.retry_failed(operator) == []


def test_a_job_goes_on_when_who_queued_it_is_gone(
    settings: Settings, services: Services, operator: User, handbook: Path, embedder: CountingEmbedder
):
    embedder.go.set()
    with open_services(settings, embedder=CountingEmbedder()) as page:
        page.documents.queue(operator, expand([handbook]))
    services.work(threading.Event(), once=True)
    assert [document.name for document in services.documents.list(operator)] == ["handbook.md"]


def test_only_those_who_manage_documents_see_and_steer_jobs(
    services: Services, operator: User, employee: User, handbook: Path
):
    (number,) = services.documents.queue(operator, expand([handbook]))
    assert number is not None
    for deed in (
        lambda: services.jobs.list(employee),
        lambda: services.jobs.get(employee, number),
        lambda: services.jobs.cancel(employee, number),
        lambda: services.jobs.retry(employee, number),
        lambda: services.jobs.cancel_all(employee),
        lambda: services.jobs.retry_failed(employee),
    ):
        with pytest.raises(NotAllowed):
            deed()
    assert [entry.state for entry in services.jobs.cancel_all(operator)] == ["cancelled"]
    with pytest.raises(NotFound):
        services.jobs.cancel(operator, 999)
    with pytest.raises(InvalidRequest, match="choose from"):
        services.jobs.list(operator, "lost")
