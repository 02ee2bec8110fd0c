"""From measured points to curves, Bjøntegaard rates and published results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from ncodec.errors import InputError
from ncodec.eval.bdrate import Curve, bd_rate
from ncodec.eval.measure import Measured
from ncodec.eval.media import ALL_METRICS, Source
from ncodec.eval.store import Point

PUBLISHED = Path(__file__).parent / "results" / "published"


@dataclass(frozen=True)
class MeanPoint:
    """Means over all pictures at one quality."""

    quality: float
    bpp: float
    metrics: dict[str, float]
    encode_s: float | None
    """None where it is not known for all pictures"""
    decode_s: float | None


@dataclass(frozen=True)
class MeanCurve:
    """A codec over all pictures; a published one has no times."""

    name: str
    points: list[MeanPoint]
    source: str | None = None
    """where a published curve comes from"""

    def curve(self, metric: str) -> Curve:
        """(bpp, quality) points of a metric."""
        return [(p.bpp, p.metrics[metric]) for p in self.points if metric in p.metrics]

    @property
    def middle_s(self) -> tuple[float, float] | None:
        """Seconds to encode and to decode at the middle quality, None where they are not known."""
        if not self.points:
            return None
        middle = self.points[len(self.points) // 2]
        if middle.encode_s is None or middle.decode_s is None:
            return None
        return middle.encode_s, middle.decode_s


def mean_curve(measured: Measured, sources: Sequence[Source], metrics: Sequence[str]) -> MeanCurve:
    """Means over the pictures or clips at each quality: bits per pixel, metrics and times.

    A quality at which one of them failed has no point; a metric that was not measured or is not
    defined for one of them is missing at that point. Means of similarities are in dB
    (`Metric.mean`). `sources` hold all that was measured; `metrics` are keys. Raises KeyError for
    others.
    """
    pixels = {source.name: source.pixels for source in sources}
    points = []
    for i, quality in enumerate(measured.codec.qualities):
        seen = [(pixels[name], outcomes[i]) for name, outcomes in measured.outcomes.items()]
        good = [(area, o) for area, o in seen if isinstance(o, Point)]
        if len(good) < len(seen):
            continue
        values = {key: [o.metrics.get(key) for _, o in good] for key in metrics}
        known = {key: [v for v in found if v is not None] for key, found in values.items()}
        means = {
            key: ALL_METRICS[key].mean(found)
            for key, found in known.items()
            if len(found) == len(good)
        }
        points.append(
            MeanPoint(
                quality,
                fmean(8 * o.size / area for area, o in good),
                means,
                _mean_seconds([o.encode_s for _, o in good]),
                _mean_seconds([o.decode_s for _, o in good]),
            )
        )
    return MeanCurve(measured.codec.name, points)


def _mean_seconds(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def data_sets() -> dict[str, set[str]]:
    """Data sets for which curves were published, by name, and the keys of their pictures."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in PUBLISHED.glob("*.json")}
    return {name: set(held["pictures"]) for name, held in found.items() if "pictures" in held}


def published_curves(sources: Sequence[Source]) -> list[MeanCurve]:
    """Curves that others published for just these pictures, with where they come from; empty for
    other pictures."""
    keys = {source.key for source in sources}
    known = next((name for name, pictures in data_sets().items() if pictures == keys), None)
    if known is None:
        return []
    curves = json.loads((PUBLISHED / f"{known}.json").read_text("utf-8"))["curves"]
    return [
        MeanCurve(
            f"{entry['name']} (published)",
            [
                MeanPoint(
                    i, bpp, {key: values[i] for key, values in entry["metrics"].items()}, None, None
                )
                for i, bpp in enumerate(entry["bpp"])
            ],
            entry["source"],
        )
        for entry in curves
    ]


def rate_difference(anchor: MeanCurve, test: MeanCurve, metric: str) -> float | str:
    """BD-rate in percent of `test` against `anchor`, or why there is none."""
    try:
        return bd_rate(anchor.curve(metric), test.curve(metric))
    except InputError as error:
        return "no overlap" if "share" in str(error) else "too few points"
