"""Streams as players read them: playlists, segments with their starts, frames and sound."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import m3u8
import numpy as np
import numpy.typing as npt

Photo = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """A frame as a player shows it."""

    time: Fraction
    """seconds"""
    frame: av.VideoFrame

    @property
    def pixels(self) -> Photo:
        return self.frame.to_ndarray(format="rgb24")

    @property
    def size(self) -> tuple[int, int]:
        return self.frame.width, self.frame.height


def playlist(path: Path) -> Any:
    """A playlist of HLS, by the package m3u8, which must find nothing that it has to skip over."""
    return m3u8.loads(path.read_text("utf-8"), uri=str(path))


def media_folders(folder: Path) -> list[Path]:
    """Folders of the renditions of video."""
    return sorted(path.parent for path in folder.glob("video/*/media.m3u8"))


def joined(folder: Path, *numbers: int) -> bytes:
    """The start of a track with some of its segments, all in the order of the playlist if none are
    named."""
    entries = playlist(folder / "media.m3u8").segments
    names = [f"{number:05d}.m4s" for number in numbers] or [entry.uri for entry in entries]
    return b"".join((folder / name).read_bytes() for name in ["init.mp4", *names])


def shown(data: bytes) -> list[Shown]:
    """All frames of a file, in the order in which they are shown."""
    with av.open(io.BytesIO(data)) as container:
        return [
            Shown(Fraction(frame.pts * frame.time_base), frame)
            for frame in container.decode(video=0)
        ]


def frames_of(folder: Path) -> list[Shown]:
    return shown(joined(folder))


def packets_of(data: bytes) -> Iterator["av.Packet[Any]"]:
    with av.open(io.BytesIO(data)) as container:
        yield from (packet for packet in container.demux() if packet.size)


def levels_of(folder: Path) -> tuple[Levels, float]:
    """Samples of a track of sound, −1 to 1, at 48 kHz, and the second at which the first is
    heard."""
    parts: list[Levels] = []
    start: float | None = None
    with av.open(str(folder / "media.m3u8")) as container:
        resampler = av.AudioResampler("fltp", "mono", 48000)
        for frame in container.decode(audio=0):
            if start is None:
                start = float(frame.pts * frame.time_base)
            parts += [part.to_ndarray()[0].astype(np.float64) for part in resampler.resample(frame)]
    assert start is not None
    return np.concatenate(parts), start


def onsets(loud: npt.NDArray[np.bool_], times: Levels, *, apart: float = 0.5) -> list[float]:
    """Times at which something begins that was not there for `apart` seconds."""
    found: list[float] = []
    last = -10.0
    for time in times[loud]:
        if time - last > apart:
            found.append(float(time))
        last = float(time)
    return found


def flashes(folder: Path) -> list[float]:
    """Seconds at which a rendition of a clip of `flashing` becomes white."""
    frames = frames_of(folder)
    light = np.array([one.pixels.mean() for one in frames])
    return onsets(light > 128, np.array([float(one.time) for one in frames]))


def beeps(folder: Path) -> list[float]:
    """Seconds at which its sound begins to beep."""
    levels, start = levels_of(folder)
    return onsets(np.abs(levels) > 0.15, start + np.arange(len(levels)) / 48000)


def attributes(path: Path, tag: str) -> list[dict[str, str]]:
    """Attributes of each tag of that name in a playlist, without quotes."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith(f"#{tag}:")]
    return [
        {name: value.strip('"') for name, value in re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', line)}
        for line in lines
    ]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
