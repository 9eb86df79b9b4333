"""Units of a text: where they begin and end."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.sentences import UnitKind, sentences, units

MARKDOWN = """# Travel policy

Employees book early. Meals are paid up to $60.50 per day, e.g. in Berlin. Is tea included? Yes!

- Keep receipts. They matter.
- See section 4.
1. Ask your manager.

| City | Limit |
| --- | --- |
| Paris | 80 |

```
x = 1. y = 2.
```
"""


def texts_of(text: str, kind: UnitKind) -> list[str]:
    return [text[unit.start : unit.end] for unit in units(text) if unit.kind is kind]


def test_a_paragraph_is_split_at_sentence_ends_but_not_inside_numbers_and_abbreviations() -> None:
    assert texts_of(MARKDOWN, UnitKind.SENTENCE) == [
        "Employees book early.",
        "Meals are paid up to $60.50 per day, e.g. in Berlin.",
        "Is tea included?",
        "Yes!",
    ]


def test_list_items_rows_headings_and_code_are_units_of_their_own() -> None:
    assert texts_of(MARKDOWN, UnitKind.HEADING) == ["# Travel policy"]
    assert texts_of(MARKDOWN, UnitKind.TABLE_ROW) == ["| City | Limit |", "| --- | --- |", "| Paris | 80 |"]
    items = texts_of(MARKDOWN, UnitKind.LIST_ITEM)
    assert items == ["- Keep receipts.", "They matter.", "- See section 4.", "1. Ask your manager."]
    assert texts_of(MARKDOWN, UnitKind.CODE) == ["```", "x = 1. y = 2.", "```"]


def test_the_rows_of_a_table_in_plain_text_are_units() -> None:
    text = "Site       Offices          Reception\nDuluth     06:30 - 20:00    07:30\n\nText goes on. And on."
    assert texts_of(text, UnitKind.TABLE_ROW) == text.splitlines()[:2]


def test_a_sentence_may_run_over_several_lines() -> None:
    text = "One sentence that\nruns over two lines. Another\none."
    assert [text[a:b] for a, b in sentences(text)] == ["One sentence that\nruns over two lines.", "Another\none."]


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("### Deep\n", 3),
        ("Title\n=====\n\ntext", 1),
        ("Part\n----\n\ntext", 2),
        ("4.2 Retention of records\n\nKeep them.", 2),
        ("Section 3.1.2 Exceptions\n\nNone.", 3),
        ("EXPENSES AND TRAVEL\n\nBook early.", 1),
        ("7. SMOKING, FIRE AND CANDLES\n\nNot indoors.", 1),
    ],
)
def test_headings_are_known_by_their_marks_numbers_or_capitals(text: str, depth: int) -> None:
    assert (units(text)[0].kind, units(text)[0].depth) == (UnitKind.HEADING, depth)


@pytest.mark.parametrize(
    "text", ["#hashtag\n", "4.2 kg of apples were eaten.\n\nx", "- one\n---\n", "A plain line\n\nx"]
)
def test_other_lines_are_no_headings(text: str) -> None:
    assert units(text)[0].kind is not UnitKind.HEADING


def test_the_sentences_of_other_scripts_end_at_their_own_full_stops() -> None:
    text = "休暇は二十日です。申請は必要です。"
    assert [text[a:b] for a, b in sentences(text)] == ["休暇は二十日です。", "申請は必要です。"]


@given(st.text(alphabet=st.sampled_from("aB1.!? \n\t#-|*`=。é"), max_size=200))
def test_units_are_in_order_apart_and_together_hold_every_printed_character(text: str) -> None:
    found = units(text)
    assert all(unit.start < unit.end for unit in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    covered = {place for unit in found for place in range(unit.start, unit.end)}
    assert all(text[place].isspace() for place in range(len(text)) if place not in covered)
    assert not any(text[unit.start].isspace() or text[unit.end - 1].isspace() for unit in found)


@pytest.mark.parametrize("piece", ["word ", "1. ", ". ", "| a ", "A b. ", "- a\n", "# a\n", "\n", "x", "a.b", "e.g. "])
def test_time_grows_with_length_alone(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    units(text)
    assert time.process_time() - started < 8
