"""Tags, times, display and colours of clips: the rows of their tables."""

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from kept_clips import Clip, ClipCase, add_video, clip, shades

MILLISECONDS = {"time_base": Fraction(1, 1000)}
TAGS = {"title": "Ein Film", "artist": "Ada", "date": "2020", "comment": "ß"}


@clip("Tags: title, artist, date, comment")
def _() -> ClipCase:
    def holds(back: Any) -> bool:
        found = {name.lower(): value for name, value in back.metadata.items()}
        return TAGS.items() <= found.items()

    return Clip(change=lambda container, _: container.metadata.update(TAGS)).case(
        ".mp4", holds=holds
    )


def with_chapter(**tags: str) -> ClipCase:
    part = {"id": 0, "start": 0, "end": 300, "time_base": Fraction(1, 1000), "metadata": tags}

    def holds(back: Any) -> bool:
        return [chapter["metadata"].get("title") for chapter in back.chapters()] == ["One"]

    return Clip(change=lambda c, _: c.set_chapters([part])).case(".mkv", holds=holds)


@clip("Tags: chapters")
def _() -> ClipCase:
    return with_chapter(title="One")


@clip("Tags: other tags of chapters")
def _() -> ClipCase:
    return with_chapter(title="One", artist="Ada")


for _target in (".mkv", ".mp4"):

    @clip("Tags: language and title of the frames")
    def _(target: str = _target) -> ClipCase:
        def holds(back: Any) -> bool:
            found = back.streams.video[0].metadata
            return found.get("language") == "deu" and "Main" in found.values()

        own = {"title": "Main", "language": "deu"}
        return Clip(change=lambda _, video: video.metadata.update(own)).case(
            ".mkv", target=target, holds=holds
        )


@clip("Tags: other tags of the frames")
def _() -> ClipCase:
    return Clip(change=lambda _, video: video.metadata.update({"comment": "x"})).case(".mkv")


@clip("Tags: time code of QuickTime")
def _() -> ClipCase:
    code = {"timecode": "01:00:00:00"}
    return Clip(rate=25, change=lambda _, video: video.metadata.update(code)).case(".mov")


@clip("Tags: time code of MPEG")
def _() -> ClipCase:
    made = Clip("mpeg2video", rate=25, video={"options": {"gop_timecode": "01:00:00:00"}})
    return made.case(".mkv")


@clip("Times: variable rate")
def _() -> ClipCase:
    return Clip(times=[0, 0.4, 0.45], video=MILLISECONDS).case(".mkv")


@clip("Times: variable rate to y4m")
def _() -> ClipCase:
    return Clip(times=[0, 0.4, 0.45], video=MILLISECONDS).case(".mkv", target=".y4m")


@clip("Times: frames out of order (B)")
def _() -> ClipCase:
    made = Clip(frames=lambda: shades(8), video={"options": {"bf": "3", "preset": "veryfast"}})
    return made.case(".mp4", target=".mp4")


@clip("Times: hidden frames of VP9")
def _() -> ClipCase:
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "b": "0", "crf": "20"}
    made = Clip("libvpx-vp9", frames=lambda: shades(20), video={"options": options})
    return made.case(".webm")


def changed(
    made: Clip, change: Callable[[bytearray], object], *, shown: Callable[[], Sequence[Any]]
) -> ClipCase:
    """A clip in MP4 of which some bytes are changed."""

    def write(path: str) -> None:
        made.write(path)
        data = bytearray(Path(path).read_bytes())
        change(data)
        Path(path).write_bytes(data)

    return ClipCase(".mp4", write, shown=shown)


@clip("Times: edit list that cuts the start")
def _() -> ClipCase:
    def cut(data: bytearray) -> None:
        place = data.index(b"elst") + 12
        length, start = struct.unpack_from(">Ii", data, place)
        struct.pack_into(">Ii", data, place, length * 3 // 6, start + round(0.3 * 10240))

    made = Clip(frames=lambda: shades(6), video={"options": {"bf": "0", "g": "1"}})
    return changed(made, cut, shown=lambda: shades(6)[3:])


@clip("Display: odd sides")
def _() -> ClipCase:
    return Clip("ffv1", "yuv444p", frames=lambda: shades(wide=63, high=65)).case(".mkv")


@clip("Display: full range")
def _() -> ClipCase:
    return Clip(video={"color_range": 2, "colorspace": 5}).case(".mkv")


def of_aspect(target: str) -> ClipCase:
    aspect = Fraction(16, 11)

    def holds(back: Any) -> bool:
        return target == ".y4m" or back.streams.video[0].sample_aspect_ratio == aspect

    made = Clip(change=lambda _, video: setattr(video, "sample_aspect_ratio", aspect))
    return made.case(".mkv", target=target, holds=holds)


@clip("Display: aspect of pixels")
def _() -> ClipCase:
    return of_aspect(".mkv")


@clip("Display: aspect of pixels to y4m")
def _() -> ClipCase:
    return of_aspect(".y4m")


@clip("Display: rotation")
def _() -> ClipCase:
    def turn(data: bytearray) -> None:
        start = data.index(b"tkhd") + 44
        data[start : start + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 2**30)

    return changed(Clip(), turn, shown=lambda: [np.rot90(frame, 3) for frame in shades()])


@clip("Display: interlaced")
def _() -> ClipCase:
    return Clip(video={"options": {"x264-params": "tff=1"}}).case(".mkv")


@clip("Display: stereoscopic")
def _() -> ClipCase:
    return Clip(video={"options": {"x264-params": "frame-packing=3"}}).case(".mkv")


def of_points(primaries: int, transfer: int, target: str, **options: Any) -> ClipCase:
    def holds(back: Any) -> bool:
        context = back.streams.video[0].codec_context
        found = context.color_primaries, context.color_trc
        return target == ".y4m" or found == (primaries, transfer)

    points = {"color_primaries": primaries, "color_trc": transfer, "colorspace": 5}
    return Clip(video=points).case(".mkv", target=target, holds=holds, options=options)


for _target, _lossless in ((".mkv", False), (".mp4", False), (".mkv", True), (".mp4", True)):

    @clip("Colours: code points of BT.2020 and PQ")
    def _(target: str = _target, lossless: bool = _lossless) -> ClipCase:
        return of_points(9, 16, target, lossless=lossless)


@clip("Colours: code points of BT.2020 and PQ to y4m")
def _() -> ClipCase:
    return of_points(9, 16, ".y4m")


@clip("Colours: matrix of YCgCo, ICtCp")
def _() -> ClipCase:
    return Clip(layout="yuv444p", video={"colorspace": 8}).case(".mkv", shown=list)


DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


@clip("Colours: HDR10 in 8 bits")
def _() -> ClipCase:
    parameters = f"mastering-display={DISPLAY}:cll=1000,400"
    return Clip(video={"options": {"x264-params": parameters}}).case(".mkv")


CAPTIONS = bytes.fromhex("b500314741393403 41fffc8080ff".replace(" ", ""))


def with_captions(place: int, seconds: float) -> ClipCase:
    """H.264 with a message of closed captions before a frame, and seconds from frame to frame."""

    def write(path: str) -> None:
        options = {"bf": "0", "g": "1", "tune": "zerolatency"}
        with av.open("raw.h264", "w", format="h264") as container:
            video = add_video(container, "libx264", "yuv420p", options=options)
            frames = [av.VideoFrame.from_ndarray(pixels, "rgb24") for pixels in shades()]
            raw = [
                b"".join(map(bytes, video.encode(frame.reformat(format="yuv420p"))))
                for frame in frames
            ]
        raw[place] = b"\0\0\0\1\x06\4" + bytes([len(CAPTIONS)]) + CAPTIONS + b"\x80" + raw[place]
        Path("raw.h264").write_bytes(b"".join(raw))
        with av.open("raw.h264", format="h264") as source, av.open(path, "w") as out:
            stream = out.add_stream_from_template(source.streams.video[0])
            for i, packet in enumerate(p for p in source.demux(video=0) if p.size):
                packet.pts = packet.dts = round(1000 * seconds * i)
                packet.time_base, packet.stream = Fraction(1, 1000), stream
                out.mux(packet)

    return ClipCase(".mkv", write, times=[seconds * i for i in range(3)])


for _place, _seconds in ((0, 0.1), (2, 0.6)):

    @clip("Display: closed captions in frames")
    def _(place: int = _place, seconds: float = _seconds) -> ClipCase:
        return with_captions(place, seconds)
