"""What an engine has done and is doing: the figures that metrics show and that a busy engine's estimate rests on."""

import math
from dataclasses import dataclass, field

FIRST_TOKEN_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, math.inf)
_NEWEST_SHARE = 0.1


@dataclass(slots=True)
class Load:
    """Counts since the start, but for the first four; written by the scheduler's thread, read by anyone.

    `computed_tokens` went through a forward pass. `prompt_tokens` were asked with, of which a cache held
    `cached_tokens`; `drafted_tokens` were guessed, of which `kept_tokens` were right. `close_calls` are choices that
    rounding could have decided. `first_tokens` counts responses by how long their first token took, bound by bound of
    `FIRST_TOKEN_BOUNDS_S`.
    """

    running: int = 0
    waiting: int = 0
    running_bytes: int = 0
    idle_bytes: int = 0
    answers: int = 0
    cancelled: int = 0
    late: int = 0
    failed: int = 0
    hits: int = 0
    evictions: int = 0
    steps: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    computed_tokens: int = 0
    new_tokens: int = 0
    drafted_tokens: int = 0
    kept_tokens: int = 0
    close_calls: int = 0
    first_token_s: float = 0.0
    first_tokens: list[int] = field(default_factory=lambda: [0] * len(FIRST_TOKEN_BOUNDS_S))
    answer_s: float = 1.0
    """How long an answer holds its session, the newest ones counting most."""

    def note_first_token(self, seconds: float) -> None:
        self.first_token_s += seconds
        bound = next(n for n, most in enumerate(FIRST_TOKEN_BOUNDS_S) if seconds <= most)
        self.first_tokens[bound] += 1

    def note_answer(self, seconds: float) -> None:
        share = _NEWEST_SHARE if self.answers else 1.0
        self.answer_s += share * (seconds - self.answer_s)
        self.answers += 1

    def retry_after_s(self, max_sessions: int) -> int:
        """Return in how many seconds those who run and wait now should be done, at the measured pace."""
        return max(1, math.ceil(self.answer_s * (self.running + self.waiting) / max(1, max_sessions)))
