"""What `import ncodec` offers: encode, decode, info."""

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ncodec.api.codecs import open_codec, tuned_model
from ncodec.container.nci import MAGIC, NO_MODEL, Container, Flag, Tag, unpack
from ncodec.errors import ModelError
from ncodec.exact.layers import covered, paint
from ncodec.image.effort import check_effort
from ncodec.image.file import decode_exact, read_alpha, read_layers, read_symbols
from ncodec.image.rate_target import Target, encode_to
from ncodec.inference.zoo import load_model
from ncodec.media.exif import stripped
from ncodec.media.pictures import check_pixels, from_pil, read_picture, to_pil
from ncodec.media.streams import Bytes, read_bytes, write_bytes
from ncodec.picture import Picture, from_array
from ncodec.quality import DEFAULT_QUALITY, qp_to_quality

Source = str | os.PathLike[str] | Bytes | npt.NDArray[np.uint8] | Image.Image
"""a path, "-" for standard input, the bytes of a file, (H, W[, 1, 3 or 4]) uint8 pixels, or a Pillow image"""


@dataclass(frozen=True)
class Info:
    """What a file says of itself."""

    width: int
    height: int
    mode: str
    """L, LA, RGB or RGBA, as in Pillow"""
    quality: float
    """0…100, of the qp, which may be a higher one than asked for, so that the picture is as good as promised"""
    qp: int
    exact: float
    """share of cells of 64×64 pixels that are coded exactly or nearly so, beside the network"""
    lossless: bool
    """whether the file says that every pixel comes back as it was"""
    model: str | None
    """name of the model, its id where it is not installed, None where no network is needed"""
    model_id: str
    format_version: int
    size: int
    """bytes of the whole file"""
    bpp: float
    """bits per pixel of the whole file"""
    chunks: dict[str, int]
    """bytes in each chunk; metadata uncompressed"""


def load_picture(source: Source, *, allow_large: bool = False) -> Picture:
    """Anything that `encode` takes → Picture; raises InputError."""
    if isinstance(source, np.ndarray):
        return from_array(source)
    if isinstance(source, Image.Image):
        return from_pil(source)
    return read_picture(source, allow_large=allow_large)


def make_target(
    *, quality: float | str | None = None, bpp: float | None = None, size: int | None = None, psnr: float | None = None
) -> Target:
    """The target that the options name, `DEFAULT_QUALITY` when they name none; raises InputError when they conflict."""
    if quality is None and bpp is None and size is None and psnr is None:
        quality = DEFAULT_QUALITY
    return Target(quality=quality, bpp=bpp, size=size, psnr=psnr)


def encode(
    source: Source,
    path: str | os.PathLike[str] | None = None,
    *,
    quality: float | str | None = None,
    bpp: float | None = None,
    size: int | None = None,
    psnr: float | None = None,
    effort: int | None = None,
    tune: str = "psnr",
    model: str | None = None,
    backend: str = "onnx",
    threads: int | None = None,
    strip: str | None = None,
    allow_large: bool = False,
) -> bytes:
    """Code a picture, write it to `path` if one is given (replacing what is there), and return the file's bytes.

    At most one of: `quality` 0…100 (default 50) or "lossless"; `bpp` or `size`, the largest file in bits per pixel or
    bytes; `psnr`, the least PSNR over RGB in dB. An `effort` of 0 to 9 searches longer and longer for a better file of
    about this size (default 2; 0 beyond 33 megapixels). `tune` "ssim" takes the model that is best by MS-SSIM instead
    of PSNR, and has no effort. `strip` leaves out the "thumbnail" in EXIF, or all "metadata" but the ICC
    profile and the orientation.
    `allow_large` takes what Pillow calls a decompression bomb.
    Raises InputError, ModelError, BackendError or OutputError.
    """
    target = make_target(quality=quality, bpp=bpp, size=size, psnr=psnr)
    if effort is not None:
        check_effort(effort)
    codec = open_codec(tuned_model(tune, model=model, effort=effort), backend=backend, threads=threads)
    picture = stripped(load_picture(source, allow_large=allow_large), strip)
    data = encode_to(codec, picture, target, effort=effort).data
    if path is not None:
        write_bytes(data, path, overwrite=True)
    return data


def decode(
    source: str | os.PathLike[str] | Bytes,
    *,
    backend: str = "onnx",
    threads: int | None = None,
    allow_large: bool = False,
) -> Image.Image:
    """Decode a file to a Pillow image of mode L, LA, RGB or RGBA with its metadata in `info`.

    `numpy.asarray` of it gives pixels. `allow_large` takes pictures beyond Pillow's limit.
    Raises InputError, FormatError, ModelError or BackendError.
    """
    container = read_container(source, allow_large=allow_large)
    return to_pil(decode_container(container, backend=backend, threads=threads))


def decode_container(container: Container, *, backend: str = "onnx", threads: int | None = None) -> Picture:
    """The parts of a file → picture; raises FormatError, ModelError or BackendError."""
    if container.header.model_id == NO_MODEL:
        return decode_exact(container)
    return open_codec(container.header.model_id, backend=backend, threads=threads).decode_container(container)


def load_bytes(source: str | os.PathLike[str] | Bytes) -> bytes:
    """Path, "-" or bytes of an ncodec file → bytes; of a file that starts otherwise, only the start."""
    return bytes(source) if isinstance(source, Bytes) else read_bytes(source, magic=MAGIC)


def read_container(source: str | os.PathLike[str] | Bytes, *, allow_large: bool = False) -> Container:
    """Path, "-" or bytes → the parts of the file, every checksum verified.

    A few bytes can claim a picture of gigabytes, so Pillow's limit against decompression bombs holds here too.
    """
    container = unpack(load_bytes(source))
    check_pixels(container.header.width, container.header.height, allow_large=allow_large)
    return container


def verify(source: str | os.PathLike[str] | Bytes, *, allow_large: bool = False) -> None:
    """Decode every symbol, exact cells and the alpha plane, which runs no network; raises FormatError for damage."""
    container = read_container(source, allow_large=allow_large)
    header = container.header
    if header.model_id == NO_MODEL:
        decode_exact(container)
        return
    read_symbols(container, load_model(header.model_id))
    paint(np.empty((header.height, header.width, 3), dtype=np.uint8), read_layers(container))
    read_alpha(container)


def info(source: str | os.PathLike[str] | Bytes) -> Info:
    """Read what a file says of itself, verifying its checksums but decoding no pixels."""
    data = load_bytes(source)
    container = unpack(data)
    header = container.header
    exact = covered(read_layers(container), header.height, header.width)
    chunks = {tag.name.lower(): len(payload) for tag, payload in container.extras.items()}
    return Info(
        width=header.width,
        height=header.height,
        mode=("L" if header.flags & Flag.GREY else "RGB") + ("A" if Tag.ALPHA in container.extras else ""),
        quality=qp_to_quality(header.qp),
        qp=header.qp,
        exact=float(exact.mean()),
        lossless=bool(header.flags & Flag.LOSSLESS),
        model=_model_name(header.model_id),
        model_id=f"{header.model_id:08x}",
        format_version=data[len(MAGIC)],
        size=len(data),
        bpp=8 * len(data) / (header.width * header.height),
        chunks={"symbols": len(container.symbols), **chunks},
    )


def _model_name(model_id: int) -> str | None:
    if model_id == NO_MODEL:
        return None
    try:
        return load_model(model_id).name
    except ModelError:
        return f"{model_id:08x}"
