"""Products: outputs of items, and what their rows say."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncodec.api.clip_info import video_info
from ncodec.api.clips import open_video
from ncodec.api.ladder import StreamStats
from ncodec.api.transcode import ClipStats
from ncodec.batch.manifest import DAMAGED, DONE
from ncodec.batch.store import Beat


@dataclass(frozen=True)
class Product:
    """The output of an item, and what its row says of it."""

    path: Path
    """file, or folder of files"""
    facts: Mapping[str, Any]
    """fields of `Row`"""


def facts_of_clip(stats: ClipStats) -> dict[str, Any]:
    """Fields of the row of a clip that was coded or decoded."""
    pixels = stats.width * stats.height * stats.frames
    coded = stats.video_size
    return {
        "state": DONE if stats.damage is None else DAMAGED,
        "error": stats.damage,
        "width": stats.width,
        "height": stats.height,
        "frames": stats.frames,
        "bpp": 8 * coded / pixels if coded is not None and pixels else None,
        "notices": tuple(notice for notice in stats.notices if notice != stats.damage),
    }


def facts_of_encoded(stats: ClipStats, path: Path, *, verified: bool) -> dict[str, Any]:
    """Fields of the row of a clip that was encoded into a .ncv file."""
    return {
        **facts_of_clip(stats),
        "psnr": stats.psnr,
        "model": video_info(path).frame_model,
        "verified": verified,
    }


def facts_of_stream(stats: StreamStats) -> dict[str, Any]:
    """Fields of the row of a ladder, with the size of its largest rendition."""
    sizes = [(rung["width"], rung["height"]) for rung in stats.renditions]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return {
        "state": DONE if stats.damage is None else DAMAGED,
        "error": stats.damage,
        "frames": stats.frames,
        "width": width,
        "height": height,
        "notices": stats.notices,
    }


def decode_all(path: Path, *, beat: Beat) -> None:
    """Decode every frame of a .ncv file on one thread; raises what `open_video` raises."""
    with open_video(path, threads=1) as decoder:
        for _ in decoder.records():
            beat()
