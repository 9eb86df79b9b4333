"""Bytes become canonical text, or are refused."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.decoding import canonical, decode


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_the_usual_encodings_are_recognised(encoding: str) -> None:
    text = "Kosten für Gäste: 60 € – nicht mehr als das, und nur mit Beleg aus dem Hotel."
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    "data",
    [
        b"abc\0def" * 10,
        bytes(range(1, 256)),
        b"\x93\x94\x95\x96\x81\x8d" * 30,
        "ünï cödé täxt with".encode() + b"\xc3(" + "mörë wörds".encode(),
        b"\xff\xfea",
        "日本語のテキスト".encode("shift_jis"),
    ],
)
def test_bytes_that_spell_no_text_are_refused_with_a_remedy(data: bytes) -> None:
    with pytest.raises(ValueError, match="try again"):
        decode(data)


def test_canonical_text_has_one_kind_of_line_end_composed_letters_and_no_ligatures() -> None:
    assert canonical("\ufeffe\u0301a\r\nb\rof\ufb01ce\x00 co\u00adop  \n") == "éa\nb\noffice coop\n"


@given(st.text(max_size=300))
def test_canonical_text_is_stable_composed_and_encodable(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert "\r" not in once
    assert once.encode().decode() == once
