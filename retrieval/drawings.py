"""The words and values inside charts and diagrams of Office documents."""

from collections.abc import Sequence
from typing import Any

from lxml import etree

from retrieval.markup import one_line
from retrieval.number_format import shown

_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MAX_POINTS = 100_000


def chart_rows(data: bytes) -> tuple[str, list[list[str]]]:
    """Return a chart's title and the values stored with it: a row for each category, a column for each series."""
    root = _tree(data)
    title = root.find(f".//{_CHART}title")
    words = "" if title is None else one_line("".join(text.text or "" for text in title.iter(f"{_DRAWING}t")))
    series = [_series(element) for element in root.iter(f"{_CHART}ser")]
    names = next((categories for _, categories, _ in series if categories), {})
    numbers = sorted({number for _, categories, values in series for number in (*categories, *values)})[:_MAX_POINTS]
    header = ["", *(name for name, _, _ in series)]
    rows = [[names.get(number, ""), *(values.get(number, "") for _, _, values in series)] for number in numbers]
    return words, [header, *rows]


def diagram_words(frame: Any, part: Any) -> Sequence[str]:
    """Return the texts of a SmartArt diagram in the order in which they are stored."""
    reference = frame.find(f".//{_DIAGRAM}relIds")
    if reference is None:
        return ()
    root = _tree(part.related_part(reference.get(f"{_RELATION}dm")).blob)
    points = (point for point in root.iter(f"{_DIAGRAM}pt") if point.get("type", "node") in ("node", "asst"))
    texts = (one_line("".join(text.text or "" for text in point.iter(f"{_DRAWING}t"))) for point in points)
    return [text for text in texts if text]


def _series(element: Any) -> tuple[str, dict[int, str], dict[int, str]]:
    name = next((text.text or "" for text in element.iterfind(f"{_CHART}tx//{_CHART}v")), "")
    categories = _points(element, "cat") or _points(element, "xVal")
    return one_line(name), categories, _points(element, "val") or _points(element, "yVal")


def _points(element: Any, name: str) -> dict[int, str]:
    cache = element.find(f"{_CHART}{name}")
    if cache is None:
        return {}
    number_format = cache.findtext(f".//{_CHART}formatCode") or "General"
    points: dict[int, str] = {}
    for point in cache.iter(f"{_CHART}pt"):
        text = point.findtext(f"{_CHART}v") or ""
        points.setdefault(int(point.get("idx")), _shown(text, number_format))
    return points


def _shown(text: str, number_format: str) -> str:
    try:
        return shown(float(text), number_format)
    except ValueError:
        return one_line(text)


def _tree(data: bytes) -> Any:
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
