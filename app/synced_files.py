"""What is remembered of each file of a synced folder, written in the transaction that changes its document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.file_content import Signature
from app.schema import StoredDocument, SyncedFile, SyncedFolder


@dataclass(frozen=True, slots=True)
class FileOfFolder:
    """A file of a synced folder, and how it looked when its job was queued."""

    folder_id: int
    path: str
    seen: Signature

    @classmethod
    def of_payload(cls, payload: Mapping[str, Any]) -> "FileOfFolder | None":
        """Return the file that an ingestion job is about; None where no folder sent it."""
        if "folder" not in payload:
            return None
        return cls(payload["folder"], payload["file"], Signature(payload["size_bytes"], payload["modified_ns"]))

    def to_payload(self) -> dict[str, Any]:
        return {
            "folder": self.folder_id,
            "file": self.path,
            "size_bytes": self.seen.size_bytes,
            "modified_ns": self.seen.modified_ns,
        }


def remember_read(
    session: Session, file: FileOfFolder, signature: Signature, sha256: str, document: StoredDocument
) -> None:
    """Note which content stands in the document now.

    Raises:
        Conflict: the document stands for another file.
    """
    owner = session.scalar(select(SyncedFile).where(SyncedFile.document_id == document.id))
    if owner is not None and (owner.folder_id, owner.path) != (file.folder_id, file.path):
        folder = session.get_one(SyncedFolder, owner.folder_id)
        raise Conflict(
            f"{document.name} stands for {folder.path}/{owner.path} already: rename this file, or sync its folder "
            "under another name with --name."
        )
    _merge(session, file, signature, sha256=sha256, document_id=document.id, error=None)


def remember_failure(session: Session, file: FileOfFolder, error: str) -> None:
    """Note why a file could not be read, so that it is tried again only when it changes; its document stays."""
    row = session.get(SyncedFile, (file.folder_id, file.path))
    document_id = row.document_id if row else None
    _merge(session, file, file.seen, sha256=row.sha256 if row else None, document_id=document_id, error=error[:2000])


def _merge(session: Session, file: FileOfFolder, signature: Signature, **values: Any) -> None:
    if session.get(SyncedFolder, file.folder_id) is None:
        return  # it was given up meanwhile
    row = SyncedFile(
        folder_id=file.folder_id,
        path=file.path,
        size_bytes=signature.size_bytes,
        modified_ns=signature.modified_ns,
        **values,
    )
    session.merge(row)
    session.flush()
