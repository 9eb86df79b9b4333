"""What Word documents hold beyond plain paragraphs."""

import io
from collections.abc import Callable

import pytest
from docx import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

from retrieval.markup import Refused
from retrieval.word import read_docx

NS = nsdecls("w")


def text_of(build: Callable[[Document], None]) -> str:
    document = Document()
    build(document)
    buffer = io.BytesIO()
    document.save(buffer)
    return read_docx(buffer.getvalue()).text


def body_of(*xml: str) -> str:
    def build(document: Document) -> None:
        end = document.element.body[-1]
        for part in xml:
            end.addprevious(parse_xml(part))

    return text_of(build)


def paragraph(inner: str) -> str:
    return f"<w:p {NS}>{inner}</w:p>"


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def test_tracked_insertions_are_read_and_deletions_are_not() -> None:
    deleted = "<w:del><w:r><w:delText>50</w:delText></w:r></w:del>"
    changed = f"{run('Meals up to ')}{deleted}<w:ins>{run('60')}</w:ins>{run(' dollars.')}"
    assert body_of(paragraph(changed)) == "Meals up to 60 dollars.\n"


def test_content_controls_hyperlinks_tabs_and_breaks_are_read() -> None:
    control = f"<w:sdt {NS}><w:sdtContent>{paragraph(run('Inside a control.'))}</w:sdtContent></w:sdt>"
    link = paragraph(f"{run('See ')}<w:hyperlink>{run('the policy')}</w:hyperlink><w:r><w:tab/><w:t>now</w:t></w:r>")
    assert body_of(control, link) == "Inside a control.\n\nSee the policy\tnow\n"


def test_a_text_box_is_read_once_though_it_is_stored_twice() -> None:
    compatible = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    both = (
        f"<w:r><mc:AlternateContent {compatible}><mc:Choice Requires='wps'>{run('Once')}</mc:Choice>"
        f"<mc:Fallback>{run('Once')}</mc:Fallback></mc:AlternateContent></w:r>"
    )
    assert body_of(paragraph(both)) == "Once\n"


def test_merged_cells_keep_the_grid_and_repeat_what_spans_rows() -> None:
    def build(document: Document) -> None:
        table = document.add_table(rows=3, cols=3)
        for row, cells in enumerate([("Region", "City", "Limit"), ("Europe", "Paris", "80"), ("", "Berlin", "65")]):
            for column, text in enumerate(cells):
                table.cell(row, column).text = text
        table.cell(1, 0).merge(table.cell(2, 0))

    assert text_of(build) == (
        "| Region | City | Limit |\n| --- | --- | --- |\n| Europe | Paris | 80 |\n| Europe | Berlin | 65 |\n"
    )


def test_numbered_lists_count_at_each_depth() -> None:
    def build(document: Document) -> None:
        for style, text in [
            ("List Number", "One"),
            ("List Number", "Two"),
            ("List Bullet", "Dot"),
            ("List Number", "Three"),
        ]:
            document.add_paragraph(text, style=style)

    assert text_of(build) == "1. One\n2. Two\n- Dot\n3. Three\n"


def test_a_heading_is_known_by_its_outline_level_whatever_its_style_is_called() -> None:
    outline = f'<w:pPr><w:outlineLvl w:val="1"/></w:pPr>{run("Ausnahmen")}'
    assert body_of(paragraph(outline)) == "## Ausnahmen\n"


def test_a_style_based_on_a_heading_is_a_heading() -> None:
    def build(document: Document) -> None:
        style = document.styles.add_style("Company Heading", 1)
        style.base_style = document.styles["Heading 2"]
        document.add_paragraph("Limits", style="Company Heading")

    assert text_of(build) == "## Limits\n"


def test_styles_based_on_each_other_in_a_circle_do_no_harm() -> None:
    def build(document: Document) -> None:
        one, two = (document.styles.add_style(name, 1) for name in ("One", "Two"))
        one.base_style, two.base_style = two, one
        document.add_paragraph("Text.", style="One")

    assert text_of(build) == "Text.\n"


def test_a_numbering_that_does_not_exist_is_a_bulleted_list() -> None:
    numbered = f'<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="777"/></w:numPr></w:pPr>{run("Item")}'
    assert body_of(paragraph(numbered)) == "- Item\n"


def test_a_file_without_its_parts_is_refused() -> None:
    with pytest.raises(Refused, match="Word"):
        read_docx(b"PK\x05\x06" + b"\0" * 18)


def test_an_outline_level_that_is_no_number_is_refused_as_damage() -> None:
    def build(document: Document) -> None:
        document.add_heading("Heading", 1)
        for level in document.styles.element.iter(qn("w:outlineLvl")):
            level.set(qn("w:val"), "many")

    with pytest.raises(Refused, match="damaged"):
        text_of(build)
