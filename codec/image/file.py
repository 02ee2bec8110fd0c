"""Chunks of a picture's file beside the network's symbols: exact cells, alpha, metadata."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, PngImagePlugin

from ncodec.arrays import Pixels, Samples
from ncodec.container.nci import NO_MODEL, PNG_SIGNATURE, Container, Flag, Header, Tag, pack
from ncodec.entropy.latents import Symbols, unpack_symbols
from ncodec.errors import FormatError
from ncodec.exact.layers import (
    WORTH,
    Layer,
    code_layers,
    covered,
    pack_layers,
    paint,
    unpack_exact,
    unpack_layers,
)
from ncodec.exact.mixed import SIGNATURE, pack_mixed
from ncodec.exact.vp8l import MAX_SIDE, USUAL, Search, pack_vp8l
from ncodec.grid import cells_of
from ncodec.image.depth import deep_samples, is_deep, pack_depth, split_bytes
from ncodec.inference.model import Model
from ncodec.picture import DEEP_UNIT, Picture, channel_mean, nearest_levels

LARGEST_WEBP = 2**26
"""pixels of an alpha plane beyond which Pillow may refuse to read WebP, whatever its caller allows
"""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A file's bytes and how they came about."""

    data: bytes
    qp: int
    symbols: Symbols | None = None
    """None where every cell is exact"""
    exact: float = 0.0
    """share of cells that are exact or nearly so"""
    lossless: bool = False
    """whether every pixel comes back as it was"""


def as_delivered(pixels: Pixels, *, grey: bool) -> Pixels:
    """Decoded pixels as a reader gets them: three equal channels for a grey picture."""
    return np.repeat(channel_mean(pixels)[:, :, None], 3, axis=2) if grey else pixels


def flags_of(picture: Picture) -> Flag:
    """Header flag that follows from the picture alone: GREY, or none; encoders add LOSSLESS and
    WHOLE."""
    return Flag.GREY if picture.grey else Flag(0)


def pack_extras(
    picture: Picture,
    layers: Sequence[Layer] = (),
    *,
    low: Sequence[Layer] = (),
    search: Search = USUAL,
) -> dict[Tag, bytes]:
    """The optional chunks of a picture with these layers of exact cells, and of low bytes of its
    16-bit samples; `search` is that of its alpha plane."""
    held = {Tag.ICC: picture.icc, Tag.EXIF: picture.exif, Tag.XMP: picture.xmp}
    held |= {Tag.EXACT: pack_layers(layers) if layers else None}
    extras = {tag: value for tag, value in held.items() if value}
    if picture.alpha is not None:
        extras[Tag.ALPHA] = pack_alpha(picture.alpha, search=search)
    if picture.deep is not None:
        extras[Tag.DEPTH] = pack_depth(low)
    return extras


def encode_layers(
    picture: Picture,
    layers: Sequence[Layer],
    *,
    qp: int,
    lossless: bool = False,
    low: Sequence[Layer] = (),
    search: Search = USUAL,
) -> Encoded:
    """A file whose cells are all exact, in these layers, and in those of low bytes of 16-bit
    samples; `lossless` states that its pixels are those of the picture, `search` is that of its
    alpha plane."""
    flags = flags_of(picture) | (Flag.LOSSLESS if lossless else Flag(0))
    header = Header(NO_MODEL, picture.width, picture.height, qp, flags)
    data = pack(Container(header, b"", pack_extras(picture, layers, low=low, search=search)))
    return Encoded(data, qp, exact=1.0, lossless=lossless)


def is_lossless(picture: Picture, layers: Sequence[Layer]) -> bool:
    """Whether layers that hold all cells give every pixel back as it is."""
    painted = np.empty_like(picture.pixels)
    paint(painted, layers)
    if picture.deep is None:
        return bool(np.array_equal(painted, picture.pixels))
    return bool(np.array_equal(np.multiply(painted, DEEP_UNIT, dtype=np.uint16), picture.deep))


def plain_layers(pixels: Pixels) -> tuple[Layer, ...] | None:
    """The layers of a picture of one colour, (H, W, 3), or None for another picture."""
    # First what tells most pictures apart soonest.
    if not (pixels[0] == pixels[0, 0]).all() or not (pixels == pixels[0, 0]).all():
        return None
    return tuple(code_layers(pixels, np.ones(cells_of(*pixels.shape[:2]), dtype=np.bool_)))


def encode_lossless(picture: Picture, *, qp: int, search: Search = USUAL) -> Encoded:
    """Encode a picture losslessly, all cells exact, without a model.

    `qp`, 0 to 63, is only recorded in the header; `search` is the effort of the lossless coder.
    Raises InputError for ICC, Exif or XMP beyond 64 MiB.
    """
    every = np.ones(cells_of(picture.height, picture.width), dtype=np.bool_)
    planes = (picture.pixels,) if picture.deep is None else split_bytes(picture.deep)
    layers, *low = (code_layers(plane, every, search=search) for plane in planes)
    return encode_layers(
        picture, layers, qp=qp, lossless=True, low=low[0] if low else (), search=search
    )


def read_layers(container: Container) -> tuple[Layer, ...]:
    """Layers of exact cells of a file; no pixel is decoded.

    Raises FormatError for damage, where not all cells are exact but no model is named, and where
    all are exact but a model is named or there are symbols.
    """
    header = container.header
    layers = unpack_layers(container.extras.get(Tag.EXACT, b""), header.height, header.width)
    whole = bool(covered(layers, header.height, header.width).all())
    if whole != (header.model_id == NO_MODEL) or (whole and container.symbols):
        msg = (
            "expected symbols of a model for all cells but exact ones, got otherwise: the file is "
            "damaged"
        )
        raise FormatError(msg)
    return layers


def read_symbols(container: Container, model: Model) -> Symbols:
    """The symbols of a file, without running a network; raises FormatError where they are not
    whole."""
    header = container.header
    high, wide = header.latent_size
    exact = covered(read_layers(container), header.height, header.width)
    known = exact if exact.any() else None
    return unpack_symbols(
        container.symbols, model.tables, qp=header.qp, height=high, width=wide, exact=known
    )


def decode_exact(container: Container) -> Picture:
    """A file whose cells are all exact → picture, without a model; raises FormatError."""
    header = container.header
    layers = read_layers(container)
    pixels = np.empty((header.height, header.width, 3), dtype=np.uint8)
    paint(pixels, layers)
    return picture_of(container, pixels, layers)


def picture_of(
    container: Container,
    pixels: Pixels,
    layers: Sequence[Layer] = (),
    *,
    samples: Samples | None = None,
) -> Picture:
    """Decoded pixels, (H, W, 3), and a file's alpha and metadata → picture.

    Of a file of 16-bit samples, they are made of the pixels in `layers`, the exact cells, and of
    the network's `samples`, in 8-bit levels. Raises FormatError for damaged alpha and low bytes.
    """
    extras, grey = container.extras, bool(container.header.flags & Flag.GREY)
    deep = deep_samples(container, pixels, layers, samples) if is_deep(container) else None
    if deep is not None and grey:
        deep = np.repeat(deep.mean(axis=2, keepdims=True).round().astype(np.uint16), 3, axis=2)
    return Picture(
        nearest_levels(deep) if deep is not None else as_delivered(pixels, grey=grey),
        grey,
        read_alpha(container),
        extras.get(Tag.ICC),
        extras.get(Tag.EXIF),
        extras.get(Tag.XMP),
        deep=deep,
    )


def pack_alpha(alpha: Pixels, *, search: Search = USUAL) -> bytes:
    """(H, W) → the smallest one of a PNG, a lossless WebP bitstream and, where it is searched,
    context mixing."""
    stream = io.BytesIO()
    Image.fromarray(alpha).save(stream, "PNG", optimize=True)
    png = stream.getvalue()
    if max(alpha.shape) > MAX_SIDE or alpha.size > LARGEST_WEBP:
        return png
    coded = min(pack_vp8l(alpha, search=search), png, key=len)
    mixed = pack_mixed(alpha) if search.mixing else None
    return coded if mixed is None or len(mixed) > WORTH * len(coded) else mixed


def read_alpha(container: Container) -> Pixels | None:
    """The alpha plane of a file, (H, W), or None; raises FormatError for damage."""
    header, coded = container.header, container.extras.get(Tag.ALPHA)
    if coded is None:
        return None
    if coded[:1] == bytes([SIGNATURE]) and header.width * header.height > LARGEST_WEBP:
        msg = f"expected an alpha plane by context mixing of at most {LARGEST_WEBP:,} pixels, got "
        msg += f"{header.width * header.height:,}"
        raise FormatError(msg)
    if container.version > 1 and not coded.startswith(PNG_SIGNATURE):
        return np.ascontiguousarray(unpack_exact(coded, header.height, header.width)[:, :, 1])
    try:
        # Unlike `Image.open`, this asks no global limit: the size is compared before a pixel is
        # decoded.
        with PngImagePlugin.PngImageFile(io.BytesIO(coded)) as plane:
            if plane.size != (header.width, header.height) or plane.mode != "L":
                msg = (
                    f"expected an alpha plane of {header.width}×{header.height}, got {plane.size} "
                    f"{plane.mode}"
                )
                raise FormatError(msg)
            return np.asarray(plane)
    except FormatError:
        raise
    except Exception as error:  # whatever a PNG reader throws at damaged data
        msg = (
            f"expected an alpha plane that is a whole PNG, got one that cannot be read "
            f"({type(error).__name__})"
        )
        raise FormatError(msg) from error
