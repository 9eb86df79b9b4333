"""Generated dialogues: every label is true, and no split sees what it must not."""

import re
from datetime import date, timedelta

import pytest

from reasoning_core.grounding import citations, ungrounded
from reasoning_core.prompt import numbered
from reasoning_core.response import REFUSAL, Response
from reasoning_core.working import check, parse_quote
from training.generator import SIDES, Recipe, generate
from training.rulebook import load_rulebooks
from training.values import number_is_held_out
from training.world import is_held_out

RULES = load_rulebooks()
TRAIN = list(generate(RULES, 1200, 0, "train"))


def exchanges(dialogues, kind="answer"):
    """Yield (exchange, texts shown so far, questions so far)."""
    for dialogue in dialogues:
        turns = dialogue.turns()
        for last, exchange in enumerate(dialogue.exchanges, start=1):
            if exchange.kind == kind:
                texts = {n: passage.text for n, passage in numbered(turns[:last]).items()}
                yield exchange, texts, [turn.question for turn in turns[:last]]


def test_the_same_seed_gives_the_same_dialogues_and_another_seed_others():
    assert list(generate(RULES, 60, 0, "train")) == TRAIN[:60]
    assert next(generate(RULES, 1, 1, "train")).exchanges != TRAIN[0].exchanges


@pytest.mark.parametrize("split", SIDES)
def test_every_line_of_working_holds_and_every_fact_has_its_source(split):
    dialogues = TRAIN if split == "train" else generate(RULES, 150, 3, split)
    for exchange, texts, questions in exchanges(dialogues):
        response = Response(exchange.working, exchange.answer)
        assert all(check(line, texts).holds for line in exchange.working), exchange
        assert set(response.cited) <= set(texts)
        if exchange.family not in ("auxiliary", "comparison-drill"):
            assert response.cited
            assert ungrounded(response, citations(response, texts), texts, questions) == (), exchange


def test_a_quote_starts_with_a_word_and_is_short():
    for exchange, _, _ in exchanges(TRAIN):
        for quote in filter(None, map(parse_quote, exchange.working)):
            assert quote.words[0].isalnum()
            assert 4 <= len(quote.words) <= 160


def test_limits_and_minimums_agree_with_a_recomputation():
    seen = set()
    for exchange, _, _ in exchanges(TRAIN):
        maximum, minimum = exchange.family == "spending-limit", exchange.family in ("minimum", "service-length")
        if not exchange.answer.startswith(("Yes", "No.")) or not (maximum or minimum):
            continue
        bound = int(re.search(r"\d[\d,]*", exchange.working[0])[0].replace(",", ""))
        asked = int(exchange.working[1].split(" ")[0].replace(",", ""))
        allowed = asked <= bound if maximum else asked >= bound
        assert exchange.answer.startswith("Yes" if allowed else "No")
        seen.add((exchange.family, allowed))
    assert len(seen) == 6


def test_dates_agree_with_a_recomputation_in_days():
    found = 0
    for exchange, _, _ in exchanges(TRAIN):
        match = re.search(r"(\d{4}-\d\d-\d\d) ([+-]) (\d+) ([dw]) =", exchange.working[-1])
        if exchange.family in ("notice-period", "deadline-after") and match:
            days = int(match[3]) * (7 if match[4] == "w" else 1) * (1 if match[2] == "+" else -1)
            assert exchange.answer.startswith(str(date.fromisoformat(match[1]) + timedelta(days=days)))
            assert match[3] in exchange.working[0]
            found += 1
    assert found > 20


def test_a_refusal_has_no_gold_passage():
    for exchange, texts, _ in exchanges(generate(RULES, 600, 0, "refusal"), "refusal"):
        assert exchange.answer == REFUSAL
        assert exchange.working == ()
        if match := re.search(r"limit for ([\w -]+)\?$", exchange.question):
            assert not any(f" {match[1]} " in f" {text.casefold()} " for text in texts.values()), exchange


def test_a_question_back_ends_with_a_question_mark_and_shows_no_working():
    for exchange, _, _ in exchanges(generate(RULES, 300, 0, "ask-back"), "question"):
        assert Response(exchange.working, exchange.answer).asks_back
        assert exchange.working == ()


def test_training_never_shows_a_held_out_value_or_team():
    for exchange, texts, _ in exchanges(TRAIN):
        numbers = {
            int(n) for text in texts.values() for n in re.findall(r"Employees may claim [a-z -]+ up to \$(\d+)", text)
        }
        assert not any(number_is_held_out("spending-limit", "limit", n) for n in numbers)
        if exchange.family == "responsible-team":
            assert not is_held_out("team", Response((), exchange.answer).short_answer.removeprefix("The "))


def test_held_out_phrasings_and_rules_are_not_in_training():
    held_out = {rule.id for rule in RULES if rule.held_out}
    assert not held_out & {e.family for d in TRAIN for e in d.exchanges}
    assert {d.family for d in generate(RULES, 200, 0, "families")} <= held_out
    last = [p[-1] for p in (q.phrasings for r in RULES for q in r.questions if not r.held_out) if len(p) >= 3]
    fixed = {re.escape(template) for template in last if "{" not in template}
    patterns = fixed | {
        re.sub(r"\\\{\w+(:\w+)?\\\}", "[$\\\\w, :%.-]+", re.escape(t)) for t in last if t.count("{") == 1
    }
    held_out_question = re.compile("|".join(f"(?:{p})" for p in patterns))
    spending = [e.question for d in TRAIN for e in d.exchanges if e.family == "spending-limit"]
    assert not any(q.startswith("What is the maximum the company pays for") for q in spending)
    phrased = [d.exchanges[0].question for d in generate(RULES, 300, 0, "phrasings")]
    assert sum(bool(held_out_question.fullmatch(q)) for q in phrased) > 50


def test_the_answer_follows_the_fact_that_was_edited():
    pairs = list(generate(RULES, 200, 0, "counterfactual"))
    for original, edited in zip(pairs[::2], pairs[1::2], strict=True):
        (before,), (after,) = original.exchanges, edited.exchanges
        assert before.question == after.question
        assert before.answer != after.answer
        assert [p.heading for p in before.passages] == [p.heading for p in after.passages]
        assert sum(a.text != b.text for a, b in zip(before.passages, after.passages, strict=True)) >= 1


def test_more_questions_are_asked_of_the_same_passages_in_training_alone():
    rules = load_rulebooks()
    usual = list(generate(rules, 60, 3, "train"))
    more = list(generate(rules, 60, 3, "train", Recipe(more_questions=6)))
    assert sum(len(d.exchanges) for d in more) > 1.5 * sum(len(d.exchanges) for d in usual)
    assert sum(len(e.passages) for d in more for e in d.exchanges) < 1.5 * sum(
        len(e.passages) for d in usual for e in d.exchanges
    )
    assert list(generate(rules, 5, 3, "values", Recipe(more_questions=6))) == list(generate(rules, 5, 3, "values"))


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="unknown split 'dev': use one of train"):
        next(generate(RULES, 1, 0, "dev"))
