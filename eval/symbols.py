"""Does every backend, precision and thread count read the same symbols? Counted, not assumed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ncodec.api import open_codec
from ncodec.bitstream import unpack
from ncodec.image import read_symbols
from ncodec.picture import Pixels, from_array

VARIANTS: tuple[dict[str, Any], ...] = (
    {"backend": "onnx", "threads": 1},
    {"backend": "onnx", "threads": 2},
    {"backend": "torch", "threads": 1},
    {"backend": "torch", "threads": 2, "precision": "bfloat16"},
)


@dataclass(frozen=True)
class Agreement:
    """How a decoder variant compares with what the encoder meant."""

    variant: str
    symbols: int
    different: int
    largest_pixel_difference: int
    """against the first variant"""


def compare_variants(pictures: list[Pixels], qps: tuple[int, ...]) -> list[Agreement]:
    """Encode every picture once at every qp, decode it with every variant, compare symbols and pixels."""
    writer = open_codec(backend="onnx", threads=1)
    results = []
    references: dict[tuple[int, int], Pixels] = {}
    coded = {(i, qp): writer.encode(from_array(p), qp=qp) for i, p in enumerate(pictures) for qp in qps}
    for options in VARIANTS:
        codec = open_codec(**options)
        total = different = largest = 0
        for key, encoded in coded.items():
            container = unpack(encoded.data)
            read = read_symbols(container, codec.model)
            meant = encoded.symbols
            total += read.z_hat.size + read.residual.size
            different += int((read.z_hat != meant.z_hat).sum() + (read.residual != meant.residual).sum())
            pixels = codec.decode_container(container).pixels
            reference = references.setdefault(key, pixels)
            largest = max(largest, int(np.abs(pixels.astype(np.int16) - reference).max()))
        name = " ".join(str(value) for value in options.values())
        results.append(Agreement(name, total, different, largest))
    return results
