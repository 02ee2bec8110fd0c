"""Cost and loss of a model's decoders, on files that one encoder made."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ncodec.api.codecs import open_codec
from ncodec.api.models import read_entry
from ncodec.arrays import Pixels
from ncodec.eval.bdrate import Curve, bd_rate
from ncodec.picture import from_array, psnr
from ncodec.quality import FULL, quality_to_qp

FULL_FILES = ("decoder.onnx", "image.safetensors")
"""files of a model's own decoder; the weights are the encoder's too"""
QUALITIES = (10, 30, 50, 70, 90)


@dataclass(frozen=True)
class DecoderFigures:
    """A decoder over all pictures."""

    name: str
    made_by: tuple[str, ...]
    kmac_per_pixel: float
    megabytes: float
    """of weights and graph"""
    seconds_per_megapixel: float
    """of a decode from bytes to pixels, symbols included"""
    curve: Curve
    """means of bits per pixel and PSNR, by rising quality"""

    def lost_db(self, full: "DecoderFigures") -> list[float]:
        """PSNR that it loses against the model's own decoder, in dB, at each quality."""
        return [ours - own for (_, own), (_, ours) in zip(self.curve, full.curve, strict=True)]

    def bd_rate(self, full: "DecoderFigures") -> float:
        """BD-rate against the model's own decoder, in percent."""
        return 0.0 if self is full else bd_rate(full.curve, self.curve)


def measure_decoders(
    pictures: Sequence[Pixels],
    model: str | os.PathLike[str] | None = None,
    *,
    threads: int | None = 1,
    advance: Callable[[int], None],
) -> list[DecoderFigures]:
    """Encode every picture at `QUALITIES` with the usual effort, and decode it by every decoder of
    the model, its own first; `advance` is called with 1 after each picture and quality.

    Decoders take turns, so that a machine which slows down slows all of them.
    """
    encoder = open_codec(model, threads=threads)
    names = (FULL, *encoder.model.decoders)
    codecs = {name: open_codec(model, threads=threads, decoder=name) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    qualities: dict[str, list[float]] = {name: [] for name in names}
    rates: list[float] = []
    for quality in QUALITIES:
        bits: list[float] = []
        decibels: dict[str, list[float]] = {name: [] for name in names}
        for pixels in pictures:
            picture, size = from_array(pixels), pixels.shape[0] * pixels.shape[1]
            effort = encoder.effort_for(picture, None)
            data = encoder.encode(picture, qp=quality_to_qp(quality), effort=effort).data
            bits.append(8 * len(data) / size)
            for name, codec in codecs.items():
                codec.decode(data)  # loads the graph, and warms the caches alike
                start = time.perf_counter()
                made = codec.decode(data).pixels
                times[name].append((time.perf_counter() - start) / size * 1e6)
                decibels[name].append(psnr(pixels, made))
            advance(1)
        rates.append(fmean(bits))
        for name in names:
            qualities[name].append(fmean(decibels[name]))
    entry = read_entry(encoder.model.folder)
    return [
        _figures(entry, name, fmean(times[name]), list(zip(rates, qualities[name], strict=True)))
        for name in names
    ]


def _figures(
    entry: dict[str, Any], name: str, seconds_per_megapixel: float, curve: Curve
) -> DecoderFigures:
    own = entry["facts"] if name == FULL else entry["decoders"][name]
    files = FULL_FILES if name == FULL else (f"decoder-{name}.onnx", f"decoder-{name}.safetensors")
    return DecoderFigures(
        name,
        tuple(own.get("made_by", ())),
        own["decode_kmac_per_pixel"],
        sum(entry["bytes"][file] for file in files) / 1e6,
        seconds_per_megapixel,
        curve,
    )
