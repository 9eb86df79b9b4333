"""What the core reads: windows, numbers, and what still fits."""

from hypothesis import given
from hypothesis import strategies as st

from app.answers import Span
from app.asking import whole_marks
from app.citations import without_unverified
from app.context import NumberedPassage, Numbering, PastTurn, fitting, prompt_turns, select
from app.records import Hit
from reasoning_core.prompt import Passage, numbered
from reasoning_core.response import Response

TEXTS = st.text(alphabet="abc [1]23é–. ", max_size=60)


def passage(n: int, place: int = 0) -> NumberedPassage:
    return NumberedPassage(n, 1, (), place, place + 10, place, place + 10)


def hit(text: str, version_id: int = 1, start: int = 0) -> Hit:
    return Hit("a.md", 1, start, start + len(text.encode()), 1.0, text, ("Meals",), "Travel", version_id)


@given(st.lists(TEXTS, min_size=1, max_size=8), st.integers(0, 200))
def test_the_turns_that_fit_are_the_newest_and_fit(questions: list[str], room: int):
    turns = [PastTurn((), question, Response((), "")) for question in questions]
    kept = fitting(turns, room)
    assert list(kept) == turns[len(turns) - len(kept) :]
    assert sum(turn.size for turn in kept) <= room
    assert len(kept) == len(turns) or sum(turn.size for turn in turns[len(turns) - len(kept) - 1 :]) > room


@given(st.permutations(range(1, 9)), st.integers(1, 8), TEXTS)
def test_numbers_for_people_and_for_the_core_are_inverse(order: list[int], count: int, text: str):
    shown = sorted(order[:count])
    turns = [PastTurn(tuple((passage(n), Passage("", f"text {n}")) for n in shown), "question", Response((), text))]
    history, numbering = prompt_turns(turns, [])
    assert {n: f"text {numbering.seen[n]}" for n in numbering.seen} == {
        n: known.text for n, known in numbered(history).items()
    }
    answer = " ".join(f"[{n}]" for n in numbering.seen)
    assert numbering.for_core(numbering.for_people(answer)) == answer
    assert numbering.for_people(answer) == " ".join(f"[{n}]" for n in shown)


@given(st.lists(st.sampled_from(["up to ", "[", "1", "2", "]", " a", "[x]"]), max_size=12))
def test_a_streamed_answer_is_the_answer_however_it_is_cut(pieces: list[str]):
    numbering = Numbering({1: 7, 2: 1, 12: 2})
    raw, shown = "", ""
    for piece in pieces:
        raw += piece
        more = numbering.for_people(whole_marks(raw))
        assert more.startswith(shown)
        shown = more
    assert numbering.for_people(raw).startswith(shown)


def test_a_passage_in_the_context_is_known_and_a_new_one_gets_the_next_number():
    first = select("meals", [hit("Meals cost up to $60.")], [], [], limit=4, window_chars=200)
    ((one, text),) = first.new
    assert one.n == 1 and text == Passage("Travel > Meals", "Meals cost up to $60.")
    again = select(
        "meals?", [hit("Meals cost up to $60."), hit("Hotels cost more.", 2)], [one], [one], limit=4, window_chars=200
    )
    assert again.known == (one,)
    assert [found.n for found, _ in again.new] == [2]


def test_a_passage_that_left_the_context_comes_back_under_its_number():
    ((one, _),) = select("meals", [hit("Meals cost up to $60.")], [], [], limit=4, window_chars=200).new
    ((back, _),) = select("meals", [hit("Meals cost up to $60.")], [], [one], limit=4, window_chars=200).new
    assert back == one


def test_the_same_words_are_not_read_twice():
    found = select("meals", [hit("Same."), hit("Same.", 2), hit("Other.", 3)], [], [], limit=4, window_chars=200)
    assert [text.text for _, text in found.new] == ["Same.", "Other."]


@given(st.text(alphabet="aé– .\n", min_size=1, max_size=200), st.integers(0, 50))
def test_a_windows_bytes_are_its_text(text: str, start: int):
    found = select("a é", [hit(text, start=start)], [], [], limit=1, window_chars=60)
    data = bytes(start) + text.encode()
    for numbered_passage, read in found.new:
        assert data[numbered_passage.window_start : numbered_passage.window_end].decode() == read.text


def test_marks_without_a_verified_citation_are_not_shown():
    assert without_unverified("No [1]. Yes [2][3].", [Span(2, 1, 0, 4)]) == "No. Yes [2]."
