"""YAML with its line numbers kept, so that every mistake can be named as file:line."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import yaml


@dataclass(frozen=True, slots=True)
class Field:
    """One node of a YAML document."""

    node: yaml.Node
    file: str

    def error(self, sentence: str) -> ValueError:
        return ValueError(f"{self.file}:{self.node.start_mark.line + 1}: {sentence}")

    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    def items(self) -> list["Field"]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error("a list is expected here")
        return [Field(node, self.file) for node in self.node.value]

    def entries(self) -> list[tuple[str, "Field"]]:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("a mapping of names to values is expected here")
        return [(Field(key, self.file).text(), Field(value, self.file)) for key, value in self.node.value]

    def mapping(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> dict[str, "Field"]:
        """Return the entries by name, with no name missing, unknown or repeated."""
        required = tuple(required)
        allowed = (*required, *optional)
        found: dict[str, Field] = {}
        for name, field in self.entries():
            if name not in allowed:
                raise field.error(f"unknown field {name!r}: use one of {', '.join(allowed)}")
            if name in found:
                raise field.error(f"{name!r} stands here twice: keep one")
            found[name] = field
        for name in required:
            if name not in found:
                raise self.error(f"{name!r} is missing: add it")
        return found

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            raise self.error("text is expected here")
        return str(self.node.value)

    def texts(self) -> tuple[str, ...]:
        found = tuple(item.text() for item in self.items())
        if not found:
            raise self.error("this list is empty: add at least one item")
        return found

    def integer(self) -> int:
        try:
            return int(self.text())
        except ValueError as error:
            raise self.error(f"{self.text()!r} is not a whole number") from error

    def number(self) -> int | Decimal:
        """Return a whole number, or a decimal with the places it is written with."""
        text = self.text()
        try:
            return Decimal(text) if "." in text and Decimal(text).is_finite() else int(text)
        except (ValueError, ArithmeticError) as error:
            raise self.error(f"{text!r} is not a number") from error

    def day(self) -> date:
        try:
            return date.fromisoformat(self.text())
        except ValueError as error:
            raise self.error(f"{self.text()!r} is not a date like 2027-03-01") from error

    def flag(self) -> bool:
        if self.text() not in ("true", "false"):
            raise self.error(f"{self.text()!r} is neither true nor false")
        return self.text() == "true"


def documents(text: str, file: str) -> Field:
    """Return the one document of a YAML text.

    Raises:
        ValueError: not YAML, or empty.
    """
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"{file}:{line}: not YAML: {error.problem}") from error
    if node is None:
        raise ValueError(f"{file}:1: the rulebook is empty: add a rule")
    return Field(node, file)
