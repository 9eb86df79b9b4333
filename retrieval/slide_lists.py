"""Which paragraphs of a slide are list items, as the paragraph, its shape, the layout or the master say."""

from collections.abc import Iterator
from typing import Any

from pptx.oxml.ns import qn

from retrieval.markup import Block, list_item, one_line

_BULLETS = (qn("a:buChar"), qn("a:buBlip"))


def text_blocks(shape: Any, slide: Any) -> Iterator[Block]:
    """Yield the paragraphs of a shape; list items stand on lines of their own at their depth."""
    inherited = list(_list_styles(shape, slide))
    counts: dict[int, int] = {}
    in_list = False
    for paragraph in shape.text_frame.paragraphs:
        words = one_line(paragraph.text)
        if not words:
            continue
        depth = min(paragraph.level, 8)
        mark = _mark(paragraph, depth, inherited)
        counts = {
            level: count for level, count in counts.items() if level < depth or (level == depth and mark is not None)
        }
        if mark is None:
            yield Block(words)
        elif mark.tag == qn("a:buAutoNum"):
            counts[depth] = counts.get(depth, int(mark.get("startAt") or 1) - 1) + 1
            yield Block(list_item(depth, counts[depth], words), in_list)
        else:
            yield Block(list_item(depth, None, words), in_list)
        in_list = mark is not None


def _mark(paragraph: Any, depth: int, inherited: list[Any]) -> Any:
    """Return the element that says how a paragraph is marked, None where it is not."""
    own = paragraph._p.find(qn("a:pPr"))
    levels = [own, *(style.find(qn(f"a:lvl{depth + 1}pPr")) for style in inherited)]
    for properties in levels:
        for child in properties if properties is not None else ():
            if child.tag == qn("a:buNone"):
                return None
            if child.tag in _BULLETS or child.tag == qn("a:buAutoNum"):
                return child
    return None


def _list_styles(shape: Any, slide: Any) -> Iterator[Any]:
    """Yield the list styles that hold for a shape, its own first."""
    yield from _own_style(shape)
    if not shape.is_placeholder:
        return
    layout, master = slide.slide_layout, slide.slide_layout.slide_master
    place = shape.placeholder_format
    for other in layout.placeholders:
        if other.placeholder_format.idx == place.idx:
            yield from _own_style(other)
    for other in master.placeholders:
        if other.placeholder_format.type == place.type:
            yield from _own_style(other)
    body = master._element.find(f"{qn('p:txStyles')}/{qn('p:bodyStyle')}")
    if body is not None:
        yield body


def _own_style(shape: Any) -> Iterator[Any]:
    if shape.has_text_frame:
        style = shape.text_frame._txBody.find(qn("a:lstStyle"))
        if style is not None:
            yield style
