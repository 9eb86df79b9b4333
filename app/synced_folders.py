"""The folders that are synced: which, under which names, into which collection, and who watches them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app import audit
from app.access import require
from app.database import Database, utc_now
from app.documents import COMPANY, ensure_collection
from app.errors import InvalidRequest, NotFound
from app.file_content import Signature
from app.identity import as_user, current_user
from app.names import document_name, plain_line, printable
from app.records import Folder, Permission, User
from app.schema import DocumentCollection, SyncedFile, SyncedFolder, UserAccount
from app.sources import Source, named_source
from app.sync_plan import KnownFile

LOOK_EVERY = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class FolderToSync:
    """A folder's row, free of its session; `id` is 0 where a dry run has made none."""

    id: int
    path: Path
    prefix: str
    collection: str
    owner: User

    def source(self, path: str) -> Source:
        return named_source(self.path / path, f"{self.prefix}/{path}")


class SyncedFolders:
    """The rows of the synced folders and of their files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, actor: User) -> Sequence[Folder]:
        with self._database.read() as session:
            require(current_user(session, actor), Permission.MANAGE_DOCUMENTS)
            rows = session.execute(
                select(SyncedFolder, DocumentCollection.name, func.count(SyncedFile.document_id))
                .join(DocumentCollection, DocumentCollection.id == SyncedFolder.collection_id)
                .outerjoin(SyncedFile, SyncedFile.folder_id == SyncedFolder.id)
                .group_by(SyncedFolder.id, DocumentCollection.name)
                .order_by(SyncedFolder.path)
            )
            return [
                Folder(row.path, row.prefix, collection, row.watched, count, row.looked_at, row.problem)
                for row, collection, count in rows
            ]

    def forget(self, actor: User, folder: Path) -> None:
        """Stop syncing a folder; its documents stay.

        Raises:
            NotFound: it is not synced.
        """
        with self._database.write() as session:
            require(current_user(session, actor), Permission.MANAGE_DOCUMENTS)
            row = session.scalar(select(SyncedFolder).where(SyncedFolder.path == _absolute(folder)))
            if row is None:
                raise NotFound(f"{printable(str(folder))} is not synced: `precept sync` lists the folders that are.")
            session.delete(row)
            audit.record(session, actor, "folder.forget", row.path)

    def find(
        self, actor: User, folder: Path, collection: str | None, name: str | None, *, watch: bool | None, make: bool
    ) -> FolderToSync:
        """Return a folder that is synced, or is to be from now on; without `make` nothing is written.

        Raises:
            InvalidRequest: it is not there, or is synced into another collection or under another name.
        """
        path = _absolute(folder)
        prefix = document_name(name or _usual_prefix(folder))
        if not Path(path).is_dir():
            raise InvalidRequest(f"{printable(path)} is not there, or is no folder; nothing was changed.")
        with self._database.write() as session:
            owner = current_user(session, actor)
            require(owner, Permission.MANAGE_DOCUMENTS)
            row = session.scalar(select(SyncedFolder).where(SyncedFolder.path == path))
            if row is None:
                wanted = plain_line(collection or COMPANY, "collection name", 100)
                _refuse_taken_prefix(session, prefix, path)
                if not make:
                    return FolderToSync(0, Path(path), prefix, wanted, owner)
                row = _added(session, owner, path, prefix, wanted)
            stored = session.get_one(DocumentCollection, row.collection_id).name
            if collection not in (None, stored):
                raise InvalidRequest(f"{path} is synced into the collection {stored!r}: --forget it there first.")
            if name is not None and prefix != row.prefix:
                raise InvalidRequest(f"The documents of {path} are called {row.prefix}/… already: leave --name away.")
            if make and watch is not None and row.watched != watch:
                row.watched = watch
                audit.record(session, owner, "folder.watch" if watch else "folder.unwatch", path)
            return FolderToSync(row.id, Path(path), row.prefix, stored, owner)

    def get(self, number: int) -> FolderToSync:
        with self._database.read() as session:
            row = session.get_one(SyncedFolder, number)
            collection = session.get_one(DocumentCollection, row.collection_id).name
            owner = as_user(session.get_one(UserAccount, row.created_by))
            return FolderToSync(row.id, Path(row.path), row.prefix, collection, owner)

    def files(self, number: int) -> dict[str, KnownFile]:
        with self._database.read() as session:
            rows = session.scalars(select(SyncedFile).where(SyncedFile.folder_id == number))
            return {
                row.path: KnownFile(Signature(row.size_bytes, row.modified_ns), row.sha256, row.document_id, row.error)
                for row in rows
            }

    def take_due(self) -> Sequence[int]:
        """Take the watched folders whose turn it is; no other worker takes them before the next turn."""
        now = utc_now()
        due = or_(SyncedFolder.looked_at.is_(None), SyncedFolder.looked_at < now - LOOK_EVERY)
        with self._database.read() as session:
            waiting = session.scalars(select(SyncedFolder.id).where(SyncedFolder.watched, due)).all()
        if not waiting:
            return ()
        with self._database.write() as session:
            mine = update(SyncedFolder).where(SyncedFolder.id.in_(waiting), due).values(looked_at=now)
            return session.scalars(mine.returning(SyncedFolder.id)).all()

    def note(self, number: int, problem: str | None) -> None:
        """Note that a folder was looked at, and why that changed nothing."""
        problem = problem[:500] if problem else None
        with self._database.write() as session:
            row = session.get(SyncedFolder, number)
            if row is not None and (row.problem != problem or not row.watched):
                row.problem, row.looked_at = problem, utc_now()


def _added(session: Session, actor: User, path: str, prefix: str, collection: str) -> SyncedFolder:
    ensure_collection(session, actor, collection)
    number = session.scalars(select(DocumentCollection.id).where(DocumentCollection.name == collection)).one()
    row = SyncedFolder(path=path, prefix=prefix, collection_id=number, watched=False, created_by=actor.id)
    session.add(row)
    session.flush()
    audit.record(session, actor, "folder.sync", path, collection=collection)
    return row


def _refuse_taken_prefix(session: Session, prefix: str, path: str) -> None:
    other = session.scalar(select(SyncedFolder).where(SyncedFolder.prefix == prefix))
    if other is not None:
        raise InvalidRequest(
            f"The documents of {other.path} are called {prefix}/… already: give those of {path} another name with "
            "--name."
        )


def _absolute(folder: Path) -> str:
    return os.path.abspath(folder.expanduser())  # noqa: PTH100 - a link to a release stays a link


def _usual_prefix(folder: Path) -> str:
    """Return what `ingest` would call the folder."""
    as_given = not folder.is_absolute() and ".." not in folder.parts and folder.parts
    return str(folder) if as_given else Path(_absolute(folder)).name or "root"
