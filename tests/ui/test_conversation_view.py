from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.records import Conversation
from ui.conversation_view import TITLE_CHARACTERS, by_day, new_conversation, title_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def conversation(age_days):
    moment = NOON - timedelta(days=age_days)
    return Conversation(f"c{age_days}", f"{age_days} days ago", moment, moment)


def test_conversations_are_grouped_under_the_days_people_think_in_newest_first():
    groups = by_day([conversation(days) for days in (30, 1, 0, 3, 2)], NOON.astimezone().date())
    assert [(day, [each.id for each in group]) for day, group in groups] == [
        ("Today", ["c0"]),
        ("Yesterday", ["c1"]),
        ("Previous 7 days", ["c2", "c3"]),
        ("Older", ["c30"]),
    ]


def test_nothing_is_shown_where_there_are_no_conversations():
    assert by_day([], date(2026, 11, 23)) == []


@settings(deadline=None)
@given(st.text(min_size=1))
def test_a_title_is_one_short_line_made_of_the_questions_words(question):
    title = title_of(question)
    assert len(title) <= TITLE_CHARACTERS
    assert title == " ".join(title.split())
    assert " ".join(question.split()).startswith(title.removesuffix("…"))


def test_the_heading_of_a_new_conversation_names_no_address():
    assert new_conversation().heading == '<h1 class="here" id="conversation-">New chat</h1>'
