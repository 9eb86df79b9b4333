"""One manual written in every format, with the libraries that people write them with."""

import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from docx import Document
from pptx import Presentation
from pptx.util import Inches
from reportlab.lib import colors
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import ListFlowable, Paragraph, SimpleDocTemplate, Table, TableStyle


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    texts: tuple[str, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    rows: tuple[tuple[str, ...], ...]


Part = Heading | Words | Items | Rows
Manual = Sequence[Part]


def as_markdown(manual: Manual) -> bytes:
    return ("\n\n".join(map(_markdown_part, manual)) + "\n").encode()


def _markdown_part(part: Part) -> str:
    if isinstance(part, Heading):
        return f"{'#' * part.level} {part.text}"
    if isinstance(part, Words):
        return part.text
    if isinstance(part, Items):
        marks = (f"{number}." if part.numbered else "-" for number in range(1, len(part.texts) + 1))
        return "\n".join(f"{mark} {text}" for mark, text in zip(marks, part.texts, strict=True))
    lines = [f"| {' | '.join(row)} |" for row in part.rows]
    return "\n".join([lines[0], "|" + " --- |" * len(part.rows[0]), *lines[1:]])


def as_html(manual: Manual) -> bytes:
    return f"<!doctype html><html><body>{''.join(map(_html_part, manual))}</body></html>".encode()


def _html_part(part: Part) -> str:
    if isinstance(part, Heading):
        return f"<h{part.level}>{html.escape(part.text)}</h{part.level}>"
    if isinstance(part, Words):
        return f"<p>{html.escape(part.text)}</p>"
    if isinstance(part, Items):
        name = "ol" if part.numbered else "ul"
        return f"<{name}>{''.join(f'<li>{html.escape(text)}</li>' for text in part.texts)}</{name}>"
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in part.rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def as_docx(manual: Manual) -> bytes:
    document = Document()
    for part in manual:
        if isinstance(part, Heading):
            document.add_heading(part.text, part.level)
        elif isinstance(part, Words):
            document.add_paragraph(part.text)
        elif isinstance(part, Items):
            number = _new_numbering(document) if part.numbered else None
            for text in part.texts:
                item = document.add_paragraph(text, style="List Number" if part.numbered else "List Bullet")
                if number is not None:
                    item._p.get_or_add_pPr().get_or_add_numPr().get_or_add_numId().val = number
        else:
            grid = document.add_table(len(part.rows), len(part.rows[0]))
            for row, cells in enumerate(part.rows):
                for column, text in enumerate(cells):
                    grid.cell(row, column).text = text
    return _saved(document)


def _new_numbering(document: Any) -> int:
    """Return the number of a numbered list that starts again at 1."""
    numbering = document.part.numbering_part.element
    style = document.styles["List Number"].element
    used = style.pPr.numPr.numId.val
    number = numbering.add_num(numbering.num_having_numId(used).abstractNumId.val)
    number.add_lvlOverride(0).add_startOverride(1)
    return int(number.numId)


def as_pdf(manual: Manual) -> bytes:
    styles = getSampleStyleSheet()

    def paragraph(text: str, style: str = "BodyText") -> Paragraph:
        return Paragraph(html.escape(text), styles[style])

    flowables: list[Any] = []
    for part in manual:
        if isinstance(part, Heading):
            flowables.append(paragraph(part.text, f"Heading{part.level}"))
        elif isinstance(part, Words):
            flowables.append(paragraph(part.text))
        elif isinstance(part, Items):
            marks: dict[str, Any] = (
                {"bulletType": "1", "bulletFormat": "%s."} if part.numbered else {"bulletType": "bullet"}
            )
            flowables.append(ListFlowable([paragraph(text) for text in part.texts], **marks))
        else:
            grid = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)])
            flowables.append(Table([[paragraph(cell) for cell in row] for row in part.rows], style=grid))
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pageCompression=0).build(flowables)
    return buffer.getvalue()


def as_mail(manual: Manual) -> bytes:
    """Return a message whose HTML body is the manual below its first heading, which is the subject."""
    message = EmailMessage()
    message["Subject"] = next(part.text for part in manual if isinstance(part, Heading))
    message.set_content("".join(map(_html_part, manual[1:])), "html")
    return bytes(message)


def as_pptx(manual: Manual) -> bytes:
    """Return a deck with a slide for each heading: the first opens it, the others are of the second level."""
    presentation = Presentation()
    slide: Any = None
    for number, part in enumerate(manual):
        if isinstance(part, Heading):
            slide = presentation.slides.add_slide(presentation.slide_layouts[0 if number == 0 else 5])
            slide.shapes.title.text = part.text
            top = 2.0
            continue
        place = (Inches(1), Inches(top), Inches(8), Inches(0.4))
        if isinstance(part, Rows):
            grid = slide.shapes.add_table(len(part.rows), len(part.rows[0]), *place).table
            for row, cells in enumerate(part.rows):
                for column, text in enumerate(cells):
                    grid.cell(row, column).text = text
        else:
            _add_text(slide.shapes.add_textbox(*place).text_frame, part)
        top += 0.5
    return _saved(presentation)


def _add_text(frame: Any, part: Words | Items) -> None:
    texts = (part.text,) if isinstance(part, Words) else part.texts
    frame.text = texts[0]
    for text in texts[1:]:
        frame.add_paragraph().text = text
    if isinstance(part, Items):
        for paragraph in frame.paragraphs:
            properties = paragraph._p.get_or_add_pPr()
            name, value = ("buAutoNum", {"type": "arabicPeriod"}) if part.numbered else ("buChar", {"char": "•"})
            namespace = "http://schemas.openxmlformats.org/drawingml/2006/main"
            properties.append(properties.makeelement(f"{{{namespace}}}{name}", value))


def _saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Manual], bytes]] = {
    "md": as_markdown,
    "html": as_html,
    "docx": as_docx,
    "pdf": as_pdf,
    "eml": as_mail,
    "pptx": as_pptx,
}
