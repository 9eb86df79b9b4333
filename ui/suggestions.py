"""What an empty chat offers: questions that the sample company's documents answer, where those are loaded."""

from collections.abc import Iterable

EMPTY_STATE = (
    '<div class="welcome"><p class="welcome-title">What would you like to know?</p>'
    "<p>Precept answers from your company’s documents, shows the words it relies on, and says so when they do not say."
    "</p></div>"
)

SAMPLE_QUESTIONS = (("travel.md", "How much may I spend on meals per day when I travel?"),)


def suggestions(document_names: Iterable[str]) -> list[str]:
    """Return the questions whose document is there."""
    names = set(document_names)
    return [question for document, question in SAMPLE_QUESTIONS if document in names]
