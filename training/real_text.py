"""Conversations about real text: its own sentences asked about, and tables of things that nobody listed."""

import random
from collections.abc import Callable
from dataclasses import replace

from reasoning_core.prompt import Passage
from reasoning_core.response import REFUSAL
from reasoning_core.words import coverage, sentence_spans
from training.background import Background
from training.instructions import Exchange
from training.phrase_bank import PhraseBank
from training.real_sentences import Found, question_of

FAMILY = "real-text"
_PASSAGES = (2, 3, 3, 3)
_MOST_CHARS = 330
_TRIES = 20
_TABLES, _REFUSALS, _NEAR = 0.35, 0.25, 0.7

_PERSONS = (
    "the line manager", "the department head", "the safety officer", "the CFO", "IT support", "the People team",
    "the shift lead", "Legal", "the COO", "Facilities", "the head of finance", "Purchasing", "the works council",
)  # fmt: skip
_Value = Callable[[random.Random], str]
_COLUMNS: dict[str, tuple[tuple[str, ...], _Value]] = {
    "amount": (("Amount", "Limit", "Allowance", "Fee", "Price", "Rate"), lambda rng: f"${rng.randint(5, 950)}"),
    "per": (("Amount per day", "Support per month", "Limit per person"), lambda rng: f"${rng.randint(5, 400)}"),
    "days": (("Deadline", "Answered within", "Kept for", "Notice"), lambda rng: f"{rng.randint(2, 90)} days"),
    "months": (("Valid for", "Period", "Warranty"), lambda rng: f"{rng.randint(2, 60)} months"),
    "hours": (("Report within", "Reaction time"), lambda rng: f"{rng.randint(2, 72)} hours"),
    "share": (("Share paid", "Discount", "Rate"), lambda rng: f"{rng.randint(2, 95)} %"),
    "count": (("Number", "Most allowed", "Copies", "Places"), lambda rng: str(rng.randint(2, 80))),
    "person": (
        ("Approved by", "Reported to", "Owner", "Contact", "Decides"),
        lambda rng: rng.choice(_PERSONS),
    ),
}  # fmt: skip
_OF_A_CELL = (
    "What is the {column} for {key}?", "What is the {column} of {key}?", "{column} for {key}", "{key}: {column}?",
    "Which {column} applies to {key}?", "Tell me the {column} for {key}.", "And the {column} for {key}?",
)  # fmt: skip
_BY_KIND = {
    "person": ("Who is it for {key}: {column}?", "Who is responsible, {column}, {key}?", "Who decides about {key}?"),
    "amount": ("How much is the {column} for {key}?", "How much do we pay for {key}?"),
    "days": ("How many days for {key}?", "How long does it take: {key}?"),
    "months": ("How many months for {key}?", "How long is it for {key}?"),
    "hours": ("Within how many hours: {key}?", "How quickly, {key}?"),
}


def conversation(background: Background, rng: random.Random) -> tuple[Exchange, ...]:
    """Return up to six questions about passages of real text and tables; empty where none was found."""
    shown: list[Passage] = []
    asked: list[tuple[Found, int]] = []
    for n in range(1, rng.choice(_PASSAGES) + 1):
        drawn = _table(background.phrases, rng) if rng.random() < _TABLES else _running(background, rng)
        shown.append(drawn[0])
        asked += [(found, n) for found in drawn[1]]
    rng.shuffle(asked)
    exchanges = [_answered(found, n) for found, n in asked[:6] if _is_only_answer(found, shown)]
    for place in range(len(exchanges) + 1):
        if rng.random() < _REFUSALS and (absent := _absent(background, shown, rng)):
            exchanges.insert(place, Exchange((), absent, (), REFUSAL, "refusal", FAMILY))
    if not exchanges or len({exchange.question for exchange in exchanges}) < len(exchanges):
        return ()
    return (replace(exchanges[0], passages=tuple(shown)), *exchanges[1:])


def _answered(found: Found, n: int) -> Exchange:
    answer = found.answer[0].upper() + found.answer[1:]
    return Exchange(
        (), found.question, (f'"{found.quote}" [{n}]', *found.working), f"{answer} [{n}].", "answer", FAMILY
    )


def _running(background: Background, rng: random.Random, near: Passage | None = None) -> tuple[Passage, list[Found]]:
    """Return a window of running text with its numbers drawn anew, and what can be asked of its sentences."""
    title, text = background.excerpt(rng, _MOST_CHARS, near.heading if near else None)
    found: list[Found] = []
    for start, end in reversed(list(sentence_spans(text))):
        sentence = text[start:end].strip("-* ")
        if (made := question_of(sentence, rng)) is not None:
            text = text[:start] + text[start:end].replace(sentence, made.sentence, 1) + text[end:]
            found.append(made)
    return Passage(title, text), [each for each in found if text.count(each.quote) == 1]


def _table(phrases: PhraseBank, rng: random.Random) -> tuple[Passage, list[Found]]:
    """Return a table whose rows are phrases, and what can be asked of its cells."""
    taken: set[str] = set()
    keys = [key for _ in range(rng.randint(3, 6)) if (key := phrases.draw(rng, taken))]
    kinds = rng.sample(list(_COLUMNS), rng.randint(1, 3))
    columns = [(kind, rng.choice(_COLUMNS[kind][0])) for kind in kinds]
    rows = [[key[0].upper() + key[1:], *(_COLUMNS[kind][1](rng) for kind, _ in columns)] for key in keys]
    topic = phrases.draw(rng, taken) or "overview"
    head = (
        ["", *(name for _, name in columns)]
        if rng.random() < 0.3
        else [rng.choice(("For", "Kind", "Case", topic.capitalize())), *(name for _, name in columns)]
    )
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    found = []
    for key, row in zip(keys, rows, strict=True):
        column = rng.randrange(len(columns))
        kind, name = columns[column]
        forms = (*_OF_A_CELL, *_BY_KIND.get(kind, ())) if len({k for k, _ in columns}) == len(columns) else _OF_A_CELL
        question = rng.choice(forms).format(column=name[0].lower() + name[1:], key=key)
        quote = " | ".join(row[: column + 2])
        found.append(Found(question[0].upper() + question[1:], "", quote, row[column + 1]))
    rng.shuffle(found)
    return Passage(f"{topic.capitalize()} > {phrases.draw(rng, taken) or 'Table'}", "\n".join(lines)), found[:2]


def _is_only_answer(found: Found, shown: list[Passage]) -> bool:
    """Tell whether no other sentence that is shown fits the question as well as the one with the quote."""
    fits = [
        (coverage(found.question, [passage.text[start:end]]), found.quote in passage.text[start:end])
        for passage in shown
        for start, end in sentence_spans(passage.text)
    ]
    mine = max((fit for fit, holds in fits if holds), default=0.0)
    return mine > 0.3 and all(fit < mine for fit, holds in fits if not holds)


def _absent(background: Background, shown: list[Passage], rng: random.Random) -> str | None:
    """Return a question of the same kinds that nothing shown answers, mostly out of a document that is shown."""
    for _ in range(_TRIES):
        if rng.random() < _TABLES / 2:
            _, found = _table(background.phrases, rng)
        else:
            _, found = _running(background, rng, rng.choice(shown) if rng.random() < _NEAR else None)
        for each in found:
            if all(coverage(each.question, [passage.text]) < 0.5 for passage in shown):
                return each.question
    return None
