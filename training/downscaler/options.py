"""Options of a run, and the sequences that it draws."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from ncodec.errors import InputError
from ncodec.media.numbered import CLIP_SUFFIXES
from ncodec.training.clips import ClipBank, ClipOptions
from ncodec.training.data import step_seed
from ncodec.training.pictures import Pixels, split
from ncodec.training.sources import read_sources

_LOWEST_QP, _HIGHEST_QP = 20.0, 38.0
_SEED = 1
_CROP_UNIT, _LEAST_CROP = 16, 176
_HELD_OUT = 16
"""most clips of the data that are held out where none are named"""


@dataclass(frozen=True)
class DownscalerOptions:
    """Options of a run."""

    minutes: float = 40.0
    """budget of training; the learning rate reaches zero there"""
    steps: int | None = None
    """budget in steps, if any: whichever ends first"""
    learning_rate: float = 3e-3
    strength: float = 1.0
    """factor of the correction in the exported graph; the checkpoint does not have it"""
    crop: int = 240
    """side of a sequence's frames in pixels, a multiple of 16 of at least 176"""
    batch: int = 3
    """sequences a step"""
    frames: int = 3
    """frames of a sequence, the first one an intra frame"""

    def __post_init__(self) -> None:
        if self.crop % _CROP_UNIT or self.crop < _LEAST_CROP:
            expected = f"a multiple of {_CROP_UNIT} of at least {_LEAST_CROP}"
            msg = f"expected a crop that is {expected}, got {self.crop}"
            raise InputError(msg)

    @property
    def clips(self) -> ClipOptions:
        """Options of cuts."""
        return ClipOptions(crop=self.crop, batch=self.batch, frames=self.frames, synthetic=0)


@dataclass(frozen=True)
class Material:
    """Clips in memory."""

    trained: ClipBank
    held_out: ClipBank


def load_material(
    data: Sequence[str | Path], *, held_out: Sequence[str | Path], options: DownscalerOptions
) -> Material:
    """Luma of clips; those of `held_out` are for validation, also where `data` holds them, and
    without any some of `data` are. Raises InputError for data that cannot be read, and where too
    few clips are as large and as long as a sequence."""
    clips = _load_luma(data, options)
    if held_out:
        kept = _load_luma(held_out, options)
        trained = [clip for name, clip in clips.items() if name not in kept]
        if not trained:
            msg = "expected clips that are not held out, got none"
            raise InputError(msg)
        return Material(ClipBank(trained, None), ClipBank(list(kept.values()), None))
    trained, others = split(list(clips.values()), held_out=_HELD_OUT)
    return Material(ClipBank(trained, None), ClipBank(others, None))


def _load_luma(sources: Sequence[str | Path], options: DownscalerOptions) -> dict[str, Pixels]:
    """Luma of clips by name, each (T, H, W), without those that cannot be read and those shorter or
    smaller than a sequence."""
    least = options.frames, options.crop, options.crop
    clips: dict[str, Pixels] = {}
    for name, data in read_sources(sources, suffixes=CLIP_SUFFIXES):
        clip = _decode_luma(data)
        if clip is not None and np.all(np.array(clip.shape) >= least):
            clips[name] = clip
    if not clips:
        size = f"{options.frames} frames of {options.crop}×{options.crop} pixels"
        msg = f"expected clips of {size} in {', '.join(map(str, sources))}, got none"
        raise InputError(msg)
    return clips


def _decode_luma(data: bytes) -> Pixels | None:
    """Luma of a clip, (T, H, W), in limited range where that is stored; None where it cannot be
    read."""
    frames: list[Pixels] = []
    try:
        with av.open(io.BytesIO(data), "r", metadata_errors="replace") as container:
            for frame in container.decode(video=0):
                planar = (
                    frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")
                )
                plane = planar.planes[0]
                rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
                frames.append(rows[: frame.height, : frame.width].copy())
        return np.stack(frames)
    except (av.FFmpegError, ValueError, IndexError):
        return None


def draw(bank: ClipBank, options: DownscalerOptions, step: int) -> tuple[Tensor, Tensor]:
    """Sequences, (B, T, H, W) float in 0…255, and QPs, (B,), which depend on the step alone; one
    QP from each of B equal parts of the range."""
    generator = torch.Generator().manual_seed(step_seed(_SEED, 0, step))
    sequences = bank.draw(options.clips, generator).float()
    batch = len(sequences)
    places = torch.arange(batch) + torch.rand(batch, generator=generator)
    return sequences, _LOWEST_QP + (_HIGHEST_QP - _LOWEST_QP) * places / batch
