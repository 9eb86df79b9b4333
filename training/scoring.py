"""What an answer is worth: the metrics that `precept-train evaluate` and `precept evaluate` both report.

A figure is a ratio of two sums over cases (for the pairs of the counterfactual suite: over dialogues), so that each
has a bootstrap interval over dialogues.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from reasoning_core.response import normalised
from reasoning_core.working import Verdict
from training.calibration import expected_calibration_error, reliability
from training.intervals import Bootstrap, Ratio, intervals

CLAIMS = ("answer", "refusal", "question")
"""What a core itself says; a quotation is code's, and what was stopped is nobody's."""

Counted = Callable[[Sequence["ScoredCase"]], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class ScoredCase:
    """One question with what was expected and what was given.

    `expected` is answer, refusal or question; `given` one of these, or quotation or stopped. `group` is what the
    report breaks figures down by. A citation is right iff it lies in a passage (or overlaps a quote) of the expected
    evidence. `dialogue` names the cases that are not independent; `variant` is original, edited or removed in a
    counterfactual trio. `num_tokens` counts working and answer of the try that was kept, `seconds` all tries.
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
    dialogue: str = ""
    turn: int = 1
    variant: str = ""
    confidence: float | None = None
    num_tokens: int | None = None
    seconds: float | None = None
    text: str = ""
    working: tuple[Verdict, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Exact match: the right kind of response and, for an answer, an accepted short answer."""
        if self.expected != "answer" or self.given != "answer":
            return self.expected == self.given
        return normalised(self.short_answer) in {normalised(answer) for answer in self.accepted}

    @property
    def is_verdict(self) -> bool:
        return self.expected == "answer" and normalised(self.accepted[0]) in ("yes", "no")


def score(suite: str, cases: Sequence[ScoredCase], bootstrap: Bootstrap | None = None) -> dict[str, Any]:
    """Return the figures of a suite; a share of nothing is None."""
    ratios = {name: ratio(cases, counted) for name, counted in _FIGURES.items()}
    value = {name: _rounded(each.value) for name, each in ratios.items()}
    spans = {name: _span(each) for name, each in intervals(ratios, bootstrap or Bootstrap()).items()}
    verified = [case for case in cases if case.verified]
    return {
        "suite": suite,
        "cases": len(cases),
        "dialogues": len(by_dialogue(cases)),
        **{name: value[name] for name in ("exact_match", "verdict_accuracy", "citation_precision", "working_holds")},
        "refusal": {name: value[f"refusal_{name}"] for name in ("precision", "recall", "f1")},
        "answered": value["answered"],
        "verified": {
            "cases": len(verified),
            "precision": value["verified_precision"],
            "wrong": sum(not case.right for case in verified),
            "wrong_verdicts": sum(case.is_verdict and not case.right for case in verified),
        },
        "counterfactual": _counterfactual(cases, value),
        "calibration": calibration(cases),
        "cost": {
            "tokens_per_answer": _mean(case.num_tokens for case in cases),
            "seconds_per_answer": _mean(case.seconds for case in cases),
        },
        "intervals": {name: span for name, span in spans.items() if span is not None},
        "turns": {str(turn): _part(members, bootstrap) for turn, members in sorted(_by_turn(cases).items())},
        "groups": {
            name: {"cases": len(members), "exact_match": _rounded(ratio(members, _FIGURES["exact_match"]).value)}
            for name, members in sorted(_by_group(cases).items())
        },
    }


def calibration(cases: Iterable[ScoredCase]) -> dict[str, Any]:
    """Return the expected calibration error and the reliability table of what a core claims with a confidence."""
    claims = [(c.confidence, c.right) for c in cases if c.confidence is not None and c.given in CLAIMS]
    bins = reliability(claims)
    table = [{name: _rounded(value) for name, value in asdict(each).items()} for each in bins]
    return {"cases": len(claims), "ece": _rounded(expected_calibration_error(bins)), "table": table}


def ratio(cases: Iterable[ScoredCase], counted: Counted) -> Ratio:
    """Count part and whole in each dialogue."""
    pairs = [counted(members) for members in by_dialogue(cases).values()]
    return Ratio(tuple(part for part, _ in pairs), tuple(whole for _, whole in pairs))


def exact_match(cases: Iterable[ScoredCase]) -> Ratio:
    """Return the share of cases that are right, dialogue by dialogue."""
    return ratio(cases, _FIGURES["exact_match"])


def follow(cases: Iterable[ScoredCase]) -> Ratio:
    """Return the share of counterfactual pairs whose answer follows the edited fact."""
    return ratio(cases, _follows)


def by_dialogue(cases: Iterable[ScoredCase]) -> dict[str, list[ScoredCase]]:
    """Return the cases by what they must be resampled with; a case without a dialogue is one of its own."""
    members: dict[str, list[ScoredCase]] = defaultdict(list)
    for case in cases:
        members[case.dialogue or case.id].append(case)
    return members


def joined(suites: Mapping[str, Sequence[ScoredCase]]) -> list[ScoredCase]:
    """Return the cases of all suites, each dialogue under a name that says its suite."""
    return [
        replace(case, dialogue=f"{name}/{case.dialogue or case.id}") for name, cases in suites.items() for case in cases
    ]


def _sums(part: Callable[[ScoredCase], float], whole: Callable[[ScoredCase], float]) -> Counted:
    return lambda cases: (sum(map(part, cases)), sum(map(whole, cases)))


def _share(chosen: Callable[[ScoredCase], bool], of: Callable[[ScoredCase], bool] = lambda _: True) -> Counted:
    """Count the cases that are `chosen` among those that `of` holds of."""
    return _sums(lambda case: of(case) and chosen(case), of)


def _follows(cases: Sequence[ScoredCase]) -> tuple[float, float]:
    """Count a pair whose answer should follow the edit: are both right?

    A pair with the same short answer before and after (it differs in the explanation) shows nothing and is left out.
    """
    pair = [case for case in cases if case.variant in ("original", "edited")]
    if len({normalised(case.accepted[0]) for case in pair}) < 2:
        return 0.0, 0.0
    return float(all(case.right for case in pair)), 1.0


_FIGURES: Mapping[str, Counted] = {
    "exact_match": _share(lambda case: case.right),
    "verdict_accuracy": _share(lambda case: case.right, lambda case: case.is_verdict),
    "citation_precision": _sums(lambda case: case.num_right_citations, lambda case: case.num_citations),
    "working_holds": _sums(lambda case: case.num_lines_that_hold, lambda case: case.num_lines),
    "refusal_precision": _share(lambda case: case.expected == "refusal", lambda case: case.given == "refusal"),
    "refusal_recall": _share(lambda case: case.given == "refusal", lambda case: case.expected == "refusal"),
    "refusal_f1": _sums(  # 2 TP / (refused + to refuse), which is the harmonic mean of the two above
        lambda case: 2.0 * (case.given == case.expected == "refusal"),
        lambda case: (case.given == "refusal") + (case.expected == "refusal"),
    ),
    "answered": _share(lambda case: case.given == "answer"),
    "verified_precision": _share(lambda case: case.right, lambda case: case.verified),
    "follow": _follows,
    "refuses": _share(lambda case: case.right, lambda case: case.variant == "removed"),
}


def _counterfactual(cases: Sequence[ScoredCase], value: Mapping[str, float | None]) -> dict[str, Any] | None:
    """Return how often the answer follows an edited fact and is refused without it, or None for another suite."""
    pairs = int(sum(ratio(cases, _FIGURES["follow"]).wholes))
    removed = sum(case.variant == "removed" for case in cases)
    if not (pairs or removed):
        return None
    return {"pairs": pairs, "follow": value["follow"], "removed": removed, "refuses": value["refuses"]}


def _part(cases: Sequence[ScoredCase], bootstrap: Bootstrap | None) -> dict[str, Any]:
    share = exact_match(cases)
    span = intervals({"exact_match": share}, bootstrap or Bootstrap())["exact_match"]
    return {"cases": len(cases), "exact_match": _rounded(share.value), "interval": _span(span)}


def _by_turn(cases: Iterable[ScoredCase]) -> dict[int, list[ScoredCase]]:
    members: dict[int, list[ScoredCase]] = defaultdict(list)
    for case in cases:
        members[case.turn].append(case)
    return members


def _by_group(cases: Iterable[ScoredCase]) -> dict[str, list[ScoredCase]]:
    members: dict[str, list[ScoredCase]] = defaultdict(list)
    for case in cases:
        members[case.group].append(case)
    return members


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _rounded(sum(known) / len(known)) if known else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _span(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(end, 4) for end in interval]
