"""From logits to one token, greedy or sampled, under an optional restriction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to choose tokens; temperature 0 is greedy. The same seed gives the same text."""

    temperature: float = 0.0
    seed: int = 0
    max_new_tokens: int = 192

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature is {self.temperature}: it must be 0 (greedy) or more")
        if not 0 <= self.seed < 1 << 63:
            raise ValueError(f"seed is {self.seed}: it must be between 0 and 2**63 - 1")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {self.max_new_tokens}: it must be at least 1")


class Sampler:
    """Draws the tokens of one response with a generator of its own, so that no other session can disturb it."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator = torch.Generator().manual_seed(sampling.seed)

    def choose(self, logits_V: Tensor, allowed: Sequence[int] | None = None) -> int:
        """Return one token id, from `allowed` where that is given."""
        if allowed is not None:
            index = torch.tensor(allowed)
            return int(index[self.choose(logits_V[index])])
        if self._sampling.temperature == 0:
            return int(logits_V.argmax())
        # Measured from the largest logit, so that no temperature, however small, divides its way to infinity.
        weights = torch.softmax((logits_V - logits_V.max()).double() / self._sampling.temperature, dim=-1)
        return int(torch.multinomial(weights, 1, generator=self._generator))


def log_probability(logits_V: Tensor, token: int) -> float:
    """Return how likely the core itself held a token: at temperature 1, whatever a guide forbids."""
    return float(logits_V[token] - logits_V.logsumexp(dim=-1))
