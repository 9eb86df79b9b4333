"""What stands in a folder now: its plain files, and what is passed over and why.

Links are not followed: what they point at may lie anywhere. Hidden names are left out, as `ingest` leaves them out.
"""

import os
import stat
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import InvalidRequest
from app.file_content import Signature
from app.names import document_name, printable


@dataclass(slots=True)
class FolderScan:
    """Files by their path inside the folder, with `/`; `passed_over` says of each other entry why it is no document.

    Of the folders in `unreadable` nothing is known: what was there may be there still.
    """

    files: dict[str, Signature] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def may_still_hold(self, path: str) -> bool:
        return any(path.startswith(f"{folder}/") for folder in self.unreadable)


def scan(root: Path, prefix: str) -> FolderScan:
    """Look at every file below a folder.

    Raises:
        InvalidRequest: the folder is not there, or cannot be read.
    """
    found = FolderScan()
    names: dict[str, str] = {}
    if not root.is_dir():
        raise InvalidRequest(f"{printable(str(root))} is not there, or is no folder; nothing was changed.")
    for path, entry in _entries(root, found):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # it went away while we looked
        if stat.S_ISLNK(status.st_mode):
            found.passed_over[path] = "is a link: links are not followed; put the file itself here"
        elif not stat.S_ISREG(status.st_mode):
            found.passed_over[path] = "is no plain file"
        elif problem := _name_problem(prefix, path, names):
            found.refused[path] = problem
        else:
            found.files[path] = Signature.of(status)
    return found


def is_settling(signature: Signature, settle_s: float) -> bool:
    """Say whether a file was changed so lately that somebody may still be writing it."""
    return 0 <= time.time() - signature.modified_ns / 1e9 < settle_s


def _entries(root: Path, found: FolderScan) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Yield what is not a folder, in order, with its path inside `root`."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            if not folder:
                raise InvalidRequest(f"{root} cannot be read ({reason}); nothing was changed.") from error
            found.unreadable.append(folder)
            found.refused[folder] = f"cannot be read ({reason}); what came from it is left as it is"
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                yield path, entry


def _name_problem(prefix: str, path: str, names: dict[str, str]) -> str:
    """Return why a file's name cannot be a document's name; '' where it can, which is then taken."""
    try:
        name = document_name(f"{prefix}/{path}")
    except InvalidRequest as refusal:
        return str(refusal)
    if (other := names.setdefault(name, path)) != path:
        shown = unicodedata.normalize("NFC", other)
        return f"has the name of {shown} in other Unicode characters; rename one of the two"
    return ""
