"""Rulebooks: what is accepted, and how mistakes are named."""

import pytest

from training.generator import generate
from training.rulebook import load_rulebooks

GOOD = """\
- id: meals
  topic: travel
  titles: [Travel policy]
  sections: [Meals]
  values:
    limit: {number: [10, 90]}
  policy:
    - "Meals are paid [[up to {limit:money} per day]]."
  questions:
    - name: limit
      phrasings: ["What is the limit for meals?"]
      outcomes:
        - answer: "{limit:money} per day"
"""


def loaded(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return load_rulebooks([path])


def test_a_rulebook_of_ones_own_yields_dialogues(tmp_path):
    rules = loaded(tmp_path, GOOD)
    answers = [d.exchanges[0].answer for d in generate(rules, 20, 1, "train") if d.family == "meals"]
    assert any(answer.endswith("per day [1].") for answer in answers)


@pytest.mark.parametrize(
    ("old", "new", "line", "fault"),
    [
        ("topic: travel", "topik: travel", 2, "unknown field 'topik'"),
        ("  topic: travel\n", "", 1, "'topic' is missing: add it"),
        ("[10, 90]", "[90, 10]", 6, "holds nothing"),
        ("[10, 90]", "[10, many]", 6, "'many' is not a number"),
        ("{limit:money} per day]]", "{most} per day]]", 8, "{most} is not a value"),
        ("{limit:money} per day]]", "{limit:euro} per day]]", 8, "unknown format 'euro'"),
        ("[[up to {limit:money} per day]]", "up to {limit:money} per day", 10, "'main' is not marked"),
        ("- answer:", "- when: limit > 3 +\n          answer:", 13, "is not an expression"),
        ("- answer:", "- when: most > 3\n          answer:", 13, "'most' is not a value"),
        ('{limit:money} per day"', '{limit:money} per day."', 13, "leave full stop and citations out"),
        ("{number: [10, 90]}", "{entity: planet}", 6, "unknown pool 'planet'"),
        ("[Meals]", "[Meals", 5, "not YAML"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(tmp_path, old, new, line, fault):
    assert old in GOOD
    with pytest.raises(ValueError) as raised:
        loaded(tmp_path, GOOD.replace(old, new))
    assert f"own.yaml:{line}: " in str(raised.value)
    assert fault in str(raised.value)


def test_two_rules_of_one_id_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"own.yaml:14: a second rule has the id 'meals'"):
        loaded(tmp_path, GOOD + GOOD)


def test_the_packaged_rulebooks_hold_many_families_and_hold_some_out():
    rules = load_rulebooks()
    assert sum(not rule.held_out for rule in rules) >= 16
    assert sum(rule.held_out for rule in rules) >= 3


def test_an_expression_never_runs_as_code(tmp_path):
    evil = GOOD.replace("- answer:", "- when: limit.__class__.__mro__\n          answer:")
    with pytest.raises(ValueError, match="cannot be evaluated"):
        list(generate(loaded(tmp_path, evil), 30, 0, "train"))
