"""Measured points kept between runs: one JSON file for each codec at its settings and version."""

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ncodec.eval.codecs.base import Codec
from ncodec.eval.media import ALL_METRICS
from ncodec.media.streams import write_bytes


@dataclass(frozen=True)
class Point:
    """One picture coded at one quality."""

    quality: float
    size: int
    """bytes of the file"""
    metrics: dict[str, float | None]
    """by key; None where a metric is not defined"""
    encode_s: float | None
    """None of points from a cluster, whose machines may differ in kind"""
    decode_s: float | None


@dataclass(frozen=True)
class Failure:
    """A picture that a codec could not take at one quality."""

    quality: float
    error: str


Outcome = Point | Failure


class Store:
    """A folder of results; failures are not kept, so that they are tried again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, dict[str, dict[float, Point]]] = {}

    def path(self, codec: Codec[Any]) -> Path:
        """The file of a codec, named after it and after what it depends on."""
        name = re.sub(r"[^a-z0-9]+", "-", codec.name.lower()).strip("-")
        digest = hashlib.sha256(codec.fingerprint.encode()).hexdigest()
        return self.folder / f"{name}-{digest[:8]}.json"

    def points(self, codec: Codec[Any], picture: str, metrics: Sequence[str]) -> dict[float, Point]:
        """Stored points of a picture, by quality, that have all of these metrics."""
        known = self._load(codec).get(picture, {})
        return {quality: p for quality, p in known.items() if set(metrics) <= set(p.metrics)}

    def add(self, codec: Codec[Any], picture: str, points: Sequence[Point]) -> None:
        """Keep points and write the file whole, so that an interrupted run leaves nothing
        half-written.

        What another run has written meanwhile stays.
        """
        content = self._files[codec.name] = _read(self.path(codec))
        content.setdefault(picture, {}).update({p.quality: p for p in points})
        document = {
            "codec": codec.name,
            "version": codec.version(),
            "settings": codec.settings,
            "metrics": {
                metric.key: metric.version for metric in ALL_METRICS.values() if metric.available
            },
            "pictures": {
                key: [asdict(p) for p in known.values()] for key, known in content.items()
            },
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_bytes((json.dumps(document) + "\n").encode(), self.path(codec), overwrite=True)

    def _load(self, codec: Codec[Any]) -> dict[str, dict[float, Point]]:
        if codec.name not in self._files:
            self._files[codec.name] = _read(self.path(codec))
        return self._files[codec.name]


def _read(path: Path) -> dict[str, dict[float, Point]]:
    """Points of a file; unreadable ones are measured again."""
    try:
        document = json.loads(path.read_text("utf-8"), parse_constant=_refuse)
        same = {
            key
            for key, known in document["metrics"].items()
            if key in ALL_METRICS
            and ALL_METRICS[key].available
            and ALL_METRICS[key].version == known
        }
        return {
            key: {p.quality: p for p in _points(points, same)}
            for key, points in document["pictures"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{path}: not readable, so its points are measured again: {error}", file=sys.stderr)
        return {}


def _points(entries: list[dict[str, Any]], metrics: set[str]) -> list[Point]:
    """Points with their metrics, outdated ones left out."""
    return [
        Point(
            quality=float(entry["quality"]),
            size=int(entry["size"]),
            metrics={key: value for key, value in entry["metrics"].items() if key in metrics},
            encode_s=_seconds(entry["encode_s"]),
            decode_s=_seconds(entry["decode_s"]),
        )
        for entry in entries
    ]


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


def _refuse(constant: str) -> float:
    msg = f"{constant} is not a number"
    raise ValueError(msg)
