"""Choosing tokens: greedy, seeded, restricted."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.sampling import Sampler, Sampling

LOGITS = torch.randn(50, generator=torch.Generator().manual_seed(0))


def test_greedy_takes_the_largest_logit():
    assert Sampler(Sampling()).choose(LOGITS) == int(LOGITS.argmax())


@given(st.integers(0, 2**63 - 1), st.floats(0.1, 5))
def test_the_same_seed_draws_the_same_tokens(seed, temperature):
    first, second = (Sampler(Sampling(temperature, seed)) for _ in range(2))
    assert [first.choose(LOGITS) for _ in range(8)] == [second.choose(LOGITS) for _ in range(8)]


@given(
    st.lists(st.integers(0, 49), min_size=1, unique=True), st.sampled_from([0.0, 1e-320, 1.0, 1e300]), st.integers(0, 9)
)
def test_only_allowed_tokens_are_chosen(allowed, temperature, seed):
    sampler = Sampler(Sampling(temperature, seed))
    assert all(sampler.choose(LOGITS, allowed) in allowed for _ in range(5))


def test_a_vanishing_temperature_is_greedy():
    assert Sampler(Sampling(1e-320)).choose(LOGITS * 100) == int(LOGITS.argmax())


def test_sampled_frequencies_follow_the_softmax():
    sampler, logits = Sampler(Sampling(2.0, 1)), torch.tensor([0.0, 2.0, 1.0])
    counts = torch.bincount(torch.tensor([sampler.choose(logits) for _ in range(4000)]), minlength=3) / 4000
    assert torch.allclose(counts, torch.softmax(logits / 2, 0), atol=0.03)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"temperature": -0.1}, "temperature is -0.1: it must be 0"),
        ({"temperature": math.nan}, "temperature is nan: it must be 0"),
        ({"temperature": math.inf}, "temperature is inf: it must be 0"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0: it must be at least 1"),
        ({"seed": -1}, "seed is -1: it must be between"),
        ({"seed": 2**64}, f"seed is {2**64}: it must be between"),
    ],
)
def test_a_bad_setting_is_refused_with_a_sentence_that_names_it(values, sentence):
    with pytest.raises(ValueError, match=sentence.replace("*", r"\*")):
        Sampling(**values)
