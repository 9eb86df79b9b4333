"""Bootstrap intervals against a loop that resamples by hand."""

import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.intervals import Bootstrap, Ratio, difference, intervals, percentile_interval

DIALOGUES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12)
FEW = Bootstrap(resamples=60, seed=7)


def ratio(dialogues: list[tuple[int, int]]) -> Ratio:
    """Return the ratio with a part of at most the whole in each dialogue."""
    return Ratio(tuple(min(part, whole) for part, whole in dialogues), tuple(whole for _, whole in dialogues))


def brute_force(figure: Ratio, bootstrap: Bootstrap) -> list[float]:
    """Return the figure of each draw, with sums written out."""
    generator, values = np.random.default_rng(bootstrap.seed), []
    for _ in range(bootstrap.resamples):
        drawn = generator.integers(len(figure.parts), size=len(figure.parts))
        whole = sum(figure.wholes[i] for i in drawn)
        values.append(sum(figure.parts[i] for i in drawn) / whole if whole else float("nan"))
    return values


@settings(max_examples=40, deadline=None)
@given(DIALOGUES)
def test_an_interval_equals_that_of_resampling_by_hand(dialogues):
    figure = ratio(dialogues)
    known = [value for value in brute_force(figure, FEW) if not math.isnan(value)]
    (interval,) = intervals({"figure": figure}, FEW).values()
    if not known:
        assert interval is None
    else:
        assert interval == pytest.approx(tuple(np.quantile(known, [0.025, 0.975])))


def test_so_many_dialogues_that_they_are_drawn_in_blocks_give_the_same_interval():
    figure = ratio([(n % 3, n % 4) for n in range(20_000)])
    expected = np.quantile(brute_force(figure, FEW), [0.025, 0.975])
    assert intervals({"figure": figure}, FEW)["figure"] == pytest.approx(tuple(expected))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=10))
def test_a_difference_pairs_the_dialogues_of_both(pairs):
    ours = Ratio(tuple(a for a, _ in pairs), (2,) * len(pairs))
    theirs = Ratio(tuple(b for _, b in pairs), (2,) * len(pairs))
    gaps = [a - b for a, b in zip(brute_force(ours, FEW), brute_force(theirs, FEW), strict=True)]
    assert difference(ours, theirs, FEW) == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))


def test_the_figures_of_a_suite_are_computed_on_the_same_draws():
    first, second = ratio([(1, 2), (0, 1), (2, 3)]), ratio([(3, 3), (1, 2), (0, 0)])
    together = intervals({"first": first, "second": second}, FEW)
    assert together == {**intervals({"first": first}, FEW), **intervals({"second": second}, FEW)}


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation_where_there_is_much_data():
    rng = random.Random(0)
    flags = [float(rng.random() < 0.6) for _ in range(1000)]
    low, high = intervals({"share": Ratio(tuple(flags), (1.0,) * 1000)}, Bootstrap())["share"]
    half_width = 1.96 * statistics.pstdev(flags) / 1000**0.5
    assert low == pytest.approx(statistics.mean(flags) - half_width, abs=0.004)
    assert high == pytest.approx(statistics.mean(flags) + half_width, abs=0.004)


def test_exchanges_of_one_dialogue_widen_the_interval_as_one_draw():
    alone = Ratio((1.0, 0.0) * 40, (1.0,) * 80)
    grouped = Ratio((4.0, 0.0) * 10, (4.0,) * 20)
    widths = [high - low for low, high in intervals({"x": alone}, Bootstrap()).values()]
    widths += [high - low for low, high in intervals({"x": grouped}, Bootstrap()).values()]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.15)


def test_the_same_seed_gives_the_same_interval_and_no_data_gives_none():
    figure = ratio([(1, 1), (0, 1), (1, 1)])
    assert intervals({"x": figure}, FEW) == intervals({"x": figure}, FEW)
    assert intervals({"x": Ratio((), ())}, FEW) == {"x": None}
    assert percentile_interval(np.array([float("nan")]), 0.9) is None
    assert Ratio((), ()).value is None


def test_dialogues_that_cannot_be_paired_and_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="1 dialogues cannot be paired with 2"):
        difference(ratio([(1, 1)]), ratio([(1, 1), (1, 1)]), FEW)
    with pytest.raises(ValueError, match="confidence is 1"):
        Bootstrap(confidence=1)
    with pytest.raises(ValueError, match="resamples is 0"):
        Bootstrap(resamples=0)
