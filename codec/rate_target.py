"""How good or how small a picture's file is to be, and the search for the qp that makes it so."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ncodec.bitstream import MAX_SIDE, QP_COUNT
from ncodec.effort import MAX_EFFORT
from ncodec.entropy import estimate_bits
from ncodec.errors import InputError
from ncodec.hidden import visible_psnr
from ncodec.image import ImageCodec
from ncodec.picture import Picture, Pixels, psnr
from ncodec.picture_file import Encoded, as_delivered, encode_lossless
from ncodec.quality import quality_to_qp
from ncodec.refinement import Watch, unwatched
from ncodec.tiles import CELL
from ncodec.vp8l import THOROUGH, USUAL

MAX_BPP = 1000
"""beyond any file"""
LOSSLESS = "lossless"
"""the quality of a file that gives every pixel back"""
SAMPLE_SIDE, SAMPLE_CELLS = 2, 24
"""cells along each side of a piece of the sample, and cells of the sample at most"""
SAMPLED_QPS = (4, 24, 44, 62)
CERTAIN = 0.3
"""of the difference between two steps: by how much a prediction has to miss a target to be believed without a look"""


@dataclass(frozen=True)
class Target:
    """How good or how small a file is to be; exactly one field is set."""

    quality: float | str | None = None
    """0…100, or `LOSSLESS`"""
    size: int | None = None
    """largest file, in bytes"""
    bpp: float | None = None
    """largest file, in bits per pixel"""
    psnr: float | None = None
    """least PSNR over RGB, in dB"""

    def __post_init__(self) -> None:
        given = [name for name in ("quality", "size", "bpp", "psnr") if getattr(self, name) is not None]
        if len(given) != 1:
            msg = f"expected one of quality, size, bpp and psnr, got {', '.join(given) or 'none'}"
            raise InputError(msg)
        value = getattr(self, given[0])
        if self.quality == LOSSLESS:
            return
        low, high = (0, 100) if self.quality is not None else (0, math.inf)
        if isinstance(value, str) or not (low <= value <= high) or not math.isfinite(value):
            msg = f"expected a {given[0]} of {low} to {high}, got {value}"
            raise InputError(msg)


def encode_to(
    codec: ImageCodec, picture: Picture, target: Target, *, effort: int | None = None, watch: Watch = unwatched
) -> Encoded:
    """Picture → file bytes that meet a target, with the effort of `ImageCodec.effort_for` where none is given.

    Of files that are small enough it is the best picture, of those that are good enough the smallest file; a lossless
    one is among them. `watch` is told how many steps of how many are done. Raises InputError for a picture too large
    and where no file is small enough.
    """
    looking = codec.effort_for(picture, effort)
    if max(picture.height, picture.width) > MAX_SIDE:
        msg = f"expected sides of at most {MAX_SIDE} pixels, got {picture.width}×{picture.height}"
        raise InputError(msg)
    lossless = lru_cache(maxsize=1)(lambda: _lossless(picture, looking))
    if target.quality == LOSSLESS:
        return lossless()
    if target.quality is not None:
        return codec.encode(picture, qp=quality_to_qp(float(target.quality)), effort=looking, watch=watch)
    trials = _Trials(codec, picture, effort=looking, watch=watch)
    if target.psnr is not None:
        return _least_with_psnr(trials, target.psnr, lossless)
    pixels = picture.height * picture.width
    limit = target.size if target.size is not None else int(min(target.bpp or 0, MAX_BPP) * pixels / 8)
    return _best_within(trials, limit, lossless)


def _lossless(picture: Picture, effort: int) -> Encoded:
    return encode_lossless(picture, qp=QP_COUNT - 1, search=THOROUGH if effort == MAX_EFFORT else USUAL)


class _Trials:
    """Files of a picture at qps, each made once, and what a sample of it lets expect of others."""

    def __init__(self, codec: ImageCodec, picture: Picture, *, effort: int, watch: Watch) -> None:
        self.picture = picture
        self.sizes: dict[int, float] = {}
        """log₂ of bytes by qp, of those that were made"""
        self.encode = lru_cache(maxsize=None)(lambda qp: codec.encode(picture, qp=qp, effort=effort, watch=watch))
        self.plain = lru_cache(maxsize=None)(lambda qp: codec.encode(picture, qp=qp))
        self.psnr = lru_cache(maxsize=None)(lambda qp: self.psnr_of(self.encode(qp)))
        self._codec = codec
        self._sample: tuple[list[float], list[float]] | None = None

    def psnr_of(self, encoded: Encoded) -> float:
        """PSNR of what a file gives."""
        return visible_psnr(self.picture, self._codec.decode(encoded.data).pixels)

    def size(self, qp: int) -> float:
        """log₂ of the bytes of the file at a qp."""
        return math.log2(len(self.encode(qp).data))

    def expected_size(self, qp: int) -> float:
        """About `size`, from the sample."""
        return float(np.interp(qp, SAMPLED_QPS, self._sampled()[0]))

    def expected_psnr(self, qp: int) -> float:
        """About `psnr`, from the sample."""
        return float(np.interp(qp, SAMPLED_QPS, self._sampled()[1]))

    def _sampled(self) -> tuple[list[float], list[float]]:
        """log₂ of bytes and PSNR at `SAMPLED_QPS`."""
        if self._sample is None:
            sample = sample_of(self.picture.pixels)
            share = sample.size / self.picture.pixels.size
            sizes, qualities = [], []
            for qp in SAMPLED_QPS:
                draft = self._codec.draft(sample, qp=qp, with_latent=False)
                shown = as_delivered(draft.pixels, grey=self.picture.grey)
                bits = estimate_bits(draft.symbols, self._codec.model.tables, qp=qp)
                sizes.append(math.log2((bits / share + 400) / 8))
                qualities.append(min(psnr(sample, shown), 99.0))
            self._sample = sizes, qualities
        return self._sample


def sample_of(pixels: Pixels) -> Pixels:
    """(H, W, 3) → pieces of it in a row, enough to tell how its size and errors change with the qp."""
    side = SAMPLE_SIDE * CELL
    high, wide = pixels.shape[0] // side, pixels.shape[1] // side
    count = SAMPLE_CELLS // SAMPLE_SIDE**2
    if high * wide <= count:
        return pixels
    chosen = np.linspace(0, high * wide - 1, count).astype(int)
    rows, columns = np.divmod(chosen, wide)
    pieces = [pixels[side * i : side * (i + 1), side * j : side * (j + 1)] for i, j in zip(rows, columns, strict=True)]
    return np.concatenate(pieces, axis=1)


def _last_below(value: Callable[[int], float], expected: Callable[[int], float], wanted: float) -> int:
    """The largest qp whose value, which grows with it, is at most the wanted one, or -1.

    Values are asked for as rarely as what is expected of them allows.
    """
    low, high, offset = -1, QP_COUNT, 0.0
    while high - low > 1:
        reached = [qp for qp in range(low + 1, high) if expected(qp) + offset <= wanted]
        qp = reached[-1] if reached else low + 1
        found = value(qp)
        offset = found - expected(qp)
        if found > wanted:
            high = qp
            continue
        low = qp
        step = expected(qp + 1) - expected(qp) if qp + 1 < QP_COUNT else 1.0
        if found + step > wanted + CERTAIN * step:
            break
    return low


def _best_within(trials: _Trials, limit: int, lossless: Callable[[], Encoded]) -> Encoded:
    """The best picture whose file has at most so many bytes; raises InputError where none has."""
    found = _last_below(trials.size, trials.expected_size, math.log2(limit) if limit else -1.0)
    if found == QP_COUNT - 1 and len(lossless().data) <= limit:
        return lossless()
    if found >= 0:
        return trials.encode(found)
    smallest = min(trials.encode(0), trials.plain(0), lossless(), key=lambda encoded: len(encoded.data))
    if len(smallest.data) > limit:
        msg = f"expected a limit of at least {len(smallest.data)} bytes for this picture, got {limit}"
        raise InputError(msg)
    return smallest


def _least_with_psnr(trials: _Trials, least: float, lossless: Callable[[], Encoded]) -> Encoded:
    """The smallest file whose picture is good enough."""
    below = _last_below(trials.psnr, trials.expected_psnr, np.nextafter(least, -math.inf))
    if below == QP_COUNT - 1:
        return lossless()
    return trials.encode(below + 1)
