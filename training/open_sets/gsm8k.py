"""GSM8K: school problems in words. Its annotations `<<48/2=24>>` are the steps, the line behind `####` is the answer.

A problem is left out where a step was rounded or does not follow, or where the last step does not give the answer.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.instructions import Dialogue
from training.open_sets import word_problems
from training.open_sets.arithmetic import same_number, steps
from training.open_sets.open_set import Converted, LeftOut, Licence, OpenSet, Split

_ANNOTATION = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            record = json.loads(line)
            yield _converted(str(number), record["question"], record["answer"])


def _converted(name: str, problem: str, solution: str) -> Converted:
    lines: list[str] = []
    result = ""
    for expression, stated in _ANNOTATION.findall(solution):
        worked = steps(expression)
        if worked is None or not worked[0] or not same_number(worked[1], stated):
            return LeftOut("a step is not exact")
        lines += worked[0]
        result = worked[1]
    answer = solution.rpartition("####")[2].strip()
    if not lines or not same_number(result, answer):
        return LeftOut("the last step does not give the answer")
    story, question = word_problems.told_and_asked(problem)
    exchange = word_problems.exchange(story, question, lines, result, "gsm8k")
    if isinstance(exchange, LeftOut):
        return exchange
    tags = () if word_problems.is_sourced(exchange) else (word_problems.UNSOURCED,)
    return Dialogue(name, "gsm8k", "", tags, (exchange,))


_MIT = Licence("MIT")
SET = OpenSet(
    name="gsm8k",
    about="school problems in words, with exact steps",
    source="https://github.com/openai/grade-school-math",
    splits={"train": Split("train.jsonl", _MIT), "test": Split("test.jsonl", _MIT)},
    read=_read,
)
