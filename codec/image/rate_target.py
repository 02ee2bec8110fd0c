"""How good or how small a picture's file is to be, and the search for the qp that makes it so."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count

import numpy as np

from ncodec.arrays import Pixels
from ncodec.entropy.latents import estimate_bits
from ncodec.errors import InputError
from ncodec.exact.layers import covered, pack_layers, paint
from ncodec.exact.mixed import can_mix
from ncodec.exact.vp8l import THOROUGH, USUAL
from ncodec.grid import MAX_SIDE
from ncodec.hidden import visible_psnr
from ncodec.image.codec import ImageCodec
from ncodec.image.file import Encoded, as_delivered, encode_lossless
from ncodec.image.rdoq import Progress, no_progress
from ncodec.picture import EXACT_PSNR, Picture, psnr
from ncodec.quality import LOSSLESS, MAX_EFFORT, QP_COUNT, check_quality, quality_to_qp
from ncodec.ranges import LARGEST, is_between, name_value

_MIXED = 2**21
"""pixels up to which a lossless picture is coded by context mixing unasked, six seconds each way"""
MAX_BPP = 1000
"""beyond any file"""
SAMPLE_SIDE, SAMPLE_PIECES = 128, 3
"""pixels along each side of a piece of the sample, and pieces"""
OVERHEAD = 24
"""bytes of a file that do not grow with the picture"""
SAMPLED_QPS = (4, 34, 62)
MAX_GUESSES = 6
"""values that are asked for where they are expected to be right; after them, the range is halved"""
NEAR = 2
"""steps of qp between which values without effort tell nothing new"""
CERTAIN = 0.3
"""share of a qp step's change by which a prediction must exceed the target to count untried"""


@dataclass(frozen=True)
class Target:
    """Target of a file; exactly one field is set."""

    quality: float | str | None = None
    """0…100, or `LOSSLESS`"""
    size: int | None = None
    """largest file, in bytes"""
    bpp: float | None = None
    """largest file, in bits per pixel"""
    psnr: float | None = None
    """least PSNR over RGB, in dB"""

    def __post_init__(self) -> None:
        given = [
            name for name in ("quality", "size", "bpp", "psnr") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            msg = f"expected one of quality, size, bpp and psnr, got {', '.join(given) or 'none'}"
            raise InputError(msg)
        value = getattr(self, given[0])
        if self.quality == LOSSLESS:
            return
        if self.quality is not None:
            check_quality(self.quality)
        elif not is_between(value, 0, LARGEST):
            msg = f"expected a finite {given[0]} of 0 or more, got {name_value(value)}"
            raise InputError(msg)


def encode_to(
    codec: ImageCodec,
    picture: Picture,
    target: Target,
    *,
    effort: int | None = None,
    progress: Progress = no_progress,
) -> Encoded:
    """Encode a picture to meet a target.

    A quality selects the nearest QP. For a size or bpp it is about the highest QP whose file fits,
    for a PSNR, over pixels of alpha above 0, the lowest QP that reaches it; beyond QP 63 the file
    is lossless. `effort`, 0 to 9, is that of `ImageCodec.effort_for` where None. `progress` is told
    the RDOQ tiles done and their number, anew for each file tried. Raises InputError for a side
    above 16384, for an effort out of range, for ICC, Exif or XMP beyond 64 MiB, and where no file
    is small enough; ModelError for an effort above 0 without a gradient graph; BackendError where
    ONNX Runtime fails.
    """
    looking = codec.effort_for(picture, effort)
    if max(picture.height, picture.width) > MAX_SIDE:
        msg = f"expected sides of at most {MAX_SIDE} pixels, got {picture.width}×{picture.height}"
        raise InputError(msg)
    if target.quality == LOSSLESS:
        return _lossless(picture, looking, mixing=_may_mix(picture, effort))
    lossless = lru_cache(maxsize=1)(lambda: _lossless(picture, looking))
    if target.quality is not None:
        return codec.encode(
            picture, qp=quality_to_qp(float(target.quality)), effort=looking, progress=progress
        )
    trials = _Trials(codec, picture, effort=looking, progress=progress)
    if target.psnr is not None:
        return _least_with_psnr(trials, target.psnr, lossless)
    pixels = picture.height * picture.width
    limit = (
        target.size if target.size is not None else int(min(target.bpp or 0, MAX_BPP) * pixels / 8)
    )
    return _best_within(trials, limit, lossless)


def _may_mix(picture: Picture, effort: int | None) -> bool:
    """Whether context mixing is tried: unless the effort is 0, on pictures up to 2 megapixels or of
    a stated effort, where numba is installed."""
    small = picture.height * picture.width <= _MIXED
    return (small if effort is None else effort > 0) and can_mix()


def _lossless(picture: Picture, effort: int, *, mixing: bool = False) -> Encoded:
    search = THOROUGH if effort == MAX_EFFORT else USUAL
    return encode_lossless(picture, qp=QP_COUNT - 1, search=replace(search, mixing=mixing))


@dataclass(frozen=True)
class _Measure:
    """Something of a file that grows with its qp."""

    value: Callable[[int], float]
    roughly: Callable[[int], float]
    """the measure without effort, which is faster"""
    expected: Callable[[int], float]
    """estimate of the measure from a sample of the picture"""

    def last_below(self, wanted: float) -> int:
        """The largest qp whose value is at most the wanted one, or -1.

        Values are asked for as rarely as what is expected of them allows.
        """
        low, high = -1, QP_COUNT
        offsets = self._rough_offsets(wanted)
        for trial in count():
            if high - low <= 1:
                break
            guess = (
                self._guess(low, high, wanted, offsets)
                if trial < MAX_GUESSES
                else (low + high) // 2
            )
            found = self.value(guess)
            if not trial:
                # An effort changes all values about alike.
                shift = found - self._predicted(guess, offsets)
                offsets = {qp: offset + shift for qp, offset in offsets.items()}
            offsets[guess] = found - self.expected(guess)
            if found > wanted:
                high = guess
                continue
            low = guess
            following = self._predicted(min(guess + 1, QP_COUNT - 1), offsets)
            if following > wanted + CERTAIN * (following - found):
                break
        return low

    def _rough_offsets(self, wanted: float) -> dict[int, float]:
        """Difference of values without effort from their estimates, at one or two QPs near the
        target."""
        offsets: dict[int, float] = {}
        for _ in range(2):
            guess = self._guess(-1, QP_COUNT, wanted, offsets)
            if any(abs(guess - known) <= NEAR for known in offsets):
                break
            offsets[guess] = self.roughly(guess) - self.expected(guess)
        return offsets

    def _guess(self, low: int, high: int, wanted: float, offsets: dict[int, float]) -> int:
        """Where the value is expected to be the last that is at most the wanted one, between two
        qps."""
        reached = [qp for qp in range(low + 1, high) if self._predicted(qp, offsets) <= wanted]
        return reached[-1] if reached else low + 1

    def _predicted(self, qp: int, offsets: dict[int, float]) -> float:
        """The expected value, corrected by what values were found beyond the expected ones at some
        qps."""
        known = sorted(offsets)
        if not known:
            return self.expected(qp)
        near = sorted(known, key=lambda each: abs(each - qp))[:2]
        if len(near) == 1:
            return self.expected(qp) + offsets[near[0]]
        slope = (offsets[near[1]] - offsets[near[0]]) / (near[1] - near[0])
        return self.expected(qp) + offsets[near[0]] + slope * (qp - near[0])


class _Trials:
    """Files of a picture at qps, each made once, and what a sample of it lets expect of others."""

    def __init__(
        self, codec: ImageCodec, picture: Picture, *, effort: int, progress: Progress
    ) -> None:
        self.picture = picture
        self._effort = effort
        self._progress = progress
        self._files: dict[tuple[int, int], Encoded] = {}
        """by qp and effort"""
        self._codec = codec
        self._sample: tuple[list[float], list[float]] | None = None

    def encode(self, qp: int) -> Encoded:
        """File of the effort asked for; an all-exact one of effort 0 serves below `MAX_EFFORT`."""
        plain = self._files.get((qp, 0))
        if plain is not None and plain.exact == 1 and self._effort < MAX_EFFORT:
            return plain
        return self._file(qp, self._effort)

    def plain(self, qp: int) -> Encoded:
        """The file without effort."""
        return self._file(qp, 0)

    def _file(self, qp: int, effort: int) -> Encoded:
        key = qp, effort
        if key not in self._files:
            encoded = self._codec.encode(
                self.picture, qp=qp, effort=effort, progress=self._progress
            )
            self._files[key] = replace(encoded, symbols=None)  # 200 MB of a 100-megapixel picture
        return self._files[key]

    @property
    def sizes(self) -> _Measure:
        """log₂ of the bytes of files."""
        return _Measure(
            lambda qp: math.log2(len(self.encode(qp).data)),
            lambda qp: math.log2(len(self.plain(qp).data)),
            lambda qp: float(np.interp(qp, SAMPLED_QPS, self._sampled()[0])),
        )

    @property
    def psnrs(self) -> _Measure:
        """PSNR of the pictures that files give, in dB."""
        return _Measure(
            lambda qp: self._psnr_of(self.encode(qp)),
            lambda qp: self._psnr_of(self.plain(qp)),
            lambda qp: float(np.interp(qp, SAMPLED_QPS, self._sampled()[1])),
        )

    def _psnr_of(self, encoded: Encoded) -> float:
        return min(visible_psnr(self.picture, self._codec.decode(encoded.data)), EXACT_PSNR)

    def _sampled(self) -> tuple[list[float], list[float]]:
        """log₂ of bytes and PSNR at `SAMPLED_QPS`."""
        if self._sample is None:
            sample = Picture(sample_of(self.picture.pixels), self.picture.grey)
            share = sample.pixels.size / self.picture.pixels.size
            sizes, qualities = [], []
            for qp in SAMPLED_QPS:
                # Without floors, which the whole picture may meet where a part of it does not.
                plan = self._codec.plan(sample, self._codec.price, qp=qp, with_latent=False)
                shown, bits = as_delivered(plan.initial.pixels, grey=sample.grey).copy(), 0.0
                paint(shown, plan.layers)
                if not covered(plan.layers, sample.height, sample.width).all():
                    bits = estimate_bits(plan.initial.symbols, self._codec.model.tables, qp=plan.qp)
                size = bits / 8 + len(pack_layers(plan.layers))
                sizes.append(math.log2(size / share + OVERHEAD))
                qualities.append(min(psnr(sample.pixels, shown), EXACT_PSNR))
            self._sample = sizes, qualities
        return self._sample


def sample_of(pixels: Pixels) -> Pixels:
    """Sample of a picture, (H, W, 3), to estimate its size and errors: (128, 384, 3), three squares
    side by side.

    The squares of 128×128 pixels are evenly spaced in raster order. A picture that holds at most
    three is its own sample.
    """
    high, wide = (side // SAMPLE_SIDE for side in pixels.shape[:2])
    if high * wide <= SAMPLE_PIECES:
        return pixels
    chosen = np.linspace(0, high * wide - 1, SAMPLE_PIECES + 2).astype(int)[1:-1]
    corners = [
        (SAMPLE_SIDE * row, SAMPLE_SIDE * column)
        for row, column in (divmod(each, wide) for each in chosen)
    ]
    return np.concatenate(
        [pixels[y : y + SAMPLE_SIDE, x : x + SAMPLE_SIDE] for y, x in corners], axis=1
    )


def _best_within(trials: _Trials, limit: int, lossless: Callable[[], Encoded]) -> Encoded:
    """The best picture whose file has at most so many bytes; raises InputError where none has."""
    found = trials.sizes.last_below(math.log2(limit) if limit else -1.0)
    if found == QP_COUNT - 1 and len(lossless().data) <= limit:
        return lossless()
    if found >= 0:
        return trials.encode(found)
    smallest = min(
        trials.encode(0), trials.plain(0), lossless(), key=lambda encoded: len(encoded.data)
    )
    if len(smallest.data) > limit:
        msg = (
            f"expected a limit of at least {len(smallest.data)} bytes for this picture, got {limit}"
        )
        raise InputError(msg)
    return smallest


def _least_with_psnr(trials: _Trials, least: float, lossless: Callable[[], Encoded]) -> Encoded:
    """The smallest file whose picture is good enough."""
    below = trials.psnrs.last_below(float(np.nextafter(least, -math.inf)))
    if below == QP_COUNT - 1:
        return lossless()
    for qp in range(below + 1, QP_COUNT):
        # What was expected of a qp that was not tried may have been too much.
        if trials.psnrs.value(qp) >= least:
            return trials.encode(qp)
    return lossless()
