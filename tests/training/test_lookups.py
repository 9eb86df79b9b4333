"""Easy lookups and drills: only in training, in the share asked for, and true."""

from datetime import date

from reasoning_core.response import Response
from reasoning_core.working import parse_quote
from training.generator import Recipe, generate
from training.rulebook import load_rulebooks

RULES = load_rulebooks()


def lookups(count: int):
    return list(generate(RULES, count, 5, "train", Recipe(auxiliary_share=1.0)))


def test_the_share_of_lookups_and_drills_is_as_asked_and_none_is_in_a_suite():
    for share in (0.0, 0.07, 0.3):
        dialogues = list(generate(RULES, 300, 1, "train", Recipe(auxiliary_share=share)))
        found = sum("auxiliary" in dialogue.tags for dialogue in dialogues) / len(dialogues)
        assert abs(found - share) <= 0.06
    assert not any(
        "auxiliary" in d.tags for d in generate(RULES, 100, 1, "in-distribution", Recipe(auxiliary_share=1.0))
    )


def test_a_lookup_points_to_the_one_passage_that_names_the_thing():
    kinds = set()
    for dialogue in lookups(150):
        if dialogue.family != "auxiliary":
            continue
        texts = [passage.text for passage in dialogue.exchanges[0].passages]
        for exchange in dialogue.exchanges:
            quote = parse_quote(exchange.working[0])
            assert quote is not None
            assert quote.words in texts[quote.n - 1]
            if exchange.answer.startswith("Passage "):
                kinds.add("where")
                assert exchange.answer == f"Passage {quote.n} [{quote.n}]."
            elif "passage" in exchange.question:
                kinds.add("repeat")
                assert quote.words == texts[quote.n - 1]
            else:
                kinds.add("quote")
                assert exchange.answer.startswith(quote.words.rstrip("."))
    assert kinds == {"where", "repeat", "quote"}


def test_a_drill_agrees_with_a_recomputation():
    found = 0
    for dialogue in lookups(150):
        for exchange in dialogue.exchanges if dialogue.family == "comparison-drill" else ():
            left, relation, right = exchange.working[0].split(" ")
            a, b = (date.fromisoformat(x) if "-" in x else float(x.replace(",", "")) for x in (left, right))
            assert relation == (">" if a > b else "<" if a < b else "=")
            verdict = Response((), exchange.answer).short_answer
            if "more than" in exchange.question and "no more" not in exchange.question:
                assert verdict == ("Yes" if a > b else "No")
                found += 1
    assert found > 10
