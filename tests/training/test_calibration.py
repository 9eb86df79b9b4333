"""Calibration against the textbook formula and cases worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import expected_calibration_error, reliability

CLAIMS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_the_error_of_two_bins_is_worked_out_by_hand():
    # Bin (0.8, 0.9]: confidence 0.85, accuracy 2/3; bin (0.3, 0.4]: confidence 0.4, accuracy 1.
    bins = reliability([(0.85, True), (0.85, True), (0.85, False), (0.4, True)])
    assert [(each.low, each.high, each.cases) for each in bins] == [(0.3, 0.4, 1), (0.8, 0.9, 3)]
    assert bins[1].accuracy == pytest.approx(2 / 3)
    expected = 3 / 4 * abs(2 / 3 - 0.85) + 1 / 4 * abs(1 - 0.4)
    assert expected_calibration_error(bins) == pytest.approx(expected)


@given(CLAIMS)
def test_every_claim_lies_in_the_bin_that_holds_its_confidence(claims):
    bins = reliability(claims)
    assert sum(each.cases for each in bins) == len(claims)
    for each in bins:
        inside = [c for c, _ in claims if each.low < c <= each.high or (c == 0 and each.low == 0)]
        assert len(inside) == each.cases
        assert each.confidence == pytest.approx(sum(inside) / len(inside))


@given(CLAIMS)
def test_the_error_lies_between_the_overall_gap_and_one(claims):
    gap = abs(sum(right for _, right in claims) / len(claims) - sum(c for c, _ in claims) / len(claims))
    error = expected_calibration_error(reliability(claims))
    assert gap - 1e-9 <= error <= 1


def test_a_core_that_is_as_often_right_as_it_says_has_no_error():
    claims = [(0.75, True)] * 3 + [(0.75, False)]
    assert expected_calibration_error(reliability(claims)) == pytest.approx(0)


def test_no_claim_has_no_error_and_an_impossible_confidence_is_refused():
    assert expected_calibration_error(reliability([])) is None
    with pytest.raises(ValueError, match=r"confidence is 1\.5"):
        reliability([(1.5, True)])
