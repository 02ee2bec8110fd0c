"""Code or decode every sample on the machine where this runs: `coding.py FOLDER MACHINE QUALITY`
codes, `coding.py FOLDER MACHINE` decodes."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

import ncodec
from ncodec.api.codecs import codecs_of_stream
from ncodec.container.nci import NO_MODEL, unpack
from ncodec.container.ncv import StreamReader
from ncodec.container.records import End, Frame
from ncodec.entropy.latents import Symbols
from ncodec.image.file import read_symbols
from ncodec.inference.zoo import load_model
from ncodec.video.frame_decoder import FrameDecoder

RATE = 25

Numbers = npt.NDArray[np.int16]
Values = npt.NDArray[np.uint8]


def encode(folder: Path, machine: str, quality: int) -> None:
    """Code each sample at a quality: pictures (.png) and frames of clips (.npy)."""
    for source in sorted((folder / "samples").iterdir()):
        start = time.perf_counter()
        name = folder / "coded" / f"{source.stem}-q{quality}-{machine}"
        if source.suffix == ".png":
            ncodec.encode(source, name.with_suffix(".nci"), quality=quality)
        else:
            frames = list(np.load(source))
            ncodec.encode_video(frames, name.with_suffix(".ncv"), quality=quality, rate=RATE)
        report(name.name, start)


def decode(folder: Path, machine: str) -> None:
    """Write symbols and values (samples of R, G and B) of each coded file as arrays."""
    for source in sorted((folder / "coded").iterdir()):
        start = time.perf_counter()
        decoded = decode_picture if source.suffix == ".nci" else decode_clip
        symbols, values = decoded(source)
        report(source.name, start)
        np.savez(folder / "decoded" / machine / source.name, symbols=symbols, values=values)


def decode_picture(source: Path) -> tuple[Numbers, Values]:
    """Symbols of a file, (n,), none where all of it is exact, and its pixels, (H, W, 3)."""
    data = source.read_bytes()
    container = unpack(data)
    symbols = []
    if container.header.model_id != NO_MODEL:
        symbols = numbers_of(read_symbols(container, load_model(container.header.model_id)))
    return joined(symbols), np.asarray(ncodec.decode(data).convert("RGB"))


def decode_clip(source: Path) -> tuple[Numbers, Values]:
    """Symbols, vectors and rounding offsets of all frames, (n,), and pixels, (frames, H, W, 3)."""
    symbols: list[Numbers] = []
    frames: list[Values] = []
    with source.open("rb") as stream:
        reader = StreamReader(stream)
        header = reader.header
        codecs = codecs_of_stream(header, backend="onnx", threads=None)
        decoder = FrameDecoder(codecs, height=header.height, width=header.width)
        while not isinstance(record := reader.read(), End):
            if not isinstance(record, Frame):
                continue
            parsed = decoder.parse(record)
            if parsed.symbols is not None:
                symbols += numbers_of(parsed.symbols)
            if parsed.motion is not None:
                symbols.append(parsed.motion.vectors)
            if parsed.offsets is not None:
                symbols.append(parsed.offsets)
            frames.append(decoder.decode(parsed).copy())
    return joined(symbols), np.stack(frames)


def numbers_of(symbols: Symbols) -> list[Numbers]:
    return [symbols.z_hat.astype(np.int16), symbols.residual]


def joined(symbols: list[Numbers]) -> Numbers:
    return np.concatenate([np.zeros(0, np.int16), *(part.reshape(-1) for part in symbols)])


def report(name: str, start: float) -> None:
    seconds = round(time.perf_counter() - start, 3)
    print(json.dumps({"name": name, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    place, here = Path(sys.argv[1]), sys.argv[2]
    if len(sys.argv) > 3:
        encode(place, here, int(sys.argv[3]))
    else:
        decode(place, here)
