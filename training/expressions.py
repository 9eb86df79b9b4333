"""Conditions and computed values of a rulebook.

A rulebook is written by people who need not be trusted with the machine, so its expressions are never Python code.
They are evaluated by simpleeval, a kept library that walks the syntax tree over named values alone, without
attributes, and with bounded powers and strings. Numbers are exact: `0.5` is a decimal, and `/` refuses a quotient that
does not end. Dates are values too: `shift(start, -14, 'd')`.
"""

import ast
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from simpleeval import DEFAULT_OPERATORS, InvalidExpression, SimpleEval

from reasoning_core.working import calculate

Scalar = int | Decimal | str | date
Bindings = Mapping[str, Scalar]


def shift(day: date, count: int, unit: str) -> date:
    """Return `day` moved by `count` d, w, m or y, as the working language counts."""
    text = calculate(f"{day} {'-' if count < 0 else '+'} {abs(count)} {unit}")
    if text is None:
        raise ValueError(f"{day} cannot be shifted by {count} {unit}")
    return date.fromisoformat(text)


def days_between(early: date, late: date) -> int:
    return (late - early).days


def divide(whole: int | Decimal, by: int | Decimal) -> int | Decimal:
    """Return the exact quotient.

    Raises:
        ValueError: it does not end, or `by` is zero.
    """
    if by == 0:
        raise ValueError(f"{whole} cannot be divided by zero")
    quotient = Fraction(whole) / Fraction(by)
    if quotient.denominator == 1:
        return int(quotient)
    result = Decimal(quotient.numerator) / quotient.denominator
    if Fraction(result) != quotient:
        raise ValueError(f"{whole} / {by} does not end: use // for the whole part")
    return result


_FUNCTIONS = {"shift": shift, "days_between": days_between, "min": min, "max": max}
_OPERATORS = {**DEFAULT_OPERATORS, ast.Div: divide}


class _ExactNumbers(ast.NodeTransformer):
    """Turns the decimals of an expression, which Python reads as floats, into exact ones."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, float):
            node.value = Decimal(repr(node.value))  # type: ignore[assignment] # the evaluator hands it on as it is
        return node


def evaluate(expression: str, bindings: Bindings) -> Any:
    """Return the value of an expression over named values.

    Raises:
        ValueError: the expression does not apply to these values.
    """
    evaluator = SimpleEval(_OPERATORS, _FUNCTIONS, dict(bindings))
    try:
        return evaluator.eval(expression, previously_parsed=_parsed(expression))
    except (InvalidExpression, TypeError) as error:
        raise ValueError(f"{expression!r} cannot be evaluated: {error}") from error


def names_in(expression: str) -> set[str]:
    """Return the value names that an expression uses.

    Raises:
        ValueError: not an expression.
    """
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"{expression!r} is not an expression: {error.msg}") from error
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(_FUNCTIONS)


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Any:
    return _ExactNumbers().visit(SimpleEval.parse(expression))
