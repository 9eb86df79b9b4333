"""Whether training data hold what a suite asks: the published test, and a search for whole cases.

The published test (the paper, after Llama 2): the n-grams of each case, for n of 13 and 20, are looked for in the whole
of the training data; a case is as contaminated as the share of its tokens that lie inside a found n-gram. A case is its
passages and questions so far in prompt order, without headings and expected answers. Dialogues that share templates
with a suite match in part by construction, so shares alone are no verdict.

The verdict is about whole cases: one training dialogue asks the same question over the same passages. The question and
the case as a whole must each be covered to 80 % by 20-grams found in that dialogue, where a question or a passage
of fewer than 20 tokens counts as found only if it is there as a whole; and no number of the case may be missing there,
for a policy with another limit is another case however alike the words are.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.dialogue_tokens import DialogueTokens
from training.grams import GramSet, Hashes, covered, grams, grams_or_whole
from training.instructions import Dialogue

NGRAMS = (13, 20)
CLEAN, DIRTY = 0.2, 0.8
_WHOLE_N = 20
_BOUNDARY = np.array([hash("\n")], np.int64).view(np.uint64)  # no token, so that no n-gram reaches across
_BATCH_TOKENS = 1 << 18
_SIGNIFICANT = 2.0


@dataclass(frozen=True, slots=True)
class Case:
    """One question of a suite with all that is read before it; the last part is the question."""

    suite: str
    id: str
    parts: tuple[Hashes, ...]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A group of cases, and how far its mean score lies from that of all cases, in standard errors."""

    name: str
    num_cases: int
    mean_share: float | None
    mean_score: float | None
    z: float | None


@dataclass(frozen=True, slots=True)
class NgramFinding:
    """The published test of one suite for one n; `significant` is None where there are no scores."""

    n: int
    mean_share: float
    buckets: tuple[Bucket, ...]
    significant: bool | None


@dataclass(frozen=True, slots=True)
class WholeCase:
    """A case that stands in the training data, at `place`; `share` of its tokens was found there."""

    suite: str
    case: str
    place: str
    share: float


def cases_of(suite: str, dialogues: Iterable[Dialogue]) -> list[Case]:
    """Return one case for each question, named as evaluation names it."""
    cases = []
    for dialogue in dialogues:
        tokens = DialogueTokens(dialogue)
        parts: list[Hashes] = []
        numbers: frozenset[str] = frozenset()
        turns = zip(tokens.passages, tokens.questions, tokens.numbers, strict=True)
        for turn, (passages, question, new_numbers) in enumerate(turns, start=1):
            parts += [*passages, question]
            numbers |= new_numbers
            cases.append(Case(suite, f"{dialogue.id}#{turn}", tuple(parts), numbers))
    return cases


class NgramShares:
    """The share of each case's tokens that lie inside an n-gram of the training data."""

    def __init__(self, cases: Sequence[Case], n: int) -> None:
        self.n = n
        sequences = [np.concatenate(case.parts) for case in cases]
        self._lengths = [len(sequence) for sequence in sequences]
        found = [grams(sequence, n) for sequence in sequences]
        self._members = GramSet(found)
        self._places = [self._members.places(each) for each in found]
        self._matched = np.zeros(len(self._members), np.bool_)
        self._waiting: list[Hashes] = []
        self._num_waiting = 0

    def see(self, dialogue: DialogueTokens) -> None:
        """Look through the prompts of a training dialogue, then through its responses."""
        for part in (np.concatenate(dialogue.prompt), *dialogue.responses):
            self._waiting += [part, _BOUNDARY]
            self._num_waiting += len(part)
        if self._num_waiting >= _BATCH_TOKENS:
            self._look()

    def shares(self) -> list[float]:
        self._look()
        return [
            float(covered(self._matched[places], length).mean()) if length else 0.0
            for places, length in zip(self._places, self._lengths, strict=True)
        ]

    def _look(self) -> None:
        if self._waiting:
            self._matched[self._members.places(grams(np.concatenate(self._waiting), self.n))] = True
        self._waiting, self._num_waiting = [], 0


class WholeCases:
    """Finds training dialogues that ask a case's question over a case's passages."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._cases = cases
        found = [[grams_or_whole(part, _WHOLE_N) for part in case.parts] for case in cases]
        self._members = GramSet([each for parts in found for each in parts])
        self._places = [[self._members.places(each) for each in parts] for parts in found]
        self._asked: dict[int, list[int]] = defaultdict(list)
        for number, parts in enumerate(found):
            for gram in set(parts[-1].tolist()):
                self._asked[gram].append(number)
        self._found: dict[int, WholeCase] = {}

    def see(self, dialogue: DialogueTokens, place: str) -> None:
        """Look for every case in one training dialogue."""
        questions = [grams_or_whole(question, _WHOLE_N) for question in dialogue.questions]
        suspects = {n for asked in questions for gram in asked.tolist() for n in self._asked.get(gram, ())}
        suspects -= self._found.keys()
        if not suspects:
            return
        passages = [grams_or_whole(passage, _WHOLE_N) for new in dialogue.passages for passage in new]
        known = [self._members.places(each) for each in passages]
        read = np.unique(np.concatenate([*known, *map(self._members.places, questions)]))
        for number in suspects:
            if any(map(len, known)) or len(self._cases[number].parts) == 1:
                share = self._share(number, read)
                if share >= DIRTY and self._cases[number].numbers <= frozenset().union(*dialogue.numbers):
                    case = self._cases[number]
                    self._found[number] = WholeCase(case.suite, case.id, place, share)

    def found(self) -> list[WholeCase]:
        """Return the cases found, in the order of the suites, each where it was met first."""
        return [case for _, case in sorted(self._found.items())]

    def _share(self, number: int, read: npt.NDArray[np.int64]) -> float:
        """Return the share of a case's tokens that was read, or 0 where its question was not."""
        parts = zip(self._places[number], self._cases[number].parts, strict=True)
        shares = [covered(np.isin(places, read), len(part)) for places, part in parts]
        return float(np.concatenate(shares).mean()) if shares[-1].mean() >= DIRTY else 0.0


def published_test(n: int, shares: Sequence[float], scores: Sequence[float] | None) -> NgramFinding:
    """Return the published test: clean cases have less than 20 %, dirty ones at least 80 % of their tokens found.

    Z = (mean of the group - mean of all) / (sigma of all / sqrt(size of the group)). The effect of contamination on a
    score is significant only if |Z| > 2 in all four.
    """
    by_share = np.array(shares)
    values = None if scores is None else np.array(scores, float)
    groups = {
        "clean": by_share < CLEAN,
        "not clean": by_share >= CLEAN,
        "not dirty": by_share < DIRTY,
        "dirty": by_share >= DIRTY,
    }
    buckets = tuple(_bucket(name, by_share, chosen, values) for name, chosen in groups.items())
    significant = all(bucket.z is not None and abs(bucket.z) > _SIGNIFICANT for bucket in buckets)
    mean_share = float(by_share.mean()) if len(by_share) else 0.0
    return NgramFinding(n, mean_share, buckets, significant if scores is not None else None)


def _bucket(
    name: str,
    shares: npt.NDArray[np.float64],
    chosen: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64] | None,
) -> Bucket:
    size = int(chosen.sum())
    if not size:
        return Bucket(name, 0, None, None, None)
    mean_share = float(shares[chosen].mean())
    if scores is None:
        return Bucket(name, size, mean_share, None, None)
    mean, sigma = float(scores[chosen].mean()), float(scores.std())
    z = (mean - float(scores.mean())) / (sigma / math.sqrt(size)) if sigma else None
    return Bucket(name, size, mean_share, mean, z)
