"""The gate: may a candidate core take the place of the one that serves?

Both cores are asked the same questions. What is judged is the paired difference of exact match, candidate minus
serving, with its percentile bootstrap interval over dialogues, of each suite and of all suites together. The gate says
yes if and only if all of these hold:

1. *Enough was asked*: at least `min_cases` questions in all.
2. *Nothing falls*: a suite falls when it loses more than `tolerance` (a point) and its whole 95 % interval lies below
   zero, that is, when the fall is both material and more than the draw of the questions explains. The share of
   counterfactual pairs whose answer follows the edited fact is held to the same rule.
3. *Verified stays verified*: not more wrong answers are shown as verified than by the serving core. This one is a
   count without an allowance for chance: it is what people are told they may rely on.
4. *Something is gained*: a suite, or all together, improves with its whole interval above zero. Because so many are
   looked at, each of these intervals is widened to 1 - 5 % / their number (Bonferroni). Failing that, the candidate is
   right wherever the serving core is, and somewhere else too.

Two cores that are equally good differ by chance in rule 2 in 2.5 % of the suites. A no names the suite and its numbers,
so that more questions (`--limit`) can settle it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from training.intervals import Bootstrap, Interval, Ratio, difference
from training.scoring import ScoredCase, exact_match, follow, joined

ALL = "all suites"

Suites = Mapping[str, Sequence[ScoredCase]]


@dataclass(frozen=True, slots=True)
class GateRule:
    """The parameters of the rule above; `alpha` is what the confidence of an interval leaves out."""

    min_cases: int = 200
    tolerance: float = 0.01
    extra_wrong_verified: int = 0
    alpha: float = 0.05
    bootstrap: Bootstrap = field(default_factory=lambda: Bootstrap(resamples=5000))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One suite, or all together, under both cores; `gain_interval` is `interval` as wide as a gain demands.

    `won` counts the cases that only the candidate got right, `lost` those that only the serving core did.
    `wrong_verified` is of the candidate and of the serving core.
    """

    suite: str
    cases: int
    difference: float
    interval: Interval
    gain_interval: Interval
    won: int
    lost: int
    wrong_verified: tuple[int, int]

    @property
    def gains(self) -> bool:
        return self.gain_interval[0] > 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Yes or no, why, and the comparisons it rests on: all suites together (where there are several), then each."""

    passed: bool
    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


def judge(candidate: Suites, serving: Suites, rule: GateRule | None = None) -> Judgement:
    """Compare the scored cases of both cores, suite by suite, and decide.

    Raises:
        ValueError: the two were not asked the same questions.
    """
    rule = rule or GateRule()
    _require_same_questions(candidate, serving)
    looked_at = _compared(candidate, serving, rule)
    objections = [
        *_too_few(looked_at[0], rule),
        *(_fall(each.suite, each.difference, each.interval, rule) for each in looked_at if _falls(each, rule)),
        *_follows_less(candidate, serving, rule),
        *_more_wrong_verified(looked_at[0], rule),
    ]
    gains = _gains(looked_at, rule)
    if not gains:
        objections.append(_nothing_gained(looked_at[0], rule))
    return Judgement(not objections, tuple(objections or gains), looked_at)


def _require_same_questions(candidate: Suites, serving: Suites) -> None:
    if not candidate:
        raise ValueError("there is nothing to compare: name at least one suite")
    for name in dict.fromkeys((*candidate, *serving)):
        ours, theirs = ([case.id for case in suites.get(name, ())] for suites in (candidate, serving))
        if ours != theirs:
            raise ValueError(f"the two cores were not asked the same questions of {name}: evaluate both again")


def _compared(candidate: Suites, serving: Suites, rule: GateRule) -> tuple[Comparison, ...]:
    pairs = {name: (candidate[name], serving[name]) for name in candidate}
    if len(pairs) > 1:
        pairs = {ALL: (joined(candidate), joined(serving)), **pairs}
    return tuple(_compare(name, *cases, rule, len(pairs)) for name, cases in pairs.items())


def _compare(
    name: str, candidate: Sequence[ScoredCase], serving: Sequence[ScoredCase], rule: GateRule, num_looked_at: int
) -> Comparison:
    ours, theirs = exact_match(candidate), exact_match(serving)
    rights = [(a.right, b.right) for a, b in zip(candidate, serving, strict=True)]
    return Comparison(
        suite=name,
        cases=len(rights),
        difference=(ours.value or 0.0) - (theirs.value or 0.0),
        interval=_interval(ours, theirs, rule, rule.alpha),
        gain_interval=_interval(ours, theirs, rule, rule.alpha / num_looked_at),
        won=sum(a and not b for a, b in rights),
        lost=sum(b and not a for a, b in rights),
        wrong_verified=(_wrong_verified(candidate), _wrong_verified(serving)),
    )


def _interval(candidate: Ratio, serving: Ratio, rule: GateRule, alpha: float) -> Interval:
    return difference(candidate, serving, replace(rule.bootstrap, confidence=1 - alpha)) or (0.0, 0.0)


def _wrong_verified(cases: Sequence[ScoredCase]) -> int:
    return sum(case.verified and not case.right for case in cases)


def _too_few(together: Comparison, rule: GateRule) -> list[str]:
    if together.cases >= rule.min_cases:
        return []
    return [f"only {together.cases} questions were asked: at least {rule.min_cases} are needed to judge"]


def _falls(compared: Comparison, rule: GateRule) -> bool:
    return compared.difference < -rule.tolerance and compared.interval[1] < 0


def _fall(what: str, gap: float, interval: Interval, rule: GateRule) -> str:
    return f"{what}: worse by {_points(-gap)} ({_span(interval, rule)})"


def _follows_less(candidate: Suites, serving: Suites, rule: GateRule) -> list[str]:
    ours, theirs = follow(joined(candidate)), follow(joined(serving))
    if ours.value is None or theirs.value is None:
        return []
    gap, interval = ours.value - theirs.value, _interval(ours, theirs, rule, rule.alpha)
    if gap < -rule.tolerance and interval[1] < 0:
        return [_fall("answers that follow an edited fact", gap, interval, rule)]
    return []


def _more_wrong_verified(together: Comparison, rule: GateRule) -> list[str]:
    ours, theirs = together.wrong_verified
    if ours <= theirs + rule.extra_wrong_verified:
        return []
    return [f"wrong answers shown as verified rise from {theirs} to {ours}"]


def _gains(looked_at: Sequence[Comparison], rule: GateRule) -> list[str]:
    """Say what improves: beyond chance or, everything together, without a single loss."""
    together = looked_at[0]
    certain = [
        f"{each.suite}: better by {_points(each.difference)} ({_span(each.interval, rule)})"
        for each in looked_at
        if each.gains
    ]
    if not certain and together.won and not together.lost:
        return [f"right wherever the serving core is, and in {together.won} more of {together.cases} questions"]
    return certain


def _nothing_gained(together: Comparison, rule: GateRule) -> str:
    return (
        f"no gain is beyond chance: {together.suite} {together.difference * 100:+.1f} points "
        f"({_span(together.interval, rule)}), {together.won} questions won and {together.lost} lost"
    )


def _points(share: float) -> str:
    return f"{share * 100:.1f} points"


def _span(interval: Interval, rule: GateRule) -> str:
    return f"{100 * (1 - rule.alpha):g} % interval {interval[0] * 100:+.1f} to {interval[1] * 100:+.1f}"
