"""Files ↔ pictures: Pillow in and out, metadata, atomic writes."""

import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from ncodec.bitstream import MAX_SIDE
from ncodec.errors import InputError, OutputError
from ncodec.picture import Picture, Pixels
from PIL import Image, PngImagePlugin, UnidentifiedImageError

EXIF_PREFIX = b"Exif\0\0"
STDIO = "-"

_DIRECT_MODES = frozenset({"L", "LA", "RGB", "RGBA"})
_CONVERSIONS = {
    "1": ("L", "1-bit pixels were converted to 8-bit greyscale"),
    "P": ("RGB", "the palette was converted to RGB"),
    "PA": ("RGBA", "the palette was converted to RGB with alpha"),
    "CMYK": ("RGB", "CMYK was converted to RGB without colour management, and its ICC profile left out"),
    "YCbCr": ("RGB", "YCbCr was converted to RGB"),
    "LAB": ("RGB", "L*a*b* was converted to RGB, and its ICC profile left out"),
    "HSV": ("RGB", "HSV was converted to RGB"),
    "RGBX": ("RGB", "the padding channel was left out"),
    "RGBa": ("RGBA", "premultiplied alpha was converted to straight alpha"),
    "La": ("LA", "premultiplied alpha was converted to straight alpha"),
}
_FOREIGN_PROFILE_MODES = frozenset({"CMYK", "LAB"})
_WIDE_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N", "F"})


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn everything that reading a picture file raises into an InputError of one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    except InputError:
        raise
    except FileNotFoundError as error:
        msg = f"{name}: no such file"
        raise InputError(msg) from error
    except IsADirectoryError as error:
        msg = f"{name}: expected a file, got a directory"
        raise InputError(msg) from error
    except Image.DecompressionBombError as error:
        msg = f"{name}: Pillow calls it a decompression bomb ({error}); --allow-large takes up to {MAX_SIDE}×{MAX_SIDE}"
        raise InputError(msg) from error
    except UnidentifiedImageError as error:
        msg = f"{name}: not a picture in a format that Pillow reads"
        raise InputError(msg) from error
    except MemoryError as error:
        msg = f"{name}: not enough memory to read it"
        raise InputError(msg) from error
    except Exception as error:  # decoders of damaged files raise all sorts
        msg = f"{name}: cannot be read: {error}"
        raise InputError(msg) from error


def read_bytes(name: str | os.PathLike[str]) -> bytes:
    """A whole file, or standard input for "-"; raises InputError."""
    with _readable(str(name)):
        return sys.stdin.buffer.read() if name == STDIO else Path(name).read_bytes()


def read_picture(source: str | os.PathLike[str] | bytes, *, allow_large: bool = False) -> Picture:
    """Path, "-" or file bytes → Picture; raises InputError in one sentence.

    `allow_large` lifts Pillow's limit against decompression bombs to the format's own.
    """
    name = "picture" if isinstance(source, bytes) else str(source)
    data = read_bytes(STDIO) if source == STDIO else source
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    limit = MAX_SIDE**2 // 2 if allow_large else Image.MAX_IMAGE_PIXELS
    with _readable(name), _pixel_limit(limit), Image.open(stream) as image:
        return from_pil(image)


@contextmanager
def _pixel_limit(limit: int | None) -> Iterator[None]:
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = limit
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def from_pil(image: Image.Image) -> Picture:
    """Pillow image → Picture, keeping alpha, greyscale and metadata; raises InputError for an animation."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        msg = f"expected a still picture, got an animation of {frames} frames; extract one first"
        raise InputError(msg)
    if max(image.size) > MAX_SIDE or min(image.size) < 1:
        msg = f"expected sides of 1 to {MAX_SIDE} pixels, got {image.width}×{image.height}"
        raise InputError(msg)
    plain, notices = _to_direct_mode(image)
    bands = plain.getbands()
    alpha = np.asarray(plain.getchannel("A")) if "A" in bands else None
    foreign = image.mode in _FOREIGN_PROFILE_MODES
    return Picture(
        _strips(plain, "RGB"),
        grey=bands[0] == "L",
        alpha=alpha,
        icc=None if foreign else image.info.get("icc_profile"),
        exif=_exif_of(image),
        xmp=_xmp_of(image),
        notices=notices,
    )


def _to_direct_mode(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The image in one of L, LA, RGB, RGBA, and what the conversion lost."""
    if image.mode in _WIDE_MODES:
        return _from_wide(image), ("samples of more than 8 bits were reduced to 8",)
    if "transparency" in image.info:
        mode = "LA" if image.mode in ("1", "L") else "RGBA"
        notice = (_CONVERSIONS[image.mode][1],) if image.mode in _CONVERSIONS else ()
        return image.convert("RGBA").convert(mode), notice
    if image.mode in _DIRECT_MODES:
        return image, ()
    if image.mode not in _CONVERSIONS:
        msg = f"expected a mode that ncodec knows, got {image.mode}; convert it to RGB first"
        raise InputError(msg)
    mode, notice_text = _CONVERSIONS[image.mode]
    return image.convert(mode), (notice_text,)


def _from_wide(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greyscale → L; integers beyond 8 bits keep their upper 8."""
    values = np.asarray(image)
    if image.mode != "F" and values.max(initial=0) > 255:
        values = values // 256
    return Image.fromarray(np.clip(np.nan_to_num(values), 0, 255).astype(np.uint8))


def _strips(image: Image.Image, mode: str) -> Pixels:
    """Pixels of an image, converted strip by strip: a whole second copy of 100 megapixels would not fit."""
    pixels = np.empty((image.height, image.width, len(mode)), dtype=np.uint8)
    for top in range(0, image.height, 256):
        bottom = min(top + 256, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)).convert(mode))
    return pixels


def _exif_of(image: Image.Image) -> bytes | None:
    raw = image.info.get("exif")
    if isinstance(raw, bytes) and raw:
        return raw.removeprefix(EXIF_PREFIX)
    return None


def _xmp_of(image: Image.Image) -> bytes | None:
    raw = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return raw.encode() if isinstance(raw, str) else raw


def to_pil(picture: Picture) -> Image.Image:
    """Picture → Pillow image of mode L, LA, RGB or RGBA, with its metadata in `info`."""
    colour = np.ascontiguousarray(picture.pixels[:, :, 0]) if picture.grey else picture.pixels
    image = Image.fromarray(colour)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    image.info.update(metadata_of(picture.icc, picture.exif, picture.xmp))
    return image


def metadata_of(icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> dict[str, bytes]:
    """Metadata under the names that Pillow uses in `info`."""
    named = {"icc_profile": icc, "exif": EXIF_PREFIX + exif if exif else None, "xmp": xmp}
    return {name: value for name, value in named.items() if value}


def write_picture(picture: Picture, suffix: str) -> bytes:
    """Picture → bytes of the format that a file suffix such as ".png" names; raises OutputError."""
    format_name = check_suffix(suffix)
    options: dict[str, object] = dict(metadata_of(picture.icc, picture.exif, picture.xmp))
    if format_name == "PNG" and picture.xmp:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", picture.xmp.decode("utf-8", "replace"))
        options["pnginfo"] = text
    stream = io.BytesIO()
    try:
        to_pil(picture).save(stream, format_name, **options)
    except (OSError, ValueError, KeyError) as error:
        msg = f"{format_name} cannot hold this picture: {error}; PNG can"
        raise OutputError(msg) from error
    return stream.getvalue()


def check_suffix(suffix: str) -> str:
    """Name of the Pillow format that a file suffix such as ".png" names; raises OutputError when none writes it."""
    Image.init()
    format_name = Image.registered_extensions().get(suffix.lower())
    if format_name is None or format_name not in Image.SAVE:
        msg = f"expected an output suffix that Pillow writes (such as .png), got {suffix!r}"
        raise OutputError(msg)
    return format_name


def check_output(name: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise OutputError where `write_bytes` would, before any work is done."""
    if name == STDIO:
        return
    path = Path(name)
    if path.is_dir():
        msg = f"{path}: expected a file to write, got a directory"
        raise OutputError(msg)
    if path.is_file() and not overwrite:
        msg = f"{path}: exists; -f overwrites it"
        raise OutputError(msg)
    if not path.parent.is_dir():
        msg = f"{path}: its folder does not exist"
        raise OutputError(msg)


def write_bytes(data: bytes, name: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a file whole or not at all ("-" is standard output); raises OutputError.

    Devices and pipes are written to directly; a regular file appears under its name once it is complete.
    """
    if name == STDIO:
        _write_stdout(data)
        return
    check_output(name, overwrite=overwrite)
    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _write_atomically(data, path)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise OutputError(msg) from error


def _write_stdout(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # Python would try again at exit, and print a traceback of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        msg = f"standard output: cannot be written: {error.strerror or error}"
        raise OutputError(msg) from error


def _write_atomically(data: bytes, path: Path) -> None:
    target = path.resolve()
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:64]}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~mask)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
