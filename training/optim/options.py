"""The optimizer of a run, and its budget."""

from dataclasses import dataclass
from typing import Literal

from ncodec.training.losses import budget_factor


@dataclass(frozen=True)
class OptimizerOptions:
    """An optimizer inside a budget of steps or minutes, whichever ends first; the rate reaches zero
    at its end."""

    name: Literal["adamw", "soap"] = "adamw"
    """soap takes more time a step, and learns more from it"""
    peak: float = 2e-3
    """highest learning rate"""
    steps: int = 100_000
    minutes: float | None = None
    """wall-clock budget, counted over all resumes"""
    warmup: float = 0.02
    """share of the budget spent raising the rate"""
    clip: float = 1.0
    """largest norm of the gradient"""

    def progress(self, *, steps: int, seconds: float) -> float:
        """Share of the budget that is spent, 0 to 1, by steps or by time, whichever is more."""
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(steps / self.steps, by_time))

    def rate(self, progress: float) -> float:
        """Learning rate at a share of the budget, 0 to 1."""
        return self.peak * budget_factor(progress, warmup=self.warmup)
