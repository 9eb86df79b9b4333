"""Pages of real handbooks as manuals that every writer of `manual_formats` can write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from retrieval.markdown import read_markdown
from tests.retrieval.manual_formats import Heading, Items, Manual, Part, Rows, Words

HANDBOOKS = ("handbook_18f/pages", "handbook_civicactions", "handbook_hackerbay")


def manuals(shared_data: Path, count: int) -> list[Manual]:
    """Return `count` pages with running text, spread over the handbooks."""
    pages = [page for folder in HANDBOOKS for page in sorted((shared_data / folder).rglob("*.md"))]
    found = (manual_of(read_markdown(page.read_bytes()).text) for page in pages)
    usable = [manual for manual in found if any(isinstance(part, Words) and len(part.text) > 80 for part in manual)]
    return usable[:: max(len(usable) // count, 1)][:count]


def manual_of(markdown: str) -> Manual:
    """Return a page's headings, paragraphs, flat lists and tables as plain words; what else it holds is left out."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    parts: list[Part] = []
    for start, token in enumerate(tokens):
        if token.level or not token.type.endswith("_open"):
            continue
        end = next(
            number
            for number in range(start, len(tokens))
            if tokens[number].level == 0 and tokens[number].type == token.type.replace("_open", "_close")
        )
        if part := _part(token, tokens[start + 1 : end]):
            parts.append(part)
    return parts


def _part(opening: Any, inside: Sequence[Any]) -> Part | None:
    texts = tuple(text for token in inside if token.type == "inline" and (text := _words(token)))
    if opening.type == "table_open":
        rows: list[list[str]] = []
        for token in inside:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(_words(token))
        return Rows(tuple(map(tuple, rows))) if len(rows) > 1 and len(rows[0]) > 1 else None
    if not texts or any(token.type.endswith("list_open") for token in inside):
        return None
    if opening.type == "heading_open":
        return Heading(int(opening.tag[1]), texts[0])
    if opening.type == "paragraph_open":
        return Words(texts[0])
    return Items(texts, numbered=opening.type.startswith("ordered")) if "list" in opening.type else None


def _words(token: Any) -> str:
    kept = {"text", "code_inline"}
    parts = (child.content if child.type in kept else " " if "break" in child.type else "" for child in token.children)
    return " ".join("".join(parts).split())
