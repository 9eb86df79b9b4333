"""Instruction data: dialogues over passages, one JSON document a line, in any of three forms.

1. A dialogue, as `write_dialogues` writes it.
2. The upstream form `{"instruction", "response", "condition"}`, read as one exchange without passages. Its conditions
   (`direct`, `cot`, `noisy`, `synth`, as "synth,cot" or as a list; `direct` where none is given) become tags, and
   `Dialogue.conditions` hands them to the prompt layout, which writes their tokens at the start of every prompt block.
   A dialogue without such a tag is prompted as serving prompts, with `reasoning_core.prompt.CONDITIONS`.
3. A reviewed answer, as the application exports it: `{"verdict", "id", "core", "turns", "correction"}`. `turns` is the
   conversation up to the reviewed answer, oldest first, each with the `passages` new in it (heading and text as the
   core read them, numbered through the conversation from 1), `question`, `working`, `answer` and `kind` (answer,
   refusal, question, quotation or stopped). `verdict` is approved or rejected; `correction` (working and answer)
   stands beside a rejection that says what would have been right. Only the reviewed answer is learned, never the
   earlier ones; a rejection without a correction is no training data and is passed over.

A malformed line is an error that names file and line; `read_lines` collects such faults where `read_dialogues` stops.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reasoning_core import prompt
from reasoning_core.prompt import Passage, Turn
from reasoning_core.response import Response
from reasoning_core.tokenizer import CONDITIONS

KINDS = ("answer", "refusal", "question")
_SHOWN_KINDS = (*KINDS, "quotation", "stopped")
_VERDICTS = ("approved", "rejected")
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question with the passages that are new in this turn, and the response expected to it.

    A response that is not `supervised` is context for those behind it and is not learned.
    """

    passages: tuple[Passage, ...]
    question: str
    working: tuple[str, ...]
    answer: str
    kind: str
    family: str
    supervised: bool = True


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation of one or more exchanges; `tags` say what is special about it."""

    id: str
    family: str
    split: str
    tags: tuple[str, ...]
    exchanges: tuple[Exchange, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """What its prompt blocks open with: those of its tags that are conditions, else what serving opens with."""
        return tuple(tag for tag in self.tags if tag in CONDITIONS) or prompt.CONDITIONS

    def turns(self) -> tuple[Turn, ...]:
        """Return the conversation as the prompt layout takes it."""
        return tuple(Turn(e.passages, e.question, Response(e.working, e.answer)) for e in self.exchanges)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: its dialogue, or what is wrong with it; neither for a review that teaches nothing."""

    number: int
    dialogue: Dialogue | None
    fault: str = ""


def write_dialogues(path: Path, dialogues: Iterable[Dialogue]) -> None:
    """Write dialogues to a JSONL file, replacing what it held."""
    with path.open("w", encoding="utf-8") as file:
        for dialogue in dialogues:
            file.write(json.dumps(_record(dialogue), ensure_ascii=False) + "\n")


def read_dialogues(path: Path) -> Iterator[Dialogue]:
    """Yield the dialogues of a JSONL file; empty lines and reviews that teach nothing are passed over.

    Raises:
        ValueError: a malformed line, named as file:line with what is wrong.
    """
    for line in read_lines(path):
        if line.fault:
            raise ValueError(f"{path}:{line.number}: {line.fault}")
        if line.dialogue is not None:
            yield line.dialogue


def read_lines(path: Path) -> Iterator[Line]:
    """Yield every line of a JSONL file that is not empty, the malformed ones with their fault."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield Line(number, _dialogue(json.loads(line.decode("utf-8")), f"{path.name}:{number}"))
            except json.JSONDecodeError as error:
                yield Line(number, None, f"not JSON ({error.msg} at column {error.colno})")
            except UnicodeDecodeError as error:
                yield Line(number, None, f"not UTF-8 (byte {error.start})")
            except RecursionError:
                yield Line(number, None, "not JSON that can be read (it is nested too deeply)")
            except ValueError as error:
                yield Line(number, None, str(error))


def _record(dialogue: Dialogue) -> dict[str, Any]:
    record = asdict(dialogue)
    for exchange in record["exchanges"]:
        if exchange["supervised"]:
            del exchange["supervised"]
    return record


def _dialogue(record: object, default_id: str) -> Dialogue | None:
    if not isinstance(record, dict):
        raise ValueError("a line holds one JSON object")
    if "instruction" in record:
        return _upstream(record, default_id)
    if "verdict" in record:
        return _reviewed(record)
    exchanges = _list(record, "exchanges")
    if not exchanges:
        raise ValueError("a dialogue has at least one exchange")
    tags = tuple(_item_text(tag, "tags") for tag in _list(record, "tags"))
    parsed = tuple(_exchange(exchange) for exchange in exchanges)
    return Dialogue(_text(record, "id"), _text(record, "family"), _text(record, "split"), tags, parsed)


def _upstream(record: Mapping[str, Any], default_id: str) -> Dialogue:
    condition = record.get("condition", "direct")
    names = condition if isinstance(condition, list) else _item_text(condition, "condition").split(",")
    tags = tuple(_item_text(name, "condition").strip() for name in names)
    if unknown := [name for name in tags if name not in CONDITIONS]:
        raise ValueError(f"unknown condition {unknown[0]!r}: use one of {', '.join(CONDITIONS)}")
    exchange = Exchange((), _text(record, "instruction"), (), _text(record, "response"), "answer", "instruction")
    return Dialogue(default_id, "instruction", "train", tags, (_learnable(exchange),))


def _reviewed(record: Mapping[str, Any]) -> Dialogue | None:
    verdict = _one_of(record, "verdict", _VERDICTS)
    turns = _list(record, "turns")
    if not turns:
        raise ValueError("a reviewed answer has at least one turn")
    *earlier, last = (_shown(turn) for turn in turns)
    correction = record.get("correction")
    tags = ["reviewed", f"core:{_text(record, 'core')}"]
    if verdict == "approved":
        if correction is not None:
            raise ValueError("an approved answer has no correction: make the verdict rejected, or leave it out")
        if last.kind not in KINDS:
            raise ValueError(f"a {last.kind} cannot be approved as an answer: reject it with a correction")
        learned = last
    elif correction is None:
        return None
    else:
        working, answer = _response(correction)
        tags.append("corrected")
        learned = Exchange(last.passages, last.question, working, answer, _kind(answer, working), "reviewed")
    context = (Exchange(e.passages, e.question, e.working, e.answer, e.kind, e.family, False) for e in earlier)
    return Dialogue(_text(record, "id"), "reviewed", "train", tuple(tags), (*context, _learnable(learned)))


def _shown(record: object) -> Exchange:
    """Read one turn as it was shown."""
    if not isinstance(record, dict):
        raise ValueError("a turn is a JSON object")
    working, answer = _response(record)
    kind = _one_of(record, "kind", _SHOWN_KINDS)
    return Exchange(_passages(record), _text(record, "question"), working, answer, kind, "reviewed")


def _response(record: object) -> tuple[tuple[str, ...], str]:
    if not isinstance(record, dict):
        raise ValueError("a correction is a JSON object with working and answer")
    return tuple(_item_text(line, "working") for line in _list(record, "working")), _text(record, "answer")


def _kind(answer: str, working: tuple[str, ...]) -> str:
    """Return the kind that the reader gives such a response."""
    response = Response(working, answer)
    return "refusal" if response.refused else "question" if response.asks_back and not working else "answer"


def _exchange(record: object) -> Exchange:
    if not isinstance(record, dict):
        raise ValueError("an exchange is a JSON object")
    working, answer = _response(record)
    kind, family = _one_of(record, "kind", KINDS), _text(record, "family")
    supervised = record.get("supervised", True)
    if not isinstance(supervised, bool):
        raise ValueError(f"'supervised' holds {type(supervised).__name__} where true or false is expected")
    exchange = Exchange(_passages(record), _text(record, "question"), working, answer, kind, family, supervised)
    return _learnable(exchange) if supervised else exchange


def _learnable(exchange: Exchange) -> Exchange:
    if not exchange.question.strip():
        raise ValueError("the question is empty")
    if not exchange.answer.strip():
        raise ValueError("the answer is empty")
    return exchange


def _passages(record: Mapping[str, Any]) -> tuple[Passage, ...]:
    return tuple(_passage(passage) for passage in _list(record, "passages"))


def _passage(record: object) -> Passage:
    if not isinstance(record, dict):
        raise ValueError("a passage is a JSON object with heading and text")
    return Passage(_text(record, "heading"), _text(record, "text"))


def _one_of(record: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    if (value := _text(record, name)) not in allowed:
        raise ValueError(f"unknown {name} {value!r}: use one of {', '.join(allowed)}")
    return value


def _text(record: Mapping[str, Any], name: str) -> str:
    if name not in record:
        raise ValueError(f"{name!r} is missing")
    return _item_text(record[name], name)


def _item_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name!r} holds {type(value).__name__} where text is expected")
    if not value.isascii() and _HALF_A_CHARACTER.search(value):
        raise ValueError(f"{name!r} holds half of a surrogate pair, which is not text")
    return value


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    if not isinstance(record.get(name), list):
        raise ValueError(f"{name!r} is missing or not a list")
    return list(record[name])
