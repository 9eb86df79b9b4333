"""The bytes of one file, read whole or not at all."""

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from app.names import printable
from retrieval.loading import LoadLimits, UnreadableDocument

_TRIES, _PAUSE_S = 3, 0.2


@dataclass(frozen=True, slots=True)
class Signature:
    """What changes when a file's content does, as far as the file system tells."""

    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Signature":
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class FileContent:
    """All bytes of a file that did not change while they were read, up to one more than a document may have."""

    data: bytes
    signature: Signature


def read_whole(path: Path, name: str) -> FileContent:
    """Read a file that holds still.

    Raises:
        UnreadableDocument: it is absent, no plain file, not to be read, or still being written.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            content = _read(path, name)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UnreadableDocument(printable(name), f"cannot be read ({reason}); check its permissions") from error
        if content is not None:
            return content
    raise UnreadableDocument(printable(name), "is still being written; ingest it again when it is complete")


def _read(path: Path, name: str) -> FileContent | None:
    """Return the content, or None where the file changed meanwhile."""
    limit = LoadLimits().file_bytes
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe would keep us waiting
    except FileNotFoundError as error:
        raise UnreadableDocument(name, "is not there, or is no plain file; check the path and try again") from error
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableDocument(name, "is not there, or is no plain file; check the path and try again")
        data = file.read(limit + 1)
        after = os.fstat(file.fileno())
    signature = Signature.of(after)
    is_whole = signature == Signature.of(before) and (len(data) == after.st_size or len(data) > limit)
    return FileContent(data, signature) if is_whole else None
