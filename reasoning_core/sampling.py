"""From logits to one token, greedy or sampled, under an optional restriction.

A draw is the token with the largest sum of its logit and a Gumbel number times the temperature (the Gumbel-max trick),
which follows the softmax exactly. The numbers depend on the seed and on the place in the response alone: no other
session, no draft and no earlier draw can shift them, and every choice, greedy or drawn, has a margin: how far the
logits would have to move to make it another one.

Shape suffixes: V vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_FEW = 64
_RANKED = 8


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


@dataclass(frozen=True, slots=True)
class Choice:
    """A token, and by how much its logit leads that of the next best; infinite where there was no other."""

    token: int
    margin: float


class Sampler:
    """Chooses the tokens of one response; it has no state that a choice could change."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling

    def choose(self, logits_V: Tensor, place: int = 0, allowed: Sequence[int] | None = None) -> Choice:
        """Return the token at `place` of the response, from `allowed` where that is given."""
        scores_V, scale = self._scores(logits_V.float().numpy(force=True), place)
        token, lead = _leader(scores_V, allowed)
        return Choice(token, lead * scale)

    def _scores(self, logits_V: NDArray[np.float32], place: int) -> tuple[NDArray[np.floating], float]:
        """Return what the largest is sought of, and how many logits one unit of it is."""
        temperature = self._sampling.temperature
        if temperature == 0:
            return logits_V, 1.0
        # Philox counts in its lowest word; the place stands in the next, so that no two places share a number.
        stream = np.random.Generator(np.random.Philox(key=self._sampling.seed, counter=[0, place, 0, 0]))
        gumbel_V = stream.gumbel(size=len(logits_V))
        # In float64, and divided where that is the smaller way: no temperature may lead to infinity.
        if temperature > 1:
            return logits_V.astype(np.float64) / temperature + gumbel_V, temperature
        return logits_V + temperature * gumbel_V, 1.0


def log_probability(logits_V: Tensor, token: int) -> float:
    """Return how likely the core itself held a token: at temperature 1, whatever a guide forbids."""
    scores_V = logits_V.float().numpy(force=True)
    largest = scores_V.max()
    return float(scores_V[token] - largest - np.log(np.exp(scores_V - largest).sum()))


def _leader(scores_V: NDArray[np.floating], allowed: Sequence[int] | None) -> tuple[int, float]:
    """Return the place of the largest score that is allowed, and its lead over the next."""
    if allowed is None:
        place, lead = _largest(scores_V)
        return place, lead
    if len(allowed) > _FEW:
        # Making an array of a long list costs more than all the rest: look whether the best are in it.
        ranked = np.argpartition(scores_V, -_RANKED)[-_RANKED:]
        found = [token for token in ranked[np.argsort(-scores_V[ranked])].tolist() if token in allowed]
        if len(found) > 1:
            return found[0], float(scores_V[found[0]] - scores_V[found[1]])
    few = np.asarray(allowed)
    place, lead = _largest(scores_V[few])
    return int(few[place]), lead


def _largest(scores: NDArray[np.floating]) -> tuple[int, float]:
    place = int(scores.argmax())
    others = scores.copy()
    others[place] = -np.inf
    return place, float(scores[place] - others.max())
