"""What an empty chat offers: questions that the sample company's documents answer, where those are loaded."""

from collections.abc import Iterable

EMPTY_STATE = (
    '<div class="welcome"><p class="welcome-title">What would you like to know?</p>'
    "<p>Precept answers from your company’s documents, shows the words it relies on, and says so when they do not say."
    "</p></div>"
)

SAMPLE_QUESTIONS = (
    ("expenses.md", "Is a receipt required for an expense of $19?"),
    ("per-diems.md", "Is a hotel at $215 per night within the cap in Boston?"),
    ("customer-service-levels.md", "How long is the warranty on storm lanterns?"),
    ("parental-leave.md", "My parental leave starts on 2027-09-01. By which date must I give notice?"),
)


def suggestions(document_names: Iterable[str]) -> list[str]:
    """Return the questions whose document is there."""
    names = set(document_names)
    return [question for document, question in SAMPLE_QUESTIONS if document in names]
