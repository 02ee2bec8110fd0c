"""Interface of a codec in the report: content → bytes → content."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from ncodec.arrays import Pixels
from ncodec.errors import InputError

Content = TypeVar("Content")
"""content of a codec: (H, W, 3) uint8 pixels, or a clip"""


@dataclass(frozen=True, eq=False)
class Coded(Generic[Content]):
    """Size, result and times of one encode and decode."""

    size: int
    """bytes"""
    decoded: Content
    encode_s: float
    """seconds to encode a picture, or a frame on average"""
    decode_s: float


@dataclass(frozen=True)
class Codec(ABC, Generic[Content]):
    """A codec at fixed settings; quality is its one knob."""

    name: str
    """name in tables and curves"""
    qualities: tuple[float, ...]
    """from small files to large ones"""
    settings: str
    """settings as the report prints them"""

    @property
    def in_process(self) -> bool:
        """Whether it runs in this process, whose memory can be measured."""
        return True

    @property
    def missing(self) -> str | None:
        """Missing dependency, or None."""
        return None

    @property
    def fingerprint(self) -> str:
        """Text of the version and of all fields but `qualities` and functions.

        A result stored under another fingerprint is measured again.
        """
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "qualities"}
        return repr(
            [self.version(), {name: value for name, value in chosen.items() if not callable(value)}]
        )

    @abstractmethod
    def version(self) -> str:
        """Library and version; a result is measured again when it changes."""

    @abstractmethod
    def run(self, content: Content, quality: float) -> Coded[Content]:
        """Encode content at a quality and decode the result; returns bytes, decoded content and
        seconds.

        Quality is on the codec's own scale, that of `qualities`. Raises what the codec's library
        raises.
        """


@dataclass(frozen=True)
class PictureCodec(Codec[Pixels]):
    """A codec of still pictures."""

    @abstractmethod
    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → file bytes."""

    @abstractmethod
    def decode(self, data: bytes) -> Pixels:
        """File bytes → (H, W, 3) uint8 RGB; some codecs leave a line of padding at the right and
        the bottom."""

    def run(self, content: Pixels, quality: float) -> Coded[Pixels]:
        """Encode, decode and crop; raises InputError where something of another size comes back."""
        start = time.perf_counter()
        data = self.encode(content, quality)
        middle = time.perf_counter()
        decoded = self.decode(data)[: content.shape[0], : content.shape[1]]
        end = time.perf_counter()
        if decoded.shape != content.shape:
            msg = f"expected {content.shape[1]}×{content.shape[0]} pixels back, got {decoded.shape}"
            raise InputError(msg)
        return Coded(len(data), decoded, middle - start, end - middle)
