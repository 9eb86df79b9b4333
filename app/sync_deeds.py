"""What a sync does to documents without reading them, each in a transaction of the caller."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import audit
from app.generation import next_generation
from app.keywords import Keywords
from app.publishing import withdraw
from app.records import User
from app.schema import StoredDocument, SyncedFile
from app.synced_files import FileOfFolder


def move(session: Session, actor: User, file: FileOfFolder, old: str, name: str) -> bool:
    """Give the document of the file that was at `old` its new name; nothing is read or embedded again.

    False where another document has that name, or the file's document is gone.
    """
    before = session.get(SyncedFile, (file.folder_id, old))
    document = session.get(StoredDocument, before.document_id) if before and before.document_id else None
    taken = session.scalar(select(StoredDocument.id).where(StoredDocument.name == name))
    if before is None or document is None or taken is not None:
        return False
    next_generation(session)
    audit.record(session, actor, "document.moved", name, was=document.name)
    sha256, document.name = before.sha256, name
    session.delete(before)
    session.flush()
    session.merge(
        SyncedFile(
            folder_id=file.folder_id,
            path=file.path,
            document_id=document.id,
            sha256=sha256,
            size_bytes=file.seen.size_bytes,
            modified_ns=file.seen.modified_ns,
            error=None,
        )
    )
    return True


def forget(session: Session, actor: User, keywords: Keywords, folder_id: int, path: str) -> None:
    """Remove the document of a file that is gone, with all its versions, and the file itself."""
    row = session.get(SyncedFile, (folder_id, path))
    document = session.get(StoredDocument, row.document_id) if row and row.document_id else None
    if document is not None:
        audit.record(session, actor, "document.remove", document.name, file=path)
        withdraw(session, keywords, document)
    session.execute(delete(SyncedFile).where(SyncedFile.folder_id == folder_id, SyncedFile.path == path))


def note_touched(session: Session, file: FileOfFolder) -> None:
    """Note the new time of a file whose content is the same."""
    row = session.get(SyncedFile, (file.folder_id, file.path))
    if row is not None:
        row.size_bytes, row.modified_ns = file.seen.size_bytes, file.seen.modified_ns
