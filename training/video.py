"""The Lightning module of predicted frames: each is priced on what its model made of the frames
before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from ncodec.media.numbered import CLIP_SUFFIXES
from ncodec.networks.frame import FrameModel
from ncodec.networks.image import ImageModel, Prediction
from ncodec.training.clips import (
    ClipBank,
    ClipOptions,
    Predictors,
    centre_sequence,
    intra_qp,
    load_clips,
    to_bytes,
)
from ncodec.training.data import Batch, Batches, StreamData, spread_qps, to_unit
from ncodec.training.image import ImageTraining
from ncodec.training.losses import RateDistortion, mean_square_420, rate_distortion
from ncodec.training.optim.options import OptimizerOptions
from ncodec.training.pictures import PictureBank, load_pictures, split
from ncodec.training.sources import has_pictures, read_sources

LOSS_FLOOR = 0.02
"""bits per pixel that do not matter"""
BEGUN = 0.1
"""share of the steps that begin sequences; the others go on with some, of which a mean one has had
nine steps"""
MOST_UNDER_WAY = 16
"""batches of sequences that wait to be gone on with"""


@dataclass(frozen=True)
class Sequences:
    """Sequences of which some frames are decoded."""

    frames: Tensor
    """(B, T, H, W, 3) uint8: the last decoded one, then those to come"""
    qp: Tensor
    """(B,)"""
    last: Tensor
    """last decoded frames, (B, H, W, 3) uint8"""
    predictors: Predictors


class VideoTraining(ImageTraining):
    """Minimizes λ·255²·MSE + bpp of the predicted frames of sequences whose first frames a frozen
    image codec codes.

    The error is that of Y, Cb and Cr in 4:2:0: as such clips are stored, shown and compared. The
    frames of a step may be far from their intra frames, predicted from what the model made some
    steps ago: errors that grow from frame to frame are seen.
    """

    def __init__(
        self,
        model: FrameModel,
        intra: ImageModel,
        optimizer: OptimizerOptions,
        *,
        together: int,
        seed: int = 1,
    ) -> None:
        super().__init__(model, optimizer, seed=seed)
        # In a tuple, so that it is no part of the module: neither trained, nor averaged, nor in its
        # checkpoints.
        self._intra = (intra.requires_grad_(False).eval(),)
        self._together = together
        self.under_way: list[Sequences] = []
        """sequences to be gone on with, in batches"""

    def price(self, crops: Tensor, qp: Tensor) -> tuple[RateDistortion, Prediction]:
        """Rate and distortion of predicted frames of sequences, (B, T, H, W, 3) uint8, at (B,) QPs.

        In validation all T - 1 predicted frames are priced. In training it is `together` frames, at
        most T - 1, either of these sequences or of ones begun in an earlier step. Results are
        (frames·B,), frame after frame.
        """
        if not self.training:
            return self._predict(self._begin(crops, qp), count=crops.shape[1] - 1)[:2]
        before, count = self._next(crops, qp), min(self._together, crops.shape[1] - 1)
        result, seen, last = self._predict(before, count=count)
        self.under_way.append(replace(before, frames=before.frames.roll(-count, dims=1), last=last))
        return result, seen

    def _next(self, crops: Tensor, qp: Tensor) -> Sequences:
        """Sequences from their first frames on, to and fro without an end, or some under way."""
        begins = not self.under_way or torch.rand(()) < BEGUN
        if not begins or len(self.under_way) >= MOST_UNDER_WAY:
            taken = self.under_way.pop(int(torch.randint(len(self.under_way), ())))
            if not begins:
                return taken
        return self._begin(torch.cat([crops, crops[:, 1:-1].flip(1)], dim=1), qp)

    def _begin(self, frames: Tensor, qp: Tensor) -> Sequences:
        """Sequences whose first frames are coded as pictures."""
        (intra,) = self._intra
        with torch.no_grad():
            last = to_bytes(intra.to(frames.device)(to_unit(frames[:, 0]), intra_qp(qp)).pixels)
        return Sequences(frames, qp, last, Predictors(last))

    def _predict(
        self, before: Sequences, *, count: int
    ) -> tuple[RateDistortion, Prediction, Tensor]:
        """Rate and distortion of the next frames, (B·count,) each, and the last one decoded."""
        last, qp, seen = before.last, before.qp, []
        frames = before.frames[:, 1 : 1 + count].unbind(1)
        for frame in frames:
            seen.append(
                self.model(to_unit(frame), to_unit(before.predictors.predict(frame, last, qp)), qp)
            )
            last = to_bytes(seen[-1].pixels)
        names = ("pixels", "y_bits", "z_bits", "zero_bin_bits")
        together = Prediction(*(torch.cat([getattr(s, name) for s in seen]) for name in names))
        originals, lagrangian = (
            to_unit(torch.cat(frames)),
            self.model.config.lambda_of(qp).repeat(len(frames)),
        )
        mse = mean_square_420(together.pixels.float() - originals)
        priced = rate_distortion(
            mse, together, pixels=originals[0, 0].numel(), lagrangian=lagrangian
        )
        return priced, together, last

    def objective(self, result: RateDistortion) -> Tensor:
        """Mean of loss / (loss of a file + 0.02 bpp), a scalar, whose divisor has no gradient.

        Its gradient is that of the logarithm, so a still scene counts as much as one that moves and
        takes fifty times its bits.
        """
        return (result.loss / (result.true_loss.detach() + LOSS_FLOOR)).mean()

    def _show(self, name: str, crops: Tensor, pixels: Tensor) -> None:
        """Draw second frames above what was made of them."""
        super()._show(name, crops[:, 1], pixels[: len(crops)])


class ClipData(StreamData):
    """Sequences of clips and moving photographs, and fixed held-out sequences of other clips."""

    def __init__(
        self, sources: Sequence[str | Path], options: ClipOptions, *, qp_count: int
    ) -> None:
        super().__init__(batch=options.batch)
        self.options = options
        self.qp_count = qp_count
        loaded = load_clips(read_sources(sources, suffixes=CLIP_SUFFIXES), options=options)
        loaded.report()
        clips, held_out = split(loaded.pictures, held_out=options.held_out)
        self.held_out = [centre_sequence(clip, options) for clip in held_out]
        photographs = None
        if options.synthetic > 0 and has_pictures(sources):
            found = load_pictures(
                read_sources(sources), smallest=options.crop, memory_gb=options.memory_gb
            )
            found.report()
            photographs = PictureBank(found.pictures)
        self.bank = ClipBank(clips, photographs)

    def held_out_set(self) -> TensorDataset:
        """Sequences, (N, T, H, W, 3) uint8."""
        return TensorDataset(torch.from_numpy(np.stack(self.held_out)))

    def batches(self, first: int) -> Batches:
        """Sequences, drawn on the CPU, where motion is searched."""

        def draw(generator: torch.Generator) -> Batch:
            return self.bank.draw(self.options, generator), spread_qps(
                self.options.batch, self.qp_count, generator
            )

        return Batches(draw, device=torch.device("cpu"), seed=self.options.seed, first=first)
