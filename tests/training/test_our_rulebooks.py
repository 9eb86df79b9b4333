"""The rulebooks that come with Precept: every family can be asked in each of its ways, and every label is true."""

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import pytest

from reasoning_core.grounding import citations, ungrounded
from reasoning_core.prompt import numbered
from reasoning_core.response import Response
from reasoning_core.working import check, parse_quote
from training.expressions import Bindings, evaluate
from training.generator import Recipe, generate
from training.instructions import Dialogue, Exchange
from training.phrasing import render
from training.rulebook import load_rulebooks
from training.rules import Question, Rule
from training.values import Choice, Record, Side, draw_all
from training.writing import realise, word

RULES = load_rulebooks()
QUESTIONS = [(rule, question) for rule in RULES for question in rule.questions]
ONE_RULE = pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES])
ONE_QUESTION = pytest.mark.parametrize(
    ("rule", "question"), [pytest.param(rule, q, id=f"{rule.id}-{q.name}") for rule, q in QUESTIONS]
)
BESIDE = tuple(rule for rule in RULES if rule.id in ("location", "contact-person", "form-name"))
PLAIN = Recipe(auxiliary_share=0, hostile_share=0, typo_share=0)
VERDICT = re.compile(r"(Yes|No)\b")
# "a university" and "an hour" are right: words whose first sound is not that of their first letter are left out.
WRONG_ARTICLE = re.compile(r"\ba (?=[aeioAEIO](?!ne\b|u))\w+|\ba (?=u[^ns])\w+|\ban (?=[b-df-gj-np-tv-z])\w+")
PLURAL_OF_ONE = re.compile(r"(?<![\w.,$-])1 (?:hours|days|weeks|months|years)\b")


def dialogues_about(rule: Rule, question: Question, count: int) -> Iterator[Dialogue]:
    """Yield dialogues of a rule that is asked in one way only, in a company with a few rules beside it."""
    others = [other for other in BESIDE if other.id != rule.id]
    only = replace(rule, questions=(question,), weight=50)
    return generate([only, *others], count, 5, "families" if rule.held_out else "train", PLAIN)


def answers(dialogues: Iterator[Dialogue], family: str) -> Iterator[tuple[Exchange, dict[int, str], list[str]]]:
    """Yield (exchange, texts shown so far, questions so far) of one family."""
    for dialogue in dialogues:
        turns = dialogue.turns()
        for last, exchange in enumerate(dialogue.exchanges, start=1):
            if exchange.kind == "answer" and exchange.family == family:
                texts = {n: passage.text for n, passage in numbered(turns[:last]).items()}
                yield exchange, texts, [turn.question for turn in turns[:last]]


def bindings_of(rule: Rule, question: Question, count: int) -> Iterator[Bindings]:
    """Yield everything that is known in `count` cases of one question."""
    rng, side = random.Random(f"{rule.id}/{question.name}"), Side()
    for _ in range(count):
        fact = rng.choice(realise(rule, word(rule, rng, side), rng, side, 0))
        yield draw_all(question.inputs, fact.bindings, rng, side, rule.id)


def keys_of(rule: Rule) -> set[str]:
    """Return the listed words that a rule's key can be."""
    domains = {**rule.values, **(rule.table.values if rule.table else {})}
    key = rule.key or ""
    listed = {o for name, d in domains.items() if isinstance(d, Choice) and name == key for o in d.options}
    return listed | {o[key] for d in domains.values() if isinstance(d, Record) for o in d.options if key in o}


@ONE_QUESTION
def test_each_question_is_answered_from_evidence_that_stands_in_the_cited_passage(
    rule: Rule, question: Question
) -> None:
    seen = 0
    for exchange, texts, asked in answers(dialogues_about(rule, question, 6), rule.id):
        response = Response(exchange.working, exchange.answer)
        quotes = [quote for line in exchange.working if (quote := parse_quote(line))]
        assert quotes
        assert all(quote.words in texts[quote.n] for quote in quotes)
        assert {quote.n for quote in quotes} == set(response.cited)
        assert all(quote.words[0].isalnum() and 4 <= len(quote.words) <= 160 for quote in quotes)
        assert all(check(line, texts).holds for line in exchange.working), exchange
        assert ungrounded(response, citations(response, texts), texts, asked) == (), exchange
        seen += 1
    assert seen >= 3


@ONE_QUESTION
def test_each_outcome_of_a_question_occurs(rule: Rule, question: Question) -> None:
    reached = set()
    for bindings in bindings_of(rule, question, 300):
        reached.add(next(i for i, outcome in enumerate(question.outcomes) if evaluate(outcome.when, bindings)))
        if len(reached) == len(question.outcomes):
            break
    assert reached == set(range(len(question.outcomes)))


@ONE_RULE
def test_a_verdict_is_now_yes_and_now_no(rule: Rule) -> None:
    for question in rule.questions:
        given = {match[1] for outcome in question.outcomes if (match := VERDICT.match(outcome.answer))}
        assert given in (set(), {"Yes", "No"}), question.name


@ONE_RULE
def test_the_value_asked_for_differs_from_case_to_case(rule: Rule) -> None:
    for question in rule.questions:
        cases = list(bindings_of(rule, question, 40))
        given = {
            render(next(o for o in question.outcomes if evaluate(o.when, case)).answer, case).split(". ")[0]
            for case in cases
        }
        assert len(given) > 1, question.name


@ONE_RULE
def test_articles_and_plurals_fit_what_follows_them(rule: Rule) -> None:
    rng = random.Random(rule.id)
    for question in rule.questions:
        for case in bindings_of(rule, question, 12):
            policy = [part for parts in rule.policy for part in parts if "{table}" not in part]
            asked = [*question.phrasings, *question.changed, *(question.missing.phrasings if question.missing else ())]
            for template in (rng.choice(policy or asked), *asked):
                text = render(template, case)
                wrong = WRONG_ARTICLE.search(text) or PLURAL_OF_ONE.search(text)
                assert wrong is None, text


def test_no_two_families_ask_the_same_of_the_same_thing() -> None:
    asked = {
        rule.id: {re.sub(r"\{[^}]*\}", "{}", text).casefold() for q in rule.questions for text in q.phrasings}
        for rule in RULES
    }
    for one, other in combinations(RULES, 2):
        if one.about != other.about and keys_of(one) & keys_of(other):
            assert not asked[one.id] & asked[other.id], (one.id, other.id)


def test_many_families_are_trained_on_and_several_are_held_out() -> None:
    assert sum(not rule.held_out for rule in RULES) >= 60
    assert sum(rule.held_out for rule in RULES) >= 8
