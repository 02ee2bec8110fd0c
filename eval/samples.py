"""Crops of decoded pictures at equal rates, for a person to judge."""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from ncodec.arrays import Pixels
from ncodec.eval.codecs.base import PictureCodec
from ncodec.eval.codecs.registry import CODECS
from ncodec.eval.measure import run_in_pool
from ncodec.eval.media import Source, read_pixels
from ncodec.eval.metrics import psnr
from ncodec.eval.store import Store
from ncodec.media.streams import write_bytes

Sizes = tuple[tuple[float, int], ...]
"""qualities and the bytes of a file at each"""
SIDE = 240
"""side of a crop, in pixels"""
ORIGINAL = "original"


@dataclass(frozen=True)
class Sample:
    """The middle of a picture as a codec leaves it, stored without loss."""

    codec: str
    picture: str
    target_bpp: float
    bpp: float
    """bits per pixel of the whole picture, the largest up to the target, if any"""
    psnr: float
    """PSNR of the whole picture, in dB"""
    image: str
    """data URI"""


def make_samples(
    sources: Sequence[Source],
    codecs: Sequence[PictureCodec],
    *,
    rates: Sequence[float],
    store: Store,
    jobs: int,
    advance: Callable[[int], None],
) -> tuple[list[Sample], list[str]]:
    """Crops of 240×240 pixels from the middle of each picture, by each codec, at each rate in bits
    per pixel.

    Returns samples, of the originals first, and a sentence for each that failed. Samples are kept
    in the folder of `store`; `jobs` processes make others; `advance(1)` is called after each but
    the originals. Raises InputError for a picture that cannot be read.
    """
    samples: list[Sample] = [_original(source) for source in sources]
    failures: list[str] = []
    todo: list[tuple[str, Path, str, float, Sizes]] = []
    kept: dict[tuple[str, Path, str, float, Sizes], Path] = {}
    for source in sources:
        for codec in codecs:
            for rate in rates:
                path = _cache_path(store, codec, source, rate)
                known = _read(path)
                if known is not None:
                    samples.append(known)
                    advance(1)
                    continue
                sizes = tuple(
                    (quality, p.size) for quality, p in store.points(codec, source.key, []).items()
                )
                task = (codec.name, source.path, source.name, rate, sizes)
                todo.append(task)
                kept[task] = path
    for task, sample in run_in_pool(_make_sample, todo, jobs):
        if isinstance(sample, Sample):
            write_bytes(json.dumps(asdict(sample)).encode(), kept[task], overwrite=True)
            samples.append(sample)
        else:
            failures.append(f"{task[0]}, {task[2]}, sample at {task[3]} bpp: {sample}")
        advance(1)
    return samples, failures


def _cache_path(store: Store, codec: PictureCodec, source: Source, rate: float) -> Path:
    name = store.path(codec).stem
    ends = (codec.qualities[0], codec.qualities[-1])
    digest = hashlib.sha256(f"{source.key} {source.name} {rate} {SIDE} {ends}".encode()).hexdigest()
    return store.folder / f"{name}-sample-{digest[:12]}.json"


def _read(path: Path) -> Sample | None:
    try:
        return Sample(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _make_sample(
    codec_name: str, path: Path, picture: str, target_bpp: float, sizes: Sizes
) -> Sample:
    codec, pixels = CODECS[codec_name], read_pixels(path)
    data = encode_within(codec, pixels, target_bpp, sizes)
    decoded = codec.decode(data)[: pixels.shape[0], : pixels.shape[1]]
    bpp = 8 * len(data) / (pixels.shape[0] * pixels.shape[1])
    return Sample(
        codec_name, picture, target_bpp, bpp, psnr(pixels, decoded), _data_uri(_middle(decoded))
    )


def encode_within(
    codec: PictureCodec, pixels: Pixels, target_bpp: float, sizes: Sizes = ()
) -> bytes:
    """Encode to the largest file up to `target_bpp` bits per pixel, over whole steps of quality.

    Searched by bisection from the first to the last of the codec's qualities; where none is small
    enough, the file is that of the first. `sizes` are known (quality, bytes), which shorten the
    search. Raises what the codec's library raises.
    """
    limit = target_bpp * pixels.shape[0] * pixels.shape[1] / 8
    first, last = codec.qualities[0], codec.qualities[-1]
    step = 1 if last > first else -1
    low = max(
        (round(step * (quality - first)) for quality, size in sizes if size <= limit), default=0
    )
    beyond = (round(step * (quality - first)) - 1 for quality, size in sizes if size > limit)
    high = max(low, min(beyond, default=round(abs(last - first))))
    best = None
    while low < high:
        middle = (low + high + 1) // 2
        data = codec.encode(pixels, first + step * middle)
        if len(data) <= limit:
            low, best = middle, data
        else:
            high = middle - 1
    return best or codec.encode(pixels, first + step * low)


def _original(source: Source) -> Sample:
    pixels = read_pixels(source.path)
    return Sample(ORIGINAL, source.name, 0.0, 24.0, 0.0, _data_uri(_middle(pixels)))


def _middle(pixels: Pixels) -> Pixels:
    top, left = (max(0, (side - SIDE) // 2) for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def _data_uri(pixels: Pixels) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", lossless=True, quality=90, method=4)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
