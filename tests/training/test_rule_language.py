"""Exceptions, versions, parameters, decimals and formats of a rule, and the example that documents them."""

import random
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.prompt import numbered
from reasoning_core.response import Response
from reasoning_core.working import numbers_in, parse_quote, spellings
from training.expressions import divide, evaluate
from training.formats import FORMATS, shown
from training.generator import SIDES, Recipe, generate
from training.rulebook import load_rulebooks
from training.typos import loosely

README = (resources.files("training") / "rulebooks" / "README.md").read_text("utf-8")
PLAIN = Recipe(auxiliary_share=0, hostile_share=0, currency_share=0, loose_share=0, typo_share=0, cut_share=0)
EXAMPLE = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1]


@pytest.fixture
def example(tmp_path):
    path = tmp_path / "example.yaml"
    path.write_text(EXAMPLE)
    return load_rulebooks([path])


def answered(rules, family, count=300):
    """Yield (question, exchange, text of each passage shown so far) of a family."""
    for dialogue in generate(rules, count, 4, "train", PLAIN):
        turns = dialogue.turns()
        for last, exchange in enumerate(dialogue.exchanges, start=1):
            if exchange.kind == "answer" and exchange.family == family:
                yield exchange.question, exchange, [passage.text for passage in numbered(turns[:last]).values()]


@pytest.mark.parametrize("split", sorted(set(SIDES) - {"families"}))
def test_the_documented_example_makes_dialogues_for_every_suite(example, split):
    dialogues = list(generate(example, 40, 0, split))
    assert {e.family for d in dialogues for e in d.exchanges} & {"rental-car", "mileage"}


def test_the_version_in_force_on_the_day_decides_as_read_from_the_passages(example):
    found = set()
    for question, exchange, texts in answered(example, "mileage"):
        if not (match := re.match(r".*(?:per km|rate) for ([a-z ]+?) (?:holds )?on ([\d-]+)", question)):
            continue
        vehicle, day = match[1], date.fromisoformat(match[2])
        statements = re.split(r"\. |\n", "\n".join(texts))
        versions = {
            date.fromisoformat(max(spellings(text), key=lambda value: value.count("-"))): re.search(
                r"\$([\d.]+\d)", text
            )[1]
            for text in statements
            if vehicle in text.casefold() and "per km" in text
        }
        in_force = max(start for start in versions if start <= day)
        assert exchange.answer.startswith(f"${versions[in_force]} per km"), (question, texts)
        found.add((len(versions), sorted(versions).index(in_force)))
    assert found >= {(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)}


def test_an_exception_overrides_where_it_is_stated_and_applies_and_only_there(example):
    seen = set()
    for question, exchange, texts in answered(example, "rental-car", 900):
        if not (match := re.match(r"Can ([\w -]+?) rent a (?:compact car|van|estate) for \$(\d+)", question)):
            continue
        who, price = match[1].casefold(), int(match[2])
        bound, *exception = [quote.words for line in exchange.working if (quote := parse_quote(line))]
        limit = int(numbers_in(bound)[0])
        applies = any(who in words.casefold() for words in exception)
        assert all(any(words in text for text in texts) for words in (bound, *exception))
        expected = "not covered" if applies else "more than" if price > limit else "within"
        assert expected in exchange.answer
        seen.add((bool(exception), expected))
    assert {expected for stated, expected in seen if stated} == {"not covered", "more than", "within"}
    assert {expected for stated, expected in seen if not stated} == {"more than", "within"}


@given(st.decimals(0, 10**6, places=2), st.sampled_from(("money", "eur", "gbp", "percent", "km", "days")))
def test_a_decimal_is_written_exactly_in_every_format(value: Decimal, form: str):
    (written,) = numbers_in(shown(value, form))
    assert Decimal(written.replace(",", "")) == value
    assert written in spellings(shown(value, ""))


def test_one_of_a_unit_is_singular_and_a_date_is_read_back_from_its_words():
    assert shown(1, "days") == "1 day"
    assert shown(2, "days") == "2 days"
    assert shown(1500, "eur") == "€1,500"
    for form in ("date", "date_us"):
        assert "2027-03-05" in spellings(shown(date(2027, 3, 5), form))
    assert {"money", "eur", "gbp", "percent", "date", "km"} <= set(FORMATS)


@given(st.integers(-(10**6), 10**6), st.integers(1, 1000))
def test_a_quotient_is_exact_or_refused(whole: int, by: int):
    quotient = Fraction(whole, by)
    ends = quotient.denominator
    for prime in (2, 5):
        while ends % prime == 0:
            ends //= prime
    if ends == 1:
        assert Fraction(divide(whole, by)) == quotient
    else:
        with pytest.raises(ValueError, match="does not end"):
            divide(whole, by)


def test_decimals_of_an_expression_are_exact():
    assert evaluate("0.1 + 0.2 == 0.3", {})
    assert evaluate("rate * 3", {"rate": Decimal("0.35")}) == Decimal("1.05")


def test_a_parameter_is_the_same_everywhere(tmp_path):
    text = EXAMPLE.replace(
        "  weight: 3", "  parameters: {brand: Nordwagen, share: 0.5, begin: 2027-01-01}\n  weight: 3", 1
    )
    path = tmp_path / "own.yaml"
    path.write_text(text.replace('"{limit:money} per day"', '"{limit:money} per day with {brand} from {begin}"', 1))
    answers = [e.answer for _, e, _ in answered(load_rulebooks([path]), "rental-car") if " with " in e.answer]
    assert answers
    assert all("with Nordwagen from 2027-01-01" in answer for answer in answers)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("when: who == group", "when: nobody == group", "'nobody' is not a value"),
        ("[[does not apply to {group}]]", "does not apply to {group}", "does not mark its evidence"),
        ("questions: [verdict]", "questions: [verdikt]", "'verdikt' is not a question of this rule"),
        ("name: barred", "name: main", "the mark 'main' exists already"),
        ("[2025-01-01, 2028-06-30]", "[2025-01-01, 2025-02-01]", "is too short for 3 versions"),
        ("for {vehicle} on {day}?", "for {vehicle}?", "asks for no day"),
        ("[[start|From {start:date} on]]", "From {start:date} on", "marks \\[\\[start"),
        ("[0.20, 0.95], step: 0.01", "[0.20, 0.95]", "has decimals: give a step"),
        ("{distance:km}", "{distance:parsecs}", "unknown format 'parsecs'"),
        ("    vehicle: {choice:", "    day: {number: [1, 2]}\n    vehicle: {choice:", "'day' is the name of a date"),
    ],
)
def test_a_mistake_in_a_new_construct_is_named_with_its_line(tmp_path, old, new, fault):
    assert old in EXAMPLE
    path = tmp_path / "own.yaml"
    path.write_text(EXAMPLE.replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"own.yaml:\d+: .*{fault}"):
        load_rulebooks([path])


@pytest.mark.parametrize(
    "question", ["Can I claim $1,500.50 on 2027-03-05?", "Is $75 ok, or $12,000?", "And for €1,200?"]
)
def test_a_loosely_written_question_says_the_same_numbers_and_days(question):
    written = {loosely(question, random.Random(seed)) for seed in range(80)}
    assert len(written) > 6
    for text in written:
        assert {value.replace(",", "") for value in numbers_in(question)} <= {
            v.replace(",", "") for v in spellings(text)
        }


def test_dates_of_a_policy_text_come_in_words_and_the_working_reads_them():
    rules = load_rulebooks()
    in_words = 0
    for _, exchange, _ in answered(rules, "superseded", 900):
        quotes = [quote.words for line in exchange.working if (quote := parse_quote(line))]
        claims = [line for line in exchange.working if parse_quote(line) is None]
        assert set(numbers_in(claims[-1])) <= spellings("\n".join((*quotes, exchange.question)))
        in_words += any(re.search(r"[A-Z][a-z]+ \d{4}|[A-Z][a-z]+ \d+, \d{4}", words) for words in quotes)
        assert Response(exchange.working, exchange.answer).cited
    assert in_words
