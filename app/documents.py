"""Documents: taking them in, reading them, searching them, removing them."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import audit
from app.access import readable_collections, require
from app.database import Database, utc_now
from app.errors import NotFound
from app.generation import lock_publishing
from app.history import PastSearch
from app.identity import current_user
from app.ingestion import KIND, Ingestion
from app.jobs import ACTIVE, Jobs
from app.keywords import Keywords
from app.names import plain_line
from app.publishing import withdraw
from app.records import Collection, Document, FileReport, Hit, Permission, User, Version
from app.schema import (
    CollectionReader,
    DocumentCollection,
    DocumentVersion,
    StoredChunk,
    StoredDocument,
    UserAccount,
)
from app.search import Search
from app.sources import Source, expand
from app.vectors import Vectors
from app.work import HANDS, Work

COMPANY = "company"
_POLL_S = 0.05

OnProgress = Callable[[FileReport, int, int], None]
"""Called with each file's report, how many files are done, and how many there are."""


class Documents:
    """The documents of the company, under the permissions of whoever acts."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        work: Work,
        ingestion: Ingestion,
        keywords: Keywords,
        vectors: Vectors,
        search: Search,
        past: PastSearch,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._work = work
        self._past = past
        self._ingestion = ingestion
        self._keywords = keywords
        self._vectors = vectors
        self._search = search

    def ingest(
        self,
        actor: User,
        paths: Iterable[Path | Source],
        collection: str = COMPANY,
        on_progress: OnProgress | None = None,
    ) -> list[FileReport]:
        """Take files and folders in, and return one report for each file; one that fails stops no other.

        The jobs are stored before the first one starts: what a crash leaves undone, a worker does.
        """
        sources = expand(paths)
        return self.do(sources, self.queue(actor, sources, collection), on_progress)

    def do(
        self, sources: Sequence[Source], job_ids: Sequence[int | None], on_progress: OnProgress | None = None
    ) -> list[FileReport]:
        """Do the jobs of these files, or wait for those who do, and return one report for each."""
        reports: list[FileReport] = []
        with ThreadPoolExecutor(HANDS, thread_name_prefix="ingest") as hands:
            try:
                for report in hands.map(self._do, sources, job_ids):
                    reports.append(report)
                    if on_progress:
                        on_progress(report, len(reports), len(sources))
            except BaseException:
                hands.shutdown(wait=True, cancel_futures=True)
                raise
        if any(report.status in ("added", "updated") for report in reports):
            self._vectors.refresh()
            self._vectors.save()
        return reports

    def queue(
        self,
        actor: User,
        sources: Sequence[Source],
        collection: str = COMPANY,
        more: Sequence[dict[str, Any]] | None = None,
    ) -> list[int | None]:
        """Store a job for each file and leave it to whoever does it; None for a file that cannot be one.

        `more` is what else each job is to know.
        """
        collection = plain_line(collection, "collection name", 100)
        with self._database.write() as session:
            require(current_user(session, actor), Permission.MANAGE_DOCUMENTS)
            lock_publishing(session)
            ensure_collection(session, actor, collection)
            return [
                None if source.error else self._jobs.add(
                    session, actor, KIND, job_key(source, collection),
                    {"path": str(source.path), "name": source.name, "collection": collection, **known},
                )
                for source, known in zip(sources, more or [{}] * len(sources), strict=True)
            ]  # fmt: skip

    def list(self, actor: User) -> list[Document]:
        with self._database.read() as session:
            readable = readable_collections(session, current_user(session, actor))
            chunks = (
                select(func.count()).where(StoredChunk.version_id == DocumentVersion.id).correlate(DocumentVersion)
            ).scalar_subquery()
            rows = session.execute(
                select(StoredDocument, DocumentCollection.name, DocumentVersion.title, DocumentVersion.media_type,
                       DocumentVersion.size_bytes, chunks)
                .join(DocumentCollection, DocumentCollection.id == StoredDocument.collection_id)
                .join(DocumentVersion, (DocumentVersion.document_id == StoredDocument.id)
                      & (DocumentVersion.version == StoredDocument.version))
                .where(StoredDocument.collection_id.in_(readable))
                .order_by(StoredDocument.name)
            )  # fmt: skip
            return [
                Document(row.name, title, collection, row.version, media_type, size, count, row.updated_at)
                for row, collection, title, media_type, size, count in rows
            ]

    def text(self, actor: User, name: str, version: int | None = None) -> bytes:
        """Return the stored UTF-8 text of the newest version, or of an older one.

        Raises:
            NotFound: no such document or version, or not this person's to read.
        """
        with self._database.read() as session:
            document = readable_document(session, actor, name)
            data = session.scalar(
                select(DocumentVersion.text).where(
                    DocumentVersion.document_id == document.id,
                    DocumentVersion.version == (document.version if version is None else version),
                )
            )
        if data is None:
            raise NotFound(f"{name} has no version {version}: the newest is {document.version}.")
        return bytes(data)

    def versions(self, actor: User, name: str) -> Sequence[Version]:
        """Return a document's versions, newest first."""
        with self._database.read() as session:
            document = readable_document(session, actor, name)
            rows = session.execute(
                select(DocumentVersion.version, DocumentVersion.title, DocumentVersion.sha256,
                       DocumentVersion.size_bytes, DocumentVersion.created_at, DocumentVersion.superseded_at)
                .where(DocumentVersion.document_id == document.id)
                .order_by(DocumentVersion.version.desc())
            )  # fmt: skip
            return [Version(*row) for row in rows]

    def remove(self, actor: User, name: str) -> None:
        """Remove a document, all its versions and everything that indexes hold of it, at once."""
        require(actor, Permission.MANAGE_DOCUMENTS)
        with self._database.write() as session:
            withdraw(session, self._keywords, readable_document(session, actor, name))
            audit.record(session, actor, "document.remove", name)

    def collections(self, actor: User) -> Sequence[Collection]:
        with self._database.read() as session:
            readable = readable_collections(session, current_user(session, actor))
            rows = session.execute(
                select(DocumentCollection, func.count(StoredDocument.id))
                .outerjoin(StoredDocument, StoredDocument.collection_id == DocumentCollection.id)
                .where(DocumentCollection.id.in_(readable))
                .group_by(DocumentCollection.id)
                .order_by(DocumentCollection.name)
            )
            return [Collection(row.name, row.everyone, count) for row, count in rows]

    def share(self, actor: User, collection: str, *, everyone: bool, readers: Sequence[str] = ()) -> None:
        """Say who may read a collection: everyone, or the people with these email addresses and the administrators."""
        require(actor, Permission.MANAGE_DOCUMENTS)
        emails = sorted({email.strip().casefold() for email in readers})
        with self._database.write() as session:
            lock_publishing(session)
            row = session.scalar(select(DocumentCollection).where(DocumentCollection.name == collection))
            if row is None:
                raise NotFound(f"There is no collection {collection!r}.")
            people = session.scalars(select(UserAccount).where(UserAccount.email.in_(emails))).all()
            if missing := set(emails) - {person.email for person in people}:
                raise NotFound(f"There is no account {min(missing)!r}.")
            row.everyone = everyone
            session.execute(delete(CollectionReader).where(CollectionReader.collection_id == row.id))
            session.add_all(CollectionReader(collection_id=row.id, user_id=person.id) for person in people)
            audit.record(session, actor, "collection.share", collection, everyone=everyone, readers=emails)

    def search(
        self, actor: User, query: str, k: int = 10, collection: str | None = None, as_of: str | None = None
    ) -> Sequence[Hit]:
        """Return the `k` passages nearest to a query among those that the person may read.

        They are of the newest versions, or of those that were in force at the date or time `as_of`.
        """
        if as_of is not None:
            return self._past.search(actor, query, k, as_of, collection)
        return [*self._search.search(actor, query, k, collection).hits]

    def _do(self, source: Source, job_id: int | None) -> FileReport:
        """Do the job, or wait for the one who does; a worker that dies meanwhile is replaced."""
        if job_id is None:
            return FileReport(source.shown, "failed", 0, source.error)
        while True:
            if claim := self._jobs.claim(job_id):
                self._work.run(claim, self._ingestion.handle)
            state, result, error = self._jobs.outcome(job_id)
            if state not in ACTIVE:
                break
            time.sleep(_POLL_S)
        if result is None:
            return FileReport(source.shown, state, 0, error)
        return FileReport(source.shown, result["status"], result["chunks"])


def readable_document(session: Session, actor: User, name: str) -> StoredDocument:
    """Return a document that this person may read.

    Raises:
        NotFound: no such document, or not theirs to read.
    """
    readable = readable_collections(session, current_user(session, actor))
    document = session.scalar(
        select(StoredDocument).where(StoredDocument.name == name, StoredDocument.collection_id.in_(readable))
    )
    if document is None:
        raise NotFound(f"There is no document {name!r}.")
    return document


def ensure_collection(session: Session, actor: User, name: str) -> None:
    """Make a collection on first use; only the company's own is for everyone until it is shared."""
    if session.scalar(select(DocumentCollection.id).where(DocumentCollection.name == name)) is None:
        session.add(DocumentCollection(name=name, everyone=name == COMPANY, created_at=utc_now()))
        audit.record(session, actor, "collection.add", name)
        session.flush()


def job_key(source: Source, collection: str) -> str:
    """Return the key under which no two jobs for a file are active at once."""
    return hashlib.sha256("\0".join((KIND, collection, source.name, str(source.path))).encode()).hexdigest()
