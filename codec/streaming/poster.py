"""Posters: one frame of a clip as JPEG and AVIF."""

import io
from contextlib import closing
from pathlib import Path

from PIL import Image, features

from ncodec.media.colour import to_rgb
from ncodec.media.scaling import FrameScaler, FrameSize
from ncodec.streaming.plan import StreamPlan
from ncodec.streaming.source_frames import OpenSource, frames_from
from ncodec.streaming.work import write_file

_FORMS: dict[str, tuple[str, dict[str, int]]] = {
    "jpg": ("JPEG", {"quality": 85}),
    # libaom's bytes depend on whether it has one thread or several.
    "avif": ("AVIF", {"quality": 60, "max_threads": 1}),
}
"""suffix → Pillow's format and options"""


def poster_picture(open_source: OpenSource, plan: StreamPlan, *, frame: int) -> Image.Image:
    """Frame number `frame` of a clip, upright, of the size of the top rung; colours of HDR are
    mapped to BT.709."""
    scaler = FrameScaler(plan.picture_shown, [FrameSize(plan.top.width, plan.top.height)])
    with closing(frames_from(open_source, plan.survey, frame)) as frames:
        ((scaled,),) = scaler.scale([next(frames)])
    return Image.fromarray(to_rgb(scaled))


def write_posters(picture: Image.Image, folder: Path) -> None:
    """Write poster.jpg, and poster.avif where Pillow has AVIF."""
    for suffix, (form, options) in _FORMS.items():
        if form == "AVIF" and not features.check("avif"):
            continue
        data = io.BytesIO()
        picture.save(data, form, **options)
        write_file(folder / f"poster.{suffix}", data.getvalue())
