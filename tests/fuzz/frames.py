"""Frames below the entropy coder: symbols are bytes, so that improbable ones are as easy to reach
as likely ones."""

from collections.abc import Iterator
from fractions import Fraction
from unittest.mock import patch

import numpy as np
from fuzz.networks import blank_codecs

from ncodec.arrays import Int32Array
from ncodec.container.records import Frame, StreamHeader, Tag
from ncodec.entropy.ans import Unpacker
from ncodec.entropy.tables import RESIDUAL_LIMIT, Table
from ncodec.grid import PATCH
from ncodec.inference.zoo import load_model
from ncodec.quality import QP_COUNT
from ncodec.video.frame_decoder import FrameDecoder

_TAGS = (Tag.INTRA, Tag.PREDICTED, Tag.DUPLICATE)
_LARGEST_SIDE = 8
"""patches"""
_AS_THEY_ARE = 100
"""larger symbols stand for ones that are far larger"""
MOST_FRAMES = 8


class PlainSymbols(Unpacker):
    """Symbols from the bytes of a payload's escapes, a signed byte each, then zeros for ever."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload)
        self._left = self.escapes.rest()

    def values(self, table: Table, count: int) -> Int32Array:
        values = np.zeros(count, dtype=np.int32)
        part, self._left = self._left[:count], self._left[count:]
        values[: len(part)] = np.frombuffer(part, dtype=np.int8)
        values[np.abs(values) > _AS_THEY_ARE] *= RESIDUAL_LIMIT // 128
        return values

    def finish(self) -> None:
        """Whatever is left."""


def decode_frames(data: bytes) -> None:
    """Decode frames of a size in patches, a byte a side; see `_frames`."""
    if len(data) < 2:
        return
    height, width = (PATCH * (side % _LARGEST_SIDE + 1) - side % 3 for side in data[:2])
    models = load_model().id, load_model(kind="frame").id
    codecs = blank_codecs(StreamHeader(*models, width, height, Fraction(1, 25)))
    decoder = FrameDecoder(codecs, height=height, width=width)
    with patch("ncodec.video.frame_decoder.Unpacker", PlainSymbols):
        for frame in _frames(data[2:]):
            decoder.decode(decoder.parse(frame))


def _frames(data: bytes) -> Iterator[Frame]:
    """Frames of four bytes each, tag, QP, bytes of exact cells and of symbols, and then these."""
    for number in range(MOST_FRAMES):
        if len(data) < 4:
            return
        tag, qp, exact, coded = data[:4]
        payload = data[4 + exact : 4 + exact + coded]
        yield Frame(
            _TAGS[tag % 3], number, qp % QP_COUNT, payload, number, exact=data[4 : 4 + exact]
        )
        data = data[4 + exact + coded :]
