"""Sound, subtitles and further streams of clips: the rows of their tables."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from kept_clips import SIDE, Clip, ClipCase, add_video, clip, mux_frames, shades

MONO = {"nellymoser": 22050}
VIDEO = {".webm": "libvpx-vp9", ".mpg": "mpeg2video", ".flv": "flv", ".avi": "mpeg4"}
KINDS = {"fltp": np.float32, "flt": np.float32, "s16": np.int16, "s16p": np.int16, "s32": np.int32}
LOUD = {np.float32: 0.5, np.int16: 8000, np.int32: 2**28}


def add_sound(container: Any, codec: str, **tags: str) -> Any:
    layout = "mono" if codec in MONO else "stereo"
    track = container.add_stream(codec, rate=MONO.get(codec, 48000), layout=layout)
    track.codec_context.options = {"strict": "-2"} if codec == "vorbis" else {}
    track.metadata.update(tags)
    return track


def mux_sound(container: Any, track: Any, form: str) -> None:
    """A third of a second of a tone, in a sample format of FFmpeg."""
    context = track.codec_context
    rate, channels = context.sample_rate, context.layout.nb_channels
    size, kind = context.frame_size or 1024, KINDS[form]
    for k in range(max(2, round(0.3 * rate / size))):
        wave = np.sin(np.arange(size * k, size * (k + 1)) / 20) * LOUD[kind]
        samples = np.stack([wave] * channels).astype(kind)
        if not form.endswith("p"):
            samples = samples.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format=form, layout=context.layout.name
        )
        frame.sample_rate, frame.pts = rate, size * k
        container.mux(track.encode(frame))
    container.mux(track.encode(None))


def packets(path: str, kind: str) -> tuple[list[float], list[bytes]]:
    """Times, in seconds after the first frame, and contents of packets of a kind of track."""
    with av.open(path) as container:
        start = next(frame.time for frame in container.decode(video=0)) or 0
    with av.open(path) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        found = [packet for packet in container.demux(*streams) if packet.size]
        return [float(p.pts * p.time_base) - start for p in found], [bytes(p) for p in found]


def same_packets(source: str, kind: str) -> Callable[[Any], bool]:
    """Whether the decoded clip has the packets of a file, at their times."""

    def holds(back: Any) -> bool:
        (times, found), (stated, wanted) = packets(back.name, kind), packets(source, kind)
        return len(wanted) > 0 and found == wanted and np.allclose(times, stated, atol=0.002)

    return holds


def with_sound(codec: str, suffix: str, form: str, *, target: str = ".mkv") -> ClipCase:
    """A clip with a track of sound; its packets are compared where they are kept."""
    tracks: list[Any] = []
    made = Clip(
        VIDEO.get(suffix, "libx264"),
        rate=25 if suffix == ".mpg" else 10,
        change=lambda container, _: tracks.append(add_sound(container, codec)),
        behind=lambda container: mux_sound(container, tracks[0], form),
    )
    holds = same_packets(f"source{suffix}", "audio")
    if target == ".y4m" or codec in ("nellymoser", "adpcm_ms"):
        return made.case(suffix, target=target, holds=lambda back: not back.streams.audio)
    return made.case(suffix, target=target, holds=holds)


SOUNDS = [
    ("aac", ".mp4", "fltp"), ("libmp3lame", ".mkv", "fltp"), ("libopus", ".webm", "s16"),
    ("vorbis", ".mkv", "fltp"), ("flac", ".mkv", "s16"), ("pcm_s16le", ".mov", "s16"),
    ("pcm_s24le", ".mkv", "s32"), ("ac3", ".ts", "fltp"), ("mp2", ".mpg", "s16"),
    ("alac", ".mov", "s16p"), ("tta", ".mkv", "s16"), ("wavpack", ".mkv", "fltp"),
]  # fmt: skip
for _sound in SOUNDS:

    @clip("Sound: every codec that the written file holds")
    def _(sound: tuple[str, str, str] = _sound) -> ClipCase:
        return with_sound(*sound)


@clip("Sound: codecs that the written file does not hold")
def _() -> ClipCase:
    return with_sound("nellymoser", ".flv", "flt")


@clip("Sound: codecs that the written file does not hold")
def _() -> ClipCase:
    return with_sound("adpcm_ms", ".avi", "s16")


@clip("Sound: to y4m")
def _() -> ClipCase:
    return with_sound("flac", ".mkv", "s16", target=".y4m")


def with_tracks(*tags: dict[str, str], target: str, holds: Callable[[Any], bool]) -> ClipCase:
    tracks: list[Any] = []

    def change(container: Any, _: Any) -> None:
        tracks.extend(add_sound(container, "aac", **each) for each in tags)

    def behind(container: Any) -> None:
        for track in tracks:
            mux_sound(container, track, "fltp")

    return Clip(change=change, behind=behind).case(".mkv", target=target, holds=holds)


TITLES = [{"language": "deu", "title": "Film"}, {"language": "eng", "title": "Talk"}]
for _target in (".mkv", ".mp4"):

    @clip("Sound: several tracks, their languages and titles")
    def _(target: str = _target) -> ClipCase:
        def holds(back: Any) -> bool:
            found = [track.metadata for track in back.streams.audio]
            return all(
                known.get("language") == each["language"] and each["title"] in known.values()
                for known, each in zip(found, TITLES, strict=True)
            )

        return with_tracks(*TITLES, target=target, holds=holds)


@clip("Sound: other tags of a track")
def _() -> ClipCase:
    return with_tracks({"comment": "by Ada"}, target=".mkv", holds=lambda back: True)


@clip("Sound: start before that of the frames")
def _() -> ClipCase:
    tracks: list[Any] = []
    made = Clip(
        times=[0.5, 0.6, 0.7],
        change=lambda container, _: tracks.append(add_sound(container, "flac")),
        behind=lambda container: mux_sound(container, tracks[0], "s16"),
    )
    return made.case(".mkv", holds=same_packets("source.mkv", "audio"))


def with_subtitles(codec: str, suffix: str, data: bytes, target: str) -> ClipCase:
    """A clip with a packet of subtitles in English."""
    tracks: list[Any] = []

    def change(container: Any, _: Any) -> None:
        track = container.add_mux_stream(codec, time_base=Fraction(1, 1000))
        track.metadata["language"] = "eng"
        tracks.append(track)

    def behind(container: Any) -> None:
        packet = av.Packet(data)
        packet.pts = packet.dts = 100
        packet.duration, packet.time_base = 200, Fraction(1, 1000)
        packet.is_keyframe, packet.stream = True, tracks[0]
        container.mux(packet)

    def holds(back: Any) -> bool:
        if b"hello" not in data:
            kept = same_packets(f"source{suffix}", "subtitle")
            return kept(back) if target == ".mkv" else not back.streams.subtitles
        (track,) = back.streams.subtitles
        _, found = packets(back.name, "subtitle")
        return track.metadata.get("language") == "eng" and any(b"hello" in text for text in found)

    made = Clip(VIDEO.get(suffix, "libx264"), change=change, behind=behind)
    return made.case(suffix, target=target, holds=holds)


PGS = bytes.fromhex("16000b004000401000018000000080 0000".replace(" ", ""))
for _row, _codec, _suffix, _data, _target in (
    ("SubRip and WebVTT to mkv, mov_text to mp4", "subrip", ".mkv", b"hello", ".mkv"),
    ("SubRip and WebVTT to mkv, mov_text to mp4", "webvtt", ".webm", b"hello", ".mkv"),
    ("SubRip and WebVTT to mkv, mov_text to mp4", "mov_text", ".mp4", b"\0\5hello", ".mp4"),
    ("SubRip to mp4", "subrip", ".mkv", b"hello", ".mp4"),
    ("mov_text to mkv", "mov_text", ".mp4", b"\0\5hello", ".mkv"),
    ("pictures of DVD, Blu-ray and DVB to mkv", "dvd_subtitle", ".mkv", PGS, ".mkv"),
    ("pictures of DVD, Blu-ray and DVB to mkv", "hdmv_pgs_subtitle", ".mkv", PGS, ".mkv"),
    ("pictures of DVD, Blu-ray and DVB to mkv", "dvb_subtitle", ".mkv", PGS, ".mkv"),
    ("pictures of Blu-ray to mp4", "hdmv_pgs_subtitle", ".mkv", PGS, ".mp4"),
):

    @clip(f"Subtitles: {_row}")
    def _(
        codec: str = _codec, suffix: str = _suffix, data: bytes = _data, target: str = _target
    ) -> ClipCase:
        return with_subtitles(codec, suffix, data, target)


@clip("Further streams: cover")
def _() -> ClipCase:
    def change(container: Any, _: Any) -> None:
        cover = add_video(container, "mjpeg", "yuvj420p", rate=1)
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame(SIDE, SIDE, "yuvj420p")))
        container.mux(cover.encode(None))

    return Clip(change=change).case(".mp4")


@clip("Further streams: attachment")
def _() -> ClipCase:
    def change(container: Any, _: Any) -> None:
        container.add_attachment("font.ttf", "font/ttf", b"abcd")

    return Clip(change=change).case(".mkv")


@clip("Further streams: second video")
def _() -> ClipCase:
    videos: list[Any] = []
    return Clip(
        change=lambda c, _: videos.append(add_video(c, "mjpeg", "yuvj420p")),
        behind=lambda c: mux_frames(c, videos[0], shades(), [0, 0.1, 0.2]),
    ).case(".mkv")


@clip("Further streams: data")
def _() -> ClipCase:
    tracks: list[Any] = []

    def behind(container: Any) -> None:
        packet = av.Packet(b"klvdata")
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream = Fraction(1, 1000), tracks[0]
        container.mux(packet)

    made = Clip(change=lambda c, _: tracks.append(c.add_data_stream("klv")), behind=behind)
    return made.case(".ts")
