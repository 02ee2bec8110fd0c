"""Small clips for the tests of streams, made by FFmpeg's command from pictures of its own."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from ncodec.media.ffmpeg_command import run_ffmpeg

Photo = npt.NDArray[np.uint8]

WIDE, HIGH = 320, 180
FAST: dict[str, Any] = {
    "ladder": "fixed", "rungs": 1, "speed": "fast", "segment": 2, "codecs": ["h264"], "jobs": 1
}  # fmt: skip
"""settings of streams that are made in a second"""
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-bf", "0", "-pix_fmt", "yuv420p")
DISPLAY = (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 10000000, 50)
"""mastering display of `hdr`: green, blue, red and white in 1/50000, most and least light in
1/10000 cd/m²"""
LIGHT = (1000, 400)
LINES = ((0.5, 1.5, "first line"), (2.25, 3.0, "second line"), (4.125, 5.5, "third line"))
"""start, end and text of the subtitles of `with_tracks`"""


def ffmpeg(*arguments: str | Path) -> Path:
    """Run FFmpeg's command, on one thread of each coder; the last argument is what it writes."""
    run_ffmpeg(["-threads", "1", *arguments[:-1], "-threads", "1", "-fflags", "+bitexact",
                arguments[-1]])  # fmt: skip
    return Path(arguments[-1])


def picture(
    seconds: float, *, size: tuple[int, int] = (WIDE, HIGH), rate: int | str = 25
) -> list[str]:
    """Arguments for a picture that moves, with a number that counts."""
    wide, high = size
    return ["-f", "lavfi", "-i", f"testsrc2=s={wide}x{high}:r={rate}:d={seconds}"]


def tone(seconds: float, *, hertz: int = 440) -> list[str]:
    return ["-f", "lavfi", "-i", f"sine=f={hertz}:r=48000:d={seconds}"]


def plain(
    path: Path, seconds: float = 4, *, size: tuple[int, int] = (WIDE, HIGH), rate: int | str = 25
) -> Path:
    """A clip without sound."""
    return ffmpeg(*picture(seconds, size=size, rate=rate), *X264, path)


def sounding(path: Path, seconds: float = 4, *, sound: float | None = None) -> Path:
    """A clip with a tone of `sound` seconds, as long as the video if None."""
    lasts = seconds if sound is None else sound
    return ffmpeg(*picture(seconds), *tone(lasts), *X264, "-c:a", "aac", path)


def shots(path: Path, lengths: Sequence[float], *, sound: bool = True) -> Path:
    """A clip of shots of `lengths` seconds that look nothing like each other."""
    kinds = ["testsrc2", "mandelbrot", "smptebars", "rgbtestsrc", "testsrc", "yuvtestsrc"]
    inputs: list[str] = []
    for place, length in enumerate(lengths):
        kind = kinds[place % len(kinds)]
        inputs += ["-t", f"{length}", "-f", "lavfi", "-i", f"{kind}=s={WIDE}x{HIGH}:r=25"]
    count = len(lengths)
    joined = "".join(f"[{place}:v]format=yuv420p,setsar=1[v{place}];" for place in range(count))
    joined += "".join(f"[v{place}]" for place in range(count)) + f"concat=n={count}[v]"
    audio = tone(sum(lengths)) if sound else []
    mapped = ["-map", "[v]", *(["-map", f"{count}:a", "-c:a", "aac"] if sound else [])]
    return ffmpeg(*inputs, *audio, "-filter_complex", joined, *mapped, *X264, path)


def varying(path: Path, times: Sequence[Fraction], *, size: tuple[int, int] = (160, 96)) -> Path:
    """A clip whose frames are shown at `times` in seconds, in units of 1/90000."""
    wide, high = size
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "10", "bf": "0"})
        video.width, video.height, video.pix_fmt = wide, high, "yuv420p"
        video.codec_context.time_base = video.time_base = Fraction(1, 90000)
        for place, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered(place, size), "rgb24")
            frame.pts, frame.time_base = round(time * 90000), Fraction(1, 90000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def numbered(place: int, size: tuple[int, int]) -> Photo:
    """A smooth picture with a bar that tells its number."""
    wide, high = size
    down, across = np.mgrid[:high, :wide]
    pixels = np.stack([down + 40, across + 30, (down + across) // 2 + 20], axis=2)
    left = place * 8 % (wide - 16)
    pixels[high // 4 : high // 2, left : left + 16] = 235
    return pixels.clip(0, 255).astype(np.uint8)


def marked(path: Path, *filters: str, size: tuple[int, int] = (WIDE, HIGH)) -> Path:
    """A clip of ten frames in which every corner looks different."""
    shown = ",".join(["format=yuv420p", *filters])
    return ffmpeg(*picture(0.4, size=size), "-vf", shown, *X264, path)


def turned(source: Path, path: Path, *, degrees: int = 0, mirrored: bool = False) -> Path:
    """A copy of a clip that players turn counter-clockwise, or mirror from left to right."""
    mirror = ["-display_hflip"] if mirrored else []
    return ffmpeg("-display_rotation", str(degrees), *mirror, "-i", source, "-c", "copy", path)


def hdr(path: Path) -> Path:
    """A clip of ten frames in BT.2020 and PQ, with a mastering display and light."""
    g, b, r, white = ((DISPLAY[i], DISPLAY[i + 1]) for i in range(0, 8, 2))
    display = (
        f"G({g[0]},{g[1]})B({b[0]},{b[1]})R({r[0]},{r[1]})WP({white[0]},{white[1]})"
        f"L({DISPLAY[8]},{DISPLAY[9]})"
    )
    params = (
        f"log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1"
        f":master-display={display}:max-cll={LIGHT[0]},{LIGHT[1]}"
    )
    return ffmpeg(
        *picture(0.4), "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le",
        "-x265-params", params, "-colorspace", "bt2020nc", "-color_primaries", "bt2020",
        "-color_trc", "smpte2084", "-tag:v", "hvc1", path,
    )  # fmt: skip


def flashing(path: Path, *, sound_late: float = 0, video_late: float = 0) -> Path:
    """A clip of four seconds, black but for white from 1 s to 1.2 s and from 3 s to 3.2 s of its
    video, and with a beep at the same times of its sound; each track can begin later, in seconds
    of the clip's clock."""
    lit = "between(t,1,1.199)+between(t,3,3.199)"
    video = f"color=black:s={WIDE}x{HIGH}:r=25:d=4,drawbox=c=white:t=fill:enable='{lit}'"
    beep = "gte(mod(t,2),1)*lt(mod(t,2),1.2)*0.5*sin(2*PI*1000*t)"
    made = path.with_suffix(".parts.mkv")
    parts = ["-f", "lavfi", "-i", video, "-f", "lavfi", "-i", f"aevalsrc='{beep}':s=48000:d=4"]
    ffmpeg(*parts, *X264, "-c:a", "pcm_s16le", made)
    shifted = ["-itsoffset", f"{video_late}", "-i", made, "-itsoffset", f"{sound_late}", "-i", made]
    maps = ["-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", "128k"]
    ffmpeg(*shifted, *maps, path)
    made.unlink()
    return path


def with_tracks(path: Path) -> Path:
    """A Matroska clip of six seconds with two tracks of sound and two of subtitles."""
    text = "\n".join(
        f"{number}\n{_clock(start)} --> {_clock(end)}\n{line}\n"
        for number, (start, end, line) in enumerate(LINES, 1)
    )
    lines = path.with_suffix(".srt")
    lines.write_text(text, "utf-8")
    ffmpeg(
        *picture(6), *tone(6), *tone(6, hertz=880), "-i", lines, "-i", lines,
        "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3", "-map", "4", *X264,
        "-c:a", "aac", "-c:s", "srt",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:0", "title=Main",
        "-metadata:s:a:1", "language=deu", "-metadata:s:a:1", "title=Deutsch",
        "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fra",
        "-metadata:s:s:1", "title=Le texte", path,
    )  # fmt: skip
    return path


def _clock(seconds: float) -> str:
    return f"00:00:{int(seconds):02d},{round(seconds * 1000) % 1000:03d}"
