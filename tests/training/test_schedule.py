"""The learning rate and the depth of gradient over a run."""

from hypothesis import given
from hypothesis import strategies as st

from training.schedule import Schedule


def test_depth_grows_from_two_to_five_over_the_first_fifth():
    schedule = Schedule(num_steps=1000, learning_rate=1e-3)
    depths = [schedule.grad_calls_at(step) for step in range(1000)]
    assert depths[0] == 2
    assert [depths.index(k) for k in (3, 4, 5)] == [67, 134, 200]
    assert set(depths[200:]) == {5}


@given(st.integers(1, 5000), st.integers(0, 200), st.floats(0.01, 0.9))
def test_the_rate_warms_up_stays_and_cools_to_almost_nothing(num_steps, warmup_steps, cooldown):
    schedule = Schedule(num_steps, 1e-3, warmup_steps, cooldown)
    rates = [schedule.learning_rate_at(step) for step in range(num_steps)]
    assert all(0 < rate <= 1e-3 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
