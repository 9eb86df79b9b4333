"""Names that people give: of documents, collections, conversations, accounts."""

import unicodedata
from pathlib import PurePosixPath

from app.errors import InvalidRequest

MAX_DOCUMENT_NAME = 400


def plain_line(text: str, what: str, max_chars: int) -> str:
    """Return a name as one trimmed line.

    Raises:
        InvalidRequest: it is empty, too long, or holds control characters.
    """
    line = unicodedata.normalize("NFC", text).strip()
    if not line or len(line) > max_chars:
        raise InvalidRequest(f"A {what} has 1 to {max_chars} characters; this one has {len(line)}.")
    if has_controls(line):
        raise InvalidRequest(f"The {what} {printable(line)} holds control characters: leave them out.")
    return line


def document_name(path: str) -> str:
    """Return a document's name: a relative path without `.` and `..`.

    Raises:
        InvalidRequest: the path is no such name.
    """
    name = unicodedata.normalize("NFC", path).replace("\\", "/")
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or has_controls(name):
        raise InvalidRequest(f"{printable(path)} is no name for a document: use a relative path without '..'.")
    name = "/".join(parts)
    if len(name) > MAX_DOCUMENT_NAME:
        raise InvalidRequest(f"{printable(name[:60])}… is too long a name: use at most {MAX_DOCUMENT_NAME} characters.")
    return name


def has_controls(text: str) -> bool:
    """Say whether text holds control, surrogate or direction-changing characters."""
    return any(
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or "\u202a" <= character <= "\u202e"
        or "\u2066" <= character <= "\u2069"
        for character in text
    )


def printable(text: str) -> str:
    """Return text as it can be shown in a sentence, with escapes for what cannot."""
    return repr(text) if has_controls(text) else text


def clean_text(text: str) -> str:
    """Return free text without control characters, except line ends and tabs."""
    kept = (c for c in text.replace("\r\n", "\n") if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"})
    return "".join(kept).strip()
