"""What a codec of the report is: pictures → bytes → pictures."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from ncodec.arrays import Pixels
from ncodec.errors import InputError

Content = TypeVar("Content")
"""what is coded: (H, W, 3) uint8 pixels, or a clip"""


@dataclass(frozen=True, eq=False)
class Coded(Generic[Content]):
    """What a codec made of something."""

    size: int
    """bytes"""
    decoded: Content
    encode_s: float
    """of a picture, or on average of a frame"""
    decode_s: float


@dataclass(frozen=True)
class Codec(ABC, Generic[Content]):
    """A codec at fixed settings; quality is its one knob."""

    name: str
    """what tables and curves call it"""
    qualities: tuple[float, ...]
    """from small files to large ones"""
    settings: str
    """everything else that was chosen, as the report prints it"""

    @property
    def in_process(self) -> bool:
        """Whether it runs in this process, whose memory can be measured."""
        return True

    @property
    def missing(self) -> str | None:
        """What would have to be installed, or None."""
        return None

    @property
    def fingerprint(self) -> str:
        """Everything that decides the bytes of a file but the quality."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "qualities"}
        return repr([self.version(), {name: value for name, value in chosen.items() if not callable(value)}])

    @abstractmethod
    def version(self) -> str:
        """Library and version; a result is measured again when it changes."""

    @abstractmethod
    def run(self, content: Content, quality: float) -> Coded[Content]:
        """Encode and decode."""


@dataclass(frozen=True)
class PictureCodec(Codec[Pixels]):
    """A codec of still pictures."""

    @abstractmethod
    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → file bytes."""

    @abstractmethod
    def decode(self, data: bytes) -> Pixels:
        """File bytes → (H, W, 3) uint8 RGB; some codecs leave a line of padding at the right and the bottom."""

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
