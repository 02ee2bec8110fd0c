"""Agreement of backends, precisions and thread counts on decoded symbols, counted."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ncodec.api.codecs import open_codec
from ncodec.arrays import BoolArray, FloatArray, Pixels, Samples
from ncodec.container.nci import unpack
from ncodec.entropy.latents import Symbols
from ncodec.image.codec import ImageCodec
from ncodec.image.error_weights import RGB
from ncodec.image.file import read_symbols
from ncodec.image.plan import RenderedSymbols
from ncodec.image.rdoq import Progress, no_progress
from ncodec.inference.model import FRAME
from ncodec.picture import from_array
from ncodec.quality import DEFAULT_EFFORT
from ncodec.video.frame_decoder import FrameDecoder
from ncodec.video.frame_encoder import FrameEncoder
from ncodec.video.frame_state import FrameCodecs

VARIANTS: tuple[dict[str, Any], ...] = (
    {"backend": "onnx", "threads": 1},
    {"backend": "onnx", "threads": 2},
    {"backend": "torch", "threads": 1},
    {"backend": "torch", "threads": 2, "precision": "bfloat16"},
)
FRAME_VARIANTS: tuple[dict[str, Any], ...] = (*VARIANTS[:-1], {"backend": "torch", "threads": 2})
"""variants of decoders of clips, which always run in float32"""


@dataclass(frozen=True)
class Agreement:
    """Symbols and pixels of one decoder variant that differ from the encoder's."""

    variant: str
    symbols: int
    different: int
    largest_pixel_difference: int
    """against the first variant"""


def compare_variants(pictures: list[Pixels], qps: tuple[int, ...]) -> list[Agreement]:
    """Encode pictures, (H, W, 3) uint8, at each QP with effort 2, decode every file with each of
    `VARIANTS`, and count differing symbols and pixels; one result for each variant.

    Files whose cells are all exact are left out. Raises InputError for other pictures or a QP
    outside 0 to 63, FormatError, ModelError or BackendError.
    """
    writer = open_codec(backend="onnx", threads=1)
    results = []
    references: dict[tuple[int, int], Pixels] = {}
    coded = {
        (i, qp): writer.encode(from_array(p), qp=qp, effort=DEFAULT_EFFORT)
        for i, p in enumerate(pictures)
        for qp in qps
    }
    coded = {key: encoded for key, encoded in coded.items() if encoded.symbols is not None}
    for options in VARIANTS:
        codec = open_codec(**options)
        total = different = largest = 0
        for key, encoded in coded.items():
            container = unpack(encoded.data)
            read = read_symbols(container, codec.model)
            total += read.z_hat.size + read.residual.size
            different += _count_different(read, encoded.symbols or read)
            pixels = codec.decode_container(container).pixels
            largest = max(largest, _largest_difference(pixels, references.setdefault(key, pixels)))
        results.append(Agreement(_name(options), total, different, largest))
    return results


def compare_frames(frames: list[Pixels], qp: int) -> list[Agreement]:
    """Encode frames, (H, W, 3) uint8 of one size, as one GOP at a QP of 0 to 63, decode it with
    each of `FRAME_VARIANTS`, and count differing symbols and pixels; one result for each variant.

    The first frame is intra; later ones are predicted, duplicates, or intra where they have little
    in common with the frame before. Raises InputError, FormatError, ModelError or BackendError.
    """
    meant: list[Symbols] = []
    encoder = FrameEncoder(
        FrameCodecs(*(_Recorder(c.model, c.backend, meant) for c in _open(FRAME_VARIANTS[0])))
    )
    coded = [
        encoder.encode(encoder.decide(pixels), pts=i, qp=qp) for i, pixels in enumerate(frames)
    ]
    results = []
    references: list[Pixels] = []
    for options in FRAME_VARIANTS:
        decoder = FrameDecoder(
            FrameCodecs(*_open(options)), height=frames[0].shape[0], width=frames[0].shape[1]
        )
        parsed = [decoder.parse(frame) for frame in coded]
        read = [frame.symbols for frame in parsed if frame.symbols is not None]
        different = sum(_count_different(*pair) for pair in zip(read, meant, strict=True))
        pixels = [decoder.decode(frame) for frame in parsed]
        references = references or pixels
        largest = max(_largest_difference(*pair) for pair in zip(pixels, references, strict=True))
        total = sum(symbols.z_hat.size + symbols.residual.size for symbols in read)
        results.append(Agreement(_name(options), total, different, largest))
    return results


@dataclass(frozen=True)
class _Recorder(ImageCodec):
    """Keeps the symbols that an encoder means."""

    analyzed: list[Symbols]

    def analyze(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> Symbols:
        symbols = super().analyze(pixels, qp=qp, predicted=predicted, exact=exact)
        self.analyzed.append(symbols)
        return symbols

    def refine(
        self,
        pixels: Pixels,
        initial: RenderedSymbols | None = None,
        *,
        qp: int,
        effort: int,
        error_weights: FloatArray = RGB,
        progress: Progress = no_progress,
    ) -> Symbols:
        symbols = super().refine(
            pixels, initial, qp=qp, effort=effort, error_weights=error_weights, progress=progress
        )
        self.analyzed.append(symbols)
        return symbols

    def code(
        self, pixels: Pixels, *, qp: int, predicted: Pixels, exact: BoolArray | None = None
    ) -> tuple[Symbols, Samples]:
        known = len(self.analyzed)
        symbols, samples = super().code(pixels, qp=qp, predicted=predicted, exact=exact)
        self.analyzed[known:] = [symbols]  # whether or not it was by way of `analyze`
        return symbols, samples


def _open(options: dict[str, Any]) -> tuple[ImageCodec, ImageCodec]:
    return open_codec(**options), open_codec(kind=FRAME, **options)


def _count_different(read: Symbols, meant: Symbols) -> int:
    return int((read.z_hat != meant.z_hat).sum() + (read.residual != meant.residual).sum())


def _largest_difference(pixels: Pixels, reference: Pixels) -> int:
    return int(np.abs(pixels.astype(np.int16) - reference).max())


def _name(options: dict[str, Any]) -> str:
    return " ".join(str(value) for value in options.values())


def add_up(agreements: list[list[Agreement]]) -> list[Agreement]:
    """The sums of several comparisons, and the largest of their differences of pixels."""
    return [
        Agreement(
            same[0].variant,
            sum(a.symbols for a in same),
            sum(a.different for a in same),
            max(a.largest_pixel_difference for a in same),
        )
        for same in zip(*agreements, strict=True)
    ]
