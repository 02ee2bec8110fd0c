"""Codecs that Pillow and its plug-ins write."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from PIL import AvifImagePlugin, Image, features

from ncodec.arrays import Pixels
from ncodec.eval.codecs.base import PictureCodec


@dataclass(frozen=True)
class PillowCodec(PictureCodec):
    """A format that Pillow, or a plugin of it, writes and reads."""

    format: str = ""
    options: dict[str, object] = field(default_factory=dict)
    knob: Callable[[float], dict[str, object]] = lambda quality: {"quality": round(quality)}
    feature: str = ""
    """name of the library among Pillow's features; empty for a plugin"""
    plugin: str = ""
    """module that registers the format; empty for Pillow itself"""
    distribution: str = "pillow"

    @property
    def missing(self) -> str | None:
        """The plugin, or Pillow's own feature, that is not there."""
        if self.plugin:
            return None if find_spec(self.plugin) else self.distribution
        return None if features.check(self.feature) else f"Pillow built with {self.feature}"

    def version(self) -> str:
        """Version of the plugin, or of Pillow and the library inside it."""
        own = f" ({self.feature} {features.version(self.feature)})" if self.feature else ""
        return f"{self.distribution} {version(self.distribution)}{own}"

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """(H, W, 3) uint8 RGB → file bytes."""
        stream = io.BytesIO()
        with self._registered():
            Image.fromarray(pixels).save(stream, self.format, **self.options, **self.knob(quality))
        return stream.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """File bytes → (H, W, 3) uint8 RGB."""
        with self._registered(), Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))

    @contextmanager
    def _registered(self) -> Iterator[None]:
        """Load the plugin, and keep coders to one thread within the block."""
        if self.plugin == "pillow_heif":
            import_module(self.plugin).register_heif_opener(decode_threads=1)
        elif self.plugin:
            vars(import_module(f"{self.plugin}.JpegXLImagePlugin"))["DECODE_THREADS"] = 0
        usual = AvifImagePlugin.DEFAULT_MAX_THREADS
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        try:
            yield
        finally:
            AvifImagePlugin.DEFAULT_MAX_THREADS = usual
