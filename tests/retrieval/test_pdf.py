"""Tables, lists and headings of PDFs as office programs write them."""

import io

import pytest
from reportlab.lib import colors
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import ListFlowable, Paragraph, SimpleDocTemplate, Table, TableStyle

from retrieval.pdf import read_pdf
from retrieval.places import settled

STYLES = getSampleStyleSheet()
SHORT = [["City", "Meals", "Lodging"], ["Paris", "80", "220"], ["Berlin", "65", "170"], ["New York", "95", "310"]]
SHORT_MARKDOWN = """\
| City | Meals | Lodging |
| --- | --- | --- |
| Paris | 80 | 220 |
| Berlin | 65 | 170 |
| New York | 95 | 310 |"""
WRAPPED = [
    ["Vehicle", "Limit a year", "Who approves"],
    ["Small car with a long description that wraps", "12,000 km", "Team lead"],
    ["Van", "20,000 km", "Head of department and also the fleet manager"],
]


def paragraph(text: str, style: str = "BodyText") -> Paragraph:
    return Paragraph(text, STYLES[style])


def text_of(*flowables: object, title: str = "Fleet policy") -> str:
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, title=title).build(list(flowables))
    return settled(read_pdf(buffer.getvalue()))[0]


def ruled(rows: list[list[object]], **options: object) -> Table:
    return Table(rows, style=TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]), **options)


@pytest.mark.parametrize("table", [ruled(SHORT), Table(SHORT)], ids=["ruled", "aligned"])
def test_a_table_keeps_its_rows_and_columns(table: Table) -> None:
    text = text_of(paragraph("The limits are as follows."), table, paragraph("What follows the table."))
    assert text == f"The limits are as follows.\n\n{SHORT_MARKDOWN}\n\nWhat follows the table.\n"


def test_cells_that_wrap_stay_whole_in_a_ruled_table() -> None:
    cells = [[paragraph(cell) for cell in row] for row in WRAPPED]
    text = text_of(paragraph("Limits"), ruled(cells, colWidths=[150, 80, 120]))
    for row in WRAPPED:
        assert f"| {' | '.join(row)} |" in text


def test_a_cell_over_several_columns_stands_in_its_first() -> None:
    rows = [["Limits in dollars", "", ""], *SHORT]
    style = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("SPAN", (0, 0), (2, 0))])
    text = text_of(Table(rows, style=style))
    assert "| Limits in dollars |  |  |" in text
    assert "| Paris | 80 | 220 |" in text


def test_a_frame_around_a_notice_is_no_table() -> None:
    notice = Table(
        [[paragraph("Report damage within 24 hours.")]], style=TableStyle([("BOX", (0, 0), (-1, -1), 1, colors.red)])
    )
    assert text_of(notice) == "Report damage within 24 hours.\n"


def test_list_items_stand_on_lines_of_their_own_and_are_no_table() -> None:
    items = ["Keep the log book.", "Report damage within 24 hours to the fleet manager. " * 3, "No smoking."]
    text = text_of(ListFlowable([paragraph(item) for item in items], bulletType="bullet"))
    assert text.splitlines() == [f"- {item.strip()}" for item in items]


def test_headings_are_known_by_size_and_by_weight() -> None:
    body = "This policy applies to all vehicles that the company owns or rents for its employees. " * 5
    flowables = [paragraph("Fleet policy", "Title"), paragraph("1. Scope", "Heading1"), paragraph(body)]
    flowables += [paragraph("1.1 Limits", "Heading2"), paragraph(body), paragraph("<b>In short</b>"), paragraph(body)]
    headings = [line for line in text_of(*flowables).splitlines() if line.startswith("#")]
    assert headings == ["# Fleet policy", "# 1. Scope", "## 1.1 Limits", "### In short"]


def test_a_word_broken_at_the_end_of_a_line_is_whole_again() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, "The policy is about the reimburse\u00ad")
    canvas.drawString(72, 686, "ment of meals and of nothing else at all.")
    canvas.save()
    assert "reimbursement" in read_pdf(buffer.getvalue()).text


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("Fleet policy 2024", "Fleet policy 2024"),
        ("untitled", "Scope"),
        ("Microsoft Word - a", "Scope"),
        ("a.doc", "Scope"),
    ],
)
def test_the_title_is_the_declared_one_unless_a_program_made_it_up(declared: str, expected: str) -> None:
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, title=declared).build([paragraph("Scope", "Heading1"), paragraph("Words to read. " * 20)])
    assert read_pdf(buffer.getvalue()).title == expected


def drawn(*pages: list[tuple[float, float, str]], font: tuple[str, int] = ("Helvetica", 11)) -> str:
    """Return the text of pages on which words were drawn at (x, y)."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for page in pages:
        canvas.setFont(*font)
        for x, y, words in page:
            canvas.drawString(x, y, words)
        canvas.showPage()
    canvas.save()
    return settled(read_pdf(buffer.getvalue()))[0]


FULL = "Meals are paid up to 60 dollars for every full day of a trip that the company asked"
SECOND = "for, and receipts are kept for seven years by the finance team, which asks for them."


def test_a_wider_gap_ends_a_paragraph_whose_last_line_is_full() -> None:
    lines = [(72, 700, FULL), (72, 686, SECOND), (72, 666, FULL), (72, 652, SECOND)]
    assert drawn(lines) == f"{FULL} {SECOND}\n\n{FULL} {SECOND}\n"


def test_a_line_ends_a_paragraph_where_the_next_word_would_have_fitted() -> None:
    lines = [(72, 700, FULL), (72, 686, "for, and no more."), (72, 672, FULL), (72, 658, SECOND)]
    assert drawn(lines) == f"{FULL} for, and no more.\n{FULL} {SECOND}\n"


def test_a_sentence_goes_on_over_the_end_of_a_page() -> None:
    assert drawn([(72, 90, FULL)], [(72, 700, "Company for, and so on.")]) == f"{FULL} Company for, and so on.\n"


def test_a_hyphen_that_belongs_to_a_name_stays() -> None:
    lines = [
        (72, 700, f"{FULL} by Mueller-"),
        (72, 686, "Sanchez, who leads the team of the people who travel for us."),
    ]
    assert "by Mueller-Sanchez, who" in drawn(lines)


def test_a_heading_inside_a_frame_is_a_heading() -> None:
    style = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("FONTSIZE", (0, 0), (-1, -1), 18)])
    text = text_of(Table([["01", "Introduction"]], style=style, rowHeights=30), paragraph("Words to read here. " * 20))
    assert text.startswith("# 01 Introduction\n\nWords")


def test_running_heads_that_name_the_chapter_are_left_out() -> None:
    pages = [
        [
            (72, 810, f"{number} Chapter {'one' if number < 4 else 'two'}"),
            (72, 700, FULL),
            (72, 686, f"{number}. {SECOND}"),
        ]
        for number in range(1, 8)
    ]
    text = drawn(*pages)
    assert "Chapter" not in text
    assert text.count("Meals") == 7


def test_a_heading_over_several_lines_is_one_heading() -> None:
    parts = [paragraph("How the company pays for travel of its employees and of guests whom it invites", "Title")]
    text = text_of(*parts, paragraph("Words to read here. " * 40), title="")
    assert text.startswith("# How the company pays for travel of its employees and of guests whom it invites\n\nWords")
