"""Expressions of arithmetic as lines of the working language, one for each pair of brackets.

`(44.1-56.7)/3` is no line of that language, but `44.1 - 56.7 = -12.6` is one. An expression is taken apart from the
innermost brackets outwards; what cannot be said exactly (a quotient that does not end, a negative number inside a step)
is not said.
"""

import re

from reasoning_core.working import calculate, parse_value

_TOKEN = re.compile(r"\s*(?:(?P<number>\d[\d,]*(?:\.\d+)?|\.\d+)(?P<percent>\s?%)?|(?P<sign>[-+*/()]))")
_ALIKE = str.maketrans({"[": "(", "]": ")", "{": "(", "}": ")", "×": "*", "÷": "/", "−": "-", "–": "-", "x": "*"})
_CURRENCY = re.compile(r"[$€£]")


def steps(expression: str) -> tuple[list[str], str] | None:
    """Return the lines that work an expression out, and its exact result; None where it has no exact form."""
    tokens = _tokens(expression)
    if tokens is None:
        return None
    lines: list[str] = []
    while ")" in tokens:
        close = tokens.index(")")
        opened = next((i for i in range(close, -1, -1) if tokens[i] == "("), None)
        if opened is None:
            return None
        result = _step(tokens[opened + 1 : close], lines)
        if result is None:
            return None
        tokens[opened : close + 1] = [result]
    result = _step(tokens, lines)
    return (lines, result) if result is not None else None


def same_number(one: str, other: str) -> bool:
    """Return whether two numbers are equal as written, sign included."""
    one, other = one.replace("−", "-").strip(), other.replace("−", "-").strip()
    try:
        values = [parse_value(_CURRENCY.sub("", text).removeprefix("-")) for text in (one, other)]
    except ValueError:
        return False
    return values[0] == values[1] and (one.startswith("-") == other.startswith("-") or values[0] == 0)


def _step(tokens: list[str], lines: list[str]) -> str | None:
    """Append the line of an expression without brackets, unless it is one number, and return its result."""
    if len(tokens) == 1:
        return tokens[0]
    if len(tokens) == 3 and tokens[1] == "*" and sum(token.endswith("%") for token in tokens) == 1:
        rate, whole = sorted((tokens[0], tokens[2]), key=lambda token: not token.endswith("%"))
        expression = f"{rate.removesuffix('%')} % of {whole}"
    elif any(token.startswith("-") and len(token) > 1 for token in tokens) or any("%" in token for token in tokens):
        return None
    else:
        expression = " ".join(tokens)
    result = calculate(expression)
    if result is not None:
        lines.append(f"{expression} = {result}")
    return result


def _tokens(expression: str) -> list[str] | None:
    text = _CURRENCY.sub("", expression.translate(_ALIKE)).strip()
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        number = match["number"]
        if number is None:
            tokens.append(match["sign"])
        else:
            tokens.append(("0" if number.startswith(".") else "") + number + ("%" if match["percent"] else ""))
        position = match.end()
    return tokens or None
