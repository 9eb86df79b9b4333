"""Documents that are made to cost too much, to reach out, or to run something are refused or read without harm."""

import io
import re
import socket
import zipfile
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from docx import Document
from openpyxl import Workbook
from pptx import Presentation
from reportlab.pdfgen.canvas import Canvas

from retrieval.loading import UnreadableDocument, load_bytes

SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
PACKAGE_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def docx_bytes() -> bytes:
    document = Document()
    document.add_paragraph("Meals are paid.")
    return saved(document)


def xlsx_bytes() -> bytes:
    book = Workbook()
    book.active.append(["Meals", "are paid."])
    return saved(book)


def pptx_bytes() -> bytes:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[0])
    slide.shapes.title.text = "Meals are paid."
    return saved(presentation)


OFFICE = {
    "docx": (docx_bytes(), "word/document.xml"),
    "xlsx": (xlsx_bytes(), "xl/worksheets/sheet1.xml"),
    "pptx": (pptx_bytes(), "ppt/slides/slide1.xml"),
}


def changed(data: bytes, change: dict[str, Callable[[bytes], bytes] | bytes]) -> bytes:
    """Return an archive with parts replaced, or changed by a function, or added."""
    source = zipfile.ZipFile(io.BytesIO(data))
    members = {name: source.read(name) for name in source.namelist()}
    for name, new in change.items():
        members[name] = new if isinstance(new, bytes) else new(members[name])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def refusal(data: bytes, name: str) -> str:
    with pytest.raises(UnreadableDocument) as caught:
        load_bytes(data, name)
    message = str(caught.value)
    assert message.startswith(name)
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", OFFICE)
def test_a_part_that_unpacks_to_far_more_than_the_file_is_refused(kind: str) -> None:
    data, part = OFFICE[kind]
    assert "would unpack to" in refusal(changed(data, {part: b" " * (60 << 20)}), f"bomb.{kind}")


@pytest.mark.parametrize("kind", OFFICE)
def test_entities_that_unfold_or_name_a_file_give_nothing_away(kind: str) -> None:
    data, part = OFFICE[kind]
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    head = f'<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}<!ENTITY file SYSTEM "file:///etc/passwd">]>'.encode()

    def with_entities(xml: bytes) -> bytes:
        start = xml.index(b"?>") + 2 if xml.startswith(b"<?xml") else 0
        return (
            xml[:start]
            + head
            + xml[start:].replace(b"Meals", b"Meals &a11; &file;").replace(b"<v>0</v>", b"<v>&a11;</v>")
        )

    try:
        text = load_bytes(changed(data, {part: with_entities}), f"laughs.{kind}").text
    except UnreadableDocument as refused:
        assert "again" in str(refused)
    else:
        assert "root:" not in text
        assert len(text) < 1000


DEEP = {
    "docx": (b"<w:p>", b"<w:sdt><w:sdtContent>" * 60_000 + b"<w:p>"),
    "xlsx": (b"<sheetData>", b"<sheetData>" * 100_000),
    "pptx": (b"<p:sp>", b"<p:grpSp>" * 100_000 + b"<p:sp>"),
}


@pytest.mark.parametrize("kind", OFFICE)
def test_xml_nested_too_deeply_is_refused(kind: str) -> None:
    data, part = OFFICE[kind]
    old, new = DEEP[kind]
    assert "again" in refusal(changed(data, {part: lambda xml: xml.replace(old, new, 1)}), f"deep.{kind}")


def test_groups_inside_groups_are_read_to_a_bounded_depth() -> None:
    presentation = Presentation()
    shapes = presentation.slides.add_slide(presentation.slide_layouts[6]).shapes
    for _ in range(40):
        shapes = shapes.add_group_shape().shapes
    shapes.add_textbox(0, 0, 100, 100).text_frame.text = "innermost"
    assert "ungroup" in refusal(saved(presentation), "groups.pptx")


def test_a_huge_sheet_of_repeated_strings_is_bounded() -> None:
    cell = b'<c t="s"><v>0</v></c>'
    rows = b"<row>" + cell * 400 + b"</row>"

    def many(xml: bytes) -> bytes:
        start, end = xml.index(b"<sheetData>") + 11, xml.index(b"</sheetData>")
        return xml[:start] + rows * 3000 + xml[end:]

    strings = f'<sst xmlns="{SHEET}"><si><t>{"word " * 6000}</t></si></sst>'.encode()
    data = changed(xlsx_bytes(), {"xl/worksheets/sheet1.xml": many, "xl/sharedStrings.xml": strings})
    assert refusal(data, "huge.xlsx")


def test_a_pdf_of_ten_thousand_pages_is_refused() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for _ in range(10_000):
        canvas.showPage()
    canvas.save()
    assert "has 10000 pages, more than 3000; split it" in refusal(buffer.getvalue(), "long.pdf")


def test_a_workbook_that_names_a_hundred_thousand_sheets_is_refused() -> None:
    def many(xml: bytes) -> bytes:
        sheets = b"".join(
            f'<sheet xmlns:r="{RELATIONS}" name="s{n}" sheetId="{n}" r:id="rId1"/>'.encode() for n in range(2, 100_000)
        )
        return xml.replace(b"</sheets>", sheets + b"</sheets>")

    assert "has 99999 sheets, more than 500; split" in refusal(
        changed(xlsx_bytes(), {"xl/workbook.xml": many}), "s.xlsx"
    )


def test_multiparts_inside_multiparts_are_refused_and_never_hang() -> None:
    parts = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(20_000))
    assert refusal(f"From: a@example.com\n{parts}\n\nwords".encode(), "deep.eml")


def test_a_message_with_an_archive_bomb_names_it_and_is_read() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Bomb"
    mail.set_content("The words.")
    bomb = changed(xlsx_bytes(), {"xl/worksheets/sheet1.xml": b" " * (60 << 20)})
    mail.add_attachment(bomb, maintype="application", subtype="octet-stream", filename="bomb.xlsx")
    text = load_bytes(bytes(mail), "bomb.eml").text
    assert "The words." in text
    assert "The attachment bomb.xlsx was not read: it would unpack to" in text


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("docx", "word/_rels/document.xml.rels"),
        ("pptx", "ppt/_rels/presentation.xml.rels"),
        ("xlsx", "xl/_rels/workbook.xml.rels"),
    ],
)
def test_a_relationship_without_a_target_is_damage_and_no_failure(kind: str, part: str) -> None:
    without = {part: lambda xml: re.sub(rb' Target="[^"]*"', b"", xml)}
    assert "is a damaged" in refusal(changed(OFFICE[kind][0], without), f"damaged.{kind}")


WORD_TYPE = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
DECK_TYPE = b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
SHEET_TYPE = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"


@pytest.mark.parametrize(
    ("name", "kind", "plain", "other"),
    [
        ("manual.docm", "docx", WORD_TYPE, b"application/vnd.ms-word.document.macroEnabled.main+xml"),
        ("manual.dotx", "docx", WORD_TYPE, WORD_TYPE.replace(b"document.main", b"template.main")),
        ("manual.pptm", "pptx", DECK_TYPE, b"application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml"),
        ("manual.ppsx", "pptx", DECK_TYPE, DECK_TYPE.replace(b"presentation.main", b"slideshow.main")),
        ("manual.xlsm", "xlsx", SHEET_TYPE, b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"),
    ],
)
def test_templates_and_files_with_macros_are_read_and_nothing_in_them_is_run(
    name: str, kind: str, plain: bytes, other: bytes
) -> None:
    macro = {f"{'word' if kind == 'docx' else kind[:3]}/vbaProject.bin": b"\xd0\xcf\x11\xe0 Sub AutoOpen() Shell"}
    data = changed(OFFICE[kind][0], {"[Content_Types].xml": lambda xml: xml.replace(plain, other), **macro})
    assert "Meals are paid." in load_bytes(data, name).text.replace(" | ", " ")


@pytest.mark.parametrize("kind", OFFICE)
def test_the_strict_form_of_open_xml_is_refused_with_the_remedy(kind: str) -> None:
    strict = {
        "_rels/.rels": lambda xml: xml.replace(b"schemas.openxmlformats.org/office", b"purl.oclc.org/ooxml/office")
    }
    assert "Strict" in refusal(changed(OFFICE[kind][0], strict), f"strict.{kind}")


@pytest.fixture
def listener() -> "socket.socket":
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        yield server


def relations(url: str, kind: str) -> bytes:
    return (
        f'<Relationships xmlns="{PACKAGE_RELATIONS}">'
        f'<Relationship Id="rId1" Type="{RELATIONS}/{kind}" Target="{url}" TargetMode="External"/></Relationships>'
    ).encode()


def remote_documents(url: str) -> dict[str, bytes]:
    """Return documents that point to `url` in every way a format knows."""
    page = (
        f'<!DOCTYPE html PUBLIC "x" "{url}/page.dtd"><html><head><link rel="stylesheet" href="{url}/a.css">'
        f'<script src="{url}/a.js"></script><base href="{url}/"></head><body background="{url}/b.png">'
        f'<p>Meals are paid.</p><img src="{url}/i.png"><iframe src="{url}/f"></iframe><object data="{url}/o"></object>'
        f'<style>@import url("{url}/c.css")</style></body></html>'
    )
    mail = EmailMessage()
    mail["Subject"] = "Remote"
    mail.set_content(page, "html")
    mail.add_attachment(
        f'Content-Type: message/external-body; access-type=URL; URL="{url}/body"'.encode(),
        maintype="application",
        subtype="octet-stream",
        filename="body.md",
    )
    doctype = f'<!DOCTYPE x SYSTEM "{url}/x.dtd">'.encode()

    def with_doctype(xml: bytes) -> bytes:
        start = xml.index(b"?>") + 2
        return xml[:start] + doctype + xml[start:]

    def with_picture(xml: bytes) -> bytes:
        picture = relations(url, "image").partition(b"<Relationship ")[2].replace(b"rId1", b"rId99")
        return xml.replace(b"</Relationships>", b"<Relationship " + picture)

    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(72, 700, "Meals are paid.")
    canvas.linkURL(f"{url}/link", (0, 0, 600, 800))
    canvas.save()
    script = f"<< /S /URI /URI ({url}/open) >>".encode()
    return {
        "page.html": page.encode(),
        "mail.eml": bytes(mail),
        "link.pdf": buffer.getvalue().replace(b"/Type /Catalog", b"/Type /Catalog /OpenAction " + script),
        "template.docx": changed(docx_bytes(), {"word/_rels/settings.xml.rels": relations(url, "attachedTemplate")}),
        "doctype.docx": changed(docx_bytes(), {"word/document.xml": with_doctype}),
        "links.xlsx": changed(
            xlsx_bytes(), {"xl/externalLinks/_rels/externalLink1.xml.rels": relations(url, "externalLinkPath")}
        ),
        "picture.pptx": changed(pptx_bytes(), {"ppt/slides/_rels/slide1.xml.rels": with_picture}),
    }


@pytest.mark.parametrize("name", remote_documents("http://x"))
def test_a_document_that_points_to_the_network_makes_no_connection(name: str, listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        assert "Meals are paid." in load_bytes(remote_documents(url)[name], name).text.replace(" | ", " ")
    except UnreadableDocument as refused:
        assert "again" in str(refused)
    with pytest.raises(TimeoutError):
        listener.accept()
