"""Drafts: where they come from, against a search by brute force, and that no text ever differs for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.drafting import MOST_DRAFTED, AskedOnce, Drafter, Lookup
from reasoning_core.layout import Layout, Span, SpanKind
from reasoning_core.sampling import Sampling
from tests.reasoning_core.by_hand import ByHand
from tests.reasoning_core.tiny import tiny_checkpoint

texts = st.lists(st.integers(1, 3), max_size=14)


def followed(text: list[int], drafted: list[int]) -> int | None:
    """Search backwards for the last three tokens, then the last two, of the text with its draft."""
    tail = [*text[-3:], *drafted]
    for n in (3, 2):
        if len(tail) >= n:
            places = [at for at in range(n, len(text)) if text[at - n : at] == tail[-n:]]
            if places:
                return text[places[-1]]
    return None


@given(texts, texts, st.lists(st.integers(1, 3), max_size=4))
def test_a_lookup_finds_what_a_search_from_the_end_finds_however_the_text_came(first, second, drafted):
    lookup = Lookup(first)
    lookup.read(second)
    assert lookup.after(drafted) == followed(first + second, drafted)


@given(texts, texts, st.integers(0, 9))
def test_a_draft_without_a_guide_is_what_was_found_token_by_token(text, written, most):
    draft = Drafter(text, None).draft(written, most)
    assert len(draft) <= min(most, MOST_DRAFTED)
    for n, token in enumerate(draft):
        assert token == followed(text + written, draft[:n])
    if len(draft) < min(most, MOST_DRAFTED):
        assert followed(text + written, draft) is None


def test_a_drafter_looks_no_further_than_was_right_and_further_again_when_it_is():
    drafter = Drafter([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2], None)
    assert drafter.draft([], 99) == [3, 4, 5, 6, 7, 8, 9]
    drafter.learn(7, 2)
    assert drafter.draft([], 99) == [3, 4]
    drafter.learn(2, 0)
    assert drafter.draft([], 99) == [3]
    for expected in (2, 4, 7):
        drafter.learn(1, 1)
        assert len(drafter.draft([], 99)) == expected


class Spelling:
    """A guide that forbids 5, and spells out 8 and 9 behind 6."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def allowed(self, generated):
        self.asked.append(list(generated))
        return [generated[-1] + 1] if generated[-1] in (7, 8) else [n for n in range(20) if n != 5]


def test_a_draft_takes_what_a_guide_leaves_and_stops_before_what_it_forbids():
    text = [1, 2, 3, 4, 5, 6, 1, 2, 3, 7, 4, 4]
    assert Drafter(text, Spelling()).draft([1, 2], 9) == [3, 7, 8, 9]
    assert Drafter(text[:6], Spelling()).draft([2, 3], 9) == [4]


def test_a_guide_is_asked_once_about_each_beginning_and_again_about_another():
    guide = Spelling()
    once = AskedOnce(guide)
    for beginning in ([7], [7, 8], [7], [7, 8], [7, 9], [7]):
        assert once.allowed(beginning) == Spelling().allowed(beginning)
    assert guide.asked == [[7], [7, 8], [7, 9]]


COPYING = [Span(SpanKind.PROMPT, (6, *(30, 31, 32, 33) * 3, 7))]
PROMPTS = [COPYING, [Span(SpanKind.PROMPT, (6, 40, 41, 40, 41, 42, 7))]]


class Few:
    """A guide under which few tokens are left, so that responses repeat themselves, and one is forced."""

    def allowed(self, generated):
        return [30] if len(generated) % 5 == 4 else [30, 31, 32]


@pytest.mark.parametrize("layout", [Layout.TURN_BLOCKS, Layout.SINGLE_PREFIX])
@pytest.mark.parametrize("guide", [None, Few()])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_text_and_confidence_are_the_same_with_drafts_and_without(temperature, guide, layout):
    wishes = [(spans, Sampling(temperature, seed, 15)) for seed in range(3) for spans in PROMPTS]
    kept = 0
    without = ByHand(tiny_checkpoint(layout), max_sessions=2, drafted_tokens=0)
    expected = [without.ask(*wish, guide) for wish in wishes]
    without.run()
    for drafted_tokens in (1, 16):
        desk = ByHand(tiny_checkpoint(layout), max_sessions=2, drafted_tokens=drafted_tokens)
        sessions = [desk.ask(*wish, guide) for wish in wishes]
        desk.run()
        for session, other in zip(sessions, expected, strict=True):
            assert list(session.stream) == list(other.written)
            list(other.stream)
            assert session.stream.log_probabilities == pytest.approx(other.stream.log_probabilities, abs=1e-4)
        kept += desk.scheduler.load.kept_tokens
        assert desk.scheduler.load.kept_tokens <= desk.scheduler.load.drafted_tokens
    assert kept > 0 or guide is None


def test_right_drafts_save_steps():
    desks = [ByHand(tiny_checkpoint(), drafted_tokens=drafted) for drafted in (0, 16)]
    texts = [desk.write(COPYING, Sampling(max_new_tokens=60), Few()) for desk in desks]
    assert texts[0] == texts[1]
    assert desks[1].scheduler.load.steps < desks[0].scheduler.load.steps
