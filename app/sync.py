"""Folders whose files are kept as documents: by `precept sync`, or by every worker that looks at them.

A look compares sizes and times of the files with those that were read last, reads what differs, and does the
difference: jobs for new and changed content, one transaction for each move and each removal. Looking every few seconds
works on every file system and needs nothing of it, where notices of changes are lost on network shares and overflows.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from app.database import Database
from app.documents import Documents, OnProgress, job_key
from app.errors import AppError, InvalidRequest
from app.file_content import Signature, read_whole
from app.folder_scan import FolderScan, is_settling, scan
from app.jobs import ACTIVE
from app.keywords import Keywords
from app.names import printable
from app.records import FileReport, User
from app.schema import Job
from app.sources import Source
from app.sync_deeds import forget, move, note_touched
from app.sync_plan import KnownFile, SyncPlan, plan_sync
from app.synced_files import FileOfFolder
from app.synced_folders import FolderToSync, SyncedFolders
from retrieval.loading import UnreadableDocument

SETTLE_S = 2.0
_SETTLING_TRIES = 3
_WAITING = "is still being written; it is read when it has been still for {:g} s"


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a look at a folder did, or with a dry run would do; unchanged files are only counted."""

    files: Sequence[FileReport]
    unchanged: int


class Sync:
    """Makes the documents of folders equal to their files."""

    def __init__(
        self,
        database: Database,
        folders: SyncedFolders,
        documents: Documents,
        keywords: Keywords,
        settle_s: float = SETTLE_S,
    ) -> None:
        self.folders = folders
        self._database = database
        self._documents = documents
        self._keywords = keywords
        self._settle_s = settle_s
        self._missing: dict[int, set[str]] = {}

    def sync(
        self,
        actor: User,
        path: Path,
        collection: str | None = None,
        *,
        name: str | None = None,
        dry_run: bool = False,
        allow_empty: bool = False,
        watch: bool | None = None,
        on_progress: OnProgress | None = None,
    ) -> SyncReport:
        """Make the documents of a folder equal to its files, and say what was done.

        Raises:
            InvalidRequest: the folder cannot be read, holds nothing although documents came from it, or is synced into
                another collection or under another name.
        """
        folder = self.folders.find(actor, path, collection, name, watch=watch, make=not dry_run)
        known = self.folders.files(folder.id)
        found = self._settled(folder, known)
        _guard(folder, found, known, allow_empty)
        plan = self._plan(folder, found, known, again=True)
        if not dry_run:
            self._apply(actor, folder, plan, found)
        reports = _reports(folder, plan, found, self._settle_s)
        if dry_run:
            return SyncReport(reports, plan.unchanged)
        sources = _sources(folder, plan)
        done = self._documents.do(sources, self._queue(actor, folder, sources, found), on_progress)
        self.folders.note(folder.id, None)
        results = {report.path: report for report in done}
        return SyncReport([results.get(report.path, report) for report in reports], plan.unchanged)

    def look_at_watched(self) -> None:
        """Queue what changed in the watched folders that nobody has looked at lately; what a worker does."""
        for number in self.folders.take_due():
            try:
                self._look(number)
                problem = None
            except (AppError, OSError) as error:
                problem = str(error)
            self.folders.note(number, problem)

    def _look(self, number: int) -> None:
        folder, known = self.folders.get(number), self.folders.files(number)
        found = scan(folder.path, folder.prefix)
        _guard(folder, found, known, allow_empty=False)
        plan = self._plan(folder, found, known, again=False)
        self._leave_to_jobs(folder, plan, found)
        missing, before = set(plan.removed), self._missing.get(number, set())
        plan.removed = sorted(missing & before)  # editors replace a file by removing and writing it
        self._missing[number] = missing - before
        self._apply(folder.owner, folder, plan, found)
        self._queue(folder.owner, folder, _sources(folder, plan), found)

    def _settled(self, folder: FolderToSync, known: Mapping[str, KnownFile]) -> FolderScan:
        """Scan, and wait a little for files that somebody is writing."""
        found = scan(folder.path, folder.prefix)
        for _ in range(_SETTLING_TRIES):
            fresh = (s for path, s in found.files.items() if path not in known or known[path].signature != s)
            if not any(is_settling(signature, self._settle_s) for signature in fresh):
                break
            time.sleep(self._settle_s)
            found = scan(folder.path, folder.prefix)
        return found

    def _plan(
        self, folder: FolderToSync, found: FolderScan, known: Mapping[str, KnownFile], *, again: bool
    ) -> SyncPlan:
        def settling(signature: Signature) -> bool:
            return is_settling(signature, self._settle_s)

        return plan_sync(found, known, lambda path: _digest(folder.path / path), settling, again=again)

    def _leave_to_jobs(self, folder: FolderToSync, plan: SyncPlan, found: FolderScan) -> None:
        """Take out of the plan what a job is doing, and what one was cancelled or failed over and has not changed."""
        keys = {job_key(folder.source(path), folder.collection): path for path in (*plan.added, *plan.changed)}
        with self._database.read() as session:
            newest = select(func.max(Job.id)).where(Job.key.in_(keys)).group_by(Job.key)
            jobs = session.scalars(select(Job).where(Job.id.in_(newest), Job.state != "done")).all()
        for job in jobs:
            path, file = keys[job.key], FileOfFolder.of_payload(job.payload)
            if job.state in ACTIVE or (file and file.seen == found.files[path]):
                (plan.added if path in plan.added else plan.changed).remove(path)

    def _apply(self, actor: User, folder: FolderToSync, plan: SyncPlan, found: FolderScan) -> None:
        """Do what needs no embedding: moves, removals, new times of unchanged content."""
        for path, old in list(plan.moved.items()):
            file = FileOfFolder(folder.id, path, found.files[path])
            with self._database.write() as session:
                is_moved = move(session, actor, file, old, folder.source(path).name)
            if not is_moved:  # another document has the name
                del plan.moved[path]
                plan.added.append(path)
                plan.removed.append(old)
        plan.removed = [path for path in plan.removed if not _came_back(folder.path / path)]
        for path in (*plan.removed, *plan.forgotten):
            with self._database.write() as session:
                forget(session, actor, self._keywords, folder.id, path)
        if plan.touched:
            with self._database.write() as session:
                for path in plan.touched:
                    note_touched(session, FileOfFolder(folder.id, path, found.files[path]))

    def _queue(
        self, actor: User, folder: FolderToSync, sources: Sequence[Source], found: FolderScan
    ) -> Sequence[int | None]:
        paths = [source.path.relative_to(folder.path).as_posix() for source in sources]
        more = [FileOfFolder(folder.id, path, found.files[path]).to_payload() for path in paths]
        return self._documents.queue(actor, sources, folder.collection, more) if sources else ()


def _sources(folder: FolderToSync, plan: SyncPlan) -> list[Source]:
    return [folder.source(path) for path in sorted((*plan.added, *plan.changed))]


def _guard(folder: FolderToSync, found: FolderScan, known: Mapping[str, KnownFile], allow_empty: bool) -> None:
    """Refuse to take an empty folder, such as a share that is not mounted, for the wish to remove everything."""
    documents = sum(file.document is not None for file in known.values())
    if documents and not found.files and not allow_empty:
        raise InvalidRequest(
            f"{folder.path} holds no files now, but {documents} documents came from it: nothing was removed; if they "
            "are to go, sync with --allow-empty."
        )


def _reports(folder: FolderToSync, plan: SyncPlan, found: FolderScan, settle_s: float) -> list[FileReport]:
    """Return a line for each file that is not simply unchanged, in order of path."""
    waiting = _WAITING.format(settle_s)
    lines: list[tuple[str, str, str | None]] = [
        *((path, "added", None) for path in plan.added),
        *((path, "updated", None) for path in plan.changed),
        *((path, "moved", f"from {printable(str(folder.path / old))}") for path, old in plan.moved.items()),
        *((path, "removed", None) for path in plan.removed),
        *((path, "waiting", waiting) for path in plan.waiting),
        *((path, "failed", f"{printable(path)} {why}.") for path, why in found.refused.items()),
        *((path, "skipped", why) for path, why in found.passed_over.items()),
    ]
    return [FileReport(str(folder.path / path), status, 0, why) for path, status, why in sorted(lines)]


def _came_back(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(read_whole(path, path.name).data).hexdigest()
    except UnreadableDocument:
        return None
