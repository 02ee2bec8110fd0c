"""Whether quality sinks where no intra frame comes: a few frames of a clip, played to and fro after
one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, cycle, islice
from pathlib import Path
from statistics import fmean

import altair as alt

from ncodec.errors import InputError
from ncodec.eval.clips import NCODEC_CLIPS, psnr_611
from ncodec.eval.stored_frames import Clip, crop, from_rgb, read_clip, to_rgb

PLAYED = 9
"""frames of a clip, so that every picture comes back every sixteen frames"""
FRAMES = 113
EARLY, LATE = slice(17, 33), slice(97, 113)
"""spans of frames that show equal pictures"""
HIGHEST, WIDEST = 288, 352
"""clips are cut to this at most"""


@dataclass(frozen=True)
class Drift:
    """PSNR of a clip's frames after one intra frame."""

    clip: str
    quality: float
    psnr: list[float]
    """PSNR 6:1:1 of each frame, in dB"""

    @property
    def change(self) -> float:
        """Mean PSNR 6:1:1 of frames 97 to 112 less that of frames 17 to 32, which show equal
        pictures, in dB."""
        return fmean(self.psnr[LATE]) - fmean(self.psnr[EARLY])


def back_and_forth(clip: Clip) -> Clip:
    """Play the first nine frames of a clip forwards and backwards in turn, up to 113 frames.

    Frames are cut to their middle, at most 352×288. The rate is 113 frames a second, so that a GOP
    of two seconds has a single intra frame. Raises InputError for fewer than nine frames.
    """
    if len(clip.frames) < PLAYED:
        msg = f"{clip.name}: expected at least {PLAYED} frames, got {len(clip.frames)}"
        raise InputError(msg)
    frames = [crop(frame, height=HIGHEST, width=WIDEST) for frame in clip.frames[:PLAYED]]
    played = list(islice(cycle(chain(frames, frames[-2:0:-1])), FRAMES))
    return replace(clip, rate=Fraction(FRAMES), frames=played)


def measure_drift(
    clips: Sequence[Path], qualities: Sequence[float], *, advance: Callable[[int], None]
) -> list[Drift]:
    """Code the first nine frames of every clip, played to and fro, at every quality, after one
    intra frame.

    Qualities are 0 to 100. Returns a Drift for each clip and quality, clip by clip; `advance(1)` is
    called after each. Raises InputError for a file that is no 8-bit 4:2:0 clip of nine frames, for
    a cut among these, and for another quality.
    """
    found = []
    for path in clips:
        clip = back_and_forth(read_clip(path, most=PLAYED))
        frames = to_rgb(clip)
        for quality in qualities:
            coded = NCODEC_CLIPS.encode(frames, quality, gop=clip.gop)
            if any(packet.is_intra for packet in coded.packets[1:]):
                msg = f"{path}: expected {PLAYED} frames of one scene, got a cut between them"
                raise InputError(msg)
            decoded = from_rgb(NCODEC_CLIPS.decode(coded), clip)
            pairs = zip(clip.frames, decoded.frames, strict=True)
            found.append(Drift(clip.name, quality, [psnr_611(*pair) for pair in pairs]))
            advance(1)
    return found


def drift_chart(drifts: Sequence[Drift]) -> alt.FacetChart:
    """PSNR over frames, a panel for each quality."""
    rows = [
        {
            "clip": drift.clip,
            "quality": f"quality {drift.quality:g}",
            "frame": frame,
            "psnr": round(psnr, 3),
        }
        for drift in drifts
        for frame, psnr in enumerate(drift.psnr)
    ]
    lines = alt.Chart(alt.InlineData(values=rows)).mark_line(strokeWidth=1.2)
    lines = lines.encode(
        x=alt.X("frame:Q", title="frames after the intra frame"),
        y=alt.Y("psnr:Q", title="PSNR 6:1:1, dB", scale=alt.Scale(zero=False)),
        color=alt.Color("clip:N", title=None),
    ).properties(width=300, height=300)
    chart: alt.FacetChart = lines.facet(alt.Column("quality:N", title=None)).resolve_scale(
        y="independent"
    )
    return chart
