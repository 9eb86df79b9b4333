"""Drills without passages: which of two numbers or dates is larger."""

import random
from datetime import date, timedelta

from training.instructions import Exchange
from training.phrasing import working_line

_MORE = ("Is {a} more than {b}?", "Is {a} above {b}?", "Does {a} exceed {b}?")
_WITHIN = ("Is {a} within {b}?", "Is {a} at most {b}?", "Is {a} no more than {b}?")
_ENOUGH = ("Is {a} at least {b}?", "Is {a} enough if {b} is the minimum?")
_LATER = ("Is {a} later than {b}?", "Is {a} after {b}?")


def comparison_drill(rng: random.Random) -> tuple[Exchange, ...]:
    """Return three to six comparisons."""
    return tuple(_dates(rng) if rng.random() < 0.2 else _numbers(rng) for _ in range(rng.randint(3, 6)))


def _numbers(rng: random.Random) -> Exchange:
    b = rng.randint(2, 10 ** rng.choice((1, 2, 2, 3, 3, 4)))
    a = b if rng.random() < 0.1 else max(1, b + rng.randint(-b // 2, b // 2 + 1))
    phrasings, holds = rng.choice(((_MORE, a > b), (_WITHIN, a <= b), (_ENOUGH, a >= b)))
    return _exchange(rng.choice(phrasings), f"{a:,}", f"{b:,}", holds)


def _dates(rng: random.Random) -> Exchange:
    b = date(2025, 1, 1) + timedelta(days=rng.randrange(1400))
    a = b + timedelta(days=rng.randint(-90, 90))
    return _exchange(rng.choice(_LATER), str(a), str(b), a > b)


def _exchange(phrasing: str, a: str, b: str, holds: bool) -> Exchange:
    line = working_line(f"{a} <=> {b}", {})
    question = phrasing.format(a=a, b=b)
    return Exchange((), question, (line,), "Yes." if holds else "No.", "answer", "comparison-drill")
