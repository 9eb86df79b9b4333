"""What has to be done so that the documents of a folder are its files: the difference, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from app.file_content import Signature
from app.folder_scan import FolderScan

Digest = Callable[[str], str | None]
"""The SHA-256 of a file's content now; None where it cannot be read."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was read last; `document` is None where it could not be read or its document was removed by hand."""

    signature: Signature
    sha256: str | None
    document: int | None
    error: str | None


@dataclass(slots=True)
class SyncPlan:
    """Paths inside the folder, by what happens to them.

    `moved` leads from the new path to the old one; those `forgotten` are gone and had no document.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    unchanged: int = 0


def plan_sync(
    found: FolderScan,
    known: Mapping[str, KnownFile],
    digest: Digest,
    is_settling: Callable[[Signature], bool],
    *,
    again: bool,
) -> SyncPlan:
    """Compare what stands in the folder with what was read of it; `again` tries what failed although it is unchanged.

    A file that is new where one with the same content and ending has gone was moved. Of several, those with the same
    name belong together first.
    """
    plan = SyncPlan()
    new: list[str] = []
    for path in sorted(found.files):
        signature, before = found.files[path], known.get(path)
        if before is not None and before.signature == signature and not (again and before.error):
            plan.unchanged += 1
        elif is_settling(signature):
            plan.waiting.append(path)
        elif before is None:
            new.append(path)
        elif before.error is None and before.sha256 is not None and digest(path) == before.sha256:
            plan.touched.append(path)
        else:
            plan.changed.append(path)
    gone = sorted(path for path in known if path not in found.files and not found.may_still_hold(path))
    plan.moved = _moves(new, found.files, gone, known, digest)
    plan.added = [path for path in new if path not in plan.moved]
    left = [path for path in gone if path not in plan.moved.values()]
    plan.removed = [path for path in left if known[path].document is not None]
    plan.forgotten = [path for path in left if known[path].document is None]
    plan.unchanged += len(plan.touched)
    return plan


def _moves(
    new: Sequence[str],
    files: Mapping[str, Signature],
    gone: Sequence[str],
    known: Mapping[str, KnownFile],
    digest: Digest,
) -> dict[str, str]:
    left: dict[str, list[str]] = {}
    sizes: set[int] = set()
    for path in gone:
        before = known[path]
        if before.document is not None and before.sha256 is not None:
            left.setdefault(before.sha256, []).append(path)
            sizes.add(before.signature.size_bytes)
    moves: dict[str, str] = {}
    contents = {path: digest(path) for path in new if files[path].size_bytes in sizes}
    for same_name in (True, False):
        for path, sha256 in contents.items():
            if path in moves or sha256 is None:
                continue
            old = next((each for each in left.get(sha256, ()) if _may_be(path, each, same_name)), None)
            if old is not None:
                left[sha256].remove(old)
                moves[path] = old
    return moves


def _may_be(new: str, old: str, same_name: bool) -> bool:
    """Say whether a path may be where another one went: what a file is read as depends on its ending."""
    a, b = PurePosixPath(new), PurePosixPath(old)
    return a.name == b.name if same_name else a.suffix.lower() == b.suffix.lower()
