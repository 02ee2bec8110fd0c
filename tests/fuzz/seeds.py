"""Make the corpus anew, from the golden streams and small files: `python -m fuzz.seeds`."""

import io
import json
import shutil
import struct
import tempfile
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from fuzz.containers import split
from PIL import ExifTags, Image

import ncodec
from ncodec.api.pictures import encode_picture
from ncodec.api.settings import EncodeSettings
from ncodec.arrays import Pixels
from ncodec.container.clip_metadata import Chapter, ClipMetadata
from ncodec.container.icc_profile import pack_profile
from ncodec.container.nci import Container, Header, Tag, pack, unpack
from ncodec.container.ncv import StreamReader, StreamWriter
from ncodec.container.ncz import (
    Block,
    End,
    FileFacts,
    Method,
    pack_block,
    pack_end,
    pack_start,
)
from ncodec.container.records import (
    Companion,
    Frame,
    LastDuration,
    Media,
    Tracks,
    pack_record,
)
from ncodec.container.varint import pack_varint
from ncodec.entropy.latents import Symbols, pack_symbols, zero_certain
from ncodec.exact.layers import code_layers, pack_layers
from ncodec.inference.zoo import load_model
from ncodec.lossless.memory import CMIX
from ncodec.lossless.methods import METHODS, encode_block
from ncodec.lossless.neural import attention, bootstrap, recurrent
from ncodec.lossless.profiles import mix
from ncodec.media.colorimetry import Colorimetry, icc_profile
from ncodec.picture import Picture, from_array

CORPUS = Path(__file__).parent / "corpus"
GOLDEN = Path(__file__).parent.parent / "golden" / ncodec.__version__
QP = 20
METADATA = ClipMetadata(
    tags=(("title", "A clip"), ("artist", "Ä")),
    chapters=(Chapter(0, 90_000, "One"), Chapter(90_000, 10**6)),
    dispositions=(("default",), ()),
    field_order="tt",
    mastering=(13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10_000_000, 50),
    light=(1000, 400),
)
COMPANIONS: tuple[Companion, ...] = (
    METADATA,
    Tracks("nut", (Fraction(1, 48000), Fraction(1, 1000)), b"no file"),
    Media(0, 0, -2, 20, True, b"sound"),
    Media(1, 900, 900, 0, False, b"words"),
    LastDuration(77),
)


def picture() -> Image.Image:
    """A photograph of 40×24 pixels with alpha, and metadata of every kind."""
    with Image.open(GOLDEN / "alpha.png") as image:
        small = image.convert("RGBA").crop((20, 20, 60, 44))
    small.info.update(
        icc_profile=icc_profile(Colorimetry(curve=1.8), grey=False),
        exif=exif_block(),
        xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    )
    return small


def deep_picture() -> Picture:
    """20 × 12 pixels with samples of 16 bits."""
    ramp = np.arange(20 * 12, dtype=np.uint16).reshape(12, 20) * 271
    return from_array(np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2))


def exif_block() -> bytes:
    """Orientation, resolution, and a thumbnail behind a second directory."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = 300.0
    exif[ExifTags.Base.Make] = "Cam"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    order = "<" if block.startswith(b"II") else ">"
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, first)
    link = first + 2 + 12 * count
    second = len(block)
    entries = [(0x0201, 4, 1, second + 30), (0x0202, 4, 1, 4)]
    directory = struct.pack(f"{order}H", 2) + b"".join(
        struct.pack(f"{order}HHII", *entry) for entry in entries
    )
    linked = block[:link] + struct.pack(f"{order}I", second) + block[link + 4 :]
    return linked + directory + bytes(4) + b"\xff\xd8\xff\xd9"


def with_companions(stream: bytes) -> bytes:
    """A stream with metadata, sound and subtitles."""
    reader, sink = StreamReader(io.BytesIO(stream)), io.BytesIO()
    writer = StreamWriter(sink, reader.header)
    for companion in COMPANIONS[:-1]:
        writer.write(companion)
    for record in reader.records():
        if isinstance(record, Frame):
            writer.write(record)
    writer.write(COMPANIONS[-1])
    writer.finish()
    return sink.getvalue()


def pictures() -> dict[str, bytes]:
    """Small ones of every kind; the golden pictures would take ten times as long."""
    small = picture()
    with Image.open(GOLDEN / "exact-cells.png") as image:
        page = image.convert("RGB").crop((2, 70, 102, 136))
    return {
        "one-pixel": (GOLDEN / "one-pixel.nci").read_bytes(),
        "metadata": ncodec.encode(small, quality=20),
        "metadata-exact": ncodec.encode(small.resize((5, 3)), quality="lossless"),
        "high": ncodec.encode(np.asarray(small.convert("RGB"))[:17, :33], quality=95),
        "grey": ncodec.encode(np.asarray(small.convert("L")), quality=50),
        "exact-cells": ncodec.encode(np.asarray(page), quality=50),
        "exact-alone": (GOLDEN / "exact-alone.nci").read_bytes(),
        "deep": encode_picture(deep_picture(), EncodeSettings(quality=40)).data,
        "deep-exact": encode_picture(deep_picture(), EncodeSettings(quality="lossless")).data,
        "plain": ncodec.encode(np.full((70, 130), 7, dtype=np.uint8)),
        "copies": copies(),
        "mixed": ncodec.encode(small, quality="lossless"),
    }


def copies() -> bytes:
    """A picture of 4 × 4 cells whose symbols are all alike, so that a copy map pays."""
    model = load_model()
    symbols = Symbols(
        np.full((model.tables.z_rows.shape[1], 4, 4), 3, dtype=np.int8),
        np.zeros((model.tables.bias.shape[1], 16, 16), dtype=np.int16),
    )
    zero_certain(symbols, model.tables, qp=QP)
    payload = pack_symbols(symbols, model.tables, qp=QP)
    return pack(Container(Header(model.id, 256, 256, QP), payload))


def stream_of(frames: Sequence[Pixels]) -> bytes:
    """A stream of some frames."""
    height, width, _ = frames[0].shape
    encoder = ncodec.StreamEncoder(width, height, quality=60)
    packets = [encoder.encode(np.ascontiguousarray(frame)).data for frame in frames]
    return encoder.header + b"".join(packets) + encoder.finish()


def streams() -> dict[str, bytes]:
    """A pan with a cut and a duplicate, a page that scrolls, and a stream with everything."""
    with Image.open(GOLDEN / "clip.png") as image:
        tall = np.asarray(image.convert("RGB"))
    with Image.open(GOLDEN / "screen.png") as image:
        page = np.asarray(image.convert("RGB"))
    pan = [tall[10 + step : 42 + step, 3 * step : 48 + 3 * step] for step in range(3)]
    cut = tall[280:312, 40:88]
    scrolled = [page[top : top + 70, 60:170] for top in (0, 60, 60)]
    scrolled[-1] = scrolled[-1].copy()
    scrolled[-1][20:28, 70:76] = (200, 0, 0)
    return {
        "pan": stream_of([frame[:, :45] for frame in (*pan, pan[-1])]),
        "cut": stream_of([pan[0], cut]),
        "screen": stream_of(scrolled),
        "companions": with_companions(stream_of([pan[0][:, :45]])),
    }


def frames() -> dict[str, bytes]:
    """Frames whose symbols are bytes: still, moving, with golden blocks, with exact cells."""
    random = Random(1)

    def frame(tag: int, symbols: Sequence[int] | None = (), exact: bytes = b"") -> bytes:
        coded = bytes(symbol % 256 for symbol in symbols or ())
        payload = b"" if symbols is None else pack_varint(2 * len(coded)) + coded
        return bytes([tag, QP, len(exact), len(payload)]) + exact + payload

    def any_symbols() -> list[int]:
        return [1, *(random.choice((-3, -2, -2, -1, 0, 0, 1, 2)) for _ in range(100))]

    moving, still = [1, 3, -2, *[-2] * 9, 0], [0, 0]
    colour, differences = b"\1\0\3abc", b"\0\x82\0\3abc"
    return {
        "still": bytes([2, 4]) + frame(0) + frame(1, still) + frame(1, still) + frame(2),
        "moving": bytes([2, 2]) + frame(0) + frame(1, moving) + frame(1, [*moving, 1, *[0, 1] * 9]),
        "any": bytes([3, 3]) + frame(0, any_symbols()) + 3 * frame(1, any_symbols()),
        "exact": bytes([0, 5]) + frame(0, None, colour) + frame(1, still, differences),
        "scrolled": bytes([1, 1]) + frame(0, any_symbols()) + frame(1, still, b"\2\5\6\0"),
    }


def cells() -> dict[str, bytes]:
    """Layers of pictures and of frames, with two sides before them."""
    page = np.asarray(Image.open(GOLDEN / "screen.png").convert("RGB"))[:150]
    high, wide = page.shape[:2]
    chosen = np.array([[True, False, True, True], [False] * 4, [True, True, False, True]])
    coarse = pack_layers(code_layers(page, chosen, step=5))
    exact = unpack((GOLDEN / "exact-alone.nci").read_bytes()).extras[Tag.EXACT]
    made = {
        "coarse": bytes([0, high - 1, wide - 1]) + coarse,
        "alone": bytes([0, 49, 69]) + exact,
        "bitstream": bytes([3, 0, 0]) + exact[exact.index(b"\x2f") :],
    }
    reader = StreamReader(io.BytesIO((GOLDEN / "screen.ncv").read_bytes()))
    frames = [record for record in reader.records() if isinstance(record, Frame) and record.exact]
    return made | {
        f"frame-{number}": bytes([2 if number else 1, 9, 12]) + frame.exact
        for number, frame in enumerate(frames)
    }


def records() -> dict[str, bytes]:
    """Records without length and checksum, and ICC profiles in both codes."""
    made: dict[str, bytes] = {}
    for name in ("clip", "screen"):
        parts = split((GOLDEN / f"{name}.ncv").read_bytes())
        chunks = parts.chunks if parts else []
        made |= {f"{chunk.tag}-{name}": bytes([chunk.tag]) + chunk.payload for chunk in chunks}
    for number, companion in enumerate(COMPANIONS):
        packed = pack_record(companion)
        payload = packed[-4 - packed[1] : -4] if packed[1] < 128 else packed[3:-4]
        made[f"companion-{number}"] = packed[:1] + payload
    profile = icc_profile(Colorimetry(curve=1.8), grey=False) or b""
    noise = np.random.default_rng(1).integers(0, 5, 900, dtype=np.uint8).tobytes()
    return made | {
        "profile-deflate": bytes(1) + pack_profile(profile),
        "profile-lzma": bytes(1) + pack_profile(noise),
    }


def packed() -> dict[str, bytes]:
    """Files of every method and profile, of two blocks, and of nothing."""
    text = (GOLDEN / "text.txt").read_bytes()[:600]
    records = b"".join(n.to_bytes(4, "little") + b"abc" for n in range(150))
    facts = FileFacts("notes.txt", 1_700_000_000)
    blocks = [encode_block(text[:300], "fast"), encode_block(text, "deflate")]
    two = b"".join(map(pack_block, blocks))
    end = pack_end(End(zlib.crc32(text[:300] + text)))
    few = text[:90] * 3
    crc = pack_end(End(zlib.crc32(few)))
    neural = {
        method.name.lower(): pack_start(facts) + pack_block(Block(method, len(few), code)) + crc
        for method, code in (
            (Method.RECURRENT, recurrent.encode(few)),
            (Method.ATTENTION, attention.encode(few)),
            (Method.BOOTSTRAP, bootstrap.encode(few)),
            (Method.MIXED_RECURRENT, mix(np.frombuffer(few, np.uint8), CMIX)),
        )
    }
    fast = [method for method in METHODS if method not in ("cmix", "nncp", "trace", "dzip")]
    return {
        **{method: ncodec.pack(text, method=method) for method in fast},
        **neural,
        "records": ncodec.pack(records),
        "two": pack_start(facts) + two + end,
        "nothing": ncodec.pack(b""),
    }


def tensors() -> dict[str, bytes]:
    """Files of every origin, form and kind of elements."""
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.1, (6, 50)).astype(np.float32)
    arrays = {
        "weights": weights,
        "counts": np.arange(40, dtype=np.int16) - 20,
        "one": np.array(3.0),
    }
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **arrays)
    array = io.BytesIO()
    np.save(array, weights)
    header = json.dumps({
        "w": {"dtype": "BF16", "shape": [10, 60], "data_offsets": [0, 1200]},
        "__metadata__": {"format": "pt"},
    }).encode()  # fmt: skip
    halves = (weights.repeat(2).view(np.uint32) >> 16).astype("<u2").tobytes()
    stored = len(header).to_bytes(8, "little") + header + halves
    return {
        "array": array.getvalue(),
        "stored": stored,
        "npz": _packed_tensors(archive.getvalue()),
        "npy": _packed_tensors(array.getvalue()),
        "safetensors": _packed_tensors(stored),
        "quantized": _packed_tensors(archive.getvalue(), bits=4),
        "bounded": _packed_tensors(array.getvalue(), max_error=0.01),
    }


def _packed_tensors(data: bytes, **loss: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nct"
        ncodec.pack_tensors(data, path, **loss)
        return path.read_bytes()


def colours() -> dict[str, bytes]:
    """A file or what stands in one, behind a byte of its kind."""
    small = Image.fromarray(np.asarray(picture().convert("RGB").resize((4, 3))))
    made = {"matrix": bytes(1) + struct.pack("=9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)}
    nclx = struct.pack(">I4s4sHHHB", 19, b"colr", b"nclx", 9, 16, 9, 128)
    pixi = struct.pack(">I4s4xB3B", 16, b"pixi", 3, 10, 10, 10)
    clap = struct.pack(">I4s", 8, b"clap")
    content = nclx + pixi + clap
    for kind in (b"ipco", b"iprp"):
        content = struct.pack(">I4s", 8 + len(content), kind) + content
    made["heif"] = b"\1" + struct.pack(">I4sI", 12 + len(content), b"meta", 0) + content
    tags = {318: (0.3127, 0.329), 319: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)}
    options: dict[str, dict[str, Any]] = {
        "PNG": {"dpi": (300, 300)},
        "TIFF": {"tiffinfo": tags},
        "BMP": {},
    }
    options |= {name: {} for name in ("GIF", "JPEG", "JPEG2000", "PPM", "SGI", "TGA", "WEBP")}
    for name in options:
        stream = io.BytesIO()
        small.save(stream, name, **options[name])
        made[name.lower()] = b"\2" + stream.getvalue()
    cards = ("SIMPLE  =  T", "BITPIX  =  16", "NAXIS   =  2", "NAXIS1  =  4", "NAXIS2  =  3")
    header = "".join(
        card.ljust(80) for card in (*cards, "BZERO   =  32768", "BSCALE  =  1.0", "END")
    )
    made["fits"] = b"\2" + header.ljust(2880).encode() + bytes(range(24)).ljust(2880)
    png = made["png"]
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + bytes(4)
        for kind, data in (
            (b"gAMA", struct.pack(">I", 45455)),
            (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
        )
    )
    made["png-primaries"] = png[:34] + chunks + png[34:]
    return made


def main() -> None:
    """Write every corpus."""
    shutil.rmtree(CORPUS, ignore_errors=True)
    made = {
        "pictures": pictures(),
        "streams": streams(),
        "frames": frames(),
        "cells": cells(),
        "records": records(),
        "exif": {"thumbnail": exif_block()},
        "colours": colours(),
        "packed": packed(),
        "tensors": tensors(),
    }
    for target, inputs in made.items():
        (CORPUS / target).mkdir(parents=True)
        for name, data in inputs.items():
            (CORPUS / target / name).write_bytes(data)


if __name__ == "__main__":
    main()
