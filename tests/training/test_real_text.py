"""Conversations about real text, and rules whose things bear names out of it."""

import random
from dataclasses import replace
from itertools import islice

import pytest

from reasoning_core.prompt import numbered
from reasoning_core.response import REFUSAL
from reasoning_core.words import content_words, coverage, sentence_spans
from reasoning_core.working import check, parse_quote
from training.background import Background, load_background
from training.generator import Recipe, generate
from training.instructions import Dialogue
from training.phrase_bank import PhraseBank, renamed
from training.real_text import FAMILY, conversation
from training.rulebook import load_rulebooks

PAGES = {
    "visits": """# Visits
One host may accompany at most 6 visitors in the workshops. Guests of customers wear a yellow badge.
Visitor badges must be returned within 3 days. Lost badges are replaced by the front desk.
""",
    "learning": """# Learning
Every engineer may spend up to $1,200 per year on conference tickets. Language courses last 12 weeks.
A mentor is a colleague with more experience. Mentoring pairs should meet for 45 minutes every 2 weeks.
""",
    "travel": """# Travel
Train tickets must be booked at least 14 days before the journey. Rental cars are insured by the travel office.
Receipts for laundry are accepted after 5 nights away. Parking at the airport is paid for 10 days.
""",
}


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Background:
    folder = tmp_path_factory.mktemp("handbook")
    for name, text in PAGES.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return load_background([folder])


def conversations(background: Background, count: int) -> list[Dialogue]:
    drawn = (conversation(background, random.Random(seed)) for seed in range(10 * count))
    kept = islice((exchanges for exchanges in drawn if exchanges), count)
    return [Dialogue(f"d{n}", FAMILY, "train", (), exchanges) for n, exchanges in enumerate(kept)]


def test_every_answer_is_quoted_from_the_one_sentence_that_fits_its_question_best(background: Background):
    num_answers = 0
    for dialogue in conversations(background, 60):
        passages = {n: passage.text for n, passage in numbered(dialogue.turns()).items()}
        for exchange in dialogue.exchanges:
            if exchange.kind == "refusal":
                continue
            assert all(check(line, passages).holds for line in exchange.working)
            quote = parse_quote(exchange.working[0])
            assert quote is not None
            sentences = [(text[s:e], n) for n, text in passages.items() for s, e in sentence_spans(text)]
            best = max(sentences, key=lambda each: coverage(exchange.question, [each[0]]))
            assert quote.words in best[0]
            num_answers += 1
    assert num_answers > 60


def test_what_is_refused_is_named_by_no_passage(background: Background):
    refused = 0
    for dialogue in conversations(background, 120):
        shown = [passage.text for passage in numbered(dialogue.turns()).values()]
        for exchange in dialogue.exchanges:
            if exchange.kind == "refusal":
                assert (exchange.answer, exchange.working) == (REFUSAL, ())
                assert all(coverage(exchange.question, [text]) < 0.5 for text in shown)
                refused += 1
    assert refused > 3


def test_numbers_are_not_those_of_the_documents(background: Background):
    texts = [p.text for d in conversations(background, 80) for e in d.exchanges for p in e.passages]
    hosts = [text for text in texts if "One host may accompany at most" in text]
    assert len({text.split("at most ")[1].split(" ")[0] for text in hosts}) > 3


def test_training_draws_on_the_background_and_a_suite_never_does(background: Background):
    rules = load_rulebooks()
    recipe = Recipe(background=background)
    drawn = list(generate(rules, 60, 4, "train", recipe))
    assert 8 <= sum(dialogue.family == FAMILY for dialogue in drawn) <= 30
    assert drawn == list(generate(rules, 60, 4, "train", recipe))
    without = replace(recipe, real_text_share=0.0)
    assert all(dialogue.family != FAMILY for dialogue in generate(rules, 40, 4, "train", without))
    assert all(dialogue.family != FAMILY for dialogue in generate(rules, 20, 4, "values", recipe))


def test_phrases_are_runs_of_content_words_and_are_drawn_without_a_word_twice():
    bank = PhraseBank(["Please file the travel card statements with the front desk, in the blue tray for letters."])
    rng, taken = random.Random(1), content_words("tray")
    drawn = [phrase for _ in range(30) if (phrase := bank.draw(rng, taken))]
    words = [word for phrase in drawn for word in content_words(phrase)]
    assert "travel card statements" in drawn
    assert len(words) == len(set(words))
    assert "tray" not in " ".join(drawn)


def test_a_renamed_conversation_still_holds_and_speaks_of_nothing_listed():
    rules = load_rulebooks()
    bank = PhraseBank(
        ["the quiet harbour", "a copper kettle", "old weather maps", "seven grey lighthouses", "wool hats"]
    )
    plain = list(generate(rules, 200, 9, "train", Recipe(auxiliary_share=0.0, hostile_share=0.0)))
    renamings = 0
    for dialogue in plain:
        exchanges = renamed(dialogue.exchanges, ["business class flights", None], bank, random.Random(dialogue.id))
        text = "\n".join(
            part for e in exchanges for part in (*(p.text for p in e.passages), e.question, *e.working, e.answer)
        )
        assert "usiness class flights" not in text
        texts = {n: p.text for n, p in numbered(replace(dialogue, exchanges=tuple(exchanges)).turns()).items()}
        assert all(check(line, texts).holds for e in exchanges for line in e.working)
        renamings += tuple(exchanges) != dialogue.exchanges
    assert renamings > 0
