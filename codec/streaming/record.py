"""The record of a stream, stream.json: what was made, for programs and for reports."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ncodec.streaming.comparison import fixed_points, saving
from ncodec.streaming.contents import Contents, VideoEntry
from ncodec.streaming.layout import MANIFEST, MASTER, MEDIA
from ncodec.streaming.live_clip import LiveResult
from ncodec.streaming.metrics import Quality
from ncodec.streaming.plan import CodecProbes, StreamPlan


def record_of(
    plan: StreamPlan,
    contents: Contents,
    *,
    name: str,
    notices: tuple[str, ...],
    version: str,
    measured: Mapping[str, Quality],
) -> dict[str, Any]:
    """Record of a stream of the clip `name`: renditions with sizes and, as far as it was measured,
    quality, by their names; tracks of sound and text, probes, notices. Equal streams have equal
    records."""
    survey = plan.survey
    return {
        "ncodec": version,
        "source": name,
        "seconds": contents.seconds,
        "frames": len(survey.times),
        "frame_rate": float(contents.rate),
        "is_constant_rate": survey.rate is not None,
        "shots": len(survey.cuts) + 1,
        "segments": len(plan.spans),
        "segment_starts": [float(survey.times[span.first]) for span in plan.spans],
        "metric": plan.metric,
        "target": plan.target,
        "renditions": [
            {
                **_rendition(entry),
                "expected_quality": _expected(entry, plan),
                "segment_bytes": [segment.size for segment in entry.track.segments],
                "measured": _measured(measured.get(entry.track.name)),
            }
            for entry in contents.videos
        ],
        "probes": [_probes(found, plan.metric) for found in plan.probed],
        "notices": list(notices),
        "damage": plan.damage,
        **_tracks(contents),
    }


def live_record(done: LiveResult, *, name: str, version: str) -> dict[str, Any]:
    """Record of a live stream that has ended."""
    return {
        "ncodec": version,
        "source": name,
        "seconds": done.seconds,
        "frames": done.frames,
        "frame_rate": float(done.contents.rate),
        "segments": done.segments,
        "renditions": [_rendition(entry) for entry in done.contents.videos],
        "notices": list(done.notices),
        "damage": done.damage,
        **_tracks(done.contents),
    }


def _tracks(contents: Contents) -> dict[str, Any]:
    """Playlists, and tracks of sound and text."""
    return {
        "masters": [MASTER, *(f"{codec}.m3u8" for codec in _codecs(contents))],
        "manifest": MANIFEST,
        "sounds": [
            {
                "name": entry.track.name,
                "codec": entry.track.codec,
                "language": entry.sound.language,
                "title": entry.sound.title,
                "channels": entry.sound.channels,
                "bandwidth": entry.track.bandwidth,
                "average_bandwidth": entry.track.average_bandwidth,
                "playlist": f"{entry.track.place}/{MEDIA}",
            }
            for entry in contents.sounds
        ],
        "texts": [
            {
                "language": track.language,
                "title": track.title,
                "path": f"text/{track.name}",
                "is_default": track.is_default,
                "is_forced": track.is_forced,
            }
            for track in contents.texts
        ],
    }


def _codecs(contents: Contents) -> list[str]:
    return list(dict.fromkeys(entry.rendition.codec for entry in contents.videos))


def _rendition(entry: VideoEntry) -> dict[str, Any]:
    rendition, track = entry.rendition, entry.track
    return {
        "name": track.name,
        "codec": track.codec,
        "kind": rendition.codec,
        "width": rendition.size.width,
        "height": rendition.size.height,
        "bits": rendition.size.bits,
        "crf": rendition.crf,
        "target_bitrate": rendition.bitrate,
        "bandwidth": track.bandwidth,
        "average_bandwidth": track.average_bandwidth,
        "bytes": sum(segment.size for segment in track.segments) + track.start_size,
        "video_range": entry.video_range,
        "playlist": f"{track.place}/{MEDIA}",
    }


def _expected(entry: VideoEntry, plan: StreamPlan) -> float | None:
    """Quality by the ladder's metric that probes promise."""
    own = next((found for found in plan.probed if found.codec == entry.rendition.codec), None)
    return None if own is None else round(own.rungs[entry.rendition.number - 1].quality, 4)


def _measured(quality: Quality | None) -> dict[str, float] | None:
    if quality is None:
        return None
    return {name: round(value, 4) for name, value in asdict(quality).items() if value is not None}


def _probes(found: CodecProbes, metric: str) -> dict[str, Any]:
    points = fixed_points(found, metric=metric)
    return {
        "codec": found.codec,
        "probes": [
            {
                "height": probe.size.height,
                "crf": probe.crf,
                "bitrate": round(probe.bitrate),
                "quality": round(probe.quality, 3),
            }
            for probe in found.probes
        ],
        "top_quality": round(found.rungs[0].quality, 3),
        "fixed": [asdict(point) for point in points],
        "saving_over_fixed": saving(points),
        "hull": [
            {
                "height": point.size.height,
                "crf": point.crf,
                "bitrate": round(point.bitrate),
                "quality": round(point.quality, 3),
            }
            for point in found.hull[:: max(1, len(found.hull) // 60)]
        ],
        "rungs": [
            {
                "height": point.size.height,
                "crf": point.crf,
                "bitrate": round(point.bitrate),
                "quality": round(point.quality, 3),
            }
            for point in found.rungs
        ],
    }
