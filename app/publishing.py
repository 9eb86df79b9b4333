"""Writing documents: a version with its chunks, vectors and words, in one transaction of the caller.

What the version before had in the indexes moves to `past_chunk`; what is removed leaves nothing behind.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, literal, select
from sqlalchemy.orm import Session

from app import audit
from app.database import utc_now
from app.generation import next_generation
from app.identity import as_user
from app.keywords import Keywords
from app.schema import (
    DocumentCollection,
    DocumentVersion,
    PastChunk,
    StoredChunk,
    StoredDocument,
    UserAccount,
)
from retrieval.chunking import Chunk, indexed_text
from retrieval.loading import LoadedDocument


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything of a version that is worked out before the transaction; one vector for each chunk."""

    sha256: str
    document: LoadedDocument
    chunks: list[Chunk]
    vectors: list[bytes | None]
    embedder: str | None


@dataclass(frozen=True, slots=True)
class Publication:
    """Where a version goes, for which job, and on whose behalf."""

    name: str
    collection: str
    job_id: int
    user_id: int


def publish(session: Session, keywords: Keywords, target: Publication, prepared: Prepared) -> StoredDocument:
    """Make `prepared` the newest version of the document, which is made if it is not there."""
    document = session.scalar(select(StoredDocument).where(StoredDocument.name == target.name))
    deed = "document.updated" if document else "document.added"
    now = utc_now()
    if document is None:
        document = _new_document(session, target, now)
    else:
        now = max(now, document.updated_at)  # a clock that was set back must not make an interval negative
        _supersede(session, keywords, document, now)
    document.version, document.job_id, document.updated_at = document.version + 1, target.job_id, now
    session.flush()
    version = _version_row(document, prepared)
    session.add(version)
    session.flush()
    _add_chunks(session, keywords, document, version, prepared)
    next_generation(session)
    actor = session.get(UserAccount, target.user_id)
    detail: dict[str, Any] = {"version": document.version, "collection": target.collection}
    audit.record(session, as_user(actor) if actor else None, deed, target.name, **detail)
    return document


def withdraw(session: Session, keywords: Keywords, document: StoredDocument) -> None:
    """Take a document out of the rows and the keyword index, with all its versions."""
    next_generation(session)
    _remove_chunks(session, keywords, document.id)
    session.delete(document)
    session.flush()


def newest_version(session: Session, name: str) -> tuple[StoredDocument, DocumentVersion, str] | None:
    """Return a document with its newest version and the name of its collection."""
    row = session.execute(
        select(StoredDocument, DocumentVersion, DocumentCollection.name)
        .join(DocumentCollection, DocumentCollection.id == StoredDocument.collection_id)
        .join(
            DocumentVersion,
            (DocumentVersion.document_id == StoredDocument.id) & (DocumentVersion.version == StoredDocument.version),
        )
        .where(StoredDocument.name == name)
    ).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


def _new_document(session: Session, target: Publication, now: datetime) -> StoredDocument:
    number = session.scalars(select(DocumentCollection.id).where(DocumentCollection.name == target.collection)).one()
    document = StoredDocument(name=target.name, collection_id=number, version=0, job_id=0, created_at=now)
    session.add(document)
    return document


def _supersede(session: Session, keywords: Keywords, document: StoredDocument, now: datetime) -> None:
    """Move the newest version's chunks out of the indexes and keep them for searches as of a date."""
    old = session.scalars(
        select(DocumentVersion).where(
            DocumentVersion.document_id == document.id, DocumentVersion.version == document.version
        )
    ).one()
    old.superseded_at = now
    columns = ("start", "end", "headings", "vector", "embedder")
    kept = select(literal(old.id), *(getattr(StoredChunk, name) for name in columns))
    session.execute(
        insert(PastChunk).from_select(("version_id", *columns), kept.where(StoredChunk.version_id == old.id))
    )
    _remove_chunks(session, keywords, document.id)


def _remove_chunks(session: Session, keywords: Keywords, document_id: int) -> None:
    versions = select(DocumentVersion.id).where(DocumentVersion.document_id == document_id)
    ids = session.scalars(select(StoredChunk.id).where(StoredChunk.version_id.in_(versions))).all()
    keywords.remove(session, ids)
    session.execute(delete(StoredChunk).where(StoredChunk.version_id.in_(versions)))


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


def _add_chunks(
    session: Session, keywords: Keywords, document: StoredDocument, version: DocumentVersion, prepared: Prepared
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
    words = (indexed_text(prepared.document.title, part) for part in prepared.chunks)
    keywords.add(session, zip((row.id for row in rows), words, strict=True))
