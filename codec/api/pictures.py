"""Pictures for `import ncodec`: encode, decode, info."""

import os
import time
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt
from PIL import Image

from ncodec.api.codecs import open_codec
from ncodec.api.settings import (
    DECODE,
    ENCODE,
    DecodeOptions,
    DecodeSettings,
    EncodeOptions,
    EncodeSettings,
    Settings,
)
from ncodec.container.nci import MAGIC, NO_MODEL, Container, Flag, Tag, unpack
from ncodec.errors import InputError, ModelError
from ncodec.exact.layers import covered, paint
from ncodec.exact.mixed import is_mixed
from ncodec.hidden import visible_psnr
from ncodec.image.depth import DEEP_BITS, is_deep, low_layers
from ncodec.image.file import Encoded, decode_exact, read_alpha, read_layers, read_symbols
from ncodec.image.rate_target import encode_to
from ncodec.image.rdoq import Progress, no_progress
from ncodec.inference.zoo import load_model
from ncodec.media.exif import stripped
from ncodec.media.picture_files import write_picture
from ncodec.media.pictures import check_pixels, from_pil, read_picture, to_pil
from ncodec.media.streams import Bytes, Source, check_output, path_of, read_bytes, write_bytes
from ncodec.notices import report_notices
from ncodec.picture import DEEP_UNIT, Picture, from_array
from ncodec.quality import FULL, qp_to_quality

PictureSource = Source | npt.NDArray[np.uint8] | Image.Image
"""a path, "-", bytes of a file, an open file, (H, W) or (H, W, 1 to 4) uint8 pixels (of any library
that has `__array__`), or a Pillow image"""


@dataclass(frozen=True)
class Info:
    """Header of a .nci file."""

    width: int
    height: int
    mode: str
    """L, LA, RGB or RGBA, as in Pillow"""
    bits: int
    """of a sample: 8 or 16"""
    quality: float
    """0…100, of the QP, which may be above the one asked for, to keep the floor"""
    qp: int
    exact: float
    """share of cells of 64×64 pixels that are coded exactly or nearly so, beside the network"""
    lossless: bool
    """whether the file says that every pixel comes back as it was"""
    mixed: bool
    """whether context mixing coded a part of it, so that its readers need numba"""
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


@dataclass(frozen=True)
class PictureStats:
    """Size and quality of a picture that was coded or decoded, and of the file written."""

    width: int
    height: int
    size: int
    """bytes of the file"""
    quality: float
    """0 to 100, of the QP"""
    qp: int
    exact: float
    """share of cells of 64×64 pixels that are coded exactly or nearly so"""
    lossless: bool
    """whether every pixel comes back as it was"""
    psnr: float | None
    """over RGB and pixels that are not transparent, in dB, infinite without errors; None where not
    measured"""
    seconds: float
    """to read and code the picture, without writing"""
    notices: tuple[str, ...]
    """losses and conversions of the input or, by a decoder, for the output, in sentences"""

    @property
    def bpp(self) -> float:
        """Bits of the file per pixel."""
        return 8 * self.size / (self.width * self.height)


REDUCED = "samples of 16 bits were reduced to 8; decode_array keeps them"


def load_picture(
    source: PictureSource, *, allow_large: bool = False, page: int | None = None
) -> Picture:
    """Picture of a path, "-", the bytes of a file, an open file, (H, W) or (H, W, 1 to 4) uint8
    pixels, or a Pillow image; raises InputError for anything else, and where a file cannot be read.

    `allow_large` takes files of more than twice Pillow's limit of pixels (about 179 million by
    default); `page`, from 1, chooses among the pages or frames of a file.
    """
    if isinstance(source, np.ndarray) or hasattr(source, "__array__"):
        return from_array(np.asarray(source))
    if isinstance(source, Image.Image):
        return from_pil(source, page=page)
    if isinstance(source, str | os.PathLike | Bytes) or hasattr(source, "read"):
        return read_picture(source, allow_large=allow_large, page=page)
    msg = (
        f"expected a path, bytes, an open file, pixels or a Pillow image, got "
        f"{type(source).__name__}"
    )
    raise InputError(msg)


def encode(
    source: PictureSource,
    path: str | os.PathLike[str] | None = None,
    *,
    settings: EncodeSettings = ENCODE,
    overwrite: bool = False,
    **options: Unpack[EncodeOptions],
) -> bytes:
    """Code a picture into a .nci file, write it to `path` if one is given ("-" is standard output),
    and return the file's bytes.

    `source` is a path, "-", the bytes of a file, an open file, (H, W) or (H, W, 1 to 4) uint8
    pixels, or a Pillow image. Options are fields of `EncodeSettings`, and overrule `settings`: at
    most one of `quality` (50 if there is none), `bpp`, `size` and `psnr`; `effort`, `tune`,
    `model`, `strip`, `page`, `allow_large`, `strict`, `backend`, `threads`. A loss or a conversion
    of the input is a warning, `NcodecWarning`, or raises LossError if `strict`. Raises InputError,
    ModelError, BackendError, or OutputError, also for an existing file without `overwrite`.
    """
    settings = replace(settings, **options)
    if path is not None:
        check_output(path, overwrite=overwrite, source=path_of(source))
    picture = load_picture(source, allow_large=settings.allow_large, page=settings.page)
    report_notices(picture.notices, strict=settings.strict)
    data = encode_picture(picture, settings).data
    if path is not None:
        write_bytes(data, path, overwrite=overwrite)
    return data


def encode_picture(
    picture: Picture, settings: EncodeSettings = ENCODE, *, progress: Progress = no_progress
) -> Encoded:
    """Code a picture into the bytes of a .nci file, with its QP and its share of exact cells.

    `progress` is called with the steps of RDOQ that are done and their number. Raises InputError
    for sides beyond 16384 pixels and where no file is small enough for the target, ModelError or
    BackendError.
    """
    codec = open_codec(settings.model_name, backend=settings.backend, threads=settings.threads)
    return encode_to(
        codec,
        stripped(picture, settings.strip),
        settings.target,
        effort=settings.effort,
        progress=progress,
    )


def encode_file(
    source: PictureSource,
    path: str | os.PathLike[str],
    settings: EncodeSettings = ENCODE,
    *,
    measure: bool = False,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> PictureStats:
    """Code a picture into the .nci file `path` ("-" is standard output), and return its size and
    quality.

    `source` is all that `encode` takes. `measure` decodes the file again for its PSNR. `progress`
    is called with the steps of RDOQ that are done and their number. A loss or a conversion of the
    input is among `notices` of the stats and a warning, `NcodecWarning`, or raises LossError if
    `settings.strict`. Raises InputError, ModelError, BackendError, or OutputError, also where the
    file is `source` itself or exists without `overwrite`.
    """
    check_output(path, overwrite=overwrite, source=path_of(source))
    start = time.perf_counter()
    picture = load_picture(source, allow_large=settings.allow_large, page=settings.page)
    report_notices(picture.notices, strict=settings.strict)
    encoded = encode_picture(picture, settings, progress=progress)
    seconds = time.perf_counter() - start
    psnr = None
    if measure:
        container = unpack(encoded.data)
        psnr = visible_psnr(picture, decode_container(container, settings))
    write_bytes(encoded.data, path, overwrite=overwrite)
    return PictureStats(
        picture.width,
        picture.height,
        len(encoded.data),
        qp_to_quality(encoded.qp),
        encoded.qp,
        encoded.exact,
        encoded.lossless,
        psnr,
        seconds,
        picture.notices,
    )


def decode(
    source: Source, *, settings: DecodeSettings = DECODE, **options: Unpack[DecodeOptions]
) -> Image.Image:
    """Decode a file to a Pillow image of mode L, LA, RGB or RGBA with its metadata in `info`.

    `source` is a path, "-", bytes or an open file. `numpy.asarray` of the image gives pixels.
    Samples of 16 bits become 8-bit ones, with a warning: `decode_array` keeps them. Options are
    fields of `DecodeSettings`: `backend`, `threads`, `decoder`, `allow_large`, `strict`. Raises
    InputError, FormatError, ModelError, also for a decoder that the file's model does not have, or
    BackendError.
    """
    settings = replace(settings, **options)
    container = read_container(source, allow_large=settings.allow_large)
    picture = decode_container(container, settings, decoder=settings.decoder)
    if picture.deep is not None:
        report_notices((REDUCED,), strict=settings.strict)
    return to_pil(picture)


def decode_array(
    source: Source, *, settings: DecodeSettings = DECODE, **options: Unpack[DecodeOptions]
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Decode a file to an array: (H, W) grey, or (H, W, C) with C = 2, 3 or 4 for grey and alpha,
    RGB, RGBA; uint16 for samples of 16 bits, else uint8.

    `source` and options are those of `decode`, and so are the exceptions.
    """
    settings = replace(settings, **options)
    container = read_container(source, allow_large=settings.allow_large)
    picture = decode_container(container, settings, decoder=settings.decoder)
    colour: npt.NDArray[Any] = picture.pixels if picture.deep is None else picture.deep
    planes = [colour[:, :, :1] if picture.grey else colour]
    if picture.alpha is not None:
        unit = 1 if picture.deep is None else DEEP_UNIT
        planes.append(np.multiply(picture.alpha, unit, dtype=colour.dtype)[:, :, None])
    found: npt.NDArray[Any] = np.concatenate(planes, axis=2)
    return found[:, :, 0] if found.shape[2] == 1 else found


def decode_file(
    source: Source,
    path: str | os.PathLike[str],
    settings: DecodeSettings = DECODE,
    *,
    suffix: str,
    overwrite: bool = False,
) -> PictureStats:
    """Decode a .nci file into the picture file `path` ("-" is standard output), in the format that
    a suffix such as ".png" names.

    `size` of the stats is of the picture file, `psnr` is None. A loss that the format causes is
    among `notices` of the stats and a warning, `NcodecWarning`, or raises LossError if
    `settings.strict`. Raises InputError, FormatError, ModelError, BackendError, or OutputError,
    also where the file is `source` itself or exists without `overwrite`.
    """
    start = time.perf_counter()
    container = read_container(source, allow_large=settings.allow_large)
    check_output(path, overwrite=overwrite, source=path_of(source))
    header = container.header
    picture = decode_container(container, settings, decoder=settings.decoder)
    seconds = time.perf_counter() - start
    exact = covered(read_layers(container), header.height, header.width).mean()
    lossless = bool(header.flags & Flag.LOSSLESS)
    data, notices = write_picture(picture, suffix)
    report_notices(notices, strict=settings.strict)
    write_bytes(data, path, overwrite=overwrite)
    quality = qp_to_quality(header.qp)
    return PictureStats(
        header.width,
        header.height,
        len(data),
        quality,
        header.qp,
        float(exact),
        lossless,
        None,
        seconds,
        notices,
    )


def decode_container(
    container: Container, settings: Settings = DECODE, *, decoder: str = FULL
) -> Picture:
    """Picture of an unpacked .nci file, by the model that its header names, or without one where
    all cells are exact; raises FormatError for damage, ModelError or BackendError."""
    if container.header.model_id == NO_MODEL:
        return decode_exact(container)
    codec = open_codec(
        container.header.model_id,
        backend=settings.backend,
        threads=settings.threads,
        decoder=decoder,
    )
    return codec.decode_container(container)


def load_bytes(source: Source) -> bytes:
    """All bytes of a path, "-", bytes or an open file; raises InputError where they cannot be read.

    Of a path, "-" or an open file that does not start as a .nci file does, only the first 4 bytes
    are read.
    """
    return bytes(source) if isinstance(source, Bytes) else read_bytes(source, magic=MAGIC)


def read_container(source: Source, *, allow_large: bool = False) -> Container:
    """Header and chunks of a .nci file, every checksum verified, no pixel decoded; `source` is a
    path, "-", bytes or an open file.

    Raises FormatError for damage, and InputError where the source cannot be read or, without
    `allow_large`, its header states more than twice Pillow's limit of pixels (about 179 million by
    default).
    """
    container = unpack(load_bytes(source))
    check_pixels(container.header.width, container.header.height, allow_large=allow_large)
    return container


def verify(source: Source, *, allow_large: bool = False) -> None:
    """Decode every symbol, all layers and the alpha plane of a .nci file, without a network, and
    return nothing; raises FormatError for damage.

    Raises InputError where the source cannot be read or, without `allow_large`, has more than twice
    Pillow's limit of pixels, and ModelError for a model that is not installed.
    """
    container = read_container(source, allow_large=allow_large)
    header = container.header
    if header.model_id == NO_MODEL:
        decode_exact(container)
        return
    read_symbols(container, load_model(header.model_id))
    pixels = np.empty((header.height, header.width, 3), dtype=np.uint8)
    paint(pixels, read_layers(container))
    if is_deep(container):
        paint(pixels, low_layers(container))
    read_alpha(container)


def info(source: Source) -> Info:
    """Size, mode, QP, model and chunk sizes of a .nci file, its checksums verified, no pixel
    decoded; `source` is a path, "-", bytes or an open file.

    Raises InputError where the source cannot be read, FormatError for damage.
    """
    data = load_bytes(source)
    container = unpack(data)
    header = container.header
    layers = read_layers(container)
    exact = covered(layers, header.height, header.width)
    low = low_layers(container) if is_deep(container) else ()
    coded = [layer.coded for layer in (*layers, *low)] + [container.extras.get(Tag.ALPHA, b"")]
    chunks = {tag.name.lower(): len(payload) for tag, payload in container.extras.items()}
    return Info(
        width=header.width,
        height=header.height,
        mode=("L" if header.flags & Flag.GREY else "RGB")
        + ("A" if Tag.ALPHA in container.extras else ""),
        bits=DEEP_BITS if is_deep(container) else 8,
        quality=qp_to_quality(header.qp),
        qp=header.qp,
        exact=float(exact.mean()),
        lossless=bool(header.flags & Flag.LOSSLESS),
        mixed=any(map(is_mixed, coded)),
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
