"""Rendition of a ladder in ncodec's own format, with an index for players."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from ncodec.api.clips import encode_video
from ncodec.api.settings import EncodeVideoSettings
from ncodec.api.video_index import video_index
from ncodec.arrays import Pixels
from ncodec.media.colour import to_rgb
from ncodec.media.mezzanine import Mezzanine
from ncodec.media.scaling import FrameScaler, FrameSize
from ncodec.streaming.plan import StreamPlan
from ncodec.streaming.work import write_file

CLIP, INDEX = "ncv/clip.ncv", "ncv/index.json"
_MOST = 540
"""pixels of the shorter side: what a core decodes at about the speed of play"""
_QUALITY = 40.0
_INTRA_S = 2
"""seconds from one intra frame to the next"""


def write_clip(
    open_source: Callable[[], Mezzanine],
    plan: StreamPlan,
    folder: Path,
    *,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Write the clip as .ncv, at most 540 pixels high, and the byte ranges of its intra frames as
    JSON, unless both are there; returns what the stream's record says of it."""
    size = _size(plan)
    path = folder / CLIP
    if not (folder / INDEX).is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = plan.form.rate
        settings = EncodeVideoSettings(
            quality=_QUALITY,
            gop=max(1, round(_INTRA_S * rate)),
            rate=rate if plan.survey.rate is not None else None,
        )
        encode_video(
            _frames(open_source, plan, size),
            path,
            settings=settings,
            overwrite=True,
            progress=lambda done, written, total: progress(done, len(plan.survey.times)),
        )
        write_file(folder / INDEX, json.dumps(asdict(video_index(path)), indent=1).encode())
    return {
        "path": CLIP,
        "index": INDEX,
        "width": size.width,
        "height": size.height,
        "bytes": path.stat().st_size,
        "average_bandwidth": round(8 * path.stat().st_size / float(plan.survey.end)),
    }


def _size(plan: StreamPlan) -> FrameSize:
    scale = min(1.0, _MOST / min(plan.top.width, plan.top.height))
    across, down = (round(side * scale / 2) * 2 for side in (plan.top.width, plan.top.height))
    return FrameSize(across, down)


def _frames(
    open_source: Callable[[], Mezzanine], plan: StreamPlan, size: FrameSize
) -> Iterator[Pixels | tuple[Fraction, Pixels]]:
    """RGB frames, with their times where the rate varies."""
    scaler = FrameScaler(plan.picture_shown, [size])
    with open_source() as reader:
        frames = scaler.scale(reader.decode())
        for (frame,), time in zip(frames, plan.survey.times, strict=True):
            pixels = to_rgb(frame)
            yield pixels if plan.survey.rate is not None else (time, pixels)
