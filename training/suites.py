"""Suites: fixed sets of held-out dialogues that a core is measured on.

A suite is a split of the generator with a fixed seed, or a JSONL file of dialogues. The pairs of `counterfactual` ask
the same before and after the deciding fact was edited; each becomes a trio by a third dialogue that lacks the fact, so
that only a refusal is right.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from reasoning_core.response import REFUSAL, Response
from training.generator import generate
from training.instructions import Dialogue, read_dialogues
from training.rulebook import load_rulebooks
from training.rules import Rule

SUITES = (
    "in-distribution", "values", "entities", "phrasings", "families", "turns", "refusal", "ask-back", "hostile",
    "counterfactual",
)  # fmt: skip
VARIANTS = ("original", "edited", "removed")
_SEED = 20_260_523


def load_suite(name: str, limit: int) -> list[Dialogue]:
    """Return the dialogues of a named suite, or of a JSONL file, until they hold `limit` questions.

    Raises:
        ValueError: neither a suite nor a file, or a file without a dialogue.
    """
    if name in SUITES:
        return list(_until(_groups(generate(_shipped_rules(), 2 * limit, _SEED, name)), limit))
    if not Path(name).is_file():
        raise ValueError(f"unknown suite {name!r}: use one of {', '.join(SUITES)}, or a JSONL file of dialogues")
    dialogues = list(_until(_groups(read_dialogues(Path(name))), limit))
    if not dialogues:
        raise ValueError(f"{name} holds no dialogue: there is nothing to ask")
    return dialogues


@lru_cache(maxsize=1)
def _shipped_rules() -> tuple[Rule, ...]:
    """Return the rules that come with Precept, read once for all suites."""
    return load_rulebooks(None)


def variant_of(dialogue: Dialogue) -> str:
    """Return what the dialogue is in a counterfactual trio, or nothing."""
    return next((name for name in VARIANTS if "counterfactual" in dialogue.tags and name in dialogue.tags), "")


def unit_of(dialogue: Dialogue) -> str:
    """Return the name that a dialogue shares with those it is not independent of: the rest of its trio."""
    return dialogue.id.removesuffix(f"/{variant_of(dialogue)}")


def _until(groups: Iterable[tuple[Dialogue, ...]], limit: int) -> Iterator[Dialogue]:
    """Yield whole groups until they hold `limit` questions."""
    questions = 0
    for group in groups:
        if questions >= limit:
            return
        questions += sum(len(dialogue.exchanges) for dialogue in group)
        yield from group


def _groups(dialogues: Iterable[Dialogue]) -> Iterator[tuple[Dialogue, ...]]:
    """Yield each dialogue by itself, and a counterfactual pair as a trio under one name."""
    original: Dialogue | None = None
    for dialogue in dialogues:
        variant = variant_of(dialogue)
        if variant == "original":
            original = dialogue
        elif variant == "edited" and original is not None:
            trio = (original, dialogue, *_without_fact(original))
            yield tuple(replace(each, id=f"{original.id}/{variant_of(each)}") for each in trio)
            original = None
        else:
            yield (dialogue,)


def _without_fact(original: Dialogue) -> tuple[Dialogue, ...]:
    """Return the dialogue without the passages it cites; none where nothing would be left to read.

    Code refuses over no passage at all, so that such a case would measure nothing.
    """
    (exchange,) = original.exchanges
    cited = Response(exchange.working, exchange.answer).cited
    kept = tuple(passage for n, passage in enumerate(exchange.passages, start=1) if n not in cited)
    if not kept:
        return ()
    refused = replace(exchange, passages=kept, working=(), answer=REFUSAL, kind="refusal")
    return (replace(original, tags=("counterfactual", "removed"), exchanges=(refused,)),)
