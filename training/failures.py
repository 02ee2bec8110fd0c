"""Steps of training that had no finite gradient."""

import torch
from torch import Tensor

LARGEST_FAILURES = 20
"""steps in a row without a finite gradient after which training stops"""


class FailureCount(torch.nn.Module):
    """Counts steps in a row without a finite gradient, on the device of the module that it is in.

    Tensors keep their places, as CUDA graphs need, and are no part of checkpoints.
    """

    now: Tensor
    """steps in a row up to the last step"""
    longest: Tensor
    """most steps in a row so far"""

    def __init__(self) -> None:
        super().__init__()
        for name in ("now", "longest"):
            self.register_buffer(name, torch.zeros(()), persistent=False)

    def add(self, failed: Tensor) -> None:
        """Count a step: `failed` is a scalar, 1 without a finite gradient, else 0."""
        self.now.copy_((self.now + 1) * failed)
        self.longest.copy_(torch.maximum(self.longest, self.now))

    def clear(self) -> None:
        """Begin anew."""
        self.now.zero_()
        self.longest.zero_()

    @property
    def too_many(self) -> bool:
        """Whether `LARGEST_FAILURES` steps in a row failed at some time; waits for the device."""
        return bool(self.longest >= LARGEST_FAILURES)

    def sentence(self) -> str:
        """Message for the end of a run."""
        return f"expected finite gradients, got none in {int(self.longest)} steps in a row"
