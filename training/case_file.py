"""Scored cases kept in a JSONL file as they come, and taken up again by the next run.

A line says who was asked (the core's SHA-256 and a digest of the code that reads), what (a digest of the conversation
and of what is expected) and what came of it. A case is found again only if all three digests are the same; a file may
hold cases of several cores and suites. What a killed run has left of its last line is dropped.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import reasoning_core
from reasoning_core.reader import ReaderOptions
from reasoning_core.working import Verdict
from training.instructions import Dialogue
from training.scoring import ScoredCase

_FIRST_KEY = "core_sha256"


def reader_digest(options: ReaderOptions) -> str:
    """Return what names the reading: its options and its code, scoring included."""
    sources = [*sorted(Path(reasoning_core.__file__).parent.glob("*.py")), Path(__file__).with_name("evaluation.py")]
    digest = hashlib.sha256(repr(options).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


@dataclass(slots=True)
class CaseFile:
    """The cases of one core in a file that other cores may share."""

    path: Path
    core_sha256: str
    reader: str
    _known: dict[str, ScoredCase] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Read what an earlier run has kept.

        Raises:
            ValueError: a line that is not a scored case.
        """
        if self.path.exists():
            for number, line in enumerate(_whole_lines(self.path), start=1):
                asked, case = _read_line(line, f"{self.path}:{number}", self.core_sha256, self.reader)
                if case is not None:
                    self._known[asked] = case

    def find(self, dialogue: Dialogue, turn: int) -> ScoredCase | None:
        """Return the case of a question that was asked before."""
        return self._known.get(_asked(dialogue, turn))

    def keep(self, dialogue: Dialogue, turn: int, case: ScoredCase) -> None:
        """Append one line and hand it to the operating system, so that a stopped run loses nothing."""
        who = {_FIRST_KEY: self.core_sha256, "reader": self.reader}
        what = {"split": dialogue.split, "asked": _asked(dialogue, turn)}
        line = {**who, **what, "right": case.right, "case": asdict(case)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _asked(dialogue: Dialogue, turn: int) -> str:
    content = [dialogue.id, dialogue.tags, [asdict(exchange) for exchange in dialogue.exchanges[:turn]]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _whole_lines(path: Path) -> list[str]:
    """Return the lines of the file and cut off what a killed run has left of one more.

    Raises:
        ValueError: the file ends in something else, so that it is another one and is left as it is.
    """
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    rest, start = data[end:], f'{{"{_FIRST_KEY}": '.encode()
    if not (rest.startswith(start) or start.startswith(rest)):
        raise ValueError(f"{path} does not end in a scored case: name another file with --cases")
    lines = data[:end].decode("utf-8").splitlines()
    if rest:
        os.truncate(path, end)
    return lines


def _read_line(line: str, place: str, core_sha256: str, reader: str) -> tuple[str, ScoredCase | None]:
    """Return the digest of what was asked, and the case if it is one of this core and this reading."""
    try:
        record = json.loads(line)
        mine = record[_FIRST_KEY] == core_sha256 and record["reader"] == reader
        return record["asked"], _case(record["case"]) if mine else None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{place} is not a scored case ({error}): name another file with --cases") from error


def _case(record: Mapping[str, Any]) -> ScoredCase:
    lists = {name: tuple(record[name]) for name in ("accepted", "problems")}
    return ScoredCase(**{**record, **lists, "working": tuple(Verdict(**line) for line in record["working"])})
