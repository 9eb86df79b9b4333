"""Easy tasks that teach to look: repeat a passage, name the passage that speaks of a thing, quote its sentence."""

from collections.abc import Callable

from training.facts import Evidence, Fact
from training.instructions import Exchange
from training.library import Library
from training.scene import Scene

FAMILY = "auxiliary"
_WHERE = (
    "Which passage speaks of {}?",
    "Where do I read about {}?",
    "Which passage is about {}?",
    "In which passage does {} come up?",
    "which passage mentions {}",
)
_QUOTE = (
    "Quote the sentence about {}.",
    "What exactly does the text say about {}?",
    "Give me the words about {}.",
    "Quote what is said about {}.",
    "cite the sentence on {}",
)
_REPEAT = ("Repeat passage {}.", "What does passage {} say?", "Read passage {} to me.", "Quote passage {} in full.")
_LONGEST = 160  # characters


def lookups(scene: Scene, library: Library) -> tuple[Exchange, ...]:
    """Return two to five lookups in the passages of a new scene."""
    exchanges: list[Exchange] = []
    passages = scene.open(scene.invent(library.pick(None, scene.rng)))
    tasks: tuple[Callable[[Scene], Exchange | None], ...] = (_where, _where, _quote, _quote, _repeat)
    count = scene.rng.randint(2, 5)
    for _ in range(4 * count):
        exchange = scene.rng.choice(tasks)(scene)
        if exchange is None or any(exchange.question == other.question for other in exchanges):
            continue
        exchanges.append(exchange)
        if len(exchanges) == count:
            break
    if exchanges:
        first = exchanges[0]
        exchanges[0] = Exchange(passages, first.question, first.working, first.answer, first.kind, first.family)
    return tuple(exchanges)


def _where(scene: Scene) -> Exchange | None:
    if (found := _only_statement(scene)) is None:
        return None
    fact, place, n = found
    question = scene.rng.choice(_WHERE).format(fact.thing)
    return Exchange((), question, (f'"{place.words}" [{n}]',), f"Passage {n} [{n}].", "answer", FAMILY)


def _quote(scene: Scene) -> Exchange | None:
    if (found := _only_statement(scene)) is None:
        return None
    fact, place, n = found
    line = next(line for line in fact.source.parts[place.part].split("\n") if place.words in line)
    if len(line) > _LONGEST or str(fact.thing).casefold() not in line.casefold():
        return None
    return _cited(scene.rng.choice(_QUOTE).format(fact.thing), line.strip("|-* "), n)


def _repeat(scene: Scene) -> Exchange | None:
    n = scene.rng.randint(1, len(scene.passages))
    text = scene.passages[n - 1].text
    if "\n" in text or not text[0].isalnum() or len(text) > _LONGEST:
        return None
    return _cited(scene.rng.choice(_REPEAT).format(n), text, n)


def _cited(question: str, words: str, n: int) -> Exchange | None:
    if '"' in words or "[" in words:
        return None
    return Exchange((), question, (f'"{words}" [{n}]',), f"{words.rstrip('.')} [{n}].", "answer", FAMILY)


def _only_statement(scene: Scene) -> tuple[Fact, Evidence, int] | None:
    """Return a fact about a thing that one passage alone names, with its first evidence and the passage's number."""
    fact = scene.rng.choice(scene.facts)
    if not isinstance(fact.thing, str):
        return None
    name = fact.thing.casefold()
    place = next(iter(fact.quotes))
    n = scene.numbers[fact.source.number, place.part]
    naming = [k for k, p in enumerate(scene.passages, start=1) if name in f"{p.heading}\n{p.text}".casefold()]
    alone = naming == [n] and scene.passages[n - 1].text.casefold().count(name) == 1
    return (fact, place, n) if alone else None
