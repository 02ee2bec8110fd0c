"""Times as ratios to a peer's in one run on as many threads."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from ncodec.api.codecs import open_codec
from ncodec.errors import BackendError
from ncodec.media.pictures import from_pil

REPEATS = 9
PEER_REPEATS = 3
PROCESS_REPEATS = 5
QP = 32
PEER_PATCH = 64
"""pixels of which sides have to be multiples there"""


@dataclass(frozen=True)
class Speed:
    """Median seconds of one picture."""

    name: str
    encode_s: float
    decode_s: float


def _median_s(work: Callable[[], object], repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def time_ncodec(image: Image.Image, *, effort: int, threads: int) -> Speed:
    """Median seconds of nine encodings and decodings of an RGB picture in memory, at QP 32 (quality
    50).

    The backend is ONNX Runtime with so many threads, the effort 0 to 9; a first run of each is not
    counted.
    """
    codec = open_codec(threads=threads)
    picture = from_pil(image)

    def encode() -> bytes:
        return codec.encode(picture, qp=QP, effort=effort).data

    data = encode()
    encode_s = _median_s(encode, REPEATS)
    decode_s = _median_s(lambda: codec.decode(data), REPEATS)
    return Speed(f"ncodec effort {effort}", encode_s, decode_s)


def time_compressai(image: Image.Image, *, threads: int, quality: int = 4) -> Speed:
    """Median seconds of three runs of CompressAI's `mbt2018-mean`, compress and decompress, on an
    RGB picture.

    `quality` is 1 to 8. The weights are untrained, since the architecture decides the time; sides
    are padded to multiples of 64. Raises BackendError where CompressAI is not installed.
    """
    try:
        import torch
        from compressai.zoo import mbt2018_mean
    except ImportError as error:
        msg = "the comparison needs CompressAI: pip install 'ncodec[compressai]'"
        raise BackendError(msg) from error
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = mbt2018_mean(quality, pretrained=False).eval()
    network.update()
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    high, wide = (-side % PEER_PATCH for side in pixels.shape[2:])
    pixels = torch.nn.functional.pad(pixels, (0, wide, 0, high), mode="replicate")
    with torch.inference_mode():
        coded = network.compress(pixels)
        encode_s = _median_s(lambda: network.compress(pixels), PEER_REPEATS)
        decode_s = _median_s(
            lambda: network.decompress(coded["strings"], coded["shape"]), PEER_REPEATS
        )
    return Speed("CompressAI mbt2018-mean", encode_s, decode_s)


def time_processes(image: Image.Image) -> dict[str, float]:
    """Median seconds of whole processes: encoding and decoding one picture, and `ncodec --help`."""
    command = [sys.executable, "-m", "ncodec"]
    with TemporaryDirectory() as folder:
        source, coded, decoded = (Path(folder) / name for name in ("a.png", "a.nci", "b.png"))
        image.save(source)
        runs = {
            "ncodec encode": ["encode", str(source), "-f", "-o", str(coded)],
            "ncodec decode": ["decode", str(coded), "-f", "-o", str(decoded)],
            "ncodec --help": ["--help"],
        }
        return {
            name: _median_s(partial(_run, [*command, *run]), PROCESS_REPEATS)
            for name, run in runs.items()
        }


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
