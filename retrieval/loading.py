"""From a file to a document: what it is by its content, its canonical text, its title.

What can be read: Markdown, plain text, HTML, PDF, DOCX. What cannot is refused by `UnreadableDocument`, whose message
is one sentence that names the file and the remedy. PDF, HTML and DOCX are parsed in a process of their own.
"""

import io
import os
import re
import stat
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from retrieval import sandbox
from retrieval.decoding import canonical, decode

MARKDOWN, TEXT, HTML = "text/markdown", "text/plain", "text/html"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

_KINDS = {HTML: "html", PDF: "pdf", DOCX: "docx"}
_MARKDOWN_NAMES = (".md", ".markdown", ".mdown", ".mkd", ".mdx")
_HTML_NAMES = (".html", ".htm", ".xhtml")
_HTML_START = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S
)
_TAG = re.compile(rb"<(?:p|div|h[1-6]|body|head|table|ul|ol|span|br)\b[^>]*>", re.I)
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "is an old or locked Office file; save it as DOCX without a password and try again"),
    (b"{\\rtf", "is an RTF file; save it as DOCX and try again"),
    (b"\x89PNG", "is a picture; run text recognition (OCR) on it, save the text and try again"),
    (b"\xff\xd8\xff", "is a picture; run text recognition (OCR) on it, save the text and try again"),
    (b"GIF8", "is a picture; run text recognition (OCR) on it, save the text and try again"),
    (b"\x1f\x8b", "is a compressed file; unpack it and ingest the documents inside"),
    (b"7z\xbc\xaf", "is an archive; unpack it and ingest the documents inside"),
    (b"Rar!", "is an archive; unpack it and ingest the documents inside"),
    (b"\x7fELF", "is a program and not a document; leave it out"),
    (b"MZ\x90", "is a program and not a document; leave it out"),
    (b"SQLite format 3\0", "is a database and not a document; export its texts and try again"),
)
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<fields>(?:[^\n]*\n){0,200}?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FIELD = re.compile(r"[A-Za-z_][\w -]*:(?:\s|$)")
_FIRST_HEADING = re.compile(r"\A\s*(?:#[ \t]+(?P<hash>[^\n]+?)[ \t]*#*[ \t]*|(?P<lined>[^\n]+)\n=+[ \t]*)(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """What one document may cost."""

    file_bytes: int = 100 << 20
    text_bytes: int = 20 << 20
    archive_bytes: int = 300 << 20
    archive_members: int = 5000
    archive_ratio: int = 150
    parser: sandbox.Limits = field(default_factory=sandbox.Limits)


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """A document as it is stored: offsets everywhere count bytes of `text` in UTF-8."""

    text: str
    title: str
    media_type: str


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
    limits = limits or LoadLimits()
    if len(data) > limits.file_bytes:
        raise UnreadableDocument(name, _too_large(len(data), limits.file_bytes))
    media_type = sniff(data, name)
    if media_type in _KINDS:
        text, title = _parsed(data, name, media_type, limits)
    else:
        text, title = _decoded(data, name, limits)
    text = canonical(text)
    if media_type == MARKDOWN:
        text, declared = _without_front_matter(text)
        title = declared or _first_heading(text)
    if not re.search(r"\w", text):
        raise UnreadableDocument(name, "holds no text; check that it is the right file and try again")
    if len(text) > limits.text_bytes:
        raise UnreadableDocument(name, _too_large(len(text), limits.text_bytes))
    return LoadedDocument(text, canonical(title).strip()[:200] or _stem(name), media_type)


def sniff(data: bytes, name: str) -> str:
    """Return the media type that the content shows; the name only tells Markdown from plain text.

    Raises:
        UnreadableDocument: the content is of a kind that cannot be read.
    """
    if not data.strip():
        raise UnreadableDocument(name, "is empty; check that it was copied completely and try again")
    if b"%PDF-" in data[:1024]:
        return PDF
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _sniff_archive(data, name)
    for start, reason in _FOREIGN:
        if data.startswith(start):
            raise UnreadableDocument(name, reason)
    suffix = _suffix(name)
    if _HTML_START.match(data[:4096]) or (suffix in _HTML_NAMES and _TAG.search(data[:65536])):
        return HTML
    return MARKDOWN if suffix in _MARKDOWN_NAMES else TEXT


def _sniff_archive(data: bytes, name: str) -> str:
    try:
        names = set(zipfile.ZipFile(io.BytesIO(data)).namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UnreadableDocument(name, "is a damaged or cut off archive; copy it again and try again") from error
    if "word/document.xml" in names:
        return DOCX
    if "xl/workbook.xml" in names:
        raise UnreadableDocument(name, "is a spreadsheet; save what matters as PDF, DOCX or text and try again")
    if "ppt/presentation.xml" in names:
        raise UnreadableDocument(name, "is a presentation; save it as PDF and try again")
    raise UnreadableDocument(name, "is an archive and not a Word document; unpack it and ingest the documents inside")


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


def _decoded(data: bytes, name: str, limits: LoadLimits) -> tuple[str, str]:
    if len(data) > limits.text_bytes:
        raise UnreadableDocument(name, _too_large(len(data), limits.text_bytes))
    try:
        return decode(data), ""
    except ValueError as error:
        raise UnreadableDocument(name, str(error)) from error


def _parsed(data: bytes, name: str, media_type: str, limits: LoadLimits) -> tuple[str, str]:
    if media_type == HTML and len(data) > limits.text_bytes:
        raise UnreadableDocument(name, _too_large(len(data), limits.text_bytes))
    if media_type == DOCX:
        _check_archive(data, name, limits)
    try:
        answer = sandbox.run("retrieval.parsing", [_KINDS[media_type]], data, limits.parser)
    except sandbox.ParserStopped as error:
        raise UnreadableDocument(name, f"{error}; split it or save it again, then try again") from error
    if "refused" in answer:
        raise UnreadableDocument(name, str(answer["refused"]))
    return str(answer.get("text", "")), str(answer.get("title", ""))


def _check_archive(data: bytes, name: str, limits: LoadLimits) -> None:
    """Refuse an archive that would unpack to far more than it is, before anything unpacks it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
    expanded = sum(member.file_size for member in members)
    if len(members) > limits.archive_members:
        raise UnreadableDocument(name, f"holds {len(members)} parts, more than a document needs; save it again in Word")
    if expanded > limits.archive_bytes or expanded > max(len(data) * limits.archive_ratio, 4 << 20):
        raise UnreadableDocument(
            name, f"would unpack to {_megabytes(expanded)} from {_megabytes(len(data))}; save it again in Word"
        )
    if any(member.flag_bits & 1 for member in members):
        raise UnreadableDocument(name, "is locked with a password; remove the password and try again")


def _without_front_matter(text: str) -> tuple[str, str]:
    """Return the text without the block of fields that may open a Markdown file, and the title it names."""
    match = _FRONT_MATTER.match(text)
    if not match:
        return text, ""
    if not re.search(r"\w", text[match.end() :]):
        return text, ""  # nothing but fields: then they are the document
    lines = match["fields"].splitlines()
    if not all(_FIELD.match(line) or not line.strip() or line[0] in " \t-#" for line in lines):
        return text, ""
    titles = (line.partition(":")[2].strip().strip("\"'") for line in lines if re.match(r"title\s*:", line, re.I))
    return text[match.end() :].lstrip("\n"), next(titles, "")


def _first_heading(text: str) -> str:
    match = _FIRST_HEADING.match(text)
    return (match["hash"] or match["lined"]).strip("*_ ") if match else ""


def _too_large(size: int, limit: int) -> str:
    return f"is too large ({_megabytes(size)}, the limit is {_megabytes(limit)}); split it and try again"


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _stem(name: str) -> str:
    return _printable(os.path.splitext(name)[0].replace("_", " ").strip()) or name  # noqa: PTH122
