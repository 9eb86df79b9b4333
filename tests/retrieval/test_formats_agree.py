"""The same manual gives the same sections, whatever the format it comes in."""

import re
from pathlib import Path

import pypdfium2
import pytest

from retrieval.chunking import chunk
from retrieval.kinds import DOCX, HTML, MARKDOWN, PDF
from retrieval.loading import LoadedDocument, load_bytes
from retrieval.parsing import parse
from retrieval.places import settled
from tests.retrieval.handbook_pages import manuals
from tests.retrieval.manual_formats import WRITERS, Heading, Items, Manual, Rows, Words

MANUAL: Manual = (
    Heading(1, "Travel manual"),
    Words("This manual says what the company pays for when its employees travel, and how they claim it."),
    Heading(2, "Meals"),
    Words(
        "Breakfast and dinner are paid up to $60 per day. Receipts are kept for seven years by the finance team, "
        "which may ask for them at any time and checks one claim in twenty."
    ),
    Items(("Alcohol is never paid.", "Tips count as part of the meal.", "Receipts are needed from 25 dollars on.")),
    Heading(2, "Hotels"),
    Words("A hotel is booked by the travel desk, and costs at most what this table says for the city."),
    Rows((("City", "Low season", "High season"), ("Zürich", "220", "250"), ("New York", "260", "310"))),
    Words("Longer stays are agreed with the team lead before they are booked by anybody."),
    Heading(2, "How to claim"),
    Items(
        ("Collect the receipts of the trip.", "Enter the claim within 30 days.", "Wait for the money."), numbered=True
    ),
)


def sections(document: LoadedDocument) -> list[tuple[str, str]]:
    """Return (heading with its marks, text below it) of a document."""
    parts = re.split(r"(?m)^(#{1,6} .+)$", document.text)
    return [("", parts[0].strip())] * bool(parts[0].strip()) + [
        (title, text.strip()) for title, text in zip(parts[1::2], parts[2::2], strict=True)
    ]


def outline(document: LoadedDocument) -> list[tuple[int, str]]:
    """Return (rank of the level among the levels that occur, heading)."""
    titles = [title for title, _ in sections(document) if title]
    levels = sorted({len(title.split(" ")[0]) for title in titles})
    return [(levels.index(len(title.split(" ")[0])), title.lstrip("# ")) for title in titles]


def texts(document: LoadedDocument) -> list[str]:
    return [text for _, text in sections(document)]


def loaded(manual: Manual, suffix: str) -> LoadedDocument:
    return load_bytes(WRITERS[suffix](manual), f"manual.{suffix}")


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix != "md"])
def test_a_manual_has_the_same_sections_in_every_format(suffix: str) -> None:
    document = loaded(MANUAL, suffix)
    assert sections(document) == sections(loaded(MANUAL, "md"))
    assert document.title == "Travel manual"


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_chunks_of_a_manual_are_the_same_in_every_format_and_exact_bytes_of_its_text(suffix: str) -> None:
    document, reference = loaded(MANUAL, suffix), loaded(MANUAL, "md")
    data = document.text.encode()
    chunks = chunk(document.text, document.title)
    assert all(data[part.start : part.end].decode() == part.text for part in chunks)
    assert [(part.headings, part.text) for part in chunks] == [
        (part.headings, part.text) for part in chunk(reference.text, reference.title)
    ]


def parsed(data: bytes, media_type: str) -> LoadedDocument:
    """Read a document in this process, which is faster than in one of its own."""
    return LoadedDocument(settled(parse(media_type, data))[0], "", media_type)


def agreement(manuals: list[Manual], suffix: str, media_type: str) -> tuple[float, float]:
    """Return the shares of manuals with the outline, and with the text under each heading, of their Markdown."""
    pairs = [
        (parsed(WRITERS[suffix](manual), media_type), parsed(WRITERS["md"](manual), MARKDOWN)) for manual in manuals
    ]
    outlines = sum(outline(one) == outline(other) for one, other in pairs)
    return outlines / len(pairs), sum(texts(one) == texts(other) for one, other in pairs) / len(pairs)


@pytest.mark.parametrize(("suffix", "media_type"), [("html", HTML), ("docx", DOCX)])
def test_pages_of_real_handbooks_have_the_same_sections_as_html_and_docx(
    shared_data: Path, suffix: str, media_type: str
) -> None:
    assert agreement(manuals(shared_data, 12), suffix, media_type) == (1.0, 1.0)


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_pages_of_real_handbooks_printed_as_pdf_have_nearly_always_the_same_sections(
    shared_data: Path, count: int
) -> None:
    outlines, same_texts = agreement(manuals(shared_data, count), "pdf", PDF)
    assert outlines >= 0.9
    assert same_texts >= 0.85


GUIDES = {  # their outlines name chapters and sections; the share of those that the rule finds
    "derisking-government-tech/dist/18f-derisking-guide.pdf": 0.9,
    "derisking/dist/federal-field-guide.pdf": 0.85,
    "derisking/dist/state-software-budgeting-handbook.pdf": 0.85,
}


@pytest.mark.parametrize("name", GUIDES)
def test_the_headings_of_a_designed_pdf_are_those_of_its_own_outline(shared_data: Path, name: str) -> None:
    data = (shared_data / "guides_18f" / "assets" / name).read_bytes()
    found = {_letters(title) for title, _ in sections(parsed(data, PDF))}
    document = pypdfium2.PdfDocument(data)
    titles = [title for entry in document.get_toc() if " " in (title := entry.get_title().strip())]
    document.close()
    assert len(titles) > 10
    assert sum(_letters(title) in found for title in titles) >= GUIDES[name] * len(titles)


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text.lower())
