"""The record of a stream, stream.json: what was made, for programs and for reports."""

from typing import Any

from ncodec.streaming.contents import Contents, VideoEntry
from ncodec.streaming.layout import MANIFEST, MASTER, MEDIA
from ncodec.streaming.plan import CodecProbes, StreamPlan


def record_of(
    plan: StreamPlan, contents: Contents, *, name: str, notices: tuple[str, ...], version: str
) -> dict[str, Any]:
    """Record of a stream of the clip `name`: renditions with measured sizes, tracks of sound and
    text, probes, notices. Equal streams have equal records."""
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
        "masters": [MASTER, *(f"{codec}.m3u8" for codec in _codecs(contents))],
        "manifest": MANIFEST,
        "metric": plan.metric,
        "target": plan.target,
        "renditions": [_rendition(entry, plan) for entry in contents.videos],
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
        "probes": [_probes(found) for found in plan.probed],
        "notices": list(notices),
    }


def _codecs(contents: Contents) -> list[str]:
    return list(dict.fromkeys(entry.rendition.codec for entry in contents.videos))


def _rendition(entry: VideoEntry, plan: StreamPlan) -> dict[str, Any]:
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
        "expected_quality": _expected(entry, plan),
        "playlist": f"{track.place}/{MEDIA}",
    }


def _expected(entry: VideoEntry, plan: StreamPlan) -> float | None:
    """Quality that probes promise of a rung, by the ladder's metric."""
    own = next((found for found in plan.probed if found.codec == entry.rendition.codec), None)
    if own is None:
        return None
    number = entry.rendition.number
    return own.top_quality if number == 1 else own.rungs[number - 1].quality


def _probes(found: CodecProbes) -> dict[str, Any]:
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
        "top_quality": round(found.top_quality, 3),
    }
