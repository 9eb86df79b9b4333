"""HTML to Markdown: headings, paragraphs, lists and tables of the part that a reader sees."""

from collections.abc import Iterator

from bs4 import BeautifulSoup, Tag
from bs4.element import Comment, NavigableString

from retrieval.markup import Block, Parsed, Refused, heading, joined, list_item, one_line, table

_UNSEEN = (
    "script style noscript template svg iframe object embed canvas audio video button select input textarea nav "
    "head menu dialog"
)
_DROPPED = _UNSEEN.split()
_FRAME = ["header", "footer", "aside"]  # dropped around an article, kept inside one
_BLOCK_NAMES = (
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 "
    "h2 h3 h4 h5 h6 header hr html li main ol p pre section summary table ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())

_MAX_DEPTH = 200


def read_html(data: bytes) -> Parsed:
    """Read an HTML page; its encoding is the one it declares, else the one its bytes spell.

    Raises:
        Refused: nothing on the page can be read.
    """
    soup = BeautifulSoup(data, "lxml")
    title = one_line(soup.title.get_text()) if soup.title else ""
    _check_depth(soup)
    for tag in [*soup.find_all(_DROPPED), *soup.find_all(_hidden)]:
        tag.extract()
    content = _content(soup)
    if content is None:
        raise Refused("holds no page; save it again from the browser and try again")
    first = content.find("h1")
    heading_title = one_line(first.get_text(" ")) if first else ""
    return joined(_blocks(content), heading_title or title)


def _check_depth(soup: BeautifulSoup) -> None:
    depths: dict[int, int] = {id(soup): 0}
    for tag in soup.find_all(True):
        depth = depths[id(tag.parent)] + 1
        if depth > _MAX_DEPTH:
            raise Refused("is nested too deeply; save it again from the program that made it and try again")
        depths[id(tag)] = depth


def _hidden(tag: Tag) -> bool:
    style = str(tag.get("style") or "").replace(" ", "").lower()
    return tag.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style


def _content(soup: BeautifulSoup) -> Tag | None:
    """Return the page's main part where it marks one, else its body without header, footer and asides."""
    articles = soup.find_all("article")
    main = soup.find("main") or soup.find(role="main") or (articles[0] if len(articles) == 1 else None)
    if isinstance(main, Tag) and main.get_text(strip=True):
        return main
    for tag in soup.find_all(_FRAME):
        if tag.find_parent("article") is None and tag.find("h1") is None:
            tag.extract()
    return soup.body


def _blocks(tag: Tag, list_depth: int = 0) -> Iterator[Block]:
    """Yield what `tag` holds; text outside blocks becomes paragraphs."""
    inline: list[str] = []
    for child in tag.children:
        if isinstance(child, Comment):
            continue
        if isinstance(child, NavigableString):
            inline.append(" ".join(("x" + str(child) + "x").split())[1:-1])
        elif isinstance(child, Tag):
            if _is_block(child) or child.find(_is_block) is not None:
                yield from _paragraph(inline)
                inline = []
                yield from _block(child, list_depth)
            else:
                inline.append(_inline(child))
    yield from _paragraph(inline)


def _is_block(tag: Tag) -> bool:
    return tag.name in _BLOCKS


def _paragraph(inline: list[str]) -> Iterator[Block]:
    lines = [one_line(line) for line in "".join(inline).split("\n")]
    if text := "\n".join(line for line in lines if line):
        yield Block(text)


def _block(tag: Tag, list_depth: int) -> Iterator[Block]:
    name = tag.name
    if len(name) == 2 and name[0] == "h" and name[1].isdigit():
        if words := one_line(tag.get_text(" ")):
            yield Block(heading(int(name[1]), words))
    elif name == "pre":
        yield Block(f"```\n{tag.get_text().strip()}\n```")
    elif name in ("ul", "ol"):
        yield from _list(tag, list_depth)
    elif name == "table" and _holds_data(tag):
        yield Block(table(_rows(tag)))
    elif name == "blockquote":
        yield Block(_quoted(joined(_blocks(tag), "").text))
    elif name == "dt":
        yield Block(f"**{one_line(tag.get_text(' '))}**")
    else:
        yield from _blocks(tag, list_depth)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip("\n").split("\n")) if text.strip() else ""


def _list(tag: Tag, list_depth: int) -> Iterator[Block]:
    number = int(str(tag.get("start"))) if str(tag.get("start") or "").isdigit() else 1
    tight = list_depth > 0
    for item in tag.find_all("li", recursive=False):
        parts = list(_blocks(item, list_depth + 1))
        own = next(
            (part.text for part in parts[:1] if not part.text.lstrip().startswith(("- ", "1. ", "|", "```"))), ""
        )
        yield Block(list_item(list_depth, number if tag.name == "ol" else None, own), tight)
        yield from (part._replace(tight=True) for part in (parts[1:] if own else parts))
        number += 1
        tight = True


def _inline(tag: Tag) -> str:
    if tag.name == "br":
        return "\n"
    if tag.find("br") is not None:
        for line_break in tag.find_all("br"):
            line_break.replace_with("\n")
        return tag.get_text()
    return " ".join(("x" + tag.get_text() + "x").split())[1:-1]


def _holds_data(tag: Tag) -> bool:
    """Say whether a table is data: not a frame for layout around other blocks, nor a single column."""
    if tag.get("role") in ("presentation", "none") or tag.find("table") is not None:
        return False
    return any(len(row.find_all(["td", "th"], recursive=False)) > 1 for row in tag.find_all("tr"))


def _rows(tag: Tag) -> list[list[str]]:
    """Return the cells as a grid: a cell that spans rows stands in each, one that spans columns in its first."""
    rows: list[list[str]] = []
    spanning: dict[int, tuple[int, str]] = {}  # column -> (rows left, text)
    for row in tag.find_all("tr"):
        cells: list[str] = []
        for cell in row.find_all(["td", "th"], recursive=False):
            _fill(cells, spanning)
            text = one_line(cell.get_text(" "))
            if (rows_spanned := _span(cell, "rowspan")) > 1:
                spanning[len(cells)] = (rows_spanned - 1, text)
            cells += [text, *[""] * (_span(cell, "colspan") - 1)]
        _fill(cells, spanning)
        rows.append(cells)
    return rows


def _fill(cells: list[str], spanning: dict[int, tuple[int, str]]) -> None:
    while (column := len(cells)) in spanning:
        left, text = spanning.pop(column)
        cells.append(text)
        if left > 1:
            spanning[column] = (left - 1, text)


def _span(cell: Tag, attribute: str) -> int:
    value = str(cell.get(attribute) or "1")
    return min(int(value), 100) if value.isdigit() and int(value) > 0 else 1
