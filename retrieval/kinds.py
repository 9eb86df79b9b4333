"""What a file is, told by its content; the name decides only between texts."""

import io
import os
import re
import zipfile
import zlib

from retrieval.markup import Refused

MARKDOWN, TEXT, HTML, CSV, MAIL = "text/markdown", "text/plain", "text/html", "text/csv", "message/rfc822"
PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCX = f"{_OFFICE}.wordprocessingml.document"
PPTX = f"{_OFFICE}.presentationml.presentation"
XLSX = f"{_OFFICE}.spreadsheetml.sheet"

OFFICE = frozenset({DOCX, PPTX, XLSX})

_SUFFIXES = {
    MARKDOWN: (".md", ".markdown", ".mdown", ".mkd", ".mdx"),
    TEXT: (".txt", ".text", ".log", ".rst"),
    HTML: (".html", ".htm", ".xhtml"),
    CSV: (".csv", ".tsv", ".tab"),
    MAIL: (".eml",),
    PDF: (".pdf",),
    DOCX: (".docx", ".docm", ".dotx", ".dotm"),
    PPTX: (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
    XLSX: (".xlsx", ".xlsm", ".xltx", ".xltm"),
}
ACCEPTED_SUFFIXES = tuple(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
"""What a page for uploads offers to choose; any other file is still read by its content, or refused."""

_HTML_START = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S
)
_TAG = re.compile(rb"<(?:p|div|h[1-6]|body|head|table|ul|ol|span|br)\b[^>]*>", re.I)
_HEADER_FIELD = re.compile(rb"[!-9;-~]{1,76}:[ \t\r\n]")
_SENT = re.compile(rb"^(?:received|message-id|mime-version):", re.I | re.M)
_PICTURE = "is a picture; run text recognition (OCR) on it, save the text and try again"
_ARCHIVE = "is an archive; unpack it and ingest the documents inside"
_FOREIGN = (
    (b"{\\rtf", "is an RTF file; save it as DOCX and try again"),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"\x1f\x8b", "is a compressed file; unpack it and ingest the documents inside"),
    (b"7z\xbc\xaf", _ARCHIVE),
    (b"Rar!", _ARCHIVE),
    (b"\x7fELF", "is a program and not a document; leave it out"),
    (b"MZ\x90", "is a program and not a document; leave it out"),
    (b"SQLite format 3\0", "is a database and not a document; export its texts and try again"),
)
_COMPOUND = b"\xd0\xcf\x11\xe0"  # Office before 2007, Outlook's own format, and any Office file with a password
_COMPOUND_REMEDIES = {
    ".msg": "is a message in Outlook's own format; save it as EML and try again",
    ".xls": "is an old or locked spreadsheet; save it as XLSX without a password and try again",
    ".xlsx": "is locked with a password; remove the password and try again",
    ".ppt": "is an old or locked presentation; save it as PPTX without a password and try again",
    ".pptx": "is locked with a password; remove the password and try again",
    ".docx": "is locked with a password; remove the password and try again",
}
_OPEN_DOCUMENT = "is an OpenDocument file; save it as DOCX, XLSX or PPTX and try again"
_MAIN_TYPES = (  # documents and templates, with macros or without
    (re.compile(rb"(?:wordprocessingml\.(?:document|template)|ms-word\.\w+\.macroEnabled\w*)\.main\+xml"), DOCX),
    (re.compile(rb"(?:spreadsheetml\.(?:sheet|template)|ms-excel\.\w+\.macroEnabled)\.main\+xml"), XLSX),
    (re.compile(rb"(?:presentationml\.\w+|ms-powerpoint\.\w+\.macroEnabled)\.main\+xml"), PPTX),
)
_MAIN_PARTS = (("word/document.xml", DOCX), ("xl/workbook.xml", XLSX), ("ppt/presentation.xml", PPTX))


def sniff(data: bytes, name: str) -> str:
    """Return the media type that the content shows.

    Raises:
        Refused: the content is of a kind that cannot be read.
    """
    if not data.strip():
        raise Refused("is empty; check that it was copied completely and try again")
    suffix = suffix_of(name)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _sniff_archive(data)
    if data.startswith(_COMPOUND):
        remedy = "is an old or locked Office file; save it as DOCX without a password and try again"
        raise Refused(_COMPOUND_REMEDIES.get(suffix, remedy))
    for start, reason in _FOREIGN:
        if data.startswith(start):
            raise Refused(reason)
    if _is_mail(data, suffix):
        return MAIL
    if b"%PDF-" in data[:1024]:
        return PDF
    return _sniff_text(data, suffix)


def suffix_of(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _sniff_text(data: bytes, suffix: str) -> str:
    if suffix in _SUFFIXES[CSV]:
        return CSV
    if _HTML_START.match(data[:4096]) or (suffix in _SUFFIXES[HTML] and _TAG.search(data[:65536])):
        return HTML
    return MARKDOWN if suffix in _SUFFIXES[MARKDOWN] else TEXT


def _is_mail(data: bytes, suffix: str) -> bool:
    """Say whether a message starts here: header fields, and without its suffix also one that only sent mail has."""
    if suffix in _SUFFIXES[MARKDOWN] or suffix in _SUFFIXES[CSV] or not _HEADER_FIELD.match(data):
        return False
    return suffix in _SUFFIXES[MAIL] or len(set(map(bytes.lower, _SENT.findall(data[:8192])))) > 1


def _sniff_archive(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            types = _start_of(archive, "[Content_Types].xml")
            mimetype = _start_of(archive, "mimetype")
            relations = _start_of(archive, "_rels/.rels")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Refused("is a damaged or cut off archive; copy it again and try again") from error
    if b"purl.oclc.org/ooxml" in relations:
        raise Refused("is in the Strict form of Open XML; save it as an ordinary DOCX, XLSX or PPTX and try again")
    found = [media_type for pattern, media_type in _MAIN_TYPES if pattern.search(types)]
    found += [media_type for part, media_type in _MAIN_PARTS if part in names]
    if found:
        return found[0]
    if "xl/workbook.bin" in names:
        raise Refused("is a binary spreadsheet (XLSB); save it as XLSX and try again")
    if mimetype.startswith(b"application/vnd.oasis"):
        raise Refused("is an OpenDocument file; save it as DOCX, XLSX or PPTX and try again")
    if mimetype.startswith(b"application/epub"):
        raise Refused("is an e-book (EPUB); save it as PDF or HTML and try again")
    raise Refused("is an archive and no Office document; unpack it and ingest the documents inside")


def _start_of(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the first half megabyte of a part: more than any list of types needs, and no bomb."""
    try:
        with archive.open(name) as part:
            return part.read(1 << 19)
    except KeyError:
        return b""
