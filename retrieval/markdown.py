"""Markdown and plain text, which are kept as they are."""

import re

from retrieval.decoding import canonical, decode
from retrieval.markup import Parsed

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<fields>(?:[^\n]*\n){0,200}?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FIELD = re.compile(r"[A-Za-z_][\w -]*:(?:\s|$)")
_FIRST_HEADING = re.compile(r"\A\s*(?:#[ \t]+(?P<hash>[^\n]+?)[ \t]*#*[ \t]*|(?P<lined>[^\n]+)\n=+[ \t]*)(?:\n|\Z)")


def read_text(data: bytes) -> Parsed:
    """Read plain text.

    Raises:
        Refused: the bytes are not text.
    """
    return Parsed(canonical(decode(data)), "")


def read_markdown(data: bytes) -> Parsed:
    """Read Markdown without the block of fields that may open it; like `read_text`."""
    text, declared = _without_front_matter(canonical(decode(data)))
    return Parsed(text, declared or _first_heading(text))


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
