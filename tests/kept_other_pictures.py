"""BMP, TGA, Netpbm, icons, Photoshop, FITS and other files: the rows of their tables."""

import struct
from typing import Any

import numpy as np
from kept_cases import (
    GREY,
    HIGH,
    ICC,
    RGB,
    RGBA,
    WIDE,
    PictureCase,
    has_icc,
    has_resolution,
    levels,
    picture,
    pictures,
    ramp,
    saved,
)
from kept_jpeg import resource
from PIL import Image

BGR, BGRA = RGB[:, :, ::-1], RGBA[:, :, [2, 1, 0, 3]]
FIVE_BITS = ramp(levels=32)
WORDS = (FIVE_BITS * np.array([1024, 32, 1])).sum(axis=2).astype("<u2")
ONE_BIT = np.where(GREY > 100, 255, 0).astype(np.uint8)


def bmp(
    rows: bytes, *, bits: int, size: int = 40, compression: int = 0, more: bytes = b"",
    palette: bytes = b"", density: int = 2835,
) -> bytes:  # fmt: skip
    """A BMP of 24×16 pixels, from the lowest row on; `more` fills the header up to `size`."""
    header = struct.pack(
        "<IiiHHIIiiII", size, WIDE, HIGH, 1, bits, compression, len(rows), density, density,
        len(palette) // 4, 0,
    )  # fmt: skip
    header += more.ljust(size - 40, b"\0")
    start = 14 + len(header) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + header + palette + rows


def bmp_of_palette(bits: int) -> PictureCase:
    colours = (np.arange(4 * 2**bits) * 71 % 256).astype(np.uint8).reshape(-1, 4)
    samples = ramp(1, levels=2**bits)[:, :, 0]
    planes = (samples[::-1, :, None] >> np.arange(bits)[::-1]) & 1
    lines = np.packbits(planes.reshape(HIGH, -1).astype(np.uint8), axis=1)
    rows = np.pad(lines, ((0, 0), (0, -lines.shape[1] % 4))).tobytes()
    data = bmp(rows, bits=bits, palette=colours.tobytes())
    return PictureCase(data, colours[samples][:, :, 2::-1])


def bmp_of_runs() -> PictureCase:
    colours = (np.arange(1024) * 71 % 256).astype(np.uint8).reshape(-1, 4)
    rows = b"".join(bytes((WIDE, y, 0, 0)) for y in range(HIGH)) + b"\0\1"
    shown = np.repeat(colours[np.arange(HIGH)[::-1], 2::-1][:, None], WIDE, axis=1)
    return PictureCase(bmp(rows, bits=8, compression=1, palette=colours.tobytes()), shown)


def new_bmp(size: int, space: int, tail: bytes = b"") -> PictureCase:
    """A BMP of the fourth or a later version, with masks, a colour space and its definition."""
    masks = struct.pack("<5I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, space)
    rows = BGRA[::-1].tobytes()
    return PictureCase(bmp(rows, bits=32, size=size, compression=3, more=masks + tail), RGBA)


pictures("BMP: palette", (*(bmp_of_palette(bits) for bits in (1, 4, 8)), bmp_of_runs()))
pictures(
    "BMP: RGB, alpha",
    (
        PictureCase(bmp(WORDS[::-1].tobytes(), bits=16), levels(FIVE_BITS, 5), 50),
        PictureCase(bmp(BGR[::-1].tobytes(), bits=24), RGB),
        PictureCase(bmp(BGRA[::-1].tobytes(), bits=32), RGBA[:, :, :3]),
        new_bmp(108, 0x73524742),
    ),
)
pictures("BMP: calibrated colours", (new_bmp(108, 0, struct.pack("<9I", *[1 << 29] * 9)),))
pictures("BMP: ICC profile", (new_bmp(124, 0x4D424544),))
pictures(
    "BMP: resolution",
    (PictureCase(bmp(BGR[::-1].tobytes(), bits=24, density=11811), RGB, holds=has_resolution),),
)


def tga(samples: Any, *, kind: int = 2, depth: int, flags: int = 0x20, name: bytes = b"") -> bytes:
    head = struct.pack("<BBBHHBHHHHBB", len(name), 0, kind, 0, 0, 0, 0, 0, WIDE, HIGH, depth, flags)
    return head + name + samples.tobytes()


def with_area(body: bytes, area: bytes) -> bytes:
    """A TGA with an extension area."""
    return body + area + struct.pack("<II18s", len(body), 0, b"TRUEVISION-XFILE.\0")


pictures(
    "TGA: RGB, alpha, grey",
    (
        PictureCase(tga(BGR, depth=24), RGB),
        PictureCase(tga(BGR[::-1], depth=24, flags=0), RGB),
        PictureCase(tga(BGRA, depth=32, flags=0x28), RGBA),
        PictureCase(tga(GREY, kind=3, depth=8), GREY),
    ),
)
pictures("TGA: name of the picture", (PictureCase(tga(BGR, depth=24, name=b"hello"), RGB),))
AREA = struct.pack("<H41s324s", 495, b"Ada", b"hello").ljust(478, b"\0") + bytes((1, 0, 2, 0))
pictures(
    "TGA: author, comments, gamma",
    (PictureCase(with_area(tga(BGR, depth=24), AREA.ljust(495, b"\0")), RGB),),
)
PREMULTIPLIED = struct.pack("<H", 495).ljust(494, b"\0") + b"\4"
pictures(
    "TGA: premultiplied alpha",
    (PictureCase(with_area(tga(BGRA, depth=32, flags=0x28), PREMULTIPLIED), RGBA),),
)


def netpbm(kind: bytes, most: int, samples: Any) -> PictureCase:
    raw = samples.astype(">u2" if most > 255 else "u1").tobytes()
    shown = np.rint(samples * (255 / most)).astype(np.uint8)
    return PictureCase(kind + b" 24 16 %d\n" % most + raw, shown, 50)


pictures(
    "Netpbm: grey and RGB of up to 8 bits",
    (netpbm(b"P5", most, ramp(1, levels=most + 1)[:, :, 0]) for most in (1, 31, 255)),
)
pictures(
    "Netpbm: grey and RGB of up to 8 bits",
    (
        *(netpbm(b"P6", most, ramp(levels=most + 1)) for most in (1, 31, 255)),
        PictureCase(f"P3\n24 16\n255\n{' '.join(map(str, RGB.ravel()))}\n".encode(), RGB),
    ),
)
pictures(
    "Netpbm: grey of 9 to 16 bits",
    (
        netpbm(b"P5", 1023, ramp(1, levels=1024)[:, :, 0]),
        netpbm(b"P5", 65535, ramp(1, levels=65536)[:, :, 0]),
        netpbm(b"P5", 65535, ramp(1, levels=200)[:, :, 0]),
    ),
)
pictures("Netpbm: RGB of 16 bits", (netpbm(b"P6", 65535, ramp(levels=65536)),))
BITS = np.packbits(ONE_BIT == 0, axis=1).tobytes()
pictures("Netpbm: one bit", (PictureCase(b"P4 24 16\n" + BITS, ONE_BIT),))
pictures("Netpbm: comment", (PictureCase(b"P6\n# by Ada\n24 16\n255\n" + RGB.tobytes(), RGB),))
ONE = b"P6 24 16 255\n" + RGB.tobytes()
pictures("Netpbm: several pictures", (PictureCase(2 * ONE, RGB),))
FLOATS = (GREY[::-1] / 255).astype("<f4").tobytes()
pictures("Netpbm: floating point (PFM)", (PictureCase(b"Pf\n24 16\n-1.0\n" + FLOATS, GREY),))
PAM = b"P7\nWIDTH 24\nHEIGHT 16\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
pictures(
    "Netpbm: floating-point RGB, PAM",
    (PictureCase(b"PF\n24 16\n-1.0\n" + 3 * FLOATS), PictureCase(PAM + RGBA.tobytes())),
)

ICON = np.tile(RGBA, (2, 2, 1))[:32, :32]
pictures("Icons: one size", (PictureCase(saved(ICON, "ICO", sizes=[(32, 32)]), ICON),))
pictures("Icons: sizes", (PictureCase(saved(ICON, "ICO", sizes=[(16, 16), (32, 32)]), ICON),))


@picture("Icons: pointer")
def _() -> PictureCase:
    opaque = np.dstack([ICON[:, :, :3], np.full((32, 32), 255, np.uint8)])
    data = bytearray(saved(opaque, "ICO", sizes=[(32, 32)], bitmap_format="bmp"))
    data[2] = 2
    struct.pack_into("<HH", data, 10, 5, 7)
    return PictureCase(bytes(data), opaque)


PLANES = RGB.transpose(2, 0, 1)


def psd(
    planes: Any = PLANES, *, mode: int = 3, bits: int = 8, resources: bytes = b"", layers: int = 0
) -> bytes:
    """A PSD of channels in planes, and of layers in the colours of `layer`."""
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, len(planes), HIGH, WIDE, bits, mode)
    body = _layers(layers) if layers else b""
    return (
        header + struct.pack(">II", 0, len(resources)) + resources
        + struct.pack(">I", len(body)) + body + struct.pack(">H", 0) + planes.tobytes()
    )  # fmt: skip


def layer(number: int) -> Any:
    return np.roll(RGB, number, axis=0)


def _layers(count: int) -> bytes:
    records, pixels = b"", b""
    for number in range(1, count + 1):
        sizes = b"".join(struct.pack(">HI", channel, 2 + WIDE * HIGH) for channel in range(3))
        records += struct.pack(">4iH", 0, 0, HIGH, WIDE, 3) + sizes
        records += b"8BIMnorm\xff\0\0\0" + struct.pack(">III", 12, 0, 0) + b"\1L\0\0"
        pixels += b"".join(b"\0\0" + layer(number)[:, :, i].tobytes() for i in range(3))
    info = struct.pack(">h", count) + records + pixels
    return struct.pack(">I", len(info)) + info + bytes(4)


pictures("Photoshop: RGB", (PictureCase(psd(), RGB),))
pictures("Photoshop: layers", (PictureCase(psd(layers=2), RGB),))
pictures(
    "Photoshop: a layer",
    (PictureCase(psd(layers=2), layer(number), page=number) for number in (1, 2)),
)
pictures(
    "Photoshop: ICC profile",
    (PictureCase(psd(resources=resource(1039, ICC)), RGB, holds=has_icc),),
)
BLOCKS = b"".join(resource(number, bytes(20)) for number in (1058, 1060, 1028, 2000))
pictures("Photoshop: EXIF, XMP, IPTC, paths", (PictureCase(psd(resources=BLOCKS), RGB),))
CMYK = 255 - np.asarray(Image.fromarray(RGB).convert("CMYK")).transpose(2, 0, 1)
pictures("Photoshop: CMYK", (PictureCase(psd(CMYK, mode=4), RGB),))
pictures(
    "Photoshop: further channels", (PictureCase(psd(np.concatenate([PLANES, PLANES[:2]])), RGB),)
)
DEEP = (PLANES.astype(np.uint16) * 257).astype(">u2")
pictures("Photoshop: 16 bits", (PictureCase(psd(DEEP, bits=16)),))


def fits(values: Any, bits: int, **cards: object) -> bytes:
    lines = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": WIDE, "NAXIS2": HIGH} | cards
    header = "".join(f"{name:8}= {value!s:>20}".ljust(80) for name, value in lines.items())
    header += "END".ljust(80)
    data = values[::-1].tobytes()
    return header.ljust(-(-len(header) // 2880) * 2880).encode() + data + bytes(-len(data) % 2880)


SIGNED = ramp(1, levels=32768)[:, :, 0].astype(int)
UNSIGNED = ramp(1, levels=65536)[:, :, 0].astype(int)
pictures("FITS: 8 bits", (PictureCase(fits(GREY, 8), GREY),))
pictures(
    "FITS: 16 bits, with scale and zero",
    (
        PictureCase(fits(SIGNED.astype(">i2"), 16), levels(SIGNED, 16)),
        PictureCase(fits((UNSIGNED - 32768).astype(">i2"), 16, BZERO=32768), levels(UNSIGNED, 16)),
    ),
)
pictures(
    "FITS: negative samples",
    (
        PictureCase(
            fits((SIGNED - 9000).astype(">i2"), 16), levels(np.clip(SIGNED - 9000, 0, None), 16)
        ),
    ),
)
pictures("FITS: floating point", (PictureCase(fits((GREY / 255).astype(">f4"), -32), GREY),))
pictures("FITS: header", (PictureCase(fits(GREY, 8, OBJECT="'M31'"), GREY),))
pictures(
    "FITS: planes",
    (PictureCase(fits(np.concatenate([GREY, GREY]), 8, NAXIS=3, NAXIS3=2), GREY),),
)

SHOWN = {"L": GREY, "RGB": RGB, "RGBA": RGBA}
pictures(
    "Others: grey, RGB, alpha",
    (
        PictureCase(saved(SHOWN[mode], name, **more), SHOWN[mode])
        for name, mode, more in (
            ("DDS", "RGBA", {}), ("SGI", "RGBA", {}), ("PCX", "RGB", {}),
            ("QOI", "RGBA", {"colorspace": "sRGB"}), ("DDS", "L", {}), ("SGI", "L", {}),
        )
    ),
)  # fmt: skip
pictures(
    "Others: one bit",
    (
        PictureCase(saved(Image.fromarray(GREY > 100), name), ONE_BIT)
        for name in ("MSP", "XBM", "PCX")
    ),
)
pictures("Others: 16 bits", (PictureCase(saved(RGB, "SGI", bpc=2), RGB),))
pictures("Others: linear light", (PictureCase(saved(RGB, "QOI"), RGB),))


def dds(**numbers: int) -> bytes:
    """A DDS with numbers in its header, by their places, and zeros behind it."""
    data = bytearray(saved(RGBA, "DDS"))
    for name, number in numbers.items():
        struct.pack_into("<I", data, int(name[1:]), number)
    return bytes(data) + bytes(5 * RGBA.nbytes)


pictures("Others: smaller copies", (PictureCase(dds(_28=2), RGBA),))
pictures("Others: sides of a cube", (PictureCase(dds(_112=0xFE00), RGBA),))
pictures("Others: data of programs", (PictureCase(b"\x89HDF\r\n\x1a\n" + bytes(100)),))
