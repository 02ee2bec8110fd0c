"""The Lightning module of predicted frames: each is priced on what its model made of the frames before it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ncodec.models.frame import FrameModel
from ncodec.models.image import ImageModel, Prediction
from ncodec.suffixes import CLIP_SUFFIXES
from ncodec.training.clips import ClipBank, ClipOptions, centre_sequence, intra_qp, load_clips, predict, to_bytes
from ncodec.training.data import Batches, StreamData, to_unit
from ncodec.training.image import ImageTraining, OptimizerOptions
from ncodec.training.losses import RateDistortion, mean_square_420, rate_distortion
from ncodec.training.pictures import PictureBank, load_pictures, split
from ncodec.training.sources import has_pictures, read_sources

LOSS_FLOOR = 0.02
"""bits per pixel that do not matter"""


class VideoTraining(ImageTraining):
    """Minimizes λ·255²·MSE + bpp of the predicted frames of sequences whose first frames a frozen image codec codes.

    The error is that of Y, Cb and Cr in 4:2:0: as such clips are stored, shown and compared.
    """

    def __init__(self, model: FrameModel, intra: ImageModel, optimizer: OptimizerOptions, *, seed: int = 1) -> None:
        super().__init__(model, optimizer, seed=seed)
        # In a tuple, so that it is no part of the module: neither trained, nor averaged, nor in its checkpoints.
        self._intra = (intra.requires_grad_(False).eval(),)

    def price(self, crops: Tensor, qp: Tensor) -> tuple[RateDistortion, Prediction]:
        """Rate and distortion of the frames after the first of (B, T, H, W, 3) uint8 sequences, (B·(T - 1),) each."""
        (intra,) = self._intra
        # Far from its intra frame, a frame is predicted from one no better than itself.
        share = torch.rand(len(qp), device=qp.device) if self.training else 1.0
        with torch.no_grad():
            last = to_bytes(intra.to(crops.device)(to_unit(crops[:, 0]), intra_qp(qp, share=share)).pixels)
        seen, frames = [], crops[:, 1:].unbind(1)
        for frame in frames:
            seen.append(self.model(to_unit(frame), to_unit(predict(frame, last, qp)), qp))
            last = to_bytes(seen[-1].pixels)
        together = Prediction(*(torch.cat([getattr(s, name) for s in seen]) for name in ("pixels", "y_bits", "z_bits")))
        originals, lagrangian = to_unit(torch.cat(frames)), self.model.config.lambda_of(qp).repeat(len(frames))
        mse = mean_square_420(together.pixels.float() - originals)
        bits = together.y_bits + together.z_bits
        return rate_distortion(mse, bits, pixels=originals[0, 0].numel(), lagrangian=lagrangian), together

    def objective(self, result: RateDistortion) -> Tensor:
        """Mean logarithm: a still scene counts as much as one that moves and takes fifty times its bits."""
        return (result.loss + LOSS_FLOOR).log().mean()

    def _show(self, name: str, crops: Tensor, pixels: Tensor) -> None:
        """Draw second frames above what was made of them."""
        super()._show(name, crops[:, 1], pixels[: len(crops)])


class ClipData(StreamData):
    """Sequences of clips and moving photographs, and fixed held-out sequences of other clips."""

    def __init__(self, sources: Sequence[str | Path], options: ClipOptions, *, qp_count: int) -> None:
        super().__init__(batch=options.batch)
        self.options = options
        self.qp_count = qp_count
        loaded = load_clips(read_sources(sources, suffixes=CLIP_SUFFIXES), options=options)
        loaded.report()
        clips, held_out = split(loaded.pictures, held_out=options.held_out)
        self.held_out = [centre_sequence(clip, options) for clip in held_out]
        photographs = None
        if options.synthetic > 0 and has_pictures(sources):
            found = load_pictures(read_sources(sources), smallest=options.crop, memory_gb=options.memory_gb)
            found.report()
            photographs = PictureBank(found.pictures)
        self.bank = ClipBank(clips, photographs)

    def batches(self, first: int) -> Batches:
        """Sequences, drawn on the CPU, where motion is searched."""
        return Batches(
            lambda generator: self.bank.draw(self.options, generator),
            device=torch.device("cpu"), seed=self.options.seed, qp_count=self.qp_count, first=first,
        )  # fmt: skip
