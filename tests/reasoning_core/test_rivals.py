"""Values beside values: which sentences leave open what was asked for."""

import pytest

from reasoning_core.rivals import amounts, rivals

TABLE = "| Plan | Urgent tickets | Normal tickets |\n| Starter | 11 hours | 9 hours |"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("free from $1,240.50 on, else 32 dollars", [("money", "1240.50"), ("money", "32")]),
        ("7 months, or 12 %", [("month", "7"), ("%", "12")]),
        ("open 8:00 to 22:00 since 2027-01-09", [("time", "8:00"), ("time", "22:00"), ("date", "2027-01-09")]),
        ("zone 69 and 441 in the basement", [("", "69"), ("", "441")]),
        ("no numbers here", []),
    ],
)
def test_amounts_are_told_apart_by_what_they_count(text, kinds):
    assert [(amount.kind, amount.value) for amount in amounts(text)] == kinds


@pytest.mark.parametrize(
    ("answer", "question", "sentence", "others"),
    [
        ("$240", "How much is shipping?", "Free of charge from $240 on; below that, shipping costs $32.", ["32"]),
        (
            "23 months",
            "How long?",
            "Except for students, where 7 months is the rule, forms are kept for 23 months.",
            ["7"],
        ),
        ("5 days", "How many days?", "Invoices paid within 5 days are reduced by 2 %.", []),
        ("The safety officer", "Who?", "The safety officer passes them on within 5 days.", []),
        ("9 hours", "normal ticket on Starter, how fast", TABLE, []),
        ("11 hours", "normal ticket on Starter, how fast", TABLE, ["9"]),
        ("9 hours", "how fast on Starter", TABLE, ["11"]),
    ],
)
def test_another_value_of_the_kind_is_a_rival_unless_its_column_says_otherwise(answer, question, sentence, others):
    assert rivals(answer, question, [sentence]) == others
