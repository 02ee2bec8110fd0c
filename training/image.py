"""The Lightning module of the image codec."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from ncodec.models.image import ImageConfig, ImageModel
from ncodec.training.data import to_unit
from ncodec.training.losses import RateDistortion, balanced, budget_factor, rate_distortion

VALIDATION_QPS = (8, 20, 32, 44, 56)

RATE_FACTORS = {"linear": 0.03, "table_index.weight": 4.0, "table_index.bias": 20.0, "z_index": 20.0}
"""Learning rates of parts whose natural unit is not one: a basis vector's 768 weights are near 0.04 and see pixels of
one sign, so Adam's equal steps add up to a hundred levels; a table step is an eighth of the logarithm of σ."""


@dataclass(frozen=True)
class OptimizerOptions:
    """AdamW inside a budget of steps or minutes, whichever ends first; the rate reaches zero at its end."""

    peak: float = 2e-3
    """highest learning rate"""
    steps: int = 100_000
    minutes: float | None = None
    """wall-clock budget, counted over all resumes"""
    warmup: float = 0.02
    """share of the budget spent raising the rate"""
    clip: float = 1.0
    """largest norm of the gradient"""


class ImageTraining(pl.LightningModule):
    """Minimizes λ·255²·MSE + bpp of an `ImageModel` at a random qp for each crop."""

    def __init__(self, config: ImageConfig, optimizer: OptimizerOptions) -> None:
        super().__init__()
        self.model = ImageModel(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.options = optimizer
        self.spent_s = 0.0
        self._tick = 0.0
        self._pivot = float(config.lambda_of(torch.tensor(config.qp_count / 2)))

    def price(self, crops: Tensor, qp: Tensor) -> tuple[RateDistortion, Tensor]:
        """Rate and distortion of (B, H, W, 3) uint8 crops at (B,) qp, and the λ of each."""
        pixels = to_unit(crops)
        seen = self.model(pixels, qp)
        z_share = (seen.z_bits / (seen.y_bits + seen.z_bits)).mean()
        self.log("z_share", z_share, batch_size=len(crops), sync_dist=not self.training)
        lagrangian = self.model.config.lambda_of(qp)
        return rate_distortion(seen.pixels, pixels, seen.y_bits + seen.z_bits, lagrangian=lagrangian), lagrangian

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Balanced loss of one batch."""
        result, lagrangian = self.price(*batch)
        loss = balanced(result.loss, lagrangian=lagrangian, pivot=self._pivot)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor], batch_idx: int) -> None:
        """Log bpp and PSNR of each ladder qp, and the mean log loss that says how training goes."""
        log_losses = []
        for qp in VALIDATION_QPS:
            crops = batch[0]
            result, _ = self.price(crops, torch.full((len(crops),), float(qp), device=crops.device))
            self.log(f"val/bpp_{qp}", result.bpp.mean(), batch_size=len(crops), sync_dist=True)
            self.log(f"val/psnr_{qp}", result.psnr.mean(), batch_size=len(crops), sync_dist=True)
            log_losses.append(result.loss.log().mean())
        self.log(
            "val/log_loss", torch.stack(log_losses).mean(), batch_size=len(batch[0]), prog_bar=True, sync_dist=True
        )

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0…1."""
        minutes = self.options.minutes
        by_time = self.spent_s / (60 * minutes) if minutes else 0.0
        return min(1.0, max(self.global_step / self.options.steps, by_time))

    def on_train_start(self) -> None:
        """Start the clock of the budget."""
        self._tick = time.monotonic()

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Set the learning rate from the spent budget, and stop at its end."""
        now = time.monotonic()
        self.spent_s, self._tick = self.spent_s + now - self._tick, now
        # All processes follow the first one's clock, or one would stop while another waits for its gradient.
        self.spent_s = self.trainer.strategy.broadcast(self.spent_s)
        rate = self.options.peak * budget_factor(self.progress, warmup=self.options.warmup)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group["factor"]
        self.log("train/rate", rate)
        self.trainer.should_stop = self.progress >= 1

    def configure_gradient_clipping(self, optimizer: torch.optim.Optimizer, *_: object, **__: object) -> None:
        """Clip the gradient's norm; a step whose gradient is not finite is skipped."""
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.log("train/grad_norm", norm)
        if not torch.isfinite(norm):
            optimizer.zero_grad(set_to_none=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW over all parameters, the parts of `RATE_FACTORS` at their own rates."""
        groups: dict[float, list[torch.nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            factor = next((f for part, f in RATE_FACTORS.items() if part in name), 1.0)
            groups.setdefault(factor, []).append(parameter)
        parts = [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]
        return torch.optim.AdamW(parts, lr=0.0, weight_decay=0.0, betas=(0.9, 0.99), fused=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the clock of the budget, and what the model's shape depends on."""
        checkpoint["spent_s"] = self.spent_s
        checkpoint["config"] = asdict(self.model.config)

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue the clock of the budget."""
        self.spent_s = checkpoint["spent_s"]
