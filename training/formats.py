"""How values are written: `{limit:money}` is $1,500, `{n:days}` 14 days or 1 day, `{start:date}` 31 March 2027.

Without a format a number has its thousands apart and a date is ISO 8601, as the working writes them.
"""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from training.expressions import Scalar

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_CURRENCIES = {"money": "$", "usd": "$", "eur": "€", "gbp": "£"}
_UNITS = {
    **{unit: unit.removesuffix("s") for unit in ("minutes", "hours", "days", "weeks", "months", "years", "miles")},
    **{unit: unit for unit in ("km", "kg", "m", "cm", "GB")},
}


def shown(value: Scalar, form: str) -> str:
    """Write a value in one of `FORMATS`, or plainly where `form` is empty."""
    text = _plain(value)
    return _WRITERS[form](value, text) if form else text


def _plain(value: Scalar) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return _decimal(value)
    return str(value)


def _decimal(value: Decimal) -> str:
    """Write a decimal without the zeros that a product may have left behind: whole, or up to its cents."""
    if value == value.to_integral_value():
        return f"{int(value):,}"
    text = f"{value:,f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def _currency(sign: str) -> Callable[[Scalar, str], str]:
    def write(value: Scalar, text: str) -> str:
        _, point, decimals = text.partition(".")
        return f"{sign}{text}0" if point and len(decimals) == 1 else f"{sign}{text}"

    return write


def _unit(many: str, one: str) -> Callable[[Scalar, str], str]:
    return lambda value, text: f"{text} {one if value == 1 else many}"


def _date(value: Scalar, text: str) -> str:
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}" if isinstance(value, date) else text


def _date_us(value: Scalar, text: str) -> str:
    return f"{_MONTHS[value.month - 1]} {value.day}, {value.year}" if isinstance(value, date) else text


_WRITERS: Mapping[str, Callable[[Scalar, str], str]] = {
    **{name: _currency(sign) for name, sign in _CURRENCIES.items()},
    **{many: _unit(many, one) for many, one in _UNITS.items()},
    "percent": lambda value, text: f"{text}%",
    "date": _date,
    "date_us": _date_us,
    "cap": lambda value, text: text[:1].upper() + text[1:],
}
FORMATS = tuple(_WRITERS)
