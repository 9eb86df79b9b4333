"""Questions made from the sentences of real text: how many, how much, how long, by whom, and what something is.

No parser: patterns of plain English turn a sentence round where it has a form they know, ask in its own order where it
has not ("One host may accompany at most how many visitors?"), or note its words down. Its number is drawn anew, so
that nothing can be learned by heart.
"""

import random
import re
from dataclasses import dataclass

from reasoning_core.words import content_words

_UNITS = (
    "(?:(?:business|working|calendar|full|consecutive) )?(?:days?|hours?|weeks?|months?|years?|minutes?)|percent|%"
    "|people|employees|persons|members|pages|words|characters|miles|users|visitors|items|times|points|copies|candidates"
)
_LEAD = (
    "up to|at most|at least|no more than|no later than|a maximum of|a minimum of|more than|less than|fewer than|"
    "within|for|after|every|about|approximately|only|over|under"
)
_QUANTITY = re.compile(
    rf"(?:\b(?P<lead>{_LEAD}) )?(?:the (?:first|last|next) )?(?P<sign>[$€£])?(?<![\w.,:/#-])"
    rf"(?P<number>\d{{1,3}}(?:,\d{{3}})*|\d{{1,5}})"
    rf"(?![\w:/.,]*\d)(?:[ -]?(?P<unit>{_UNITS})\b|(?<=%))?",
    re.I,
)
_MODAL = re.compile(r"^(?P<subject>[^,;:()]{3,70}?) (?P<verb>may|can|must|should|will|is|are|was|were) (?P<rest>.+)$")
_BY = re.compile(
    r"^(?P<subject>[^,;:()]{3,60}?) (?P<verb>is|are|was|were|must be|should be|will be|can be) "
    r"(?P<done>(?:\w+ly )?\w+ed)"
    r"(?P<between>(?: (?!by\b)\w+){0,4}) by (?P<who>(?:the |our |a |an |your )?[A-Za-z][\w-]*(?: [A-Za-z][\w-]*){0,3})"
    r"(?P<rest>[ .].*)?$"
)
_IS = re.compile(
    r"^(?P<subject>(?:The |A |An |Our )?[^,;:()]{3,50}?) (?P<verb>is|are) (?P<what>(?:an?|the) [^,;:()]{4,70})\.$"
)
_MAXIMUM = frozenset({"up to", "at most", "no more than", "a maximum of", "within"})
_MINIMUM = frozenset({"at least"})
_VERDICT_SHARE = 0.5
_MAY_BE = (
    "Is {amount} ok",
    "Is {amount} allowed",
    "May it be {amount}",
    "Can it be {amount}",
    "{amount}, is that fine",
)
_IS_ENOUGH = ("Is {amount} enough", "Are {amount} sufficient", "Do {amount} meet this", "{amount}, is that enough")
_DANGLING = frozenset(
    {"it", "this", "that", "these", "those", "they", "he", "she", "there", "which", "we", "you", "what"}
)
_LONGEST = 260  # characters
_NO_AGENT = re.compile(r" (?:the|a|an|of|to|for|with|in|on|and|or|is|are)$|^\w+ing\b")


@dataclass(frozen=True, slots=True)
class Found:
    """A question that one sentence answers; `before` in that sentence is to be written as `sentence`."""

    question: str
    sentence: str
    quote: str
    answer: str
    working: tuple[str, ...] = ()


def states_a_number(sentence: str) -> bool:
    """Tell whether a sentence has an amount of something that can be asked for."""
    return len(sentence) <= _LONGEST and any(match["unit"] or match["sign"] for match in _QUANTITY.finditer(sentence))


def states_something(sentence: str) -> bool:
    """Tell whether a sentence says who does something or what something is."""
    return len(sentence) <= _LONGEST and bool(_BY.match(sentence.rstrip(".")) or _IS.match(sentence))


def question_of(sentence: str, rng: random.Random) -> Found | None:
    """Return a question whose answer stands in the sentence alone, or None where no pattern fits."""
    if '"' in sentence or "[" in sentence:
        return None
    amounts = [match for match in _QUANTITY.finditer(sentence) if match["unit"] or match["sign"]]
    if amounts:
        match = rng.choice(amounts)
        bounded = (match["lead"] or "").casefold() in _MAXIMUM | _MINIMUM
        return (
            _of_bound(sentence, match, rng)
            if bounded and rng.random() < _VERDICT_SHARE
            else _of_quantity(sentence, match, rng)
        )
    return _of_agent(sentence, rng) or _of_definition(sentence, rng)


def _of_quantity(sentence: str, match: re.Match[str], rng: random.Random) -> Found | None:
    number = _drawn(match["number"], rng)
    head, tail = sentence[: match.start("number")], sentence[match.end("number") :]
    written = head + number + tail
    shift = len(number) - len(match["number"])
    start = match.start("sign") if match["sign"] else match.start("number")
    value = written[start : match.end() + shift].rstrip(" ,.-")
    lead_start = match.start("lead") if match["lead"] else start
    quote = written[lead_start : match.end() + shift].rstrip(" ,.-")
    before, after = sentence[:lead_start].strip(), sentence[match.end() :].strip(" .")
    unit = (match["unit"] or "").replace("%", "percent")
    asked = f"how many {_plural(unit)}" if unit else "how much"
    question = _turned(before, after, asked, match["lead"], rng)
    return Found(question, written, quote, value) if question and len(content_words(question)) > 1 else None


def _of_bound(sentence: str, match: re.Match[str], rng: random.Random) -> Found | None:
    """Ask whether an amount near the bound of a sentence keeps to it: a yes or no, with the comparison."""
    written = _of_quantity(sentence, match, rng)
    if written is None or not any(word.isdigit() for word in written.answer):
        return None
    bound = re.sub(r"[^\d]", "", written.answer)
    number = max(1, round(int(bound) * rng.choice((0.3, 0.5, 0.8, 0.9, 1, 1.1, 1.3, 2, 3))))
    asked, limit = f"{number:,}", f"{int(bound):,}"
    relation = "<" if number < int(bound) else ">" if number > int(bound) else "="
    is_maximum = match["lead"].casefold() in _MAXIMUM
    holds = relation != ">" if is_maximum else relation != "<"
    words = f"{sentence[: match.start()]} {sentence[match.end() :]}".split()
    note = " ".join(word.strip(",;:()*") for word in words if content_words(word))[:90].rpartition(" ")[0].casefold()
    if len(content_words(note)) < 2:
        return None
    sign = match["sign"] or ""
    amount = f"{sign}{asked}{'' if sign or not match['unit'] else ' ' + _plural(match['unit']).replace('%', 'percent')}"
    form = rng.choice(_MAY_BE if is_maximum else _IS_ENOUGH).format(amount=amount)
    question = rng.choice(
        (f"{form}: {note}?", f"{note[0].upper()}{note[1:]}. {form}?", f"For {note}: {form[0].lower()}{form[1:]}?")
    )
    how = ("within" if holds else "more than") if is_maximum else ("at least" if holds else "less than")
    verdict = f"{'Yes' if holds else 'No'}. {sign}{asked} is {how} {sign}{limit}"
    return Found(question, written.sentence, written.quote, verdict, (f"{asked} {relation} {limit}",))


def _turned(before: str, after: str, asked: str, lead: str | None, rng: random.Random) -> str | None:
    """Return a question in one of three forms: turned round, in the order of the sentence, or as a note."""
    form = rng.random()
    modal = _MODAL.match(f"{before} ") if before else None
    link = (
        f"{lead.casefold()} "
        if lead and lead.casefold() in ("within", "for", "after", "every", "at least", "at most")
        else ""
    )
    if form < 0.5 and modal and modal["subject"].split()[0].casefold() not in _DANGLING:
        inner = f"{_lowered(modal['subject'])} {modal['rest'].strip()}".strip()
        return _ended(f"{link}{asked} {modal['verb']} {inner} {after}")
    if form < 0.75 and before:
        return _ended(f"{before} {link}{asked} {after}")
    words = f"{before} {after}".split()
    kept = [word.strip(",;:()") for word in words if rng.random() < 0.8 and content_words(word)]
    if len(kept) < 2:
        return None
    note = " ".join(kept[:9]).casefold()
    return rng.choice((f"{asked}: {note}", f"{note}, {asked}?", f"{note}"))


def _of_agent(sentence: str, rng: random.Random) -> Found | None:
    match = _BY.match(sentence.rstrip("."))
    if match is None or match["subject"].split()[0].casefold() in _DANGLING or _NO_AGENT.search(match["who"]):
        return None
    done = f"{match['verb']} {_lowered(match['subject'])} {match['done']}{match['between']}"
    forms = (f"By whom {_inverted(done)}", f"Who {match['done']} {_lowered(match['subject'])}{match['between']}")
    return Found(_ended(rng.choice(forms)), sentence, f"by {match['who']}", match["who"])


def _inverted(done: str) -> str:
    """Move the subject behind the first verb: "must be reports reviewed" becomes "must reports be reviewed"."""
    first, space, rest = done.partition(" be ")
    if not space:
        return done
    subject, _, participle = rest.rpartition(" ")
    return f"{first} {subject} be {participle}"


def _of_definition(sentence: str, rng: random.Random) -> Found | None:
    match = _IS.match(sentence)
    if match is None or match["subject"].split()[0].casefold() in _DANGLING:
        return None
    subject = _lowered(match["subject"])
    return Found(
        _ended(rng.choice((f"What {match['verb']} {subject}", f"what does {subject} mean"))),
        sentence,
        match["what"],
        match["what"],
    )


def _drawn(number: str, rng: random.Random) -> str:
    """Return another number with as many digits, give or take."""
    value = int(number.replace(",", ""))
    low, high = (2, 99) if value < 100 else (100, 999) if value < 1000 else (1000, 99_999)
    drawn = rng.randint(low, high)
    drawn = drawn - drawn % 50 if drawn > 1000 else drawn
    return f"{drawn:,}" if "," in number else str(drawn)


def _plural(unit: str) -> str:
    return unit if unit.endswith("s") or unit in ("percent", "people") else f"{unit}s"


def _lowered(text: str) -> str:
    """Return a sentence's opening as it stands inside a question; names keep their capital."""
    first, _, rest = text.partition(" ")
    keep = (len(first) > 1 and first.isupper()) or rest[:1].isupper()
    return text if keep else first[:1].lower() + text[1:]


def _ended(question: str) -> str:
    words = " ".join(question.split()).rstrip(" ,;:.")
    return f"{words[0].upper()}{words[1:]}?"
