"""Numbers and dates as a spreadsheet program shows them; the expected texts were read off one."""

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.number_format import shown

ACCOUNTING = '_("$"* #,##0.00_);_("$"* (#,##0.00);_("$"* "-"??_);_(@_)'


@pytest.mark.parametrize(
    ("value", "number_format", "expected"),
    [
        (1234.5, "#,##0.00", "1,234.50"),
        (1234.5, "0.###", "1234.5"),
        (0.125, "0%", "13%"),
        (0.125, "0.0%", "12.5%"),
        (-5, "0.00", "-5.00"),
        (-5, "0.00;(0.00)", "(5.00)"),
        (0, '0;-0;"none"', "none"),
        (1234567, '#,##0,"k"', "1,235k"),
        (80, "[$€-407] #,##0.00", "€ 80.00"),
        (80.5, '#,##0.00\\ "€"', "80.50 €"),
        (80.5, ACCOUNTING, "$80.50"),
        (-80.5, ACCOUNTING, "$(80.50)"),
        (0.1 + 0.2, "General", "0.3"),
        (12345, "0.00E+00", "1.23E+04"),
        (7, "000", "007"),
        (1000, "[Red]#,##0", "1,000"),
        (3, '0 "days"', "3 days"),
        (150, '[<100]0;[>=100]"high"', "high"),
        (2.675, "0.00", "2.68"),
        (5551234, "000-0000", "5551234"),
        (0.5, "# ?/?", "0.5"),
        (True, "General", "TRUE"),
        ("as it is", "0.00", "as it is"),
        (None, "0.00", ""),
    ],
)
def test_a_number_is_shown_as_its_format_says(value: object, number_format: str, expected: str) -> None:
    assert shown(value, number_format) == expected


@pytest.mark.parametrize(
    ("value", "number_format", "expected"),
    [
        (dt.datetime(2024, 3, 1), "mm-dd-yy", "2024-03-01"),
        (dt.datetime(2024, 3, 1), "dd.mm.yyyy", "2024-03-01"),
        (dt.datetime(2024, 3, 1, 14, 5), "m/d/yy h:mm", "2024-03-01 14:05"),
        (dt.datetime(2024, 3, 1), "d mmmm yyyy", "1 March 2024"),
        (dt.datetime(2024, 3, 1), "mmm-yy", "Mar-24"),
        (dt.datetime(2024, 3, 1), "[$-407]d. mmmm yyyy", "2024-03-01"),
        (dt.datetime(2024, 3, 1), "yyyy", "2024"),
        (dt.datetime(2024, 3, 1), "mm/yyyy", "2024-03"),
        (dt.datetime(2024, 3, 1, 9, 30), "dddd, d mmm yyyy h:mm AM/PM", "Friday, 1 Mar 2024 9:30 AM"),
        (dt.datetime(2024, 3, 1, 9, 30), "h:mm", "09:30"),
        (dt.time(9, 30), "h:mm", "09:30"),
        (dt.timedelta(hours=26, minutes=5), "[h]:mm", "26:05"),
    ],
)
def test_a_date_of_figures_is_iso_and_one_with_a_month_in_words_is_as_its_format_says(
    value: object, number_format: str, expected: str
) -> None:
    assert shown(value, number_format) == expected


@given(st.floats(-1e12, 1e12, allow_nan=False), st.integers(1, 6))
def test_decimals_are_rounded_as_decimal_arithmetic_rounds(value: float, decimals: int) -> None:
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    assert shown(value, f"#,##0.{'0' * decimals}") == (f"{rounded:,f}" if rounded else f"{abs(rounded):f}")


@given(st.floats() | st.integers(), st.text(alphabet='0#?.,%;[]<>=$-"\\_*@/E+GeneralymdhsA P', max_size=20))
def test_no_format_makes_a_number_fail(value: float, number_format: str) -> None:
    assert isinstance(shown(value, number_format), str)


@given(st.datetimes() | st.times() | st.timedeltas(), st.text(alphabet='ymdhs/:. []$-4"\\;AMP0,', max_size=20))
def test_no_format_makes_a_date_fail(value: object, number_format: str) -> None:
    assert isinstance(shown(value, number_format), str)
