"""HLS playlists (RFC 8216bis): multivariant, media, I-frames, subtitles."""

from collections.abc import Iterator, Sequence
from math import ceil

from ncodec.media.languages import UNKNOWN_LANGUAGE
from ncodec.streaming.audio import SoundTrack
from ncodec.streaming.contents import Contents, SoundEntry, VideoEntry
from ncodec.streaming.layout import KEY_FRAMES, MEDIA, START, segment_name
from ncodec.streaming.text import TextTrack
from ncodec.streaming.written import WrittenTrack

_VERSION = "#EXT-X-VERSION:7"
_SOUND_CODEC = "aac"
"""codec of sound of all variants where there is one: some players of HLS have no Opus"""


def master_playlist(contents: Contents, codecs: Sequence[str]) -> str:
    """Multivariant playlist of the renditions in some codecs.

    BANDWIDTH is the largest of any segment with its sound, AVERAGE-BANDWIDTH that of the whole.
    """
    sounds = _sounds(contents)
    lines = ["#EXTM3U", _VERSION, "#EXT-X-INDEPENDENT-SEGMENTS", ""]
    names = _distinct([_name(entry.sound, "Sound") for entry in sounds])
    lines += [_sound_line(sound, name) for sound, name in zip(sounds, names, strict=True)]
    texts = contents.texts
    names = _distinct([_name(text, "Subtitles") for text in texts])
    default = next((text for text in texts if text.is_default), None)
    lines += [
        _text_line(text, name, is_default=text is default)
        for text, name in zip(texts, names, strict=True)
    ]
    lines += ["" for _ in range(bool(sounds or contents.texts))]
    for entry in contents.of_codecs(codecs):
        lines += [
            f"#EXT-X-STREAM-INF:{_attributes(entry, sounds, contents)}",
            f"{entry.track.place}/{MEDIA}",
        ]
    lines.append("")
    for entry in contents.of_codecs(codecs):
        lines.append(
            f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={entry.track.key_bandwidth},"
            f'CODECS="{entry.track.codec}",{_size(entry)},'
            f'URI="{entry.track.place}/{KEY_FRAMES}"'
        )
    return "\n".join(lines) + "\n"


def media_playlist(track: WrittenTrack, contents: Contents) -> str:
    """Media playlist of a track of video or sound."""
    longest = max(segment.duration for segment in track.segments) / track.timescale
    lines = [
        *_head(_target(longest, contents), first=track.first, contents=contents),
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{START}"',
    ]
    for number, segment in enumerate(track.segments, track.first):
        lines += [f"#EXTINF:{segment.duration / track.timescale:.6f},", segment_name(number)]
    return "\n".join([*lines, *_tail(contents)])


def key_playlist(track: WrittenTrack, contents: Contents) -> str:
    """Playlist of the key frames of a track of video, as ranges of its segments."""
    keys = [
        (number, key)
        for number, segment in enumerate(track.segments, track.first)
        for key in segment.keys
    ]
    longest = max(key.duration for _, key in keys) / track.timescale
    lines = [
        *_head(_target(longest, contents), first=track.first, contents=contents),
        "#EXT-X-I-FRAMES-ONLY",
        f'#EXT-X-MAP:URI="{START}"',
    ]
    for number, key in keys:
        lines += [
            f"#EXTINF:{key.duration / track.timescale:.6f},",
            f"#EXT-X-BYTERANGE:{key.length}@{key.offset}",
            segment_name(number),
        ]
    return "\n".join([*lines, *_tail(contents)])


def text_playlist(track: TextTrack, contents: Contents) -> str:
    """Media playlist of subtitles, in one segment."""
    seconds = contents.seconds
    lines = [*_head(ceil(seconds), first=1, contents=contents), f"#EXTINF:{seconds:.6f},"]
    return "\n".join([*lines, track.name, *_tail(contents)])


def _target(longest: float, contents: Contents) -> int:
    """Target duration, which a live playlist may not change."""
    return ceil(max(longest, float(contents.longest or 0)))


def _head(target: int, *, first: int, contents: Contents) -> Iterator[str]:
    yield from ("#EXTM3U", _VERSION, f"#EXT-X-TARGETDURATION:{target}")
    yield f"#EXT-X-MEDIA-SEQUENCE:{first}"
    if contents.longest is None:
        yield "#EXT-X-PLAYLIST-TYPE:VOD"


def _tail(contents: Contents) -> list[str]:
    return [""] if contents.is_live else ["#EXT-X-ENDLIST", ""]


def _sounds(contents: Contents) -> list[SoundEntry]:
    """Tracks of sound of HLS: those in AAC, or all where there is none."""
    own = [entry for entry in contents.sounds if entry.sound.codec == _SOUND_CODEC]
    return own or list(contents.sounds)


def _attributes(entry: VideoEntry, sounds: Sequence[SoundEntry], contents: Contents) -> str:
    beside = max((sound.track.bandwidth for sound in sounds), default=0)
    average = max((sound.track.average_bandwidth for sound in sounds), default=0)
    codecs = ",".join(dict.fromkeys([entry.track.codec, *(sound.track.codec for sound in sounds)]))
    parts = [
        f"BANDWIDTH={entry.track.bandwidth + beside}",
        f"AVERAGE-BANDWIDTH={entry.track.average_bandwidth + average}",
        f'CODECS="{codecs}"',
        _size(entry),
        f"FRAME-RATE={float(contents.rate):.3f}",
    ]
    if sounds:
        parts.append('AUDIO="sound"')
    if contents.texts:
        parts.append('SUBTITLES="text"')
    return ",".join([*parts, "CLOSED-CAPTIONS=NONE"])


def _size(entry: VideoEntry) -> str:
    size = entry.rendition.size
    return f"RESOLUTION={size.width}x{size.height},VIDEO-RANGE={entry.video_range}"


def _sound_line(entry: SoundEntry, name: str) -> str:
    sound = entry.sound
    return (
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="{name}",LANGUAGE="{sound.language}",'
        f"DEFAULT={_yes(sound.is_default)},AUTOSELECT=YES,"
        f'CHANNELS="{sound.channels}",URI="{entry.track.place}/{MEDIA}"'
    )


def _text_line(track: TextTrack, name: str, *, is_default: bool) -> str:
    return (
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="{name}",LANGUAGE="{track.language}",'
        f"DEFAULT={_yes(is_default)},AUTOSELECT=YES,FORCED={_yes(track.is_forced)},"
        f'URI="text/{track.number}.m3u8"'
    )


def _name(track: SoundTrack | TextTrack, kind: str) -> str:
    """Name of a track in menus of players: its title, its language, or its kind and number."""
    known = track.language if track.language != UNKNOWN_LANGUAGE else ""
    return track.title or known or f"{kind} {track.number}"


def _distinct(names: Sequence[str]) -> list[str]:
    """Names for quoted attributes, numbered where they would be equal within a group."""
    found: list[str] = []
    for name in map(_quoted, names):
        numbered, number = name, 2
        while numbered in found:
            numbered, number = f"{name} ({number})", number + 1
        found.append(numbered)
    return found


def _yes(value: bool) -> str:
    return "YES" if value else "NO"


def _quoted(text: str) -> str:
    """A text for a quoted attribute, which holds neither quotes nor ends of lines."""
    return " ".join(text.replace('"', "'").split())
