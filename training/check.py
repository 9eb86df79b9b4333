"""Everything that is looked at in instruction data before a core learns from it.

One pass over the files: the form of each line, whether the responses are sound, exact and near-duplicates, questions
that stand in two splits, and contamination by the suites. Only compact hashes are kept of what was read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.contamination import NGRAMS, NgramFinding, NgramShares, WholeCase, WholeCases, cases_of, published_test
from training.dialogue_tokens import DialogueTokens
from training.instructions import Dialogue, read_lines
from training.near_duplicates import SHINGLE_TOKENS, NearDuplicates
from training.repetition import Duplicate, Leak, Repetitions
from training.soundness import faults_of
from training.suites import SUITES

THRESHOLD = 0.8
MAX_LISTED = 1000
_EXPECTED = {
    "in-distribution": "templates, values and names are shared: questions alone, never with their passages",
    "values": "templates and names are shared, numbers and dates are held out",
    "entities": "templates and values are shared, names are held out",
    "phrasings": "wordings are held out: little more than names and filling sentences",
    "families": "whole rules are held out: other rules' passages and filling sentences",
}
_EXPECTED_OF_A_SUITE = "templates and names are shared, as in values"
_EXPECTED_OF_A_FILE = "nothing"


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What a file holds; `passed_over` counts reviews that teach nothing."""

    path: str
    dialogues: int
    questions: int
    passed_over: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place, file:line."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class NearDuplicatePair:
    """The dialogue at `place` repeats the one at `of` almost word for word."""

    place: str
    of: str
    jaccard: float


@dataclass(frozen=True, slots=True)
class CheckedSuite:
    """How much of a suite stands in the data, and what is expected to by the way both are made."""

    name: str
    cases: int
    expected: str
    ngrams: tuple[NgramFinding, ...]
    whole_cases: tuple[WholeCase, ...]
    mean_score: float | None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome. `malformed` lines were not read; `unsound` responses were read and teach what is wrong."""

    files: tuple[CheckedFile, ...]
    malformed: tuple[Fault, ...]
    unsound: tuple[Fault, ...]
    duplicates: tuple[Duplicate, ...]
    near_duplicates: tuple[NearDuplicatePair, ...]
    leaks: tuple[Leak, ...]
    suites: tuple[CheckedSuite, ...]

    @property
    def contaminated(self) -> bool:
        """Whether a whole case of a suite stands in the data, or a whole question of one split in another."""
        return bool(self.leaks) or any(suite.whole_cases for suite in self.suites)

    @property
    def exit_code(self) -> int:
        """2 for data that cannot be learned from, 1 for contaminated data, else 0."""
        return 2 if self.malformed or self.unsound else int(self.contaminated)

    def document(self) -> dict[str, Any]:
        """Return the report as one JSON document; of each list the first thousand are given beside their number."""
        lists = ("malformed", "unsound", "duplicates", "near_duplicates", "leaks")
        whole = asdict(self)
        counted = {name: {"count": len(whole[name]), "first": whole[name][:MAX_LISTED]} for name in lists}
        counted["near_duplicates"] |= {"threshold": THRESHOLD, "shingle_tokens": SHINGLE_TOKENS}
        verdict = {"contaminated": self.contaminated, "exit_code": self.exit_code}
        return {"files": whole["files"], **counted, "suites": whole["suites"], **verdict}


@dataclass(slots=True)
class _Pass:
    """What is collected on the way through the files."""

    places: list[str] = field(default_factory=list)
    malformed: list[Fault] = field(default_factory=list)
    unsound: list[Fault] = field(default_factory=list)
    repetitions: Repetitions = field(default_factory=Repetitions)
    near: NearDuplicates = field(default_factory=lambda: NearDuplicates(THRESHOLD))


class Check:
    """Checks files against suites, given by name with the dialogues of each."""

    def __init__(self, suites: Mapping[str, Sequence[Dialogue]]) -> None:
        self._cases = {name: cases_of(name, dialogues) for name, dialogues in suites.items()}
        together = [case for cases in self._cases.values() for case in cases]
        self._shares = [NgramShares(together, n) for n in NGRAMS]
        self._whole = WholeCases(together)
        self._seen = _Pass()
        self._files: list[CheckedFile] = []

    def read(self, path: Path, on_line: Callable[[], None]) -> None:
        """Take in one file."""
        dialogues = questions = passed_over = 0
        for line in read_lines(path):
            place = f"{path}:{line.number}"
            if line.fault:
                self._seen.malformed.append(Fault(place, line.fault))
            elif line.dialogue is None:
                passed_over += 1
            else:
                dialogues += 1
                questions += sum(exchange.supervised for exchange in line.dialogue.exchanges)
                self._see(line.dialogue, place)
            on_line()
        self._files.append(CheckedFile(str(path), dialogues, questions, passed_over))

    def report(self, scores: Mapping[str, Sequence[float]] | None = None) -> CheckReport:
        """Return what was found; `scores` are those of one core for the cases of each suite, in order."""
        seen = self._seen
        pairs = seen.near.find()
        return CheckReport(
            files=tuple(self._files),
            malformed=tuple(seen.malformed),
            unsound=tuple(seen.unsound),
            duplicates=tuple(seen.repetitions.duplicates),
            near_duplicates=tuple(
                NearDuplicatePair(seen.places[pair.number], seen.places[pair.of], round(pair.jaccard, 4))
                for pair in pairs
            ),
            leaks=tuple(seen.repetitions.leaks),
            suites=tuple(self._suites(scores)),
        )

    def _see(self, dialogue: Dialogue, place: str) -> None:
        seen, tokens = self._seen, DialogueTokens(dialogue)
        seen.unsound += [Fault(place, fault) for fault in faults_of(dialogue)]
        for search in self._shares:
            search.see(tokens)
        self._whole.see(tokens, place)
        if seen.repetitions.see(dialogue, tokens, place):
            seen.places.append(place)
            seen.near.add(tokens.together)

    def _suites(self, scores: Mapping[str, Sequence[float]] | None) -> list[CheckedSuite]:
        whole = self._whole.found()
        shares = {search.n: search.shares() for search in self._shares}
        result, first = [], 0
        for name, cases in self._cases.items():
            own = slice(first, first + len(cases))
            first += len(cases)
            scored = scores[name] if scores else None
            result.append(
                CheckedSuite(
                    name=name,
                    cases=len(cases),
                    expected=_expected(name),
                    ngrams=tuple(published_test(n, shares[n][own], scored) for n in NGRAMS),
                    whole_cases=tuple(case for case in whole if case.suite == name),
                    mean_score=sum(scored) / len(scored) if scored else None,
                )
            )
        return result


def _expected(suite: str) -> str:
    """Return what such a suite shares with data made from the same rulebooks."""
    return _EXPECTED.get(suite, _EXPECTED_OF_A_SUITE) if suite in SUITES else _EXPECTED_OF_A_FILE
