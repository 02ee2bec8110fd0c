"""The Lightning module of the image codec."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from ncodec.errors import TrainingError
from ncodec.networks.frame import FrameModel
from ncodec.networks.image import ImageModel, Prediction
from ncodec.training.checkpoint import write_checkpoint
from ncodec.training.compressai_models import CompressAIModel
from ncodec.training.data import step_seed, to_unit
from ncodec.training.failures import FailureCount
from ncodec.training.losses import (
    RateDistortion,
    balanced,
    lack_of_structure,
    mean_square,
    rate_distortion,
)
from ncodec.training.optim.options import OptimizerOptions
from ncodec.training.optim.parameters import clipped_parameters, open_optimizer

VALIDATION_QPS = (8, 20, 32, 44, 56)
LOG_LOSS = "val/log_loss"
SHOWN_PICTURES = 4
"""held-out crops that are drawn into the log beside their originals"""
CHECK_EVERY = 50
"""steps between looks at values that live on the device"""
Distortion = Literal["mse", "ms-ssim"]
CLOCK_EVERY = 10
"""steps between agreements of the processes on the time that is spent"""
FAILED_BATCH = "nonfinite.pt"


class ImageTraining(pl.LightningModule):
    """Minimizes λ·255²·D + bpp at a random QP for each crop; D is the mean square error or the lack
    of MS-SSIM."""

    sharded = False
    """whether the weights are split over the processes"""

    def __init__(
        self,
        model: ImageModel | FrameModel | CompressAIModel,
        optimizer: OptimizerOptions,
        *,
        distortion: Distortion = "mse",
        seed: int = 1,
    ) -> None:
        super().__init__()
        self.distortion = distortion
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.options = optimizer
        self.seed = seed
        self.spent_s = 0.0
        self._shared_s = 0.0
        self._tick = 0.0
        self.failures = FailureCount()
        self._pivot = float(model.config.lambda_of(torch.tensor(model.config.qp_count / 2)))

    def price(self, crops: Tensor, qp: Tensor) -> tuple[RateDistortion, Prediction]:
        """Rate and distortion of (B, H, W, 3) uint8 crops at (B,) qp, and what the model made of
        them."""
        pixels = to_unit(crops)
        seen: Prediction = self.model(pixels, qp)
        lagrangian = self.model.config.lambda_of(qp)
        made = seen.pixels.float()
        error = (
            mean_square(made - pixels)
            if self.distortion == "mse"
            else lack_of_structure(made, pixels)
        )
        return rate_distortion(
            error, seen, pixels=pixels[0, 0].numel(), lagrangian=lagrangian
        ), seen

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Balanced loss of one batch."""
        crops, qp = batch
        result, seen = self.price(crops, qp)
        loss = self.objective(result)
        self.log("train/loss", loss, prog_bar=True)
        self.log("train/z_share", (seen.z_bits / (seen.y_bits + seen.z_bits)).mean())
        return loss if seen.penalty is None else loss + seen.penalty

    def objective(self, result: RateDistortion) -> Tensor:
        """Mean over the batch of losses weighted by √(pivot/λ), a scalar; pivot is λ of the middle
        QP."""
        return balanced(result.loss, lagrangian=result.lagrangian, pivot=self._pivot)

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        """Log bpp and PSNR of each ladder qp, and the mean log loss that says how training goes."""
        for name, values in self.measure(batch, show=batch_idx == 0).items():
            prog_bar = name == LOG_LOSS
            self.log(
                name, values.mean(), batch_size=values.shape[-1], prog_bar=prog_bar, sync_dist=True
            )

    def measure(self, batch: tuple[Tensor, ...], *, show: bool = False) -> dict[str, Tensor]:
        """Measure held-out crops, (B, H, W, 3) uint8, at the QPs 8, 20, 32, 44 and 56, or at a
        model's one rate.

        Returns `val/bpp_QP` in bits per pixel and `val/psnr_QP` in dB, (B,) each, and
        `val/log_loss`, (QPs, B), the natural logarithm of the loss that a file has. `show` draws
        four crops into TensorBoard.
        """
        (crops,) = batch
        measured, log_losses = {}, []
        for qp in VALIDATION_QPS if self.model.config.qp_count > 1 else (0,):
            result, seen = self.price(
                crops, torch.full((len(crops),), float(qp), device=crops.device)
            )
            measured[f"val/bpp_{qp}"], measured[f"val/psnr_{qp}"] = result.bpp, result.psnr
            log_losses.append(result.true_loss.log())
            if show:
                self._show(
                    f"val/picture_{qp}", crops[:SHOWN_PICTURES], seen.pixels[:SHOWN_PICTURES]
                )
        return {**measured, LOG_LOSS: torch.stack(log_losses)}

    def _show(self, name: str, crops: Tensor, pixels: Tensor) -> None:
        """Draw crops, (B, H, W, 3) uint8, above their reconstructions, (B, 3, H, W) in 0…1, into
        TensorBoard."""
        for logger in self.loggers:
            if isinstance(logger, TensorBoardLogger):
                rows = torch.stack([to_unit(crops), pixels.clamp(0, 1)])  # (2, B, 3, H, W)
                sheet = rows.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)  # (3, 2·H, B·W)
                logger.experiment.add_image(name, sheet, self.global_step)

    @property
    def progress(self) -> float:
        """Share of the budget that is spent, 0…1."""
        return self.options.progress(steps=self.global_step, seconds=self._shared_s)

    def on_train_start(self) -> None:
        """Start the clock of the budget."""
        self._tick = time.monotonic()

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Set the learning rate from the spent budget, and stop at its end."""
        # Noise that differs between processes, and that a resumed run repeats.
        torch.manual_seed(step_seed(self.seed, self.global_rank, self.global_step))
        now = time.monotonic()
        self.spent_s, self._tick = self.spent_s + now - self._tick, now
        if batch_idx % CLOCK_EVERY == 0:
            # All processes follow the first one's clock, or one would stop while another waits for
            # its gradient.
            self._shared_s = self.spent_s = self.trainer.strategy.broadcast(self.spent_s)
        self.trainer.should_stop = self.progress >= 1
        # Never quite zero, because AdamW's form for XLA divides by it.
        rate = max(self.options.rate(self.progress), 1e-12)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group["factor"]
        self.log(
            "train/rate", torch.tensor(rate)
        )  # a float would be sent to the device and waited for

    def configure_gradient_clipping(
        self, optimizer: torch.optim.Optimizer, *_: object, **__: object
    ) -> None:
        """Clip the gradient's norm to `options.clip`, quantiles left out, and skip a step without a
        finite norm.

        On XLA and with sharded weights the optimizer instead takes a gradient of zero. Steps in a
        row that were skipped are counted; `on_train_batch_end` raises the error.
        """
        norm = torch.nn.utils.clip_grad_norm_(clipped_parameters(self.model), self.options.clip)
        norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        self.log("train/grad_norm", norm)
        skipped = (~norm.isfinite()).float()
        self._skip(optimizer, skipped)
        self.failures.add(skipped)

    def _skip(self, optimizer: torch.optim.Optimizer, skipped: Tensor) -> None:
        """Make the optimizer leave everything as it is where `skipped` is 1."""
        if self._fused:
            # A spread optimizer has its share of Soap inside.
            vars(getattr(optimizer, "optim", optimizer))["found_inf"] = skipped
            return
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(1 - skipped).nan_to_num_(0, 0, 0)

    @property
    def _fused(self) -> bool:
        """Whether the optimizer can skip a step; elsewhere the best is a gradient of zero."""
        return not self.sharded and self.device.type != "xla"

    def on_train_batch_end(
        self, outputs: object, batch: tuple[Tensor, Tensor], batch_idx: int
    ) -> None:
        """Stop a run that has had 20 steps in a row without a finite gradient; looked at every 50
        steps.

        Raises TrainingError, after the current batch and the weights were saved as nonfinite.pt in
        the run's folder.
        """
        if self.global_step % CHECK_EVERY or not self.failures.too_many:
            return
        path = Path(self.trainer.default_root_dir) / FAILED_BATCH
        if self.trainer.is_global_zero:
            model = self.model.state_dict()
            write_checkpoint({"crops": batch[0], "qp": batch[1], "model": model}, path)
        msg = f"{self.failures.sentence()}; the last batch is in {path}"
        raise TrainingError(msg)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimizer of all parameters."""
        return open_optimizer(
            self.model, self.options.name, fused=self._fused, xla=self.device.type == "xla"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the clock of the budget, and what the model's shape depends on."""
        checkpoint["spent_s"] = self.spent_s
        checkpoint["config"] = asdict(self.model.config)
        checkpoint["distortion"] = self.distortion

    def on_load_checkpoint(self, checkpoint: Mapping[str, Any]) -> None:
        """Continue the clock of the budget."""
        self.spent_s = self._shared_s = checkpoint["spent_s"]


class ShardedImageTraining(ImageTraining):
    """`ImageTraining` for Lightning's ModelParallelStrategy: every process holds a share of the
    weights (FSDP2)."""

    sharded = True

    def configure_model(self) -> None:
        """Split the weights; called by Lightning once the processes know each other."""
        if self.device_mesh is not None:
            self.model.to(
                memory_format=torch.contiguous_format
            )  # shares are cut from contiguous weights
            fully_shard(self.model, mesh=self.device_mesh["data_parallel"])
