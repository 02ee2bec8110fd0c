"""Bits saved and time taken by efforts."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ncodec.api.codecs import open_codec
from ncodec.arrays import Pixels
from ncodec.eval.bdrate import Curve, bd_rate
from ncodec.picture import from_array, psnr
from ncodec.quality import quality_to_qp

QUALITIES = (12, 34, 56, 78)


@dataclass(frozen=True)
class Effort:
    """An effort over all pictures."""

    effort: int
    curve: Curve
    """means of bits per pixel and PSNR"""
    encode_s: float
    """mean of a picture"""


def measure_efforts(
    pictures: Sequence[Pixels],
    efforts: Sequence[int],
    *,
    threads: int | None,
    advance: Callable[[int], None],
) -> list[Effort]:
    """Encode and decode every picture at `QUALITIES` with every effort; `advance` is called after
    each."""
    results = []
    for effort in efforts:
        codec = open_codec(threads=threads)
        codec.encode(
            from_array(pictures[0][:64, :64]), qp=0, effort=effort
        )  # loads what is left out of the times
        curve, seconds = [], []
        for quality in QUALITIES:
            rates, qualities = [], []
            for pixels in pictures:
                start = time.perf_counter()
                data = codec.encode(
                    from_array(pixels), qp=quality_to_qp(quality), effort=effort
                ).data
                seconds.append(time.perf_counter() - start)
                rates.append(8 * len(data) / (pixels.shape[0] * pixels.shape[1]))
                qualities.append(psnr(pixels, codec.decode(data).pixels))
                advance(1)
            curve.append((fmean(rates), fmean(qualities)))
        results.append(Effort(effort, curve, fmean(seconds)))
    return results


def saved(results: Sequence[Effort]) -> list[float]:
    """BD-rate of every effort against the first, in percent."""
    return [
        bd_rate(results[0].curve, result.curve) if result is not results[0] else 0.0
        for result in results
    ]
