"""Bytes to canonical text: one encoding, one kind of line end, composed characters, nothing invisible."""

import codecs
import re
import unicodedata

from retrieval.markup import Refused

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff\ud800-\udfff\ufffe\U000e0000-\U000e007f]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_BLANK_LINES = re.compile(r"\n{4,}")


def decode(data: bytes) -> str:
    """Return the text that the bytes spell.

    Raises:
        Refused: they are not text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _strictly(data, encoding)
    if b"\0" in data:
        if encoding := _unmarked_utf16(data):
            return _strictly(data, encoding)
        raise Refused("is a binary file and not text; save it as UTF-8 text, PDF or DOCX and try again")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _mostly_utf8(data):
            raise Refused(
                f"is UTF-8 text with a damaged byte at position {error.start}; save it again as UTF-8 and try again"
            ) from error
    return _western(data)


def canonical(text: str) -> str:
    """Return the form in which a text is stored and counted; applying it twice changes nothing."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n").replace("\f", "\n").replace("\v", "\n")
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text).translate(_LIGATURES))
    text = _BLANK_LINES.sub("\n\n\n", _without_trailing_space(text))
    return text.strip("\n") + "\n"


def _unmarked_utf16(data: bytes) -> str:
    """Return UTF-16's name and byte order where every second byte of mostly Western text is empty, else ''."""
    sample = data[: 4096 & ~1]
    for encoding, empty, filled in (("utf-16-le", sample[1::2], sample[::2]), ("utf-16-be", sample[::2], sample[1::2])):
        if empty and empty.count(0) > 0.7 * len(empty) and not filled.count(0):
            return encoding
    return ""


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise Refused(
            f"is {name} text with a damaged byte at position {error.start}; save it again as UTF-8 and try again"
        ) from error


def _mostly_utf8(data: bytes) -> bool:
    """Say whether valid multi-byte sequences outnumber the damaged ones, so that no other encoding is meant."""
    good = sum(not character.isascii() for character in data.decode("utf-8", errors="ignore"))
    bad = data.decode("utf-8", errors="replace").count("\ufffd")
    return good > bad


def _western(data: bytes) -> str:
    not_text = "is neither UTF-8 nor Western text; save it as UTF-8 text, PDF or DOCX and try again"
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise Refused(not_text) from error
    plain = sum(character.isascii() for character in text)
    if _CONTROL.search(text) or plain < 0.7 * len(text):
        raise Refused(not_text)
    return text


def _without_trailing_space(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n"))
