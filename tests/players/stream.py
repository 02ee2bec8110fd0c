"""Stream for players: a test picture of six seconds with two languages and subtitles."""

import subprocess
from pathlib import Path

import imageio_ffmpeg

import ncodec
from ncodec.streaming.ladder import Rung

SECONDS, RATE = 6, 25
FRAMES = SECONDS * RATE
HIGHEST, LOWEST = 360, 180
LADDER = Rung(HIGHEST, 700_000), Rung(LOWEST, 120_000)
CODECS = "h264", "hevc", "av1"


def make_stream(folder: Path, codecs: tuple[str, ...] = CODECS) -> Path:
    """A stream of two rungs a codec in segments of a second, as `ncodec stream` writes it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    clip = _make_clip(folder.parent)
    ncodec.stream(clip, folder, codecs=codecs, ladder=LADDER, segment=1, speed="fast")
    return folder


def _make_clip(folder: Path) -> Path:
    clip, text = folder / "clip.mkv", folder / "clip.srt"
    cues = (
        f"{i + 1}\n00:00:0{i},000 --> 00:00:0{i},900\nSecond {i}, to be read\n"
        for i in range(SECONDS)
    )
    text.write_text("\n".join(cues), "utf-8")
    picture = f"testsrc2=size=640x{HIGHEST}:rate={RATE}:duration={SECONDS}"
    tones = (f"sine=frequency={hz}:sample_rate=48000:duration={SECONDS}" for hz in (440, 660))
    sources = [part for source in (picture, *tones) for part in ("-f", "lavfi", "-i", source)]
    subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *sources, "-i", str(text)),
            *("-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s"),
            *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"),
            *("-metadata:s:s:0", "language=eng"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p"),
            *("-c:a", "aac", "-ac", "2", "-c:s", "srt", str(clip)),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return clip
