"""Media of a report, pictures or clips: their reader, codecs and metrics."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ncodec.api.pictures import load_picture
from ncodec.arrays import Pixels
from ncodec.eval.clips import CLIP_CODECS, CLIP_METRICS
from ncodec.eval.codecs.base import Codec
from ncodec.eval.codecs.registry import CODECS
from ncodec.eval.metrics import METRICS, Metric
from ncodec.eval.stored_frames import read_clip
from ncodec.media.numbered import CLIP_SUFFIXES
from ncodec.media.pictures import PICTURE_SUFFIXES


@dataclass(frozen=True)
class Source:
    """A picture or a clip that codecs are measured on."""

    name: str
    path: Path
    width: int
    height: int
    key: str
    """a hash of its content"""
    alpha: bool = False
    """whether it has an alpha plane, which is left out"""
    frames: int = 1

    @property
    def pixels(self) -> int:
        """Pixels of all frames."""
        return self.width * self.height * self.frames


@dataclass(frozen=True)
class Medium:
    """Pictures or clips. Codecs and metrics take what `read` gives; they are found by name in other
    processes."""

    name: str
    suffixes: frozenset[str]
    codecs: Mapping[str, Codec[Any]]
    metrics: Mapping[str, Metric[Any]]
    """by key, the one that rates are given for first"""
    load: Callable[[Path, str, int], Source]
    """path, name and most frames → source; raises InputError"""
    read: Callable[[Source], Any]
    """source → content; raises InputError"""

    @property
    def main_metric(self) -> str:
        """The key of the first metric."""
        return next(iter(self.metrics))


def picture_key(pixels: Pixels) -> str:
    """Key of a picture: a hash of its sides and pixels."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()[:24]


def read_pixels(path: Path) -> Pixels:
    """A picture as (H, W, 3) uint8 RGB, without alpha; raises InputError."""
    pixels = load_picture(path).pixels
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _load_picture(path: Path, name: str, most: int) -> Source:
    pixels = read_pixels(path)
    height, width, _ = pixels.shape
    return Source(
        name, path, width, height, picture_key(pixels), load_picture(path).alpha is not None
    )


def _load_clip(path: Path, name: str, most: int) -> Source:
    clip = read_clip(path, most=most)
    first = clip.frames[0]
    return Source(name, path, first.width, first.height, clip.key, frames=len(clip.frames))


PICTURES = Medium(
    "pictures",
    PICTURE_SUFFIXES,
    CODECS,
    METRICS,
    _load_picture,
    lambda source: read_pixels(source.path),
)
CLIPS = Medium(
    "clips",
    CLIP_SUFFIXES,
    CLIP_CODECS,
    CLIP_METRICS,
    _load_clip,
    lambda source: read_clip(source.path, most=source.frames),
)
MEDIA = {medium.name: medium for medium in (PICTURES, CLIPS)}
ALL_METRICS: dict[str, Metric[Any]] = {
    key: m for medium in MEDIA.values() for key, m in medium.metrics.items()
}
"""by key"""
