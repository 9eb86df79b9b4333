"""Instruction data: dialogues over passages, one JSON document a line.

A line is a dialogue as `write_dialogues` writes it, or the upstream form `{"instruction", "response", "condition"}`,
which is read as a dialogue of one exchange without passages.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reasoning_core.prompt import Passage, Turn
from reasoning_core.response import Response

KINDS = ("answer", "refusal", "question")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question with the passages that are new in this turn, and the response expected to it."""

    passages: tuple[Passage, ...]
    question: str
    working: tuple[str, ...]
    answer: str
    kind: str
    family: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation of one or more exchanges; `tags` say what is special about it."""

    id: str
    family: str
    split: str
    tags: tuple[str, ...]
    exchanges: tuple[Exchange, ...]

    def turns(self) -> tuple[Turn, ...]:
        """Return the conversation as the prompt layout takes it."""
        return tuple(Turn(e.passages, e.question, Response(e.working, e.answer)) for e in self.exchanges)


def write_dialogues(path: Path, dialogues: Iterable[Dialogue]) -> None:
    """Write dialogues to a JSONL file, replacing what it held."""
    with path.open("w", encoding="utf-8") as file:
        for dialogue in dialogues:
            file.write(json.dumps(asdict(dialogue), ensure_ascii=False) + "\n")


def read_dialogues(path: Path) -> Iterator[Dialogue]:
    """Yield the dialogues of a JSONL file; empty lines are passed over.

    Raises:
        ValueError: a malformed line, named as file:line with what is wrong.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                yield _dialogue(record, f"{path.name}:{number}")
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{number}: not JSON ({error.msg} at column {error.colno})") from error
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from error


def _dialogue(record: object, default_id: str) -> Dialogue:
    if not isinstance(record, dict):
        raise ValueError("a line holds one JSON object")
    if "instruction" in record:
        return _upstream(record, default_id)
    exchanges = _list(record, "exchanges")
    if not exchanges:
        raise ValueError("a dialogue has at least one exchange")
    tags = tuple(_item_text(tag, "tags") for tag in _list(record, "tags"))
    parsed = tuple(_exchange(exchange) for exchange in exchanges)
    return Dialogue(_text(record, "id"), _text(record, "family"), _text(record, "split"), tags, parsed)


def _upstream(record: Mapping[str, Any], default_id: str) -> Dialogue:
    condition = record.get("condition", "direct")
    conditions = condition if isinstance(condition, list) else [condition]
    tags = tuple(_item_text(name, "condition") for name in conditions)
    exchange = Exchange((), _text(record, "instruction"), (), _text(record, "response"), "answer", "instruction")
    return Dialogue(default_id, "instruction", "train", tags, (exchange,))


def _exchange(record: object) -> Exchange:
    if not isinstance(record, dict):
        raise ValueError("an exchange is a JSON object")
    kind = _text(record, "kind")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: use one of {', '.join(KINDS)}")
    passages = tuple(_passage(passage) for passage in _list(record, "passages"))
    working = tuple(_item_text(line, "working") for line in _list(record, "working"))
    return Exchange(
        passages, _text(record, "question"), working, _text(record, "answer"), kind, _text(record, "family")
    )


def _passage(record: object) -> Passage:
    if not isinstance(record, dict):
        raise ValueError("a passage is a JSON object with heading and text")
    return Passage(_text(record, "heading"), _text(record, "text"))


def _text(record: Mapping[str, Any], name: str) -> str:
    if name not in record:
        raise ValueError(f"{name!r} is missing")
    return _item_text(record[name], name)


def _item_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name!r} holds {type(value).__name__} where text is expected")
    return value


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    if not isinstance(record.get(name), list):
        raise ValueError(f"{name!r} is missing or not a list")
    return list(record[name])
