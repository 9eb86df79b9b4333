"""Windows around evidence, quotes and exact steps, as properties."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core.working import check, parse_quote
from training.open_sets.arithmetic import same_number, steps
from training.open_sets.evidence import Place, Text, quote, show
from training.open_sets.word_problems import exchange, is_sourced, told_and_asked

WORDS = ["ferry", "pier", "boats", "harbour", "40", "crowns", 'the "Gull"', "ropes", "night"]
sentences = st.lists(st.sampled_from(WORDS), min_size=3, max_size=14).map(
    lambda words: f"{' '.join(words)}.".capitalize()
)
texts = st.lists(sentences, min_size=1, max_size=30).map(" ".join)


@given(texts, st.data())
def test_a_quote_is_a_line_that_holds_and_has_the_words_asked_for(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, min(len(text), start + 60)))
    words = quote(text, start, end)
    if words is None:
        assert '"' in text[start:end] or not text[start:end].strip()
        return
    assert check(f'"{words}" [1]', {1: text}).holds
    assert len(words) <= 160
    assert text[start:end].strip() in words or len(text[start:end]) > 140


@settings(deadline=None, max_examples=60)
@given(st.lists(texts, min_size=1, max_size=4), st.data())
def test_what_is_shown_holds_every_place_and_quotes_it(contents, data):
    shown_texts = [Text(f"Page {number}", text) for number, text in enumerate(contents)]
    number = data.draw(st.integers(0, len(contents) - 1))
    start = data.draw(st.integers(0, len(contents[number]) - 1))
    place = Place(number, start, min(len(contents[number]), start + 12))
    shown = show("When does the ferry leave?", shown_texts, [place], "seed")
    if shown is None:
        return
    words, n = shown.quotes[0]
    assert contents[number][place.start : place.end].strip() in words
    assert parse_quote(shown.lines[0]) is not None
    assert words in shown.passages[n - 1].text
    for passage in shown.passages:
        assert any(passage.text in text for text in contents)
        assert len(passage.text) <= 900
    assert shown == show("When does the ferry leave?", shown_texts, [place], "seed")


def trees(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(leaves, st.sampled_from("+-*/"), leaves)
    return joined.map(lambda parts: f"({parts[0]}{parts[1]}{parts[2]})")


expressions = st.recursive(st.integers(1, 400).map(str), trees, max_leaves=6)


@given(expressions)
def test_every_step_of_an_expression_holds_and_the_last_gives_its_value(expression):
    worked = steps(expression)
    if worked is None:
        return
    lines, result = worked
    assert all(check(line, {}).holds for line in lines)
    try:
        value = eval(expression)
    except ZeroDivisionError as error:
        raise AssertionError(f"{expression} has no value, and {lines} say it has") from error
    assert abs(float(result) - value) <= 1e-9 * max(1.0, abs(value))


def test_an_expression_is_taken_apart_from_the_inside_and_what_is_not_exact_is_not_said():
    assert steps("(44.1-56.7)") == (["44.1 - 56.7 = -12.6"], "-12.6")
    assert steps("[(166+178)/2] - 20%*50") is None
    assert steps("20%*$300") == (["20 % of 300 = 60"], "60")
    assert steps("2×(3+4)") == (["3 + 4 = 7", "2 * 7 = 14"], "14")
    assert [steps(text) for text in ("1/3", "(1", "1)", "", "2**3", "-3+4", "a+1")] == [None] * 7


def test_numbers_are_the_same_however_they_are_written():
    assert same_number("1,500", "$1500")
    assert same_number("-12.60", "−12.6")
    assert not same_number("12.6", "-12.6")
    assert not same_number("twelve", "12")


def test_the_numbers_of_a_story_are_quoted_and_one_that_nobody_states_makes_it_unsourced():
    story, question = told_and_asked("Ann ties 12 boats. Bo ties half as many. How many does Bo tie?")
    assert question == "How many does Bo tie?"
    unsourced = exchange(story, question, ["12 / 2 = 6"], "6", "x")
    assert not isinstance(unsourced, str)
    assert (unsourced.passages, is_sourced(unsourced)) == ((), False)
    sourced = exchange("Ann ties 12 boats. Bo ties 3 more.", "How many does Bo tie?", ["12 + 3 = 15"], "15", "x")
    assert sourced.working == ('"Ann ties 12 boats." [1]', '"Bo ties 3 more." [1]', "12 + 3 = 15")
    assert is_sourced(sourced)
