"""Choosing tokens: greedy, seeded, restricted, and by how much."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reasoning_core.sampling import Sampler, Sampling, log_probability

LOGITS = torch.randn(300, generator=torch.Generator().manual_seed(0))
TEMPERATURES = st.sampled_from([0.0, 1e-320, 0.1, 1.0, 7.0, 1e300])


def test_greedy_takes_the_largest_logit():
    assert Sampler(Sampling()).choose(LOGITS).token == int(LOGITS.argmax())


@given(st.integers(0, 2**63 - 1), st.floats(0.1, 5), st.permutations(range(8)))
def test_a_seed_draws_the_same_token_at_each_place_in_whatever_order_places_are_drawn(seed, temperature, order):
    first, second = (Sampler(Sampling(temperature, seed)) for _ in range(2))
    expected = [first.choose(LOGITS, place).token for place in range(8)]
    assert {place: second.choose(LOGITS, place).token for place in order} == dict(enumerate(expected))


@given(st.integers(0, 2**32 - 2))
def test_neighbouring_seeds_and_places_draw_apart(seed):
    flat = torch.zeros(300)
    draws = [[Sampler(Sampling(1.0, s)).choose(flat, place).token for place in range(8)] for s in (seed, seed + 1)]
    assert draws[0] != draws[1]
    assert len({*draws[0], *draws[1]}) > 8


@given(st.lists(st.integers(0, 299), min_size=1, unique=True), TEMPERATURES, st.integers(0, 9))
def test_only_allowed_tokens_are_chosen(allowed, temperature, seed):
    sampler = Sampler(Sampling(temperature, seed))
    assert all(sampler.choose(LOGITS, place, allowed).token in allowed for place in range(5))


@given(
    st.one_of(st.none(), st.integers(1, 300)), TEMPERATURES, st.integers(0, 99), st.integers(0, 5), st.integers(0, 99)
)
def test_the_choice_and_its_margin_are_those_of_all_allowed_scores_sorted(count, temperature, seed, place, shuffle):
    allowed = None if count is None else np.random.default_rng(shuffle).permutation(300)[:count].tolist()
    choice = Sampler(Sampling(temperature, seed)).choose(LOGITS, place, allowed)
    stream = np.random.Generator(np.random.Philox(key=seed, counter=[0, place, 0, 0]))
    gumbel = stream.gumbel(size=300) if temperature else np.zeros(300)
    # Divided where the temperature is high, as no sum there would still hold a logit.
    scores = (LOGITS.double().numpy() / max(temperature, 1.0)) + min(temperature, 1.0) * gumbel
    ranked = sorted(range(300) if allowed is None else allowed, key=lambda token: -scores[token])
    assert choice.token == ranked[0]
    if len(ranked) > 1:
        lead = (scores[ranked[0]] - scores[ranked[1]]) * max(temperature, 1.0)
        assert choice.margin == pytest.approx(lead, rel=1e-3, abs=1e-6)
    else:
        assert choice.margin == math.inf


@given(st.integers(0, 99), st.floats(0.01, 5), st.integers(0, 5))
def test_logits_moved_by_less_than_half_the_margin_give_the_same_choice(seed, temperature, place):
    sampler = Sampler(Sampling(temperature, seed))
    choice = sampler.choose(LOGITS, place)
    noise = 2 * torch.rand(300, generator=torch.Generator().manual_seed(seed)) - 1
    assert sampler.choose(LOGITS + 0.499 * choice.margin * noise, place).token == choice.token


def test_a_vanishing_temperature_is_greedy():
    assert Sampler(Sampling(1e-320)).choose(LOGITS * 100).token == int(LOGITS.argmax())


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_sampled_frequencies_follow_the_softmax(temperature):
    sampler, logits = Sampler(Sampling(temperature, 1)), torch.tensor([0.0, 2.0, 1.0])
    tokens = [sampler.choose(logits, place).token for place in range(4000)]
    frequencies = torch.bincount(torch.tensor(tokens), minlength=3) / 4000
    assert torch.allclose(frequencies, torch.softmax(logits / temperature, 0), atol=0.03)


def test_a_restricted_draw_follows_the_softmax_of_what_is_allowed():
    sampler, logits = Sampler(Sampling(1.0, 1)), torch.tensor([0.0, 2.0, 1.0])
    tokens = [sampler.choose(logits, place, [0, 2]).token for place in range(4000)]
    assert tokens.count(2) / 4000 == pytest.approx(math.e / (1 + math.e), abs=0.03)


@given(st.integers(0, 299), st.sampled_from([torch.float32, torch.bfloat16]))
def test_the_log_probability_is_that_of_the_softmax(token, dtype):
    logits = (30 * LOGITS).to(dtype)
    expected = float(logits.double().log_softmax(-1)[token])
    assert log_probability(logits, token) == pytest.approx(expected, rel=1e-5, abs=1e-5)


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
