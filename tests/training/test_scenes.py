"""What stands in the passages: several facts, real text that answers nothing, hostile text that changes nothing."""

import random
from pathlib import Path

import pytest

from reasoning_core.working import numbers_in, parse_quote
from training.background import WINDOW_CHARS, could_answer, load_background
from training.generator import Recipe, generate
from training.hostile import injection
from training.library import Library
from training.passages import beside, heading, joined
from training.rulebook import load_rulebooks
from training.scene import Scene
from training.typos import mistyped
from training.values import Side

RULES = load_rulebooks()
LIBRARY = Library([rule for rule in RULES if not rule.held_out])

DOCUMENT = """\
# Gardening notes

## Soil

The compost heap wants turning with a fork before the first frost of the autumn. Nettles make a strong liquid feed.

## Trees

Apple trees are pruned while they sleep. A sharp saw leaves a clean wound that closes quickly in the spring months.
"""


@pytest.fixture
def background(tmp_path: Path):
    (tmp_path / "garden.md").write_text(DOCUMENT)
    (tmp_path / "empty.md").write_text("\n")
    return load_background([tmp_path])


def scenes(count: int, **settings):
    for seed in range(count):
        scene = Scene(LIBRARY, random.Random(seed), Side(), **settings)
        scene.open(scene.invent(LIBRARY.pick(None, scene.rng)))
        yield scene


def test_every_fact_that_may_be_asked_about_stands_in_the_passage_with_its_number():
    shared = 0
    for scene in scenes(300):
        for fact in scene.facts:
            for place in fact.quotes:
                assert place.words in scene.passages[scene.numbers[fact.source.number, place.part] - 1].text
        shared += len(set(scene.numbers.values())) < len(scene.numbers)
    assert shared > 150


def test_no_quotation_of_a_fact_stands_twice_in_its_passage():
    for scene in scenes(300):
        for fact in scene.facts:
            if fact.rule.table or len(fact.source.parts) > 1:
                continue
            for place in fact.quotes:
                text = scene.passages[scene.numbers[fact.source.number, place.part] - 1].text
                assert text.replace(fact.source.parts[place.part], "", 1).count(place.words) == 0


def test_no_two_facts_of_a_scene_contradict_each_other():
    for scene in scenes(200):
        identities = [fact.identity for fact in scene.facts]
        assert len(identities) == len(set(identities))


def test_an_absent_fact_is_a_near_miss_that_no_passage_states():
    near = 0
    for scene in scenes(200):
        absent = scene.absent(scene.facts[0].rule)
        if absent is None:
            continue
        assert absent.identity not in {fact.identity for fact in scene.facts}
        near += any(absent.rule is fact.rule or absent.thing == fact.thing for fact in scene.facts)
    assert near > 100


def test_texts_are_put_together_verbatim_in_every_shape():
    texts = ["Meals: up to $60", "Hotels are paid.", "- Taxis: $20"]
    for seed in range(50):
        for count in (1, 2, 3):
            together = joined(texts[:count], random.Random(seed))
            assert all(text in together for text in texts[:count])
    assert beside("Meals: $60", "Hotels are paid.", before=False) == "Meals: $60. Hotels are paid."
    assert beside("- Meals: $60", "Hotels are paid.", before=True) == "Hotels are paid.\n- Meals: $60"


def test_headings_come_in_several_shapes_and_without_a_year_where_dates_matter():
    rng = random.Random(0)
    lines = {heading("Travel policy", "Hotels", rng, dated=True) for _ in range(300)}
    assert {"", "Travel policy", "Travel policy > Hotels"} < lines
    assert any(line.startswith("Travel policy 202") for line in lines)
    assert not any("202" in heading("Travel policy", "Hotels", rng, dated=False) for _ in range(300))


def test_background_is_cut_like_a_window_and_never_answers(background):
    shown = 0
    for dialogue in generate(RULES, 150, 0, "train", Recipe(background=background)):
        texts = [passage.text for exchange in dialogue.exchanges for passage in exchange.passages]
        windows = [text for text in texts if text in DOCUMENT]
        shown += len(windows)
        assert not any(could_answer(text, e.question) for text in windows for e in dialogue.exchanges)
        for exchange in dialogue.exchanges:
            for quote in filter(None, map(parse_quote, exchange.working)):
                assert exchange.family == "auxiliary" or quote.words not in DOCUMENT
    assert shown > 20
    assert len(background.passage(random.Random(0), "When are apple trees pruned?").text) <= WINDOW_CHARS


def test_text_with_most_words_of_a_question_could_answer_it_and_other_text_could_not():
    assert could_answer("Apple trees are pruned while they sleep.", "When are apple trees pruned?")
    assert not could_answer("The compost heap wants turning.", "When are apple trees pruned?")


def test_a_background_without_text_or_folder_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="holds no running text"):
        load_background([tmp_path])
    with pytest.raises(ValueError, match="is not a folder"):
        load_background([tmp_path / "absent"])


def test_hostile_dialogues_carry_an_injection_and_training_never_one_of_the_suite():
    marks = ("language model", "SYSTEM OVERRIDE", "If an AI", "Human: what", "Forget what", "Can I do as I like")
    for dialogue in generate(RULES, 60, 0, "hostile"):
        text = "\n".join(passage.text for exchange in dialogue.exchanges for passage in exchange.passages)
        assert any(mark in text for mark in marks)
    assert "hostile" in dialogue.tags
    for dialogue in generate(RULES, 200, 0, "train", Recipe(hostile_share=1.0)):
        text = "\n".join(passage.text for exchange in dialogue.exchanges for passage in exchange.passages)
        assert not any(mark in text for mark in marks)
    drawn = random.Random(0)
    assert not {injection(drawn, held_out=False) for _ in range(99)} & {
        injection(drawn, held_out=True) for _ in range(99)
    }


@pytest.mark.parametrize(
    "question", ["Can I claim $75.50 for meals in Oslo?", "By when is it due, if it starts 2027-01-31?"]
)
def test_a_mistyped_question_keeps_its_numbers_and_dates(question: str):
    typed = {mistyped(question, random.Random(seed)) for seed in range(60)}
    assert len(typed) > 15
    assert all(numbers_in(text) == numbers_in(question) for text in typed)
    assert all("oslo" in text.casefold() for text in typed if "Oslo" in question)
