"""Every open set that can be converted, by name."""

from collections.abc import Mapping

from training.open_sets import (
    boardgameqa,
    conditionalqa,
    doc2dial,
    gsm8k,
    legalbench,
    p3,
    sharc,
    squad,
    strategyqa,
    svamp,
    tatqa,
    wikitablequestions,
)
from training.open_sets.open_set import OpenSet

_MODULES = (
    boardgameqa, conditionalqa, doc2dial, gsm8k, legalbench, p3, sharc, squad, strategyqa, svamp, tatqa,
    wikitablequestions,
)  # fmt: skip
OPEN_SETS: Mapping[str, OpenSet] = {each.name: each for each in (*(m.SET for m in _MODULES), p3.READING, squad.XQUAD)}


def open_set_named(name: str) -> OpenSet:
    """Return a set by its name.

    Raises:
        ValueError: no such set.
    """
    if name not in OPEN_SETS:
        raise ValueError(f"unknown open set {name!r}: use one of {', '.join(OPEN_SETS)}")
    return OPEN_SETS[name]
