"""Makes the sample company's PDF and DOCX from the Markdown beside it; run it after changing a source.

It needs reportlab and python-docx and is not used by Precept itself. The Markdown it reads is plain: headings,
paragraphs of one line, list items, table rows (the first row of a table names its columns).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from docx import Document
from reportlab.lib import colors, pagesizes
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Block:
    """A heading of some level (1, 2), a `paragraph`, an `item`, or a `table` of rows."""

    kind: str
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


def blocks(markdown: str) -> Iterator[Block]:
    lines = [line for line in markdown.splitlines() if line.strip()]
    for is_table, group in groupby(lines, key=lambda line: line.startswith("|")):
        if is_table:
            yield Block("table", rows=tuple(tuple(cell.strip() for cell in row.strip("|").split("|")) for row in group))
        else:
            yield from map(_block, group)


def write_docx(source: Path, target: Path) -> None:
    document = Document()
    for block in blocks(source.read_text("utf-8")):
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "table":
            table = document.add_table(rows=0, cols=len(block.rows[0]), style="Light Grid Accent 1")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        else:
            document.add_paragraph(block.text, style="List Bullet" if block.kind == "item" else None)
    document.core_properties.title = source.read_text("utf-8").splitlines()[0].removeprefix("# ")
    document.save(str(target))


def write_pdf(source: Path, target: Path) -> None:
    text = source.read_text("utf-8")
    title = text.splitlines()[0].removeprefix("# ")
    # `invariant` leaves the time of making out, so that the same source gives the same bytes.
    pdf = SimpleDocTemplate(str(target), pagesize=pagesizes.LETTER, title=title, invariant=1)
    pdf.build([part for block in blocks(text) for part in _flowables(block)])


def _block(line: str) -> Block:
    marks, _, text = line.partition(" ")
    if marks and not marks.strip("#"):
        return Block("heading", text, level=len(marks))
    return Block("item", text) if marks == "-" else Block("paragraph", line)


def _flowables(block: Block) -> list[Flowable]:
    styles = getSampleStyleSheet()
    if block.kind == "heading":
        return [Paragraph(block.text, styles[f"Heading{block.level}"])]
    if block.kind == "item":
        return [Paragraph(block.text, styles["BodyText"], bulletText="\u2022")]
    if block.kind == "paragraph":
        return [Paragraph(block.text, styles["BodyText"]), Spacer(1, 6)]
    table = Table([list(row) for row in block.rows], hAlign="LEFT")
    lines = ("GRID", (0, 0), (-1, -1), 0.5, colors.grey)
    table.setStyle(TableStyle([lines, ("FONT", (0, 0), (-1, 0), "Helvetica-Bold")]))
    return [table, Spacer(1, 10)]


if __name__ == "__main__":
    write_pdf(_FOLDER / "sources" / "health-and-safety.md", _FOLDER / "documents" / "health-and-safety.pdf")
    write_docx(_FOLDER / "sources" / "relocation.md", _FOLDER / "documents" / "relocation.docx")
