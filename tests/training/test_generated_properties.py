"""Properties of generated dialogues for any seed and split, and what the serving side makes of them."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core.grounding import citations, ungrounded
from reasoning_core.guide import WorkingGuide
from reasoning_core.prompt import numbered, response_ids
from reasoning_core.response import Response
from reasoning_core.tokenizer import CoreTokenizer
from reasoning_core.working import check, parse_quote
from training.generator import SIDES, Recipe, generate
from training.grams import token_hashes
from training.library import Library
from training.near_duplicates import NearDuplicates
from training.rulebook import load_rulebooks
from training.scene import Scene
from training.values import Entity, Side, can_hold_out, number_is_held_out
from training.world import is_held_out

RULES = load_rulebooks()
LIBRARY = Library([rule for rule in RULES if not rule.held_out])
AS_WRITTEN = Recipe(auxiliary_share=0, hostile_share=0, currency_share=0, loose_share=0, typo_share=0, cut_share=0)
seeds = st.integers(0, 2**31)


def answers(dialogues):
    """Yield (exchange, texts shown so far, questions so far) of every answer that rules decide."""
    for dialogue in dialogues:
        turns = dialogue.turns()
        for last, exchange in enumerate(dialogue.exchanges, start=1):
            if exchange.kind == "answer" and exchange.family not in ("auxiliary", "comparison-drill"):
                texts = {n: passage.text for n, passage in numbered(turns[:last]).items()}
                yield exchange, texts, [turn.question for turn in turns[:last]]


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from(sorted(SIDES)))
def test_every_answer_holds_is_cited_and_is_grounded_for_any_seed(seed, split):
    for exchange, texts, questions in answers(generate(RULES, 6, seed, split)):
        response = Response(exchange.working, exchange.answer)
        assert all(check(line, texts).holds for line in exchange.working), exchange
        assert response.cited
        assert set(response.cited) <= set(texts)
        quotes = [quote for line in exchange.working if (quote := parse_quote(line))]
        assert quotes
        assert all(quote.words in texts[quote.n] for quote in quotes)
        assert ungrounded(response, citations(response, texts), texts, questions) == (), exchange


@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from(sorted(SIDES)))
def test_generation_is_a_function_of_its_arguments(seed, split):
    assert list(generate(RULES, 4, seed, split)) == list(generate(RULES, 4, seed, split))


@settings(max_examples=40, deadline=None)
@given(seeds, st.booleans(), st.booleans())
def test_values_and_entities_are_drawn_from_their_own_side_alone(seed, values, entities):
    rng = random.Random(seed)
    scene = Scene(LIBRARY, rng, Side(values=values, entities=entities))
    for _ in range(3):
        rule = LIBRARY.pick(None, rng)
        for fact in scene.invent(rule):
            domains = {**rule.values, **(rule.table.values if rule.table else {})}
            for name, domain in domains.items():
                value = fact.bindings[name]
                if isinstance(domain, Entity):
                    assert is_held_out(domain.pool, value) == entities
                if can_hold_out(domain):
                    steps = range(int((domain.high - domain.low) // domain.step) + 1)
                    sides = {number_is_held_out(rule.id, name, domain.low + domain.step * n) for n in steps}
                    assert number_is_held_out(rule.id, name, value) == values or values not in sides


def asked_as(template):
    """Return a pattern for the questions that a phrasing can become."""
    return "".join(".+?" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", template))


def test_no_held_out_phrasing_is_asked_in_training():
    asked = {}
    for dialogue in generate(RULES, 1500, 8, "train", AS_WRITTEN):
        for exchange in dialogue.exchanges:
            asked.setdefault(exchange.family, []).append(exchange.question)
    for rule in RULES:
        for question in rule.questions:
            *shared, last = question.phrasings
            if len(shared) < 2:
                continue
            held_out, others = re.compile(asked_as(last)), re.compile("|".join(map(asked_as, shared)))
            for text in asked.get(rule.id, ()):
                assert not held_out.fullmatch(text) or others.fullmatch(text) or text in _others(rule, last), (
                    last,
                    text,
                )


def _others(rule, last):
    """Return the fixed phrasings of the other questions of a rule, which may read like the held-out one."""
    return {p for question in rule.questions for p in question.phrasings if p != last and "{" not in p}


def test_what_a_suite_asks_about_stands_in_no_passage_of_training():
    dialogues = generate(RULES, 3000, 0, "train")
    shown = "\n\n".join({p.text for d in dialogues for e in d.exchanges for p in e.passages})
    scene = Scene(LIBRARY, random.Random(0), Side(statements=True))
    rules = [LIBRARY.pick(None, scene.rng) for _ in range(300)]
    asked = [part for rule in rules for part in scene.invent_asked(rule)[0].source.parts if len(part) > 30]
    seen = [part for rule in rules for part in scene.invent(rule)[0].source.parts if len(part) > 30]
    assert sum(part in shown for part in asked) < 0.1 * sum(part in shown for part in seen)


def test_training_hardly_repeats_itself():
    dialogues = list(generate(RULES, 1500, 0, "train"))
    found = NearDuplicates(0.8)
    for dialogue in dialogues:
        text = " ".join(f"{' '.join(p.text for p in e.passages)} {e.question}" for e in dialogue.exchanges)
        found.add(token_hashes(text))
    pairs = [pair for pair in found.find() if dialogues[pair.number].family not in ("auxiliary", "comparison-drill")]
    assert len(pairs) < 0.01 * len(dialogues)


@pytest.mark.parametrize("split", ["in-distribution", "hostile", "families"])
def test_the_serving_guide_lets_every_expected_response_be_written(split):
    dialogues = list(generate(RULES, 50, 1, split))
    shown = [text for exchange, texts, _ in answers(dialogues) for text in (exchange.question, *texts.values())]
    tokenizer = CoreTokenizer.train(shown, 1200)
    for exchange, texts, questions in answers(dialogues):
        guide = WorkingGuide(tokenizer, texts, questions)
        tokens = response_ids(Response(exchange.working, exchange.answer), tokenizer)
        for length, token in enumerate(tokens):
            allowed = guide.allowed(tokens[:length])
            assert allowed is None or token in allowed, (exchange, tokenizer.decode(tokens[:length]))


def test_a_conversation_keeps_to_one_currency_and_some_count_in_euros_or_pounds():
    signs = []
    for dialogue in generate(RULES, 400, 2, "train", Recipe(currency_share=0.5)):
        said = [*(p.text for e in dialogue.exchanges for p in e.passages)]
        said += [f"{e.question}\n{e.answer}" for e in dialogue.exchanges if e.family != "comparison-drill"]
        found = set(re.findall(r"[$€£](?=\d)", "\n".join(said)))
        assert len(found) <= 1
        signs += found
    assert {"$", "€", "£"} == set(signs)
    assert signs.count("$") > 60


def test_most_conversations_go_on_and_all_kinds_of_answer_occur():
    dialogues = list(generate(RULES, 600, 0, "in-distribution"))
    lengths = [len(dialogue.exchanges) for dialogue in dialogues]
    assert 2.4 <= sum(lengths) / len(lengths) <= 3.5
    kinds = [exchange.kind for dialogue in dialogues for exchange in dialogue.exchanges]
    assert {kind: round(kinds.count(kind) / len(kinds), 1) for kind in set(kinds)} == {
        "answer": 0.8,
        "refusal": 0.1,
        "question": 0.1,
    }
    verdicts = [e.answer[:2] for d in dialogues for e in d.exchanges if re.match(r"(Yes|No)\b", e.answer)]
    assert 0.4 <= verdicts.count("No") / len(verdicts) <= 0.6
