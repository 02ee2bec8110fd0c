"""PNG files: the rows of their table."""

import struct
import zlib
from typing import Any

import numpy as np
from kept_cases import (
    EXIF_BLOCK,
    HIGH,
    ICC,
    RGB,
    RGBA,
    WIDE,
    XMP,
    PictureCase,
    has_artist,
    has_aspect,
    has_icc,
    has_resolution,
    has_some_icc,
    has_xmp,
    levels,
    picture,
    pictures,
    png,
    png_chunk,
    ramp,
    saved,
)
from PIL import Image, PngImagePlugin

from ncodec.arrays import Pixels

P3 = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
PRIMARIES = struct.pack(">8I", *(round(100_000 * place) for place in P3))


def plain_with(**chunks: bytes) -> bytes:
    """8-bit RGB with chunks."""
    packed = {name.encode(): content for name, content in chunks.items()}
    return png(RGB, bits=8, colour=2, chunks=packed)


def behind(kind: bytes, content: bytes) -> bytes:
    """8-bit RGB with a chunk behind its pixels."""
    data = png(RGB, bits=8, colour=2)
    return data[:-12] + png_chunk(kind, content) + data[-12:]


def grey(bits: int, *, clear: bool) -> PictureCase:
    samples = ramp(1, levels=2**bits)
    if not clear:
        deep = samples[:, :, 0] if bits == 16 else None
        return PictureCase(png(samples, bits=bits, colour=0), levels(samples, bits), deep=deep)
    level = int(samples[3, 5, 0])
    chunk = {b"tRNS": struct.pack(">H", level)}
    alpha = np.where(samples == level, 0, 255).astype(np.uint8)
    shown = np.dstack([levels(samples, bits), alpha])
    return PictureCase(png(samples, bits=bits, colour=0, chunks=chunk), shown)


def palette(bits: int, *, clear: bool) -> PictureCase:
    places = ramp(1, levels=2**bits)
    colours = (np.arange(3 * 2**bits) * 71 % 256).astype(np.uint8).reshape(-1, 3)
    alpha = (np.arange(2**bits) * 17 % 256).astype(np.uint8)
    chunks = {b"PLTE": colours.tobytes()} | ({b"tRNS": alpha.tobytes()} if clear else {})
    data = png(places, bits=bits, colour=3, chunks=chunks)
    flat = colours[places[:, :, 0]]
    return PictureCase(data, np.dstack([flat, alpha[places]]) if clear else flat)


def plain(colour: int, channels: int, bits: int) -> PictureCase:
    samples = ramp(channels, levels=2**bits)
    shown = levels(samples, bits)
    least, deep = (float("inf"), None) if bits == 8 else (50, samples)
    return PictureCase(
        png(samples, bits=bits, colour=colour), shown, least, deep=deep if colour == 2 else None
    )


def one_clear_colour(bits: int = 8) -> PictureCase:
    samples = ramp(levels=2**bits)
    clear = samples[3, 4]
    data = png(samples, bits=bits, colour=2, chunks={b"tRNS": struct.pack(">3H", *clear)})
    alpha = np.where((samples == clear).all(axis=2), 0, 255).astype(np.uint8)
    least = float("inf") if bits == 8 else 50
    return PictureCase(data, np.dstack([levels(samples, bits), alpha]), least)


def interlaced() -> bytes:
    """Seven passes of Adam7, which Pillow does not write."""
    passes = (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
        (1, 0, 2, 1),
    )  # fmt: skip
    lines = b"".join(
        b"\0" + line.tobytes()
        for row, column, down, across in passes
        for line in RGB[row::down, column::across]
    )
    header = struct.pack(">IIBBBBB", WIDE, HIGH, 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def kept(data: bytes, *, shown: Pixels = RGB, **more: Any) -> PictureCase:
    return PictureCase(data, shown, **more)


pictures("PNG: grey of 1 bit", (grey(1, clear=clear) for clear in (False, True)))
pictures(
    "PNG: grey of 2, 4 and 8 bits",
    (grey(bits, clear=clear) for bits in (2, 4, 8) for clear in (False, True)),
)
pictures(
    "PNG: palette of 1 to 8 bits",
    (palette(bits, clear=clear) for bits in (1, 2, 4, 8) for clear in (False, True)),
)
pictures("PNG: RGB, RGBA, grey with alpha", (plain(*kind, 8) for kind in ((2, 3), (4, 2), (6, 4))))
pictures("PNG: RGB, RGBA, grey with alpha", (one_clear_colour(), kept(interlaced())))
pictures("PNG: grey of 16 bits", (grey(16, clear=False),))
pictures("PNG: RGB of 16 bits", (plain(2, 3, 16),))
pictures("PNG: alpha of 16 bits", (plain(*kind, 16) for kind in ((4, 2), (6, 4))))
pictures("PNG: grey of 16 bits with a transparent level", (grey(16, clear=True),))
pictures("PNG: RGB of 16 bits with a transparent colour", (one_clear_colour(16),))
pictures("PNG: ICC profile", (kept(plain_with(iCCP=b"x\0\0" + zlib.compress(ICC)), holds=has_icc),))
pictures(
    "PNG: gamma, primaries and code points",
    (
        kept(plain_with(gAMA=struct.pack(">I", 100_000)), holds=has_some_icc),
        kept(plain_with(cHRM=PRIMARIES), holds=has_some_icc),
        kept(plain_with(cICP=bytes([12, 13, 0, 1])), holds=has_some_icc),
    ),
)
pictures(
    "PNG: gamma and rendering intent of sRGB",
    (kept(plain_with(gAMA=struct.pack(">I", 45_455))), kept(plain_with(sRGB=b"\2"))),
)
pictures("PNG: code points of HDR", (kept(plain_with(cICP=bytes([9, 16, 0, 1]))),))
pictures(
    "PNG: mastering display, light levels",
    (kept(plain_with(mDCV=bytes(range(24)), cLLI=bytes(range(8)))),),
)
HEX = (b"Exif\0\0" + EXIF_BLOCK).hex()
pictures(
    "PNG: EXIF",
    (
        kept(plain_with(eXIf=EXIF_BLOCK), holds=has_artist),
        kept(behind(b"eXIf", EXIF_BLOCK), holds=has_artist),
        kept(
            plain_with(tEXt=f"Raw profile type exif\0\nexif\n{len(HEX) // 2:8}\n{HEX}\n".encode()),
            holds=has_artist,
        ),
    ),
)
pictures("PNG: XMP", (kept(plain_with(iTXt=b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), holds=has_xmp),))


@picture("PNG: texts")
def _() -> PictureCase:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Ada")
    texts.add_text("Title", "x", zip=True)
    texts.add_itxt("Place", "ß", zip=True)
    return PictureCase(saved(RGB, "PNG", pnginfo=texts), RGB)


METRES = struct.pack(">IIB", 11811, 11811, 1)
pictures("PNG: text behind the pixels", (kept(behind(b"tEXt", b"Author\0Ada")),))
pictures("PNG: resolution", (kept(plain_with(pHYs=METRES), holds=has_resolution),))
pictures(
    "PNG: resolution beside EXIF without one",
    (kept(plain_with(pHYs=METRES, eXIf=EXIF_BLOCK), holds=has_artist),),
)
pictures(
    "PNG: aspect of pixels",
    (kept(plain_with(pHYs=struct.pack(">IIB", 2, 1, 0)), holds=has_aspect),),
)
pictures("PNG: time of change", (kept(plain_with(tIME=struct.pack(">H5B", 2020, 1, 2, 3, 4, 5))),))
pictures(
    "PNG: background",
    (kept(png(RGBA, bits=8, colour=6, chunks={b"bKGD": bytes(6)}), shown=RGBA),),
)
pictures("PNG: significant bits", (kept(plain_with(sBIT=b"\5\6\5")),))
pictures("PNG: content credentials", (kept(plain_with(caBX=bytes(40))),))
pictures(
    "PNG: suggested palette, offset, scale, private chunks",
    (
        kept(
            plain_with(sPLT=b"x\0\x08" + bytes(6), oFFs=bytes(9), sCAL=b"\0011\0002", vpAg=bytes(9))
        ),
    ),
)


def animation() -> bytes:
    frames = [Image.fromarray(np.roll(RGB, i, axis=0)) for i in range(3)]
    return saved(frames[0], "PNG", save_all=True, append_images=frames[1:])


pictures("PNG: animation", (PictureCase(animation()),))
pictures(
    "PNG: second frame of an animation", (PictureCase(animation(), np.roll(RGB, 1, 0), page=2),)
)
pictures("PNG: file that is cut", (PictureCase(png(ramp(), bits=8, colour=2)[:-200]),))
