"""The work of an ingestion job: one file becomes a version of one document, wholly or not at all.

Its stages are hash, load, chunk, embed and publish. The first four happen outside any transaction; the last is one,
with the text, its chunks, their vectors and words, the audit row and the end of the job.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import AppError, Conflict, Unavailable
from app.file_content import FileContent, read_whole
from app.generation import lock_publishing
from app.jobs import Claim, Jobs
from app.keywords import Keywords
from app.publishing import Prepared, Publication, newest_version, publish
from app.schema import DocumentVersion, StoredChunk, StoredDocument
from app.synced_files import FileOfFolder, remember_failure, remember_read
from app.vectors import Vectors
from app.work import Progress
from retrieval.chunking import Chunk, chunk, indexed_text
from retrieval.loading import UnreadableDocument, load_bytes

KIND = "ingest"
_EMBED_AT_ONCE = 16  # texts between two moments at which a job can end


class Ingestion:
    """Handles jobs of the kind `ingest`; the payload has `path`, `name` and `collection`, and the file of a folder."""

    def __init__(self, database: Database, jobs: Jobs, keywords: Keywords, vectors: Vectors) -> None:
        self._database = database
        self._jobs = jobs
        self._keywords = keywords
        self._vectors = vectors

    def handle(self, claim: Claim, progress: Progress) -> None:
        target = Publication(claim.payload["name"], claim.payload["collection"], claim.job_id, claim.user_id)
        file = FileOfFolder.of_payload(claim.payload)
        try:
            progress.at("hash")
            content = read_whole(Path(claim.payload["path"]), target.name)
            digest = hashlib.sha256(content.data).hexdigest()
            if self._finish_unchanged(claim, target, file, content, digest):
                return
            prepared = self._prepare(content.data, target.name, digest, progress)
            progress.at("publish")
            self._publish(claim, target, file, content, prepared)
        except Unavailable:
            raise  # not the file's fault: the job is put back
        except (UnreadableDocument, AppError) as refusal:
            with self._database.write() as session:
                self._jobs.finish(session, claim, error=str(refusal), stage=progress.place.stage)
                if file:
                    remember_failure(session, file, str(refusal))

    def _finish_unchanged(
        self, claim: Claim, target: Publication, file: FileOfFolder | None, content: FileContent, digest: str
    ) -> bool:
        """Finish early where the newest version has this content: most files of a folder that is ingested again."""
        with self._database.read() as session:
            if _unchanged(session, target, digest) is None:
                return False
        with self._database.write() as session:
            result = _unchanged(session, target, digest)
            if result is None:
                return False
            if file:
                remember_read(session, file, content.signature, digest, _document(session, target.name))
            self._jobs.finish(session, claim, result=result)
        return True

    def _prepare(self, data: bytes, name: str, digest: str, progress: Progress) -> Prepared:
        progress.at("load")
        document = load_bytes(data, name)
        progress.at("chunk")
        chunks = chunk(document.text, document.title)
        vectors, embedder = self._embed(document.title, chunks, name, digest, progress)
        return Prepared(digest, document, chunks, vectors, embedder)

    def _embed(
        self, title: str, chunks: Sequence[Chunk], name: str, digest: str, progress: Progress
    ) -> tuple[list[bytes | None], str | None]:
        """Embed what no stored chunk says word for word, texts of like lengths together because they are padded."""
        texts = [indexed_text(title, part) for part in chunks]
        _, embedder = self._vectors.embed([])
        if embedder is None:
            return [None] * len(texts), None
        with self._database.read() as session:
            known: dict[str, bytes | None] = dict(_known_vectors(session, name, digest, embedder))
        new = sorted({text for text in texts if text not in known}, key=lambda text: (len(text), text))
        for start in range(0, len(new), _EMBED_AT_ONCE):
            progress.at("embed", start, len(new))
            batch = new[start : start + _EMBED_AT_ONCE]
            known.update(zip(batch, self._vectors.embed(batch)[0], strict=True))
        return [known[text] for text in texts], embedder

    def _publish(
        self, claim: Claim, target: Publication, file: FileOfFolder | None, content: FileContent, prepared: Prepared
    ) -> None:
        count = len(prepared.chunks)
        with self._database.write() as session:
            lock_publishing(session)
            result = _unchanged(session, target, prepared.sha256)
            before = session.scalar(select(StoredDocument).where(StoredDocument.name == target.name))
            if before is not None and before.job_id > claim.job_id:
                result = {"status": "unchanged", "chunks": count}  # a newer job has read a newer file
            elif result is None:
                document = publish(session, self._keywords, target, prepared)
                result = {"status": "updated" if before else "added", "chunks": count}
                if file:
                    remember_read(session, file, content.signature, prepared.sha256, document)
            self._jobs.finish(session, claim, result=result)


def _document(session: Session, name: str) -> StoredDocument:
    return session.scalars(select(StoredDocument).where(StoredDocument.name == name)).one()


def _unchanged(session: Session, target: Publication, digest: str) -> dict[str, Any] | None:
    """Return the result of a job whose content is what is stored already.

    Raises:
        Conflict: the document is in another collection.
    """
    found = newest_version(session, target.name)
    if found is None:
        return None
    _, version, collection = found
    if collection != target.collection:
        raise Conflict(
            f"{target.name} is in the collection {collection!r}: remove it there first, or give the file another name."
        )
    if version.sha256 != digest:
        return None
    count = session.scalar(select(func.count()).where(StoredChunk.version_id == version.id))
    return {"status": "unchanged", "chunks": count or 0}


def _known_vectors(session: Session, name: str, digest: str, embedder: str) -> Mapping[str, bytes]:
    """Return the vectors of the document's newest version and of one that has the same content, by indexed text."""
    same = select(DocumentVersion.id).where(DocumentVersion.sha256 == digest, DocumentVersion.superseded_at.is_(None))
    ids = {session.scalar(same.limit(1))}
    if found := newest_version(session, name):
        ids.add(found[1].id)
    known: dict[str, bytes] = {}
    for version in session.scalars(select(DocumentVersion).where(DocumentVersion.id.in_(ids - {None}))):
        rows = select(StoredChunk).where(StoredChunk.version_id == version.id, StoredChunk.embedder == embedder)
        for row in session.scalars(rows):
            text = bytes(version.text[row.start : row.end]).decode()
            part = Chunk(row.start, row.end, tuple(row.headings), text)
            known[indexed_text(version.title, part)] = bytes(row.vector or b"")
    return known
