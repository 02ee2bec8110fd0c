"""Photographs decoded once, and random crops of them gathered on the device that trains."""

import io
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ncodec.errors import InputError

Pixels = npt.NDArray[np.uint8]

_READ_AHEAD = 64
"""files that are decoded at once"""


@dataclass(frozen=True)
class CropOptions:
    """Options of batches."""

    crop: int = 256
    """side of a training crop in pixels, a multiple of 64"""
    batch: int = 8
    """crops a step, of each process"""
    held_out: int = 16
    """photographs kept for validation, spread evenly over the list; at most one in eight"""
    downscale: float = 1.0
    """crops are cut up to this many times larger and averaged down to size"""
    gain: float = 0.0
    """largest random change of each channel's brightness, as a share"""
    memory_gb: float = 16.0
    """memory for pictures; those that come after it is full are left out"""
    seed: int = 1


@dataclass(frozen=True)
class Loaded:
    """Decoded pictures, and what was skipped."""

    pictures: list[Pixels]
    """each (H, W, 3)"""
    skipped: list[str]
    """a name and a reason for each"""

    def report(self) -> None:
        """Say on standard error what was skipped."""
        for line in self.skipped[:20]:
            print(f"skipped {line}", file=sys.stderr)
        if len(self.skipped) > 20:
            print(f"skipped {len(self.skipped) - 20} more", file=sys.stderr)


def load_pictures(
    files: Iterable[tuple[str, bytes]], *, smallest: int, memory_gb: float = CropOptions.memory_gb
) -> Loaded:
    """Decode named files to (H, W, 3) uint8 RGB.

    Skipped, with a reason, are files that cannot be read or have a side below `smallest`, and all
    from the first that does not fit into what is left of `memory_gb` (10⁹ bytes). Raises InputError
    when none is left.
    """
    pictures: list[Pixels] = []
    skipped: list[str] = []
    room = memory_gb * 1e9
    for name, found in _decode_all(files):
        if isinstance(found, str):
            skipped.append(f"{name}: {found}")
        elif min(found.shape[:2]) < smallest:
            skipped.append(
                f"{name}: {found.shape[1]}×{found.shape[0]} is smaller than {smallest}×{smallest}"
            )
        elif found.nbytes > room:
            skipped.append(
                f"{name} and all that follow: the memory for pictures ({memory_gb:g} GB) is full"
            )
            break
        else:
            pictures.append(found)
            room -= found.nbytes
    if not pictures:
        first = f"; {skipped[0]}" if skipped else ""
        msg = (
            f"expected pictures of at least {smallest}×{smallest} pixels, got none among "
            f"{len(skipped)}{first}"
        )
        raise InputError(msg)
    return Loaded(pictures, skipped)


def _decode_all(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, Pixels | str]]:
    remaining = iter(files)
    with ThreadPoolExecutor() as pool:
        while window := list(islice(remaining, _READ_AHEAD)):
            yield from zip(
                (name for name, _ in window),
                pool.map(_decode, (data for _, data in window)),
                strict=True,
            )


def _decode(data: bytes) -> Pixels | str:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.array(
                picture.convert("RGB")
            )  # a copy, because PyTorch wants to own what it reads
    except Exception as error:  # decoders of damaged files raise all sorts
        return f"cannot be read: {error}"


def centre(picture: Pixels, side: int) -> Pixels:
    """The middle of a picture, at most side × side, both sides multiples of 64."""
    high, wide = (min(side, size // 64 * 64) for size in picture.shape[:2])
    top, left = (picture.shape[0] - high) // 2, (picture.shape[1] - wide) // 2
    return picture[top : top + high, left : left + wide]


class PictureBank:
    """Photographs as one run of uint8 pixels on a device, from which crops are gathered without
    leaving it."""

    def __init__(self, pictures: list[Pixels], *, device: torch.device | str = "cpu") -> None:
        """Empties the list while it copies, so that no picture is held twice.

        Raises InputError when the pictures do not fit on the device.
        """
        shapes = [p.shape for p in pictures]
        areas = torch.tensor([p.shape[0] * p.shape[1] for p in pictures])
        try:
            self.pixels = torch.empty(int(areas.sum()), 3, dtype=torch.uint8, device=device)
        except RuntimeError as error:
            msg = (
                f"{3e-9 * int(areas.sum()):.1f} GB of pictures do not fit on {device}: set "
                f"--crops.memory_gb"
            )
            raise InputError(msg) from error
        ends = areas.cumsum(0)
        for end in ends.tolist():
            flat = torch.from_numpy(np.ascontiguousarray(pictures.pop(0)).reshape(-1, 3))
            self.pixels[end - len(flat) : end] = flat
        self.starts = (ends - areas).to(device)
        self.areas = areas.to(device, torch.float32)
        self.heights, self.widths = (
            torch.tensor([shape[i] for shape in shapes], device=device) for i in (0, 1)
        )
        self.smallest_sides = torch.minimum(self.heights, self.widths)
        self.longest_crop = max(min(shape[:2]) for shape in shapes)

    def draw(self, options: CropOptions, generator: torch.Generator) -> Tensor:
        """One batch of crops, (B, crop, crop, 3) uint8, with random flips, transposes, downscale
        and gains.

        Pictures are drawn in proportion to their area, so every pixel is about equally likely.
        """
        span = self._span(options, generator)
        crops = self._gather(options.batch, span, generator)
        if span == options.crop and options.gain == 0:
            return crops
        values = crops.permute(0, 3, 1, 2).float()
        if span != options.crop:
            values = F.interpolate(values, (options.crop, options.crop), mode="area")
        if options.gain > 0:
            shape = (options.batch, 3, 1, 1)
            change = 2 * torch.rand(shape, generator=generator, device=values.device) - 1
            values = values * (1 + options.gain * change)
        return values.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def _span(self, options: CropOptions, generator: torch.Generator) -> int:
        """Side of a crop before downscaling: one for the whole batch, uniform on a log scale."""
        if options.downscale <= 1:
            return options.crop
        # Drawn on the CPU from the same seed: a size that lives on the device would stall it.
        chance: float = torch.rand(
            1, generator=torch.Generator().manual_seed(generator.initial_seed())
        ).item()
        return int(min(self.longest_crop, round(options.crop * options.downscale**chance)))

    def _gather(self, count: int, span: int, generator: torch.Generator) -> Tensor:
        device = self.pixels.device
        weights = self.areas * (self.smallest_sides >= span)
        which = torch.multinomial(weights, count, replacement=True, generator=generator)  # (B,)
        chance = torch.rand((5, count), generator=generator, device=device)
        ramp = torch.arange(span, device=device)

        def lines(sizes: Tensor, place: Tensor, flip: Tensor) -> Tensor:
            first = (place * (sizes - span + 1)).long().clamp(max=sizes - span)
            return first[:, None] + torch.where(
                flip[:, None] < 0.5, ramp, span - 1 - ramp
            )  # (B, span)

        rows = lines(self.heights[which], chance[0], chance[1])
        columns = lines(self.widths[which], chance[2], chance[3])
        row_starts = self.starts[which][:, None] + rows * self.widths[which][:, None]
        index = row_starts[:, :, None] + columns[:, None, :]  # (B, span, span)
        index = torch.where(chance[4][:, None, None] < 0.5, index, index.transpose(1, 2))
        return self.pixels.index_select(0, index.reshape(-1)).reshape(count, span, span, 3)


def split(pictures: list[Pixels], *, held_out: int) -> tuple[list[Pixels], list[Pixels]]:
    """Split a list into training and held-out pictures, these evenly spread over it.

    Held out are at most `held_out` and an eighth of the list, but at least one. Raises InputError
    for fewer than two.
    """
    if len(pictures) < 2:
        msg = f"expected at least 2 pictures, one to train on and one held out, got {len(pictures)}"
        raise InputError(msg)
    kept = max(1, min(held_out, len(pictures) // 8))
    chosen = set(range(0, len(pictures), len(pictures) // kept)[:kept])
    trained = [p for i, p in enumerate(pictures) if i not in chosen]
    return trained, [p for i, p in enumerate(pictures) if i in chosen]
