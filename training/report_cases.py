"""The cases that a reader of the report should look at, with all they were asked and all that was answered.

Beside a serving core these are the cases that only one of the two got right, what was lost first, and then those that
both got wrong in different ways. A core alone shows what went wrong, what was shown as verified first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reasoning_core.prompt import Passage, numbered
from training.instructions import Exchange
from training.measurement import MeasuredCore, Suites
from training.scoring import ScoredCase

LIMIT = 40


@dataclass(frozen=True, slots=True)
class ShownCase:
    """One question with its conversation so far, what is expected, and what each core answered."""

    suite: str
    earlier: tuple[Exchange, ...]
    passages: Mapping[int, Passage]
    asked: Exchange
    given: tuple[ScoredCase, ...]
    """Of each core, in their order."""

    @property
    def id(self) -> str:
        return self.given[0].id


@dataclass(frozen=True, slots=True)
class CaseList:
    """Cases of one kind, and how many there are of it beyond those shown."""

    title: str
    lead: str
    cases: tuple[ShownCase, ...]
    left_out: int


def shown_cases(measured: Sequence[MeasuredCore], suites: Suites) -> list[CaseList]:
    """Return the lists of cases worth a look; empty ones are left out."""
    cases = list(_cases(measured, suites))
    lists = _compared(cases) if len(measured) > 1 else _alone(cases)
    return [each for each in lists if each.cases]


def _cases(measured: Sequence[MeasuredCore], suites: Suites) -> Iterable[ShownCase]:
    """Yield every case, the first of each suite before the second of any."""
    for _, _, case in sorted(_ranked(measured, suites), key=lambda ranked: ranked[:2]):
        yield case


def _ranked(measured: Sequence[MeasuredCore], suites: Suites) -> Iterable[tuple[int, int, ShownCase]]:
    for place, (suite, dialogues) in enumerate(suites.items()):
        asked = [(dialogue, turn) for dialogue in dialogues for turn in range(len(dialogue.exchanges))]
        answered = zip(asked, *(core.cases[suite] for core in measured), strict=True)
        for rank, ((dialogue, turn), *given) in enumerate(answered):
            passages = numbered(dialogue.turns()[: turn + 1])
            exchanges = dialogue.exchanges
            yield rank, place, ShownCase(suite, exchanges[:turn], passages, exchanges[turn], tuple(given))


def _compared(cases: Sequence[ShownCase]) -> list[CaseList]:
    def pick(candidate: bool, serving: bool) -> list[ShownCase]:
        return [case for case in cases if (case.given[0].right, case.given[1].right) == (candidate, serving)]

    apart = [case for case in pick(False, False) if case.given[0].text != case.given[1].text]
    return [
        _list("Lost", "The serving core is right, the candidate is not.", pick(False, True)),
        _list("Won", "The candidate is right, the serving core is not.", pick(True, False)),
        _list("Both wrong, and not alike", "Neither is right, and they say different things.", apart),
    ]


def _alone(cases: Sequence[ShownCase]) -> list[CaseList]:
    wrong = [case for case in cases if not case.given[0].right]
    verified = [case for case in wrong if case.given[0].verified]
    others = [case for case in wrong if not case.given[0].verified]
    return [
        _list("Wrong, and shown as verified", "The worst kind: the checks let these pass.", verified),
        _list("Wrong", "Wrong answers, refusals where there is an answer, quotations instead of one.", others),
    ]


def _list(title: str, lead: str, cases: Sequence[ShownCase]) -> CaseList:
    return CaseList(title, lead, tuple(cases[:LIMIT]), max(0, len(cases) - LIMIT))
