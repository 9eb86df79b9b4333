"""What an empty chat offers: questions that the sample company's documents answer, where those are loaded."""

from collections.abc import Iterable

EMPTY_STATE = (
    '<div class="welcome"><p class="welcome-title">What would you like to know?</p>'
    "<p>Precept answers from your company’s documents, shows the words it relies on, and says so when they do not say."
    "</p></div>"
)

SAMPLE_QUESTIONS = (
    ("travel.md", "How many days before departure must flights be booked?"),
    ("per-diems.md", "Is a hotel at $205 per night within the cap in Halifax?"),
    ("purchasing.md", "Who approves an order of $7,800?"),
    ("leave.md", "How many days of annual leave may be carried over?"),
)


def suggestions(document_names: Iterable[str]) -> list[str]:
    """Return the questions whose document is there."""
    names = set(document_names)
    return [question for document, question in SAMPLE_QUESTIONS if document in names]
