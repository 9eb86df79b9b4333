"""The work of an ingestion job: one file becomes a version of one document, wholly or not at all.

Reading, cutting and embedding happen outside any transaction; one transaction then writes the text, its chunks, their
vectors and words, the audit row and the end of the job.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import audit
from app.database import Database, utc_now
from app.errors import AppError, Conflict
from app.generation import lock_publishing, next_generation
from app.identity import as_user
from app.jobs import Claim, Jobs
from app.keywords import Keywords
from app.names import printable
from app.schema import DocumentCollection, DocumentVersion, StoredChunk, StoredDocument, UserAccount
from app.vectors import Vectors
from retrieval.chunking import Chunk, chunk, indexed_text
from retrieval.loading import LoadedDocument, LoadLimits, UnreadableDocument, load_bytes

KIND = "ingest"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything of a version that is worked out before the transaction."""

    sha256: str
    document: LoadedDocument
    chunks: list[Chunk]
    vectors: list[bytes | None]
    embedder: str | None


class Ingestion:
    """Handles jobs of the kind `ingest`; the payload has `path`, `name` and `collection`."""

    def __init__(self, database: Database, jobs: Jobs, keywords: Keywords, vectors: Vectors) -> None:
        self._database = database
        self._jobs = jobs
        self._keywords = keywords
        self._vectors = vectors

    def handle(self, claim: Claim) -> None:
        path, name, collection = (claim.payload[key] for key in ("path", "name", "collection"))
        try:
            data = _read(Path(path), name)
            digest = hashlib.sha256(data).hexdigest()
            if self._finish_unchanged(claim, name, collection, digest):
                return
            prepared = self._prepare(data, name, digest)
            self._publish(claim, name, collection, prepared)
        except (UnreadableDocument, AppError) as refusal:
            with self._database.write() as session:
                self._jobs.finish(session, claim, error=str(refusal))

    def _finish_unchanged(self, claim: Claim, name: str, collection: str, digest: str) -> bool:
        """Finish early where the newest version has this content: most files of a folder that is ingested again."""
        with self._database.read() as session:
            result = _unchanged(session, name, collection, digest)
        if result is None:
            return False
        with self._database.write() as session:
            self._jobs.finish(session, claim, result=result)
        return True

    def _prepare(self, data: bytes, name: str, digest: str) -> Prepared:
        document = load_bytes(data, name)
        chunks = chunk(document.text, document.title)
        vectors, embedder = self._vectors.embed([indexed_text(document.title, part) for part in chunks])
        return Prepared(digest, document, chunks, vectors, embedder)

    def _publish(self, claim: Claim, name: str, collection: str, prepared: Prepared) -> None:
        with self._database.write() as session:
            lock_publishing(session)
            result = _unchanged(session, name, collection, prepared.sha256)
            document = session.scalar(select(StoredDocument).where(StoredDocument.name == name))
            if document is not None and document.job_id > claim.job_id:
                result = {"status": "unchanged", "chunks": len(prepared.chunks)}  # a newer job has read a newer file
            if result is None:
                result = self._write(session, claim, document, name, collection, prepared)
            self._jobs.finish(session, claim, result=result)

    def _write(
        self,
        session: Session,
        claim: Claim,
        document: StoredDocument | None,
        name: str,
        collection: str,
        prepared: Prepared,
    ) -> dict[str, Any]:
        now = utc_now()
        status = "updated" if document else "added"
        if document is None:
            number = session.scalars(select(DocumentCollection.id).where(DocumentCollection.name == collection)).one()
            document = StoredDocument(name=name, collection_id=number, version=0, job_id=0, created_at=now)
            session.add(document)
        document.version, document.job_id, document.updated_at = document.version + 1, claim.job_id, now
        session.flush()
        remove_chunks(session, self._keywords, document.id)
        version = _version_row(document, prepared)
        session.add(version)
        session.flush()
        self._add_chunks(session, document, version, prepared)
        next_generation(session)
        actor = session.get(UserAccount, claim.user_id)
        detail = {"version": document.version, "collection": collection}
        audit.record(session, as_user(actor) if actor else None, f"document.{status}", name, **detail)
        return {"status": status, "chunks": len(prepared.chunks)}

    def _add_chunks(
        self, session: Session, document: StoredDocument, version: DocumentVersion, prepared: Prepared
    ) -> None:
        rows = [
            StoredChunk(
                version_id=version.id,
                collection_id=document.collection_id,
                start=part.start,
                end=part.end,
                headings=list(part.headings),
                vector=vector,
                embedder=prepared.embedder,
            )
            for part, vector in zip(prepared.chunks, prepared.vectors, strict=True)
        ]
        session.add_all(rows)
        session.flush()
        title = prepared.document.title
        words = (indexed_text(title, part) for part in prepared.chunks)
        self._keywords.add(session, zip((row.id for row in rows), words, strict=True))


def remove_chunks(session: Session, keywords: Keywords, document_id: int) -> None:
    """Take a document's chunks out of the rows and the keyword index."""
    versions = select(DocumentVersion.id).where(DocumentVersion.document_id == document_id)
    ids = session.scalars(select(StoredChunk.id).where(StoredChunk.version_id.in_(versions))).all()
    keywords.remove(session, ids)
    session.execute(delete(StoredChunk).where(StoredChunk.version_id.in_(versions)))


def _unchanged(session: Session, name: str, collection: str, digest: str) -> dict[str, Any] | None:
    """Return the result of a job whose content is what is stored already.

    Raises:
        Conflict: the document is in another collection.
    """
    row = session.execute(
        select(DocumentCollection.name, DocumentVersion.id, DocumentVersion.sha256)
        .select_from(StoredDocument)
        .join(DocumentCollection, DocumentCollection.id == StoredDocument.collection_id)
        .join(
            DocumentVersion,
            (DocumentVersion.document_id == StoredDocument.id) & (DocumentVersion.version == StoredDocument.version),
        )
        .where(StoredDocument.name == name)
    ).one_or_none()
    if row is None:
        return None
    if row[0] != collection:
        raise Conflict(f"{name} is in the collection {row[0]!r}: remove it there first, or give the file another name.")
    if row[2] != digest:
        return None
    count = session.scalar(select(func.count()).where(StoredChunk.version_id == row[1]))
    return {"status": "unchanged", "chunks": count or 0}


def _version_row(document: StoredDocument, prepared: Prepared) -> DocumentVersion:
    data = prepared.document.text.encode()
    return DocumentVersion(
        document_id=document.id,
        version=document.version,
        sha256=prepared.sha256,
        title=prepared.document.title[:300],
        media_type=prepared.document.media_type,
        text=data,
        size_bytes=len(data),
        created_at=document.updated_at,
    )


def _read(path: Path, name: str) -> bytes:
    limit = LoadLimits().file_bytes
    try:
        if not path.is_file():
            raise UnreadableDocument(name, "is not there, or is no plain file; check the path and try again")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableDocument(printable(name), f"cannot be read ({reason}); check its permissions") from error
    return data
