"""Delimited files of any encoding and delimiter."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.csv_table import find_delimiter, read_csv
from retrieval.loading import load_bytes
from retrieval.markup import Refused

GERMAN = "Stadt;Betrag;Währung\nZürich;1.234,50;€\nKöln;80,00;€\n"
TABLE = "| Stadt | Betrag | Währung |\n| --- | --- | --- |\n| Zürich | 1.234,50 | € |\n| Köln | 80,00 | € |\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_german_file_with_decimal_commas_is_read_in_any_encoding(encoding: str) -> None:
    document = load_bytes(GERMAN.encode(encoding), "limits.csv")
    assert (document.text, document.title, document.media_type) == (TABLE, "limits", "text/csv")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("City,Limit\nParis,80\n", ","),
        ("City;Limit\nParis;80,5\nRome;70,5\n", ";"),
        ("City\tLimit\nParis, France\t80\n", "\t"),
        ("City|Limit\nParis|80,00\n", "|"),
        ('City,Note\nParis,"a;b"\nRome,"c;d;e"\n', ","),
        ("sep=;\nCity;Limit\n1,2,3;4\n", ";"),
        ("Report of 2024, final\n\nCity;Limit\nParis;80\nRome;70\n", ";"),
    ],
)
def test_the_delimiter_is_the_one_that_cuts_the_lines_alike(text: str, delimiter: str) -> None:
    assert find_delimiter(text) == delimiter


def test_a_quoted_cell_may_hold_lines_delimiters_and_quotation_marks() -> None:
    text = read_csv(b'City,Note\nParis,"two\nlines, and ""quoted"" | bar"\n').text
    assert '| Paris | two lines, and "quoted" \\| bar |' in text


def test_a_title_above_the_columns_is_text() -> None:
    assert read_csv(b"Limits for 2024\nCity,Limit\nParis,80\n").text.startswith("Limits for 2024\n\n| City | Limit |")


def test_a_quotation_mark_that_is_never_closed_is_refused_with_the_remedy() -> None:
    with pytest.raises(Refused, match="close the quotation mark"):
        read_csv(b'City,Note\nParis,"' + b"words and words\n" * 100_000)


CELLS = st.text(alphabet=st.sampled_from("ab ,;|\"'1.\n"), max_size=6).filter(lambda cell: cell.strip() != "")


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=2, max_size=8))
def test_every_cell_that_a_csv_writer_wrote_is_in_its_row(rows: list[list[str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([["Name", "Note", "More"], *rows])
    lines = read_csv(f"sep=,\n{buffer.getvalue()}".encode()).text.splitlines()
    for row, line in zip(rows, lines[2:], strict=True):
        assert line == f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"
