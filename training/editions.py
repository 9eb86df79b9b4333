"""Versions of a rule: the days on which they take effect, and their texts, which no one can mistake for each other."""

import random
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise

from training.expressions import Scalar
from training.facts import Edition, Evidence
from training.phrasing import MarkedText, marked
from training.rules import START, Rule, Versions
from training.values import Side, draw_all

_SHORTEST_DAYS = 60
_LAST_FOR_DAYS = 400  # how long after its start the newest version is asked about
_TOGETHER_SHARE = 0.4
_TRIES = 8


def editions(
    rule: Rule,
    versions: Versions,
    templates: Sequence[str],
    date_form: str,
    bindings: Mapping[str, Scalar],
    rng: random.Random,
    side: Side,
) -> tuple[tuple[str, ...], tuple[Edition, ...]]:
    """Return the text of each passage and the versions from the oldest, one for each template."""
    starts = _starts(versions, len(templates), rng)
    for _ in range(_TRIES):
        drawn = [draw_all(versions.values, {**bindings, START: start}, rng, side, rule.id) for start in starts]
        written = [marked(template, values, date_form) for template, values in zip(templates, drawn, strict=True)]
        if _apart(written) and _differ(drawn):
            break
    together = rng.random() < _TOGETHER_SHARE and _apart(written)
    texts = [text.text for text in written]
    apart = "\n" if any("\n" in text or text.startswith(("- ", "| ")) for text in texts) else " "
    shown = (apart.join(texts if rng.random() < 0.5 else texts[::-1]),) if together else tuple(texts)
    return shown, tuple(
        Edition(start, values, {label: Evidence(0 if together else k, words) for label, words in text.marks.items()})
        for k, (start, values, text) in enumerate(zip(starts, drawn, written, strict=True))
    )


def asked_day(found: Sequence[Edition], rng: random.Random) -> date:
    """Draw a day to ask about: within one of the versions, now and then its first or last day."""
    chosen = rng.randrange(len(found))
    first = found[chosen].start
    last = (
        found[chosen + 1].start - timedelta(days=1)
        if chosen + 1 < len(found)
        else first + timedelta(days=_LAST_FOR_DAYS)
    )
    chance = rng.random()
    if chance < 0.2:
        return first if chance < 0.1 else last
    return first + timedelta(days=rng.randint(0, (last - first).days))


def _starts(versions: Versions, count: int, rng: random.Random) -> list[date]:
    """Return days in order, with some weeks between each and the next."""
    room = (versions.last - versions.first).days - _SHORTEST_DAYS * (count - 1)
    offsets = sorted(rng.randint(0, room) for _ in range(count))
    return [versions.first + timedelta(days=offset + _SHORTEST_DAYS * k) for k, offset in enumerate(offsets)]


def _apart(written: Sequence[MarkedText]) -> bool:
    """Tell whether no quotation from one version stands in another."""
    return not any(
        words in other.text
        for k, text in enumerate(written)
        for words in text.marks.values()
        for j, other in enumerate(written)
        if j != k
    )


def _differ(drawn: Sequence[Mapping[str, Scalar]]) -> bool:
    return all(
        {name: value for name, value in one.items() if name != START}
        != {name: value for name, value in two.items() if name != START}
        for one, two in pairwise(drawn)
    )
