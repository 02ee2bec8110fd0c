"""Measured points kept between runs: one JSON file for each codec at its settings and version."""

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ncodec.eval.codecs import Codec
from ncodec.files import write_bytes
from ncodec.picture import Pixels


@dataclass(frozen=True)
class Point:
    """One picture coded at one quality."""

    quality: float
    size: int
    """bytes of the file"""
    metrics: dict[str, float | None]
    """by key; None where a metric is not defined"""
    encode_s: float
    decode_s: float


@dataclass(frozen=True)
class Failure:
    """A picture that a codec could not take at one quality."""

    quality: float
    error: str


Outcome = Point | Failure


def picture_key(pixels: Pixels) -> str:
    """What identifies a picture: a hash of its sides and pixels."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()[:24]


class Store:
    """A folder of results; failures are not kept, so that they are tried again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, dict[str, dict[str, Point]]] = {}

    def path(self, codec: Codec) -> Path:
        """The file of a codec, named after it and after what it depends on."""
        name = re.sub(r"[^a-z0-9]+", "-", codec.name.lower()).strip("-")
        digest = hashlib.sha256(f"{codec.version()}\n{codec.settings}".encode()).hexdigest()
        return self.folder / f"{name}-{digest[:8]}.json"

    def points(self, codec: Codec, picture: str, metrics: Sequence[str]) -> dict[float, Point]:
        """What is known of a picture, by quality: the points that have all of these metrics."""
        known = self._load(codec).get(picture, {})
        return {p.quality: p for p in known.values() if set(metrics) <= set(p.metrics)}

    def add(self, codec: Codec, picture: str, points: Sequence[Point]) -> None:
        """Keep points and write the file whole, so that an interrupted run leaves nothing half-written."""
        content = self._load(codec)
        content.setdefault(picture, {}).update({f"{p.quality:g}": p for p in points})
        document = {
            "codec": codec.name,
            "version": codec.version(),
            "settings": codec.settings,
            "pictures": {key: [asdict(p) for p in known.values()] for key, known in content.items()},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes((json.dumps(document) + "\n").encode(), self.path(codec), overwrite=True)

    def _load(self, codec: Codec) -> dict[str, dict[str, Point]]:
        if codec.name not in self._files:
            self._files[codec.name] = _read(self.path(codec))
        return self._files[codec.name]


def _read(path: Path) -> dict[str, dict[str, Point]]:
    """The points of a file; what cannot be read is measured again."""
    try:
        pictures = json.loads(path.read_text("utf-8"))["pictures"]
        return {key: {f"{p['quality']:g}": Point(**p) for p in points} for key, points in pictures.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{path}: not readable, so its points are measured again: {error}", file=sys.stderr)
        return {}
