"""Ladders: the sizes and rates that a clip is offered in."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from ncodec.errors import InputError
from ncodec.media.scaling import FrameSize
from ncodec.ranges import is_between, name_value
from ncodec.streaming.hull import Point
from ncodec.streaming.renditions import PEAK_RATIO, Rendition, clipped_crf

MOST_RUNGS = 6
_SCALES = (1, 2 / 3, 1 / 2, 1 / 3)
"""heights that are probed, as parts of the top one"""
_LEAST_SIDE = 100
"""shorter side of the smallest rung, in pixels"""
_LEAST_RATIO = 1.6
"""bit rate of a rung over that of the next smaller one, at least"""
_NEAREST_RATIO = 1.25
"""bit rate of a rung over that of the next smaller one, below which the latter is left out: hulls
have gaps"""
_FLOORS = {"VMAF": 35.0, "XPSNR": 26.0}
"""metric → least quality of a rung"""
XPSNR_TARGET = 38.0
"""dB, in place of a target of VMAF where there is none"""
FIXED = (
    (1080, 5_000_000),
    (720, 2_800_000),
    (540, 1_600_000),
    (432, 1_000_000),
    (360, 600_000),
    (270, 320_000),
    (216, 180_000),
    (144, 90_000),
)
"""height and bits a second of x264's rungs in the fixed ladder"""
_NEAREST = 0.9
"""height of a fixed rung over that of the clip from which it is left out"""
_CODEC_RATES = {"h264": 1.0, "hevc": 0.7, "av1": 0.6}
"""bit rate of a codec's fixed rungs over x264's"""


_RUNG_RANGES = {"height": (2, 16384), "bitrate": (1000, 10**9), "crf": (1, 63)}


@dataclass(frozen=True)
class Rung:
    """A rung that a person wrote: a height, and a rate or a CRF."""

    height: int
    bitrate: int | None = None
    """bits a second"""
    crf: float | None = None

    def __post_init__(self) -> None:
        if (self.bitrate is None) == (self.crf is None):
            msg = "expected a bitrate or a crf of each rung"
            raise InputError(msg)
        for name, (least, most) in _RUNG_RANGES.items():
            value = getattr(self, name)
            if value is not None and not is_between(value, least, most):
                msg = f"expected a {name} of {least} to {most} of a rung, got {name_value(value)}"
                raise InputError(msg)


def top_size(width: int, height: int, *, most: int | None, bits: int = 8) -> FrameSize:
    """Size of the top rung: that of the clip, with at most `most` pixels on the shorter side."""
    return _scaled(width, height, 1 if most is None else min(1, most / min(width, height)), bits)


def sizes_of(top: FrameSize) -> list[FrameSize]:
    """Sizes to probe, the top one first."""
    found = [_scaled(top.width, top.height, scale, top.bits) for scale in _SCALES]
    return [
        size
        for place, size in enumerate(found)
        if place == 0 or min(size.width, size.height) >= _LEAST_SIDE
    ]


def _scaled(width: int, height: int, scale: float, bits: int) -> FrameSize:
    across, down = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    return FrameSize(across, down, bits)


def choose_rungs(
    hull: Sequence[Point], *, target: float, metric: str, most: int = MOST_RUNGS
) -> list[Point]:
    """Points of a hull as rungs, the best first: the least rate that reaches `target`, or the best
    there is, and others at even ratios of bit rate below, down to a quality that can be watched.

    No rung is larger than one of a higher rate.
    """
    top = next((point for point in hull if point.quality >= target), hull[-1])
    floor = min(_FLOORS[metric], top.quality)
    bottom = next(point for point in hull if point.quality >= floor)
    span = log(top.bitrate / bottom.bitrate) / log(_LEAST_RATIO) if bottom.bitrate else 0
    steps = max(0, min(most - 1, int(span)))
    rungs = [top]
    for step in range(1, steps + 1):
        wanted = top.bitrate * (bottom.bitrate / top.bitrate) ** (step / steps)
        least = [
            point
            for point in hull
            if point.bitrate <= wanted * 1.001 and point.size.height <= rungs[-1].size.height
        ]
        if least and least[-1].bitrate * _NEAREST_RATIO <= rungs[-1].bitrate:
            rungs.append(least[-1])
    return rungs


def renditions_of(
    codec: str, rungs: Sequence[Point], *, speed: str, grain: int = 0
) -> list[Rendition]:
    """Renditions of rungs."""
    return [
        Rendition(
            codec,
            rung.size,
            speed=speed,
            crf=clipped_crf(codec, rung.crf),
            peak=round(PEAK_RATIO * rung.bitrate),
            grain=grain if codec == "av1" else 0,
            number=number,
        )
        for number, rung in enumerate(rungs, 1)
    ]


def fixed_rungs(top: FrameSize, *, most: int) -> list[Rung]:
    """Rungs of the fixed ladder for a clip of a size, the top one at the clip's own height."""
    side = min(top.width, top.height)
    below = [Rung(height, rate) for height, rate in FIXED if height < _NEAREST * side]
    larger = [(height, rate) for height, rate in FIXED if height >= side]
    base_height, base_rate = larger[-1] if larger else FIXED[0]
    least, _ = _RUNG_RANGES["bitrate"]
    own = Rung(side, max(least, round(base_rate * (side / base_height) ** 1.5)))
    return [own, *below][:most]


def rendition_of_rung(
    codec: str, rung: Rung, top: FrameSize, *, number: int, speed: str
) -> Rendition:
    """Rendition of a rung that a person or the fixed ladder states: no larger than the clip."""
    scale = min(1.0, rung.height / min(top.width, top.height))
    size = _scaled(top.width, top.height, scale, top.bits)
    if rung.crf is not None:
        return Rendition(codec, size, speed=speed, crf=rung.crf, number=number)
    rate = round((rung.bitrate or 0) * _CODEC_RATES[codec])
    return Rendition(codec, size, speed=speed, bitrate=rate, peak=round(rate * 1.5), number=number)


def read_ladder(text: str) -> list[Rung]:
    """Rungs of a ladder in YAML: a list of `height` with `bitrate`, in bits a second, or `crf`.

    Raises InputError for other text, and BackendError where PyYAML is not installed.
    """
    from ncodec.optional import require_modules

    require_modules("yaml", extra="stream")
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        msg = f"expected a ladder in YAML, got text that cannot be read: {error}"
        raise InputError(" ".join(msg.split())) from error
    if not isinstance(found, list) or not found:
        msg = "expected a ladder as a list of rungs such as {height: 720, bitrate: 2000000}"
        raise InputError(msg)
    return [_read_rung(entry) for entry in found]


def _read_rung(entry: object) -> Rung:
    known = {"height", "bitrate", "crf"}
    if not isinstance(entry, dict) or not set(entry) <= known or "height" not in entry:
        msg = f"expected a rung with height and bitrate or crf, got {entry!r}"
        raise InputError(msg)
    if not all(isinstance(value, int | float) for value in entry.values()):
        msg = f"expected numbers in a rung, got {entry!r}"
        raise InputError(msg)
    rung = Rung(**entry)
    bitrate = None if rung.bitrate is None else round(rung.bitrate)
    return Rung(round(rung.height), bitrate, rung.crf)
