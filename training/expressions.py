"""Conditions and computed values of a rulebook.

A rulebook is written by people who need not be trusted with the machine, so its expressions are never Python code.
They are evaluated by simpleeval, a kept library that walks the syntax tree over named values alone, without
attributes, and with bounded powers and strings. Dates are values too: `shift(start, -14, 'd')`.
"""

import ast
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from reasoning_core.working import calculate

Scalar = int | str | date
Bindings = Mapping[str, Scalar]


def shift(day: date, count: int, unit: str) -> date:
    """Return `day` moved by `count` d, w, m or y, as the working language counts."""
    text = calculate(f"{day} {'-' if count < 0 else '+'} {abs(count)} {unit}")
    if text is None:
        raise ValueError(f"{day} cannot be shifted by {count} {unit}")
    return date.fromisoformat(text)


def days_between(early: date, late: date) -> int:
    return (late - early).days


_FUNCTIONS = {"shift": shift, "days_between": days_between, "min": min, "max": max}


def evaluate(expression: str, bindings: Bindings) -> Any:
    """Return the value of an expression over named values.

    Raises:
        ValueError: the expression does not apply to these values.
    """
    evaluator = SimpleEval(functions=_FUNCTIONS, names=dict(bindings))
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
    return SimpleEval.parse(expression)
