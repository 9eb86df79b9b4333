"""Every byte of a stored text knows its page, slide or sheet."""

from hypothesis import given
from hypothesis import strategies as st

from retrieval.decoding import canonical
from retrieval.markup import Block, Parsed, at, joined
from retrieval.places import Place, place_at, settled

WORDS = st.text(alphabet=st.sampled_from("ab é\u0301\ufb01\u200b\n\f#-"), max_size=12)


def test_a_page_that_starts_in_the_middle_of_a_sentence_starts_at_its_first_word() -> None:
    text, places = settled(
        Parsed("\fThe é goes\n\non \fover the page.\n\n\f# Three\n", "", ("page 1", "page 2", "page 3"))
    )
    assert text == "The é goes\n\non over the page.\n\n# Three\n"
    data = text.encode()
    assert [(name, data[start:][:5]) for start, name in places] == [
        ("page 1", "The é".encode()[:5]),
        ("page 2", b"over "),
        ("page 3", b"# Thr"),
    ]


def test_a_byte_belongs_to_the_last_place_that_starts_before_it() -> None:
    places = (Place(4, "page 1"), Place(9, "page 2"))
    assert [place_at(places, byte) for byte in (0, 3, 4, 8, 9, 99)] == ["", "", "page 1", "page 1", "page 2", "page 2"]


@given(st.lists(st.tuples(WORDS, st.booleans(), st.booleans()), max_size=8))
def test_places_count_bytes_of_the_text_that_is_stored_whatever_it_holds(blocks: list[tuple[str, bool, bool]]) -> None:
    made = [
        at(f"page {number}", text.replace("\f", "")) if starts else Block(text, tight)
        for number, (text, tight, starts) in enumerate(blocks)
    ]
    parsed = joined(made, "")
    text, places = settled(parsed)
    assert text == canonical(text)
    assert "\f" not in text
    assert len(places) in (0, len(parsed.places))
    data = text.encode()
    for start, name in places:
        data[:start].decode()
        following = canonical(blocks[int(name.removeprefix("page "))][0].replace("\f", "")).strip("\n")
        assert data[start:].decode().lstrip("\n").startswith(following)
