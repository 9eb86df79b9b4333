"""P3: prompts of many tasks with their completions, in upstream's form: an instruction and a response, no passages."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.instructions import Dialogue, Exchange
from training.open_sets.open_set import DIRECT, Converted, LeftOut, Licence, OpenSet, Split

_END = "<|endoftext|>"
_LONGEST_PROMPT = 2000


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        for number, line in enumerate(path.read_text("utf-8").splitlines()):
            if line.strip():
                record = json.loads(line)
                yield _converted(f"{path.stem}-{number}", record["prompt"], record["completion"])


def _converted(name: str, prompt: str, completion: str) -> Converted:
    response = completion.removesuffix(_END).strip()
    if not prompt.strip() or not response:
        return LeftOut("prompt or completion is empty")
    if len(prompt) > _LONGEST_PROMPT:
        return LeftOut("the prompt is long")
    exchange = Exchange((), prompt.strip(), (), response, "answer", "p3")
    return Dialogue(name, "p3", "", (DIRECT,), (exchange,))


# The prompts are Apache-2.0, the sets behind them CC-BY, CC-BY-SA and MIT: the strictest counts.
SET = OpenSet(
    name="p3",
    about="prompts of many tasks with their completions",
    source="https://github.com/bigscience-workshop/promptsource",
    splits={"sample": Split("data_per_template/*.jsonl", Licence("Apache-2.0 AND CC-BY-SA-4.0", share_alike=True))},
    read=_read,
)
