"""What an answer is worth: the metrics that `precept-train evaluate` and `precept evaluate` both report."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reasoning_core.response import normalised


@dataclass(frozen=True, slots=True)
class ScoredCase:
    """One question with what was expected and what was given.

    `expected` is answer, refusal or question; `given` one of these, or quotation or stopped. `group` is what the
    report breaks figures down by. A citation is right iff it lies in a passage (or overlaps a quote) of the expected
    evidence.
    """

    id: str
    group: str
    expected: str
    accepted: tuple[str, ...]
    given: str
    short_answer: str
    num_citations: int
    num_right_citations: int
    num_lines: int
    num_lines_that_hold: int
    verified: bool

    @property
    def right(self) -> bool:
        """Exact match: the right kind of response and, for an answer, an accepted short answer."""
        if self.expected != "answer" or self.given != "answer":
            return self.expected == self.given
        return normalised(self.short_answer) in {normalised(answer) for answer in self.accepted}

    @property
    def is_verdict(self) -> bool:
        return self.expected == "answer" and normalised(self.accepted[0]) in ("yes", "no")


def score(suite: str, cases: Sequence[ScoredCase]) -> dict[str, Any]:
    """Return the figures of a suite; a share of nothing is None."""
    refused = [case for case in cases if case.given == "refusal"]
    to_refuse = [case for case in cases if case.expected == "refusal"]
    rightly_refused = sum(case.expected == "refusal" for case in refused)
    verified = [case for case in cases if case.verified]
    groups: dict[str, list[ScoredCase]] = defaultdict(list)
    for case in cases:
        groups[case.group].append(case)
    return {
        "suite": suite,
        "cases": len(cases),
        "exact_match": _share(case.right for case in cases),
        "verdict_accuracy": _share(case.right for case in cases if case.is_verdict),
        "citation_precision": _ratio(
            sum(case.num_right_citations for case in cases), sum(case.num_citations for case in cases)
        ),
        "working_holds": _ratio(sum(case.num_lines_that_hold for case in cases), sum(case.num_lines for case in cases)),
        "refusal": {
            "precision": _ratio(rightly_refused, len(refused)),
            "recall": _ratio(rightly_refused, len(to_refuse)),
        },
        "answered": _share(case.given == "answer" for case in cases),
        "verified": {
            "cases": len(verified),
            "precision": _share(case.right for case in verified),
            "wrong_verdicts": sum(case.is_verdict and not case.right for case in verified),
        },
        "groups": {
            name: {"cases": len(members), "exact_match": _share(case.right for case in members)}
            for name, members in sorted(groups.items())
        },
    }


def _share(flags: Iterable[bool]) -> float | None:
    values = list(flags)
    return _ratio(sum(values), len(values))


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
