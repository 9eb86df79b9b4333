"""From a file to a document: what it is by its content, its canonical text, its title, its pages.

What can be read: Markdown, plain text, HTML, PDF, DOCX, PPTX, XLSX, CSV, EML. What cannot is refused by
`UnreadableDocument`, whose message is one sentence that names the file and the remedy. All but Markdown and plain text
is parsed in a process of its own.
"""

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from retrieval import sandbox
from retrieval.archive import ArchiveLimits, check_archive, megabytes
from retrieval.decoding import canonical
from retrieval.kinds import CSV, HTML, MAIL, MARKDOWN, OFFICE, TEXT, sniff
from retrieval.markup import Parsed, Refused
from retrieval.parsing import parse
from retrieval.places import Place, settled


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """What one document may cost."""

    file_bytes: int = 100 << 20
    text_bytes: int = 20 << 20
    archive: ArchiveLimits = field(default_factory=ArchiveLimits)
    parser: sandbox.Limits = field(default_factory=sandbox.Limits)


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """A document as it is stored: offsets everywhere count bytes of `text` in UTF-8."""

    text: str
    title: str
    media_type: str
    places: tuple[Place, ...] = ()


class UnreadableDocument(ValueError):
    """A file that cannot be read; the message is one sentence naming the file and the remedy."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{_printable(name)} {reason}.")


def load(path: Path, limits: LoadLimits | None = None) -> LoadedDocument:
    """Read one file.

    Raises:
        UnreadableDocument: it is absent, too large, damaged, locked, empty, or of a kind that cannot be read.
    """
    limits = limits or LoadLimits()
    return load_bytes(_read(path, limits), path.name, limits)


def load_bytes(data: bytes, name: str, limits: LoadLimits | None = None) -> LoadedDocument:
    """Read the content of a file called `name`; like `load`."""
    try:
        return _loaded(data, name, limits or LoadLimits())
    except Refused as refusal:
        raise UnreadableDocument(name, str(refusal)) from refusal


def _loaded(data: bytes, name: str, limits: LoadLimits) -> LoadedDocument:
    if len(data) > limits.file_bytes:
        raise Refused(_too_large(len(data), limits.file_bytes))
    media_type = sniff(data, name)
    if media_type in (MARKDOWN, TEXT, HTML, CSV) and len(data) > limits.text_bytes:
        raise Refused(_too_large(len(data), limits.text_bytes))
    if media_type in OFFICE:
        check_archive(data, limits.archive)
    in_this_process = media_type in (MARKDOWN, TEXT)
    parsed = parse(media_type, data) if in_this_process else _parsed_apart(media_type, data, limits.parser)
    text, places = settled(parsed)
    if not re.search(r"\w", text):
        raise Refused("holds no text; check that it is the right file and try again")
    if len(text) > limits.text_bytes:
        raise Refused(_too_large(len(text), limits.text_bytes))
    return LoadedDocument(text, canonical(parsed.title).strip()[:200] or _stem(name), media_type, places)


def _parsed_apart(media_type: str, data: bytes, limits: sandbox.Limits) -> Parsed:
    try:
        answer = sandbox.run("retrieval.parsing", [media_type], data, limits)
    except sandbox.ParserStopped as error:
        remedy = "attachments apart" if media_type == MAIL else "it again, or split it"
        raise Refused(f"{error}; save {remedy}, then try again") from error
    if "refused" in answer:
        raise Refused(str(answer["refused"]))
    return Parsed(str(answer.get("text", "")), str(answer.get("title", "")), tuple(map(str, answer.get("places", ()))))


def _read(path: Path, limits: LoadLimits) -> bytes:
    try:
        # Not to wait for ever on a named pipe; a regular file does not know the flag.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableDocument(path.name, "is not a regular file; name a document")
            if status.st_size > limits.file_bytes:
                raise UnreadableDocument(path.name, _too_large(status.st_size, limits.file_bytes))
            with os.fdopen(os.dup(descriptor), "rb") as file:
                return file.read(limits.file_bytes + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise UnreadableDocument(path.name, "does not exist; check the path") from error
    except UnreadableDocument:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableDocument(path.name, f"cannot be opened ({reason}); check its permissions") from error


def _too_large(size: int, limit: int) -> str:
    return f"is too large ({megabytes(size)}, the limit is {megabytes(limit)}); split it and try again"


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)


def _stem(name: str) -> str:
    return _printable(os.path.splitext(name)[0].replace("_", " ").strip()) or name  # noqa: PTH122
