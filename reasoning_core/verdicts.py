"""A yes or no, derived a second time: from the bound in the cited words and the way the question asks.

The cited sentence must state a bound and the question ask for permission or for a duty; then the comparison in the
working, turned by both, gives the verdict. A sentence that permits or forbids outright gives it without a comparison.
Where the words leave it open the result is None: code never guesses a verdict.
"""

import re
from collections.abc import Sequence

from reasoning_core.asking import last_question
from reasoning_core.response import Response
from reasoning_core.words import coverage
from reasoning_core.working import check, numbers_in, parse_quote, spellings

# The doubt that is a failed check: the mechanical reading says the opposite.
CONTRADICTED = "the verdict does not follow from the cited words"

_VERDICT = re.compile(r"^(yes|no)\b", re.I)
_MAXIMUM = re.compile(
    r"\b(up to|at most|no more than|not more than|maximum|max|not exceed|limited to|limit|capped|cap|within|or less|"
    r"or fewer|no later than|ceiling|below|under|less than)\b",
    re.I,
)
_MINIMUM = re.compile(
    r"\b(at least|minimum|min|no less than|not less than|or more|or longer|no fewer than|no earlier than|after|"
    r"once|above|over|more than|exceed\w*|from)\b",
    re.I,
)
_DUTY = re.compile(r"\b(need|needs|must|have to|has to|required|require|requires|necessary|obliged)\b", re.I)
_PERMISSION = re.compile(
    r"\b(can|may|could|allowed|ok|okay|fine|within|eligible|qualify|qualifies|enough|permitted|covered|cover|covers|"
    r"claim|acceptable|comply|complies|in time|reimburse\w*)\b",
    re.I,
)
_NEGATION = re.compile(r"\b(not|n't|without|never|no|too|over|exceed\w*)\b|n't\b", re.I)
# Bounds that leave the bound itself out; at the bound they decide the other way than "at most" and "at least".
_STRICT = re.compile(r"\b(below|under|less than|more than|above|over|exceed\w*|after)\b", re.I)
_BOUND_NEGATION = re.compile(r"\b(no|not) (more|less|fewer|later|earlier) than\b|\bnot exceed\b", re.I)
_NEGATION_IN_RULE = re.compile(r"\b(not|never|no|without|cannot|neither|nor)\b|n't\b", re.I)
_THRESHOLD_DUTY = re.compile(r"\b(need\w*|requir\w*|approv\w*|sign\w*|authori[sz]\w*)\b", re.I)
_FORBIDS = re.compile(
    r"\b(not (permitted|allowed|eligible|covered|included)|forbidden|prohibited|excluded|(does|do) not apply|cannot|"
    r"may not|must not|never)\b",
    re.I,
)
_ALLOWS = re.compile(r"\b(permitted|allowed|welcome|eligible|covered|included|may|can)\b", re.I)
# "Everyone may, except agency workers" permits and forbids in one sentence.
_BUT = re.compile(r"\b(unless|except\w*|but|only|other than|apart from)\b", re.I)


def is_verdict(short_answer: str) -> bool:
    return bool(_VERDICT.match(short_answer))


def wrong_verdict(
    response: Response, questions: Sequence[str], sentences: Sequence[str], contexts: Sequence[str]
) -> list[str]:
    """Return why the verdict of a response is not confirmed; nothing for a response without one.

    `contexts` are the cited `sentences` with the headings they stand under.
    """
    stated = _VERDICT.match(response.short_answer)
    if stated is None:
        return []
    claims = [line for line in response.working if parse_quote(line) is None and check(line, {}).holds]
    if claims:
        expected = _from_a_bound(claims[-1], questions, " ".join(sentences))
    else:
        expected = _said_outright(" ".join(questions), " ".join(sentences), contexts)
    if expected is None:
        return ["code cannot derive the verdict from the cited words"]
    return [CONTRADICTED] if expected != (stated[1].casefold() == "yes") else []


def _from_a_bound(claim: str, questions: Sequence[str], sentence: str) -> bool | None:
    """Return what a comparison means for a question about a bounded thing."""
    words, question = claim.split(" "), " ".join(questions)
    if len(words) != 3 or _NEGATION.search(question):
        return None
    maximum, minimum = bool(_MAXIMUM.search(sentence)), bool(_MINIMUM.search(sentence))
    duty, permission = bool(_DUTY.search(question)), bool(_PERMISSION.search(question))
    if maximum == minimum or duty == permission or _turns_on_more_than_its_bound(sentence, maximum, duty):
        return None
    asked, relation, bound = words
    # "What if it were 80?" replaces the number of the question before it.
    if asked not in (spellings(questions[-1]) or spellings(question)) or bound not in spellings(sentence):
        return None
    # "1,890 and 2,310 kilograms at the same time": a comparison with one of them is not the whole of it.
    of_several = len(set(numbers_in(last_question(questions[-1])))) > 1
    if of_several or (_STRICT.search(sentence) and check(f"{asked} = {bound}", {}).holds):
        return None
    if maximum:
        return relation in ("<", "<=", "=") if permission else relation == ">"
    return relation in (">", ">=", "=")


def _turns_on_more_than_its_bound(sentence: str, maximum: bool, duty: bool) -> bool:
    """Tell a rule that forbids, or that puts a duty on one side of its bound, from one that simply allows up to it."""
    if _NEGATION_IN_RULE.search(_BOUND_NEGATION.sub("", sentence)):
        return True
    if maximum:
        return duty and bool(_DUTY.search(sentence))
    # "Own consent from 21": whether anybody else must agree below that, the sentence does not say.
    return duty != bool(_DUTY.search(sentence) or _THRESHOLD_DUTY.search(sentence))


def _said_outright(question: str, sentence: str, contexts: Sequence[str]) -> bool | None:
    """Return what a sentence that permits or forbids without any bound says.

    It must name all that is asked about: "contractors are excluded" says nothing of interns.
    """
    if (
        coverage(_PERMISSION.sub(" ", question), contexts) < 1.0
        or _NEGATION.search(question)
        or not _PERMISSION.search(question)
        or numbers_in(question)
        or _BUT.search(sentence)
    ):
        return None
    forbids, allows = bool(_FORBIDS.search(sentence)), bool(_ALLOWS.search(_FORBIDS.sub("", sentence)))
    return None if forbids == allows else allows
