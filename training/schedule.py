"""How learning rate and gradient depth move over a run (paper, sections 3.3 and 4)."""

from dataclasses import dataclass

MIN_GRAD_CALLS, MAX_GRAD_CALLS = 2, 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """Linear warm-up, a constant plateau, and a linear cool-down over the last fraction of the steps.

    The published run has no cool-down; a run of hours gains from one (DECISIONS.md). `num_calls` is how many stack
    calls a forward pass makes: K never passes it.
    """

    num_steps: int
    learning_rate: float
    warmup_steps: int = 100
    cooldown_fraction: float = 0.2
    grad_warmup_fraction: float = 0.2
    num_calls: int = 8

    def learning_rate_at(self, step: int) -> float:
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        cooldown_steps = max(1.0, self.cooldown_fraction * self.num_steps)
        cool = min(1.0, max(0.0, (self.num_steps - step) / cooldown_steps))
        return self.learning_rate * warm * cool

    def grad_calls_at(self, step: int) -> int:
        """Return K, the number of stack calls with gradient: 2 to 5 over the first fifth of the run."""
        warm = self.grad_warmup_fraction * self.num_steps
        progress = min(1.0, step / warm) if warm > 0 else 1.0
        return min(self.num_calls, MIN_GRAD_CALLS + int(progress * (MAX_GRAD_CALLS - MIN_GRAD_CALLS)))
