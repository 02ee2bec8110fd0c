"""Symbols and pictures that decoders are fitted to and measured with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from ncodec.inference.model import Model
from ncodec.inference.onnx import OnnxBackend
from ncodec.networks.shrunk import ShrunkDecoder
from ncodec.quality import QP_COUNT
from ncodec.training.data import spread_qps, step_seed
from ncodec.training.pictures import CropOptions, PictureBank, Pixels, centre, load_pictures, split
from ncodec.training.sources import read_sources

MEASURED_QPS = (4, 16, 28, 40, 52)
"""QPs of the held-out crops"""
Progress = Callable[[int, int], None]
"""called with the crops done and their number"""


@dataclass(frozen=True, eq=False)
class Examples:
    """Crops, their symbols, and the pixels that the model's own decoder makes of these."""

    z_hat: Tensor
    """(N, hyper, ⌈h/4⌉, ⌈w/4⌉) int8"""
    residual: Tensor
    """(N, latent, h, w) int16"""
    qp: Tensor
    """(N,) float32"""
    pixels: Tensor
    """(N, H, W, 3) uint8"""
    taught: Tensor
    """(N, H, W, 3) float16, in 8-bit levels, unclipped"""

    def __len__(self) -> int:
        return len(self.qp)

    def at(self, places: Tensor) -> "Examples":
        """The examples at places, (M,) int64."""
        return Examples(*(values[places] for values in vars(self).values()))


@torch.no_grad()
def run_with_hooks(
    decoder: ShrunkDecoder, examples: Examples, hooks: Sequence[RemovableHandle], *, most: int
) -> None:
    """Run a decoder on up to `most` examples, spread evenly, in the form that calls every layer as
    one; then remove the hooks."""
    decoder.train()
    try:
        count = min(most, len(examples))
        for one in range(count):
            crop = examples.at(torch.tensor([one * len(examples) // count]))
            y_hat = decoder.latents(crop.z_hat.float(), crop.residual.float(), crop.qp)
            decoder.render(y_hat, crop.qp)
    finally:
        decoder.eval()
        for hook in hooks:
            hook.remove()


def make_examples(
    model: Model, crops: Sequence[Pixels], qps: Sequence[int], *, progress: Progress
) -> Examples:
    """Code crops of one size, (H, W, 3) uint8 with sides that are multiples of 64, each at its
    QP."""
    backend = OnnxBackend(model)
    made = []
    for at, (crop, qp) in enumerate(zip(crops, qps, strict=True)):
        symbols, samples = backend.code(crop, qp=qp)
        made.append((symbols.z_hat, symbols.residual, samples.astype(np.float16)))
        progress(at + 1, len(crops))
    z_hat, residual, taught = (torch.from_numpy(np.stack(part)) for part in zip(*made, strict=True))
    pixels = torch.from_numpy(np.stack(crops))
    return Examples(z_hat, residual, torch.tensor(qps).float(), pixels, taught)


@dataclass(frozen=True, eq=False)
class Material:
    """Pictures to fit decoders to, and held-out ones."""

    bank: PictureBank
    held_out: tuple[Pixels, ...]
    options: CropOptions

    def training_examples(self, model: Model, count: int, *, progress: Progress) -> Examples:
        """`count` random crops, a multiple of the batch, over all QPs; equal for equal options."""
        crops: list[Pixels] = []
        qps: list[int] = []
        for step in range(count // self.options.batch):
            generator = torch.Generator().manual_seed(step_seed(self.options.seed, 0, step))
            crops += list(self.bank.draw(self.options, generator).numpy())
            qps += spread_qps(self.options.batch, QP_COUNT, generator).int().tolist()
        return make_examples(model, crops, qps, progress=progress)

    def held_out_examples(self, model: Model, *, progress: Progress) -> dict[int, Examples]:
        """The held-out crops at each of `MEASURED_QPS`."""
        crops = self.held_out
        return {
            qp: make_examples(model, crops, [qp] * len(crops), progress=progress)
            for qp in MEASURED_QPS
        }


def load_material(
    sources: Sequence[str | Path], options: CropOptions, *, exclude: Sequence[str | Path] = ()
) -> Material:
    """Read pictures, and hold some out; raises InputError where there are fewer than two."""
    loaded = load_pictures(
        read_sources(sources, exclude=exclude), smallest=options.crop, memory_gb=options.memory_gb
    )
    loaded.report()
    trained, held_out = split(loaded.pictures, held_out=options.held_out)
    crops = tuple(centre(picture, options.crop) for picture in held_out)
    return Material(PictureBank(trained), crops, options)
