"""LegalBench's questions about contract clauses (CUAD): one clause, one yes or no.

The whole clause decides, so there are no words to quote: the verdict cites the clause and has no working.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from reasoning_core.prompt import Passage
from training.instructions import Dialogue, Exchange
from training.open_sets.open_set import DIRECT, Converted, LeftOut, Licence, OpenSet, Split
from training.phrasing import with_citations

_LONGEST_CLAUSE = 700


def _read(folder: Path, files: Sequence[Path]) -> Iterator[Converted]:
    for path in files:
        task = path.parent.name.removeprefix("CUAD_")
        question = (path.parent / "base_prompt.txt").read_text("utf-8").splitlines()[0].partition("?")[0].strip() + "?"
        with path.open(encoding="utf-8", newline="") as file:
            for number, record in enumerate(csv.DictReader(file, delimiter="\t")):
                yield _converted(f"{task}-{number}", question, record["label"].strip(), record["text"].strip())


def _converted(name: str, question: str, label: str, clause: str) -> Converted:
    if label not in ("Yes", "No"):
        return LeftOut("the label is not a verdict")
    if not 0 < len(clause) <= _LONGEST_CLAUSE:
        return LeftOut("the clause is long")
    passages = (Passage("Contract > Clause", clause),)
    exchange = Exchange(passages, question, (), with_citations(label, [1]), "answer", "legalbench")
    return Dialogue(name, "legalbench", "", (DIRECT,), (exchange,))


_BY = Licence("CC-BY-4.0")
SET = OpenSet(
    name="legalbench",
    about="yes or no about a contract clause",
    source="https://github.com/HazyResearch/legalbench",
    splits={"train": Split("CUAD_*/train.tsv", _BY), "test": Split("CUAD_*/test.tsv", _BY)},
    read=_read,
)
