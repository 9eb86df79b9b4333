"""Chunks tile the text, keep byte offsets, and follow its structure."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.chunking import MAX_CHARS, chunk, indexed_text
from retrieval.sentences import sentences

LINES = st.sampled_from(
    [
        "# Head",
        "## Below",
        "text é ü 漢字. More text here.",
        "- item",
        "| a | b |",
        "| - | - |",
        "",
        "",
        "x" * 1000,
        "1.2 Numbered heading",
        "CAPITALS HEADING",
        "Title\n=====",
        "```",
        "word " * 250,
        "🙂" * 950,
        "\t \t",
        "A. B. C.",
    ]
)


def assert_tiles(text: str) -> None:
    data = text.encode()
    chunks = chunk(text, "Title")
    assert [part.start for part in chunks] == [0, *(part.end for part in chunks[:-1])] if text else not chunks
    assert not chunks or chunks[-1].end == len(data)
    assert all(data[part.start : part.end].decode() == part.text for part in chunks)
    assert all(0 < len(part.text) <= MAX_CHARS for part in chunks)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=30).map("\n".join))
def test_chunks_of_any_structure_tile_the_text_on_character_boundaries(text: str) -> None:
    assert_tiles(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=2000))
def test_chunks_of_any_text_tile_it(text: str) -> None:
    assert_tiles(text)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from(["A short sentence.", "Another one, longer than the first by some words."]), max_size=90)
)
def test_a_sentence_that_fits_is_never_cut(parts: list[str]) -> None:
    text = " ".join(parts)
    ends = {part.end for part in chunk(text, "Title")}
    assert not any(start < end < stop for start, stop in sentences(text) for end in ends)


def test_a_chunk_knows_the_headings_above_it() -> None:
    text = "# Handbook\n\nWelcome.\n\n## Travel\n\n### Meals\n\nUp to $60.\n\n## Leave\n\n25 days.\n"
    assert [(part.headings, part.text) for part in chunk(text, "Handbook")] == [
        ((), "# Handbook\n\nWelcome.\n\n"),
        (("Travel", "Meals"), "## Travel\n\n### Meals\n\nUp to $60.\n\n"),
        (("Leave",), "## Leave\n\n25 days.\n"),
    ]


def test_the_indexed_text_opens_with_the_way_to_the_chunk() -> None:
    part = chunk("# Travel\n\n## Meals\n\nUp to $60.\n", "Handbook")[0]
    assert indexed_text("Handbook", part).splitlines()[0] == "Handbook > Travel > Meals"


def test_heading_marks_and_links_do_not_reach_the_heading_path() -> None:
    assert chunk("## **Leave** [policy](https://x.example/y) ##\n\nText.", "T")[0].headings == ("Leave policy",)


def test_a_long_table_is_cut_between_rows_and_its_header_keeps_the_first_rows() -> None:
    rows = "".join(f"| City number {n} | {n} dollars a day, receipts needed |\n" for n in range(60))
    text = f"## Limits\n\nThe limits follow.\n\n| City | Limit |\n| --- | --- |\n{rows}"
    chunks = chunk(text, "T")
    assert len(chunks) > 2
    assert all(part.text.startswith("| City number") for part in chunks[1:])
    assert "City number 0" in chunks[0].text


def test_a_chunk_that_begins_inside_a_table_names_its_columns() -> None:
    rows = "".join(f"| City number {n} | {n} dollars a day, receipts needed |\n" for n in range(60))
    table = f"| City | Limit |\n| --- | --- |\n{rows}"
    first, *others = chunk(f"## Limits\n\nThe limits follow.\n\n{table}", "T")
    assert first.headings == ("Limits",)
    assert {part.headings for part in others} == {("Limits: City | Limit",)}
    assert indexed_text("Travel", others[0]).splitlines()[0] == "Travel > Limits: City | Limit"
    assert {part.headings for part in chunk(table, "T")[1:]} == {("City | Limit",)}


def test_a_table_without_a_rule_under_its_first_row_has_no_names() -> None:
    rows = "".join(f"| City number {n} | {n} dollars a day, receipts needed |\n" for n in range(60))
    assert {part.headings for part in chunk(rows, "T")} == {()}


def test_the_parts_of_a_long_section_are_of_about_equal_length() -> None:
    chunks = chunk("A sentence of some forty characters now. " * 60, "T")
    lengths = [len(part.text) for part in chunks]
    assert max(lengths) - min(lengths) < 120


@pytest.mark.parametrize("text", ["word " * 1_000_000, "x" * 5_000_000, "A short one. " * 380_000])
def test_five_megabytes_on_one_line_take_seconds(text: str) -> None:
    started = time.process_time()
    chunks = chunk(text, "T")
    assert time.process_time() - started < 20
    assert chunks[-1].end == len(text)
