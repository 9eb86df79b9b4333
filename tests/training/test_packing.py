"""Packed rows against the dialogues they were made of."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning_core import prompt
from reasoning_core.layout import SpanKind
from reasoning_core.prompt import Passage
from reasoning_core.tokenizer import CoreTokenizer
from training.instructions import Dialogue, Exchange
from training.packing import IGNORED, DialogueRows

WORDS = ["meals", "hotel", "limit", "is", "up", "to", "per", "day", "for", "travel", "75", "60", "no", "yes"]
TOKENIZER = CoreTokenizer.train([" ".join(WORDS)] * 3, 300)

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
exchanges = st.builds(
    lambda text, question, answer, learned: Exchange(
        (Passage("Travel", text),), question, (), answer, "answer", "meals", learned
    ),
    texts,
    texts,
    texts,
    st.booleans(),
)
dialogue_sets = st.lists(st.lists(exchanges, min_size=1, max_size=3), min_size=2, max_size=12)


def made(sets: list[list[Exchange]]) -> list[Dialogue]:
    return [Dialogue(str(i), "meals", "train", (), tuple(one)) for i, one in enumerate(sets)]


@settings(max_examples=30, deadline=None)
@given(dialogue_sets, st.integers(0, 3))
def test_every_token_to_be_learned_is_the_target_of_the_position_before_it_exactly_once(sets, epoch):
    dialogues = made(sets)
    rows = DialogueRows(dialogues, TOKENIZER, row_tokens=400, rows_per_step=1, seed=7)
    expected = sorted(
        token
        for dialogue in dialogues
        for exchange, span in zip(
            dialogue.exchanges,
            (span for span in prompt.spans(dialogue.turns(), TOKENIZER) if span.kind is SpanKind.RESPONSE),
            strict=True,
        )
        if exchange.supervised
        for token in span.tokens
    )
    batches = [rows.batch(step) for step in rows.steps(epoch)]
    targets = sorted(int(t) for batch in batches for t in batch.targets_BT[batch.targets_BT != IGNORED])
    assert targets == expected
    for batch in batches:
        supervised = batch.targets_BT != IGNORED
        following = torch.roll(batch.tokens_BT, -1, dims=1)
        assert torch.equal(following[supervised], batch.targets_BT[supervised])
        assert batch.num_supervised == int(supervised.sum())


@settings(max_examples=20, deadline=None)
@given(dialogue_sets)
def test_tokens_of_different_dialogues_in_one_row_never_see_each_other(sets):
    rows = DialogueRows(made(sets), TOKENIZER, row_tokens=400, rows_per_step=1, seed=1)
    for batch in map(rows.batch, rows.steps(0)):
        starts = (batch.tokens_BT[0] == TOKENIZER.boq_id) & (batch.view.position_BT[0] == 0)
        conversation = torch.cumsum(starts.long(), 0)
        assert batch.view.mask_B1TK is not None
        seen = batch.view.mask_B1TK[0, 0].nonzero()
        real = (batch.tokens_BT[0] != TOKENIZER.pad_id)[seen[:, 0]]
        assert torch.equal(conversation[seen[real, 0]], conversation[seen[real, 1]])


def test_the_order_is_a_function_of_seed_and_epoch():
    sets = [[Exchange((Passage("", word),), word, (), word, "answer", "x")] for word in WORDS]

    def order(seed: int, epoch: int) -> list[list[int]]:
        rows = DialogueRows(made(sets), TOKENIZER, row_tokens=64, rows_per_step=1, seed=seed)
        return [rows.batch(step).tokens_BT[0].tolist() for step in rows.steps(epoch)]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_a_dialogue_too_long_for_a_row_loses_its_last_turns():
    turn = Exchange((Passage("", "meals " * 20),), "limit", (), "60", "answer", "x")
    dialogue = Dialogue("1", "x", "train", (), (turn, turn, turn))
    rows = DialogueRows([dialogue], TOKENIZER, row_tokens=80, rows_per_step=1, seed=0)
    assert rows.num_cut > 0
    with pytest.raises(ValueError, match="no dialogue fits a row of 8 tokens"):
        DialogueRows([dialogue], TOKENIZER, row_tokens=8, rows_per_step=1, seed=0)


def test_a_dialogue_is_packed_under_its_own_conditions():
    turn = Exchange((), "limit", (), "60", "answer", "x")
    rows = DialogueRows(
        [Dialogue("1", "x", "train", ("direct",), (turn,))], TOKENIZER, row_tokens=16, rows_per_step=1, seed=0
    )
    (step,) = rows.steps(0)
    assert rows.batch(step).tokens_BT[0, 1].item() == TOKENIZER.condition_ids(["direct"])[0]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=4, max_size=40), st.sampled_from([1, 2, 4]))
def test_shares_hold_each_row_once_are_equal_in_number_and_close_in_cost(lengths, num_shares):
    sets = [[Exchange((Passage("", "meals " * n),), "limit", (), "60", "answer", "x")] for n in lengths]
    rows = DialogueRows(made(sets), TOKENIZER, row_tokens=64, rows_per_step=4, seed=3)
    for step in rows.steps(0):
        shares = rows.deal(step, num_shares)
        assert sorted(row for share in shares for row in share) == sorted(step)
        assert {len(share) for share in shares} == {4 // num_shares}
        costs = [sum(map(rows._cost, share)) for share in shares]
        assert max(costs) - min(costs) <= max(map(rows._cost, step))


def test_rows_that_cannot_be_shared_evenly_are_refused():
    sets = [[Exchange((Passage("", word * 9),), word, (), word, "answer", "x")] for word in WORDS]
    rows = DialogueRows(made(sets), TOKENIZER, row_tokens=64, rows_per_step=3, seed=3)
    with pytest.raises(ValueError, match="3 rows cannot be shared by 2"):
        rows.deal(next(rows.steps(0)), 2)


def test_the_curriculum_begins_the_first_epoch_with_short_dialogues_and_leaves_the_others_alone():
    sets = [[Exchange((Passage("", "meals " * n),), "limit", (), "60", "answer", "x")] for n in range(1, 41)]
    plain, led = (
        DialogueRows(made(sets), TOKENIZER, row_tokens=256, rows_per_step=1, seed=3, curriculum=share)
        for share in (0.0, 0.25)
    )
    order = led._order(0).tolist()
    assert sorted(order) == list(range(40))
    assert max(order[:10]) < 20 <= max(plain._order(0)[:10])
    assert led._order(1).tolist() == plain._order(1).tolist()


def test_the_tokens_of_a_step_do_not_depend_on_how_its_masks_are_computed():
    sets = [[Exchange((Passage("", word),), word, (), word, "answer", "x")] for word in WORDS]
    rows = DialogueRows(made(sets), TOKENIZER, row_tokens=64, rows_per_step=2, seed=3)
    for step in rows.steps(0):
        whole, segmented = rows.batch(step), rows.batch(step, segmented=True)
        assert torch.equal(whole.tokens_BT, segmented.tokens_BT)
        assert torch.equal(whole.targets_BT, segmented.targets_BT)
        assert rows.num_supervised(step) == whole.num_supervised == segmented.num_supervised
