"""Tables cut as a window cuts them: every quote still stands, and the columns keep their names."""

import random

from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.prompt import Passage, table_columns, table_heading
from reasoning_core.working import check, parse_quote
from training.cut_tables import cut
from training.instructions import Exchange

ROWS = ["| Oslo | $92 | $255 |", "| Rome | $45 | $190 |", "| Lima | $60 | $120 |", "| Bern | $81 | $240 |"]
TABLE = "\n".join(("| City | Meals | Hotel |", "|---|---|---|", *ROWS))


def asking(quote: str, text: str = TABLE) -> list[Exchange]:
    passages = (Passage("Travel > Rates", text), Passage("Travel", "Taxis are paid up to $30."))
    return [Exchange(passages, "How much is a hotel?", (f'"{quote}" [1]',), "$190 [1].", "answer", "rates")]


@given(st.integers(0, 10_000), st.sampled_from(ROWS))
def test_whatever_is_cut_the_quote_stands_and_the_header_is_in_the_heading(seed: int, row: str) -> None:
    (exchange,) = cut(asking(row[2:-2]), random.Random(seed), 1.0)
    first, second = exchange.passages
    quote = parse_quote(exchange.working[0])
    assert quote is not None
    assert check(exchange.working[0], {1: first.text}).holds
    assert second == asking(row)[0].passages[1]
    if first.text != TABLE:
        assert first.heading == "Travel > Rates: City | Meals | Hotel"
        assert set(first.text.split("\n")) <= set(ROWS)


def test_a_table_whose_header_is_quoted_stays_whole() -> None:
    assert all(cut(asking("City | Meals"), random.Random(seed), 1.0) == asking("City | Meals") for seed in range(30))


def test_what_stands_behind_a_table_leaves_with_its_last_row() -> None:
    text = f"{TABLE}\nAll rates are for one person."
    texts = [cut(asking("Oslo", text), random.Random(seed), 1.0)[0].passages[0].text for seed in range(60)]
    for each in texts:
        assert each.endswith("for one person.") == ("Bern" in each)
    assert {True, False} == {"Bern" in each for each in texts}


def test_nothing_is_cut_at_a_share_of_nothing() -> None:
    assert cut(asking("Rome"), random.Random(1), 0.0) == asking("Rome")


def test_a_heading_names_the_columns_of_the_rows_below_it() -> None:
    heading = table_heading("Per diems: rates > Table", "| City | Meals |")
    assert heading == "Per diems: rates > Table: City | Meals"
    assert table_columns(heading) == "| City | Meals |"
    assert table_columns("Per diems: rates") == table_columns("Rates") == ""
