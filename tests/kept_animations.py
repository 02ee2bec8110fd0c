"""Animated pictures, pages and numbered pictures as clips."""

from collections.abc import Callable
from typing import Any

import av
import numpy as np
from kept_cases import EXIF, ICC, XMP
from kept_clips import FRAMES, ClipCase, clip, greys, shades
from PIL import ExifTags, Image

LENGTHS = {"duration": 100}


def _saved(suffix: str, *, frames: Callable[[], list[Any]] = shades, **options: Any) -> ClipCase:
    def make(path: str) -> None:
        made = (f if isinstance(f, Image.Image) else Image.fromarray(f) for f in frames())
        first, *others = made
        first.save(path, save_all=True, append_images=others, **(LENGTHS | options))

    return ClipCase(suffix, make)


@clip("Animations: GIF")
def _() -> ClipCase:
    return ClipCase(".gif", _saved(".gif", loop=0).write, least=25)


@clip("Animations: GIF with a comment")
def _() -> ClipCase:
    return ClipCase(".gif", _saved(".gif", comment=b"hi").write, least=25)


@clip("Animations: PNG")
def _() -> ClipCase:
    return _saved(".png")


@clip("Animations: PNG of 16 bits")
def _() -> ClipCase:
    def make(path: str) -> None:
        with av.open(path, "w", format="apng") as container:
            video: Any = container.add_stream("apng", rate=10)
            video.width = video.height = 64
            video.pix_fmt = "rgb48be"
            for i, pixels in enumerate(shades()):
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="rgb48be")
                frame.pts = i
                container.mux(video.encode(frame))
            container.mux(video.encode(None))

    return ClipCase(".png", make)


@clip("Animations: WebP")
def _() -> ClipCase:
    return _saved(".webp", lossless=True)


@clip("Animations: WebP with ICC profile, EXIF, XMP")
def _() -> ClipCase:
    return _saved(".webp", lossless=True, icc_profile=ICC, exif=EXIF, xmp=XMP)


@clip("Animations: AVIF")
def _() -> ClipCase:
    return _saved(".avif", quality=95)


@clip("Animations: orientation in EXIF")
def _() -> ClipCase:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    case = _saved(".png", exif=exif)
    return ClipCase(".png", case.write, shown=lambda: [np.rot90(frame, 3) for frame in shades()])


@clip("Animations: transparent pixels")
def _() -> ClipCase:
    def clear() -> list[Any]:
        opaque, nothing = np.full((64, 64), 255, np.uint8), np.zeros((64, 64), np.uint8)
        return [np.dstack([f, p]) for f, p in zip(shades(), (opaque, opaque, nothing), strict=True)]

    white = np.full((64, 64, 3), 255, np.uint8)
    case = _saved(".webp", frames=clear, lossless=True)
    return ClipCase(".webp", case.write, shown=lambda: [*shades(2), white])


TIMES = [i / 25 for i in range(FRAMES)]


@clip("Pages: TIFF")
def _() -> ClipCase:
    return ClipCase(".tif", _saved(".tif").write, times=TIMES)


@clip("Pages: TIFF of 16 bits")
def _() -> ClipCase:
    def deep() -> list[Any]:
        return [Image.fromarray(frame[:, :, 1].astype(np.uint16) * 257) for frame in shades()]

    return ClipCase(
        ".tif", _saved(".tif", frames=deep).write, times=TIMES,
        shown=greys,
    )  # fmt: skip


@clip("Pages: TIFF of one bit")
def _() -> ClipCase:
    def bits() -> list[Any]:
        return [Image.fromarray(frame[:, :, 1] > 100) for frame in greys()]

    return ClipCase(
        ".tif", _saved(".tif", frames=bits).write, times=TIMES,
        shown=lambda: [np.where(frame > 100, 255, 0).astype(np.uint8) for frame in greys()],
    )  # fmt: skip


@clip("Pages: TIFF with an ICC profile")
def _() -> ClipCase:
    return ClipCase(".tif", _saved(".tif", icc_profile=ICC).write, times=TIMES)


def _numbered(suffix: str, frames: Callable[[], list[Any]] = shades, **options: Any) -> ClipCase:
    def make(path: str) -> None:
        for i, frame in enumerate(frames()):
            Image.fromarray(frame).save(path % (i + 1), **options)

    return ClipCase(f"-%d{suffix}", make, times=TIMES)


@clip("Numbered pictures: PNG")
def _() -> ClipCase:
    return _numbered(".png")


@clip("Numbered pictures: PNG with an ICC profile")
def _() -> ClipCase:
    return _numbered(".png", icc_profile=ICC)


@clip("Numbered pictures: JPEG with EXIF")
def _() -> ClipCase:
    return _numbered(".jpg", exif=EXIF, quality=95)


@clip("Numbered pictures: PNG with alpha")
def _() -> ClipCase:
    return _numbered(".png", lambda: [np.dstack([f, f[:, :, 0]]) for f in shades()])


@clip("Numbered pictures: TIFF")
def _() -> ClipCase:
    return _numbered(".tif")
