"""SVAMP: short problems in words with one equation."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.instructions import Dialogue
from training.open_sets import word_problems
from training.open_sets.arithmetic import same_number, steps
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for record in json.loads(path.read_text("utf-8")):
            yield _converted(record)


def _converted(record: Mapping[str, Any]) -> Converted:
    worked = steps(record["Equation"].replace(".0 ", " "))
    if worked is None or not same_number(worked[1], f"{record['Answer']:g}"):
        return LeftOut("the equation is not exact")
    lines, result = worked
    exchange = word_problems.exchange(record["Body"].strip(), record["Question"].strip(), lines, result, "svamp")
    if isinstance(exchange, LeftOut):
        return exchange
    tags = () if word_problems.is_sourced(exchange) else (word_problems.UNSOURCED,)
    return Dialogue(record["ID"], "svamp", "", tags, (exchange,))


SET = OpenSet(
    name="svamp",
    about="short problems in words with one equation",
    source="https://github.com/arkilpatel/SVAMP",
    splits={"test": Split("SVAMP.json", Licence("MIT"))},
    read=_read,
)
