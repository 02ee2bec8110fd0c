"""Settings of ladders."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from numbers import Integral

from ncodec.errors import InputError
from ncodec.ranges import LARGEST, is_between, name_value
from ncodec.streaming.ladder import Rung
from ncodec.streaming.renditions import CODECS, SPEEDS

AUDIO_CODECS = ("aac", "opus")
DOWNSCALERS = ("sharp", "lanczos", "learned")
_LISTED = 3
"""longest segments that a live playlist holds at least (RFC 8216bis, 6.2.2)"""
_LARGEST_SIDE = 16384
_SEGMENT_S = (0.5, 30)
_MOST_GRAIN = 50
_RUNGS = 12
_TARGET_VMAF = 93.0


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """Settings of `stream`; raises InputError for values out of range."""

    codecs: Sequence[str] = ("h264", "av1")
    """of h264, hevc, av1 and ncv, in the order of players' preference where they do not measure"""
    ladder: str | os.PathLike[str] | Sequence[Rung] = "auto"
    """auto: by probes of the clip; fixed: usual bit rates by height; a path of a ladder in YAML; or
    rungs"""
    rungs: int | None = None
    """most rungs of a codec, 1 to 12; None for six, and for all of a ladder that is given"""
    max_height: int | None = None
    """most pixels of the shorter side of the top rung; None for those of the clip"""
    target_vmaf: float = _TARGET_VMAF
    """VMAF of the top rung of `auto`, 20 to 100"""
    segment: float = 4
    """seconds of a segment, 0.5 to 30, which may be half as long again to end at a cut"""
    speed: str = "medium"
    """fast, medium or slow: presets of the encoders"""
    audio: Sequence[str] = AUDIO_CODECS
    """of aac and opus"""
    downscale: str = "sharp"
    """sharp, lanczos or learned: filters of rungs up to three quarters of the top one; sharp adds a
    little sharpening, learned is sharp, but for half the size of the clip a network"""
    tone_map: bool = False
    """of an HDR clip H.264 rungs are made in BT.709, and not left out"""
    grain: int = 0
    """strength of film grain, 0 to 50, that AV1 removes and players put back"""
    measure: bool = False
    """measure the quality of every rendition, on up to 20 seconds of its segments"""
    live: bool = False
    """the clip is still being written: segments appear as they are done, and a file has ended once
    it has not grown for ten seconds; `ladder` is fixed or one of rungs then"""
    window: float | None = None
    """seconds of a live clip that playlists list, older segments are removed; None for all; at
    least three segments of the longest kind, which players of HLS need"""
    jobs: int | None = None
    """segments to code at once; None for the number of cores"""

    def __post_init__(self) -> None:
        known = (*CODECS, "ncv")
        _check(bool(self.codecs), "at least one codec", self.codecs)
        _check(set(self.codecs) <= set(known), f"codecs among {', '.join(known)}", self.codecs)
        _check(set(self.codecs) != {"ncv"}, "h264, hevc or av1 beside ncv", self.codecs)
        _check(set(self.audio) <= set(AUDIO_CODECS), "sound in aac or opus or both", self.audio)
        _check(
            self.downscale in DOWNSCALERS,
            f"a filter among {', '.join(DOWNSCALERS)}",
            self.downscale,
        )
        _check(self.speed in SPEEDS, f"a speed among {', '.join(SPEEDS)}", self.speed)
        _check(
            self.rungs is None
            or (isinstance(self.rungs, Integral) and is_between(self.rungs, 1, _RUNGS)),
            f"1 to {_RUNGS} rungs",
            self.rungs,
        )
        _check(_is_ladder(self.ladder), "auto, fixed, a path or rungs as a ladder", self.ladder)
        _check(
            self.max_height is None or is_between(self.max_height, 2, _LARGEST_SIDE),
            f"a height of 2 to {_LARGEST_SIDE} pixels",
            self.max_height,
        )
        _check(is_between(self.target_vmaf, 20, 100), "a VMAF of 20 to 100", self.target_vmaf)
        _check(is_between(self.segment, *_SEGMENT_S), "segments of 0.5 to 30 s", self.segment)
        _check(
            isinstance(self.grain, Integral) and is_between(self.grain, 0, _MOST_GRAIN),
            "grain of 0 to 50",
            self.grain,
        )
        _check(
            self.window is None or (self.live and is_between(self.window, 1, LARGEST)),
            "a window of at least 1 s of a live clip",
            self.window,
        )
        longest = ceil(self.longest_segment)
        _check(
            self.window is None or self.window >= _LISTED * longest,
            f"a window of at least {_LISTED * longest} s for segments of up to {longest} s",
            self.window,
        )
        _check(
            not self.grain or "av1" in self.codecs,
            "av1 among the codecs for film grain",
            self.codecs,
        )
        is_probed = self.ladder == "auto" and not self.live
        _check(
            is_probed or self.target_vmaf == _TARGET_VMAF,
            "the ladder auto, of a complete clip, for a target of VMAF",
            self.ladder,
        )
        _check(
            self.jobs is None
            or (isinstance(self.jobs, Integral) and is_between(self.jobs, 1, 256)),
            "1 to 256 jobs",
            self.jobs,
        )
        _check(not (self.live and self.measure), "no measure of a live clip", "measure")
        _check(not (self.live and "ncv" in self.codecs), "no ncv of a live clip", "ncv")

    @property
    def audio_codecs(self) -> tuple[str, ...]:
        """Codecs of sound, each once."""
        return tuple(dict.fromkeys(self.audio))

    @property
    def video_codecs(self) -> tuple[str, ...]:
        """Codecs whose segments go into manifests."""
        return tuple(dict.fromkeys(codec for codec in self.codecs if codec in CODECS))

    @property
    def longest_segment(self) -> Fraction:
        """Seconds that no segment of a live clip exceeds: one may end late, at a cut."""
        return 3 * self.segment_seconds / 2

    @property
    def segment_seconds(self) -> Fraction:
        """Seconds of a segment, exactly."""
        return Fraction(self.segment).limit_denominator(1000)


def _is_ladder(ladder: object) -> bool:
    if isinstance(ladder, str | os.PathLike):
        return bool(os.fspath(ladder))
    return (
        isinstance(ladder, Sequence)
        and bool(ladder)
        and all(isinstance(rung, Rung) for rung in ladder)
    )


def _check(is_right: bool, expected: str, got: object) -> None:
    if not is_right:
        msg = f"expected {expected}, got {name_value(got)}"
        raise InputError(msg)
