"""PNG and TIFF files of 16-bit colour samples, which Pillow reduces to 8."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ncodec.arrays import DeepPixels
from ncodec.picture import DEEP_UNIT, Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEMUXERS = {"PNG": "png_pipe", "TIFF": "tiff_pipe"}
"""Pillow's name of a format → FFmpeg's"""
_LAYOUTS = {"rgb48": "rgb48le", "rgba64": "rgba64le", "gray16": "gray16le", "ya16": "rgba64le"}
"""FFmpeg's pixel formats of 16 bits without byte order → those that arrays are made of"""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2
"""filter of PNG by which a row is coded as the difference from the row above"""


def deep_samples_of(image: Image.Image) -> DeepPixels | None:
    """Samples of 16 bits, as `from_array` takes them, of an opened PNG or TIFF.

    It must not be loaded yet. None where FFmpeg finds another depth or cannot read it.
    """
    stream, form = getattr(image, "fp", None), _DEMUXERS.get(image.format or "")
    if stream is None or form is None:
        return None
    import av  # takes longer to import than most pictures take to read

    place = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(place)
    with suppress(av.FFmpegError, ValueError):
        with av.open(io.BytesIO(data), "r", format=form) as container:
            frame = next(container.decode(video=0))
        name = frame.format.name.removesuffix("be").removesuffix("le")
        layout = _LAYOUTS.get(name)
        if layout is None or (frame.width, frame.height) != image.size:
            return None
        samples = np.asarray(frame.to_ndarray(format=layout), dtype=np.uint16)
        return samples[:, :, [0, 3]] if name == "ya16" else samples
    return None


def write_deep_png(picture: Picture, deep: DeepPixels, *, level: int) -> bytes:
    """PNG (W3C, third edition) of a picture with its 16-bit samples and its metadata; `level` is
    zlib's."""
    planes = [deep[:, :, :1] if picture.grey else deep]
    if picture.alpha is not None:
        planes.append(np.multiply(picture.alpha, DEEP_UNIT, dtype=np.uint16)[:, :, None])
    samples = np.concatenate(planes, axis=2).astype(">u2")
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[samples.shape[2]]
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 16, colour, 0, 0, 0)
    rows = np.ascontiguousarray(samples).view(np.uint8).reshape(picture.height, -1)
    filtered = np.full((picture.height, rows.shape[1] + 1), _UP, dtype=np.uint8)
    filtered[:1, 1:] = rows[:1]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    chunks = {
        b"IHDR": header,
        **_metadata(picture),
        b"IDAT": zlib.compress(filtered.tobytes(), level),
    }
    return _SIGNATURE + b"".join(_packed(chunks | {b"IEND": b""}))


def _metadata(picture: Picture) -> dict[bytes, bytes]:
    chunks = {}
    if picture.icc:
        chunks[b"iCCP"] = b"ICC\0\0" + zlib.compress(picture.icc, 9)
    if picture.exif:
        chunks[b"eXIf"] = picture.exif
    if picture.xmp:
        chunks[b"iTXt"] = b"XML:com.adobe.xmp\0\0\0\0\0" + picture.xmp
    return chunks


def _packed(chunks: "Mapping[bytes, bytes]") -> Iterator[bytes]:
    for kind, content in chunks.items():
        crc = zlib.crc32(content, zlib.crc32(kind))
        yield struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)
