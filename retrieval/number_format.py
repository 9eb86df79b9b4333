"""Numbers and dates of a spreadsheet as a person sees them (ECMA-376 part 1, 18.8.31).

Dates whose format has figures only are written as ISO 8601 (2024-03-01), for 03/01/2024 is two days, and which one a
person sees depends on their computer. Formats that cannot be followed (fractions, figures parted by text) show the
plain value.
"""

import calendar
import datetime as dt
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)(?:-(?P<locale>[0-9A-Fa-f]+))?\]|'
    r"\[(?P<elapsed>h+|m+|s+)\]|\[(?P<bracket>[^\]]*)\]|(?P<general>General)|(?P<date>AM/PM|A/P|[ymdhs]+)|"
    r"(?P<exponent>E[+-]0+)|(?P<digits>[0#?.,]+)|(?P<percent>%)|(?P<text>@)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)(-?\d+(?:\.\d+)?)")
_ENGLISH = 0x09  # the primary language of a Windows locale
_MONTHS = tuple(calendar.month_name)  # the names of English: the process has no other locale
_DAYS = tuple(calendar.day_name)
_MAX_DECIMALS = 30


def shown(value: object, number_format: str) -> str:
    """Return a cell's value as its number format shows it."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return _moment(value, number_format)
    if isinstance(value, dt.timedelta):
        return _duration(value, number_format)
    if isinstance(value, int | float):
        return plain(value) if number_format == "General" and abs(value) < 1e300 else _number(value, number_format)
    return str(value)


def plain(value: float) -> str:
    """Return a number with up to 11 figures, as the format General does."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.11g}".replace("e+", "E+").replace("e-", "E-")


def _sections(number_format: str) -> list[list[re.Match[str]]]:
    sections: list[list[re.Match[str]]] = [[]]
    for token in _TOKEN.finditer(number_format[:255]):
        if token["other"] == ";":
            sections.append([])
        else:
            sections[-1].append(token)
    return sections


def _number(value: float, number_format: str) -> str:
    if not abs(value) < 1e300:  # no spreadsheet can reckon with it
        return str(value)
    section, value = _section_of(value, _sections(number_format))
    if not section:
        return ""
    kinds = {name for token in section for name, found in token.groupdict().items() if found is not None}
    if kinds & {"general", "date", "elapsed"} or not kinds & {"digits", "percent", "exponent"}:
        return plain(value) if kinds & {"general", "date", "elapsed", "text"} else _literals(section)
    runs = [number for number, token in enumerate(section) if token["digits"]]
    if not runs or runs[-1] - runs[0] >= len(runs) or any(token["other"] == "/" for token in section):
        return plain(value)
    return _filled(section, runs, value)


def _section_of(value: float, sections: Sequence[list[re.Match[str]]]) -> tuple[list[re.Match[str]], float]:
    """Return the section for a value, and the value that it shows: without its sign where the section has its own."""
    for section in sections:
        conditions = [match for token in section if (match := _CONDITION.fullmatch(token["bracket"] or ""))]
        if conditions and _holds(value, conditions[0][1], float(conditions[0][2])):
            return section, value
    usual = [
        section
        for section in sections[:3]
        if not any(_CONDITION.fullmatch(token["bracket"] or "") for token in section)
    ]
    if not usual:
        return list(_TOKEN.finditer("General")), value
    if value < 0 and len(usual) > 1:
        return usual[1], -value
    return (usual[2] if value == 0 and len(usual) > 2 else usual[0]), value


def _holds(value: float, operator: str, limit: float) -> bool:
    outcomes = {"<": value < limit, ">": value > limit, "=": value == limit}
    if operator == "<>":
        return value != limit
    return any(outcomes[sign] for sign in operator)


def _filled(section: Sequence[re.Match[str]], runs: Sequence[int], value: float) -> str:
    """Put the figures of a value where the section's run of figures stands."""
    digits = "".join(section[number]["digits"] for number in runs)
    whole, _, decimals = digits.partition(".")
    scale = len(digits) - len(digits.rstrip(","))
    amount = Decimal(repr(value)).scaleb(2 * sum(token["percent"] is not None for token in section) - 3 * scale)
    exponent = next((token["exponent"] for token in section if token["exponent"]), None)
    if exponent:
        figures = f"{amount:.{min(len(decimals), _MAX_DECIMALS)}E}"
        figures = re.sub(r"E([+-])(\d)$", r"E\g<1>0\2", figures)
    else:
        figures = _figures(abs(amount), whole.rstrip(","), decimals.replace(",", ""))
    negative = amount < 0 and not exponent and figures.strip("0.,")
    parts = [figures if number == runs[0] else _literal(token) for number, token in enumerate(section)]
    return ("-" if negative else "") + "".join(parts).strip()


def _figures(amount: Decimal, whole: str, decimals: str) -> str:
    places = min(len(decimals), _MAX_DECIMALS)
    text = f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _context()):f}"
    integer, _, fraction = text.partition(".")
    fraction = fraction[: decimals.count("0")] + fraction[decimals.count("0") :].rstrip("0")
    integer = integer.lstrip("0").rjust(whole.count("0"), "0")
    if "," in whole:
        integer = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", integer)
    return f"{integer}.{fraction}" if fraction else integer or ("0" if not decimals else "")


def _context() -> Context:
    return Context(prec=400)


def _literals(section: Sequence[re.Match[str]]) -> str:
    return "".join(map(_literal, section)).strip()


def _literal(token: re.Match[str]) -> str:
    for name in ("quoted", "escaped", "currency", "percent", "other"):
        if token[name] is not None:
            return token[name]
    return ""


def _moment(value: dt.datetime | dt.date | dt.time, number_format: str) -> str:
    section = _sections(number_format)[0]
    tokens = [token["date"].lower() for token in section if token["date"]]
    letters = "".join(tokens)
    has_time, has_date = any(sign in letters for sign in "hs"), any(sign in letters for sign in "yd")
    named = any(len(token) >= 3 and token[0] in "md" for token in tokens)
    if isinstance(value, dt.time):
        return value.isoformat("seconds" if "s" in letters else "minutes")
    foreign = any(token["locale"] and int(token["locale"], 16) & 0x3FF != _ENGLISH for token in section)
    year_alone = set(letters) == {"y"}
    if (named or year_alone) and not foreign:
        return _worded(value, section)
    if isinstance(value, dt.datetime) and has_time:
        clock = value.time().isoformat("seconds" if "s" in letters else "minutes")
        return f"{value:%Y-%m-%d} {clock}" if has_date else clock
    return f"{value:%Y-%m}" if letters.strip("y").strip("m") == "" and "m" in letters else f"{value:%Y-%m-%d}"


def _worded(value: dt.datetime | dt.date, section: Sequence[re.Match[str]]) -> str:
    """Follow a format that names the month or the day, or shows the year alone."""
    moment = value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
    half = any((token["date"] or "").upper() in ("AM/PM", "A/P") for token in section)
    parts: list[str] = []
    before = ""
    for token in section:
        code = (token["date"] or "").lower()
        parts.append(
            _part(moment, code, after_hour=before.startswith("h"), half=half)
            if code
            else _literal(token) or token["digits"] or ""
        )
        before = code or before
    return "".join(parts).strip()


def _part(moment: dt.datetime, code: str, *, after_hour: bool, half: bool) -> str:
    if code in ("am/pm", "a/p"):
        return f"{moment:%p}"
    number = {
        "y": moment.year if len(code) > 2 else moment.year % 100,
        "m": moment.minute if after_hour and len(code) < 3 else moment.month,
        "d": moment.day,
        "h": (moment.hour + 11) % 12 + 1 if half else moment.hour,
        "s": moment.second,
    }[code[0]]
    if len(code) >= 3 and code[0] in "md":
        name = _MONTHS[moment.month] if code[0] == "m" else _DAYS[moment.weekday()]
        return name[0] if len(code) == 5 else name if len(code) == 4 else name[:3]
    return f"{number:02d}" if len(code) > 1 else str(number)


def _duration(value: dt.timedelta, number_format: str) -> str:
    seconds = round(abs(value).total_seconds())
    sign = "-" if value < dt.timedelta() else ""
    with_seconds = f":{seconds % 60:02d}" if "s" in number_format.lower() else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}{with_seconds}"
