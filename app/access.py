"""Who may do and read what.

Code asks for permissions, never for roles. Reading documents is decided for each collection: everyone, or its readers;
whoever manages documents reads them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.errors import NotAllowed, NotFound
from app.records import Permission, Role, User
from app.schema import CollectionReader, DocumentCollection, DocumentVersion, StoredChunk, StoredDocument

PERMISSIONS = {
    Role.EMPLOYEE: frozenset({Permission.CHAT}),
    Role.ENGINEER: frozenset({Permission.CHAT, Permission.MANAGE_CORES}),
    Role.ADMIN: frozenset(Permission),
}


def may(user: User, permission: Permission) -> bool:
    return not user.disabled and permission in PERMISSIONS[user.role]


def require(user: User, permission: Permission) -> None:
    """Raises NotAllowed where the person may not do this."""
    if not may(user, permission):
        raise NotAllowed(f"{user.name} may not {permission.value}; ask an administrator.")


def readable_collections(session: Session, user: User, only: str | None = None) -> Sequence[int]:
    """Return the ids of the collections that a person may read.

    Raises:
        NotFound: `only` names a collection that is not there, or not theirs to read.
    """
    query = select(DocumentCollection.id)
    if not may(user, Permission.MANAGE_DOCUMENTS):
        granted = select(CollectionReader.collection_id).where(CollectionReader.user_id == user.id)
        query = query.where(or_(DocumentCollection.everyone, DocumentCollection.id.in_(granted)))
    if only is not None:
        query = query.where(DocumentCollection.name == only)
    ids = session.scalars(query.order_by(DocumentCollection.id)).all()
    if only is not None and not ids:
        raise NotFound(f"There is no collection {only!r}.")
    return ids


@dataclass(frozen=True, slots=True)
class Filter:
    """What a search is narrowed to; None narrows nothing. `kind` is a media type, or the end of a document's name."""

    collection: str | None = None
    kind: str | None = None
    document: str | None = None
    version: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what versions must fulfil, beside their collection."""
        wanted: list[ColumnElement[bool]] = []
        if self.kind is not None:
            kind = self.kind.casefold().lstrip(".")
            by_name = StoredDocument.name.iendswith(f".{kind}", autoescape=True)
            wanted.append(or_(DocumentVersion.media_type == kind, by_name))
        if self.document is not None:
            wanted.append(StoredDocument.name == self.document)
        if self.version is not None:
            wanted.append(DocumentVersion.version == self.version)
        if self.since is not None:
            wanted.append(DocumentVersion.created_at >= self.since)
        if self.until is not None:
            wanted.append(DocumentVersion.created_at <= self.until)
        return wanted


@dataclass(frozen=True, slots=True)
class Readable:
    """The chunks that a person may read, as conditions on `StoredChunk` that both rankings put into their search.

    `is_narrowed` tells that not all chunks of the `collections` are meant.
    """

    collections: tuple[int, ...]
    conditions: tuple[ColumnElement[bool], ...]
    is_narrowed: bool


def readable_chunks(session: Session, user: User, only: Filter) -> Readable:
    """Decide what a person may read; a collection that is not theirs is as one that is not there.

    Raises:
        NotFound: the filter names a collection that is not there, or not theirs to read.
    """
    collections = tuple(readable_collections(session, user, only.collection))
    conditions: list[ColumnElement[bool]] = [StoredChunk.collection_id.in_(collections)]
    if narrower := only.conditions():
        versions = select(DocumentVersion.id).join(StoredDocument, StoredDocument.id == DocumentVersion.document_id)
        conditions.append(StoredChunk.version_id.in_(versions.where(*narrower)))
    return Readable(collections, tuple(conditions), bool(narrower))
