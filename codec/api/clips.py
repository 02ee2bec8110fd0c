"""Clips for `import ncodec`: encode_video, decode_video, open_video."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Unpack, cast

from ncodec.api.codecs import codecs_of_stream, open_frame_codecs
from ncodec.api.settings import (
    DECODE_VIDEO,
    ENCODE_VIDEO,
    DecodeVideoOptions,
    DecodeVideoSettings,
    EncodeVideoOptions,
    EncodeVideoSettings,
)
from ncodec.api.transcode import (
    FRAME_OVERHEAD,
    ClipStats,
    FrameCounter,
    Progress,
    decode_clip,
    decode_each,
    encode_clip,
)
from ncodec.container.ncv import StreamReader
from ncodec.errors import InputError, OutputError
from ncodec.media.animation import AnimationReader, open_animation
from ncodec.media.arrays import ArrayReader, Item
from ncodec.media.demux import ClipReader
from ncodec.media.mux import check_clip_suffix
from ncodec.media.numbered import is_numbered, numbered_name, numbers_of
from ncodec.media.picture_files import check_suffix, write_picture
from ncodec.media.pictures import check_pixels
from ncodec.media.streams import (
    STDIO,
    Bytes,
    Source,
    name_of,
    open_output,
    open_source,
    path_of,
    write_bytes,
)
from ncodec.notices import report_notices
from ncodec.picture import Picture, TimedFrame
from ncodec.video.sequence import VideoDecoder

Name = str | os.PathLike[str]
"""a path, or "-" for standard input or output"""
ClipSource = Source | Iterable[Item]
"""a file of video, or frames"""

SIZE_MARGIN = 0.98
"""share of a size that is aimed at: the control of the rate misses by a percent or two"""
SIZE_ATTEMPTS = 3
LEAST_RATED_S, LARGEST_MISS, LARGEST_MISS_OF_SHORT = 2.0, 0.1, 0.5
"""seconds of a clip from which its bit rate can be met, and the shares by which longer and shorter
ones may miss it without a word"""
FIXED_OVERHEAD = 100
"""bytes of a stream beside its records, but for the index"""
MEDIA_OVERHEAD = 16
"""bytes of a packet's record beside the packet"""


def encode_video(
    source: ClipSource,
    path: Name,
    *,
    settings: EncodeVideoSettings = ENCODE_VIDEO,
    measure: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Unpack[EncodeVideoOptions],
) -> ClipStats:
    """Code a clip, with its sound and subtitles, into the .ncv file `path` ("-" is standard
    output), and return its size, length and notices.

    `source` is a file of video: a path, "-", bytes or an open file; an image sequence
    ("frame-%04d.png"); or frames: an iterable of (H, W, 3) uint8 arrays, or of pairs of seconds and
    an array. Options are fields of `EncodeVideoSettings`, and overrule `settings`; `size` needs
    files, and may code up to 3 times. `measure` adds the mean PSNR over RGB, in dB. `progress` is
    called after every frame with frames done, bytes so far, and their expected number or None.
    Raises InputError, ModelError, BackendError, FormatError for a frame rate, time base or pixel
    aspect beyond 31-bit terms, or OutputError, also for an existing file without `overwrite`.
    """
    settings = replace(settings, **options)
    _check_sequence(source, path)
    codecs = open_frame_codecs(backend=settings.backend, threads=settings.threads)

    def attempt(settings: EncodeVideoSettings, size: int | None) -> ClipStats:
        with ExitStack() as stack:
            reader = _open_clip(source, rate=settings.rate, stack=stack)
            check_pixels(reader.width, reader.height, allow_large=settings.allow_large)
            sink = stack.enter_context(
                open_output(path, overwrite=overwrite, source=path_of(source))
            )
            stats = encode_clip(
                reader, sink, codecs, settings=settings, measure=measure, progress=progress
            )
            if size is not None and (stats.size or 0) > size:
                raise _TooLargeError(stats)
            if size is None:
                stats = with_missed_rate(stats, settings.bitrate)
            if settings.strict:
                report_notices(stats.notices, strict=True)
        return stats

    if settings.size is None:
        stats = attempt(settings, None)
    else:
        stats = _fit(source, path, settings, attempt)
    report_notices(stats.notices, strict=False)
    return stats


def _open_clip(
    source: ClipSource, *, rate: float | Fraction | None, stack: ExitStack
) -> ClipReader | AnimationReader | ArrayReader:
    """A reader of a clip, which the stack closes."""
    if isinstance(source, str | os.PathLike | Bytes) or hasattr(source, "read"):
        return _open_clip_file(cast("Source", source), rate=rate, stack=stack)
    if not isinstance(source, Iterable):
        msg = f"expected a clip's path, bytes, open file or frames, got {type(source).__name__}"
        raise InputError(msg)
    return ArrayReader(source, rate=rate)


def _open_clip_file(
    source: Source, *, rate: float | Fraction | None, stack: ExitStack
) -> ClipReader | AnimationReader:
    is_path = isinstance(source, str | os.PathLike) and source != STDIO
    if is_path and is_numbered(str(source)):
        return stack.enter_context(ClipReader(str(source), rate=rate))
    stream = stack.enter_context(open_source(source))
    name = name_of(source, otherwise="clip")
    animation = open_animation(stream, name=name, rate=rate) if stream.seekable() else None
    if animation is not None:
        return stack.enter_context(animation)
    reader = ClipReader(cast("Name", source) if is_path else stream, rate=rate)
    return stack.enter_context(reader)


def _check_sequence(source: ClipSource, path: Name) -> None:
    """Raise OutputError where the output is a picture of the image sequence that is to be read."""
    pattern = name_of(source, otherwise="")
    if (
        not pattern
        or not is_numbered(pattern)
        or not Path(path).is_file()
        or not Path(pattern).parent.is_dir()
    ):
        return
    if any(Path(path).samefile(numbered_name(pattern, number)) for number in numbers_of(pattern)):
        msg = f"{path}: is one of the inputs"
        raise OutputError(msg)


def with_missed_rate(stats: ClipStats, wanted: float | None) -> ClipStats:
    """The stats, with a notice where the frames took a bit rate far from the wanted one."""
    got = stats.bitrate or 0.0
    miss = LARGEST_MISS if stats.duration >= LEAST_RATED_S else LARGEST_MISS_OF_SHORT
    if wanted is None or abs(got - wanted) <= miss * wanted:
        return stats
    missed = (
        f"the frames took {got / 1e3:.1f} kbit/s instead of {wanted / 1e3:.1f}: no quality suits "
        f"that rate"
    )
    return replace(stats, notices=(*stats.notices, missed))


class _TooLargeError(Exception):
    """An attempt at a size was too large."""

    def __init__(self, stats: ClipStats) -> None:
        super().__init__()
        self.stats = stats


def _fit(
    source: ClipSource,
    path: Name,
    settings: EncodeVideoSettings,
    attempt: Callable[[EncodeVideoSettings, int | None], ClipStats],
) -> ClipStats:
    """Code at the bit rate that leaves the size, and at a lower one if the result was too large."""
    name, size = path_of(source), settings.size or 0
    if name is None or STDIO in (name, path) or (Path(path).exists() and not Path(path).is_file()):
        msg = "a size needs an input and an output that are files: it may take several attempts"
        raise InputError(msg)
    with ExitStack() as stack:
        clip = _open_clip_file(name, rate=settings.rate, stack=stack).measure()
    if not clip.frames:
        msg = f"{name}: expected frames, got none"
        raise InputError(msg)
    beside = FIXED_OVERHEAD + clip.media_size + MEDIA_OVERHEAD * clip.media_packets
    wanted = SIZE_MARGIN * (size - beside)
    for _ in range(SIZE_ATTEMPTS):
        if wanted <= 2 * FRAME_OVERHEAD * clip.frames:
            break
        try:
            return attempt(replace(settings, size=None, bitrate=8 * wanted / clip.seconds), size)
        except _TooLargeError as error:
            stats = error.stats
            if stats.size is None or not stats.video_size:
                break
            wanted *= SIZE_MARGIN * (size - (stats.size - stats.video_size)) / stats.video_size
    least = beside + 2 * FRAME_OVERHEAD * clip.frames
    msg = (
        f"{name}: expected a size that {clip.frames} frames and their sound fit into, at least "
        f"about {least} bytes, got {size} bytes"
    )
    raise InputError(msg)


def decode_video(
    source: Source,
    path: Name,
    *,
    suffix: str | None = None,
    lossless: bool = False,
    overwrite: bool = False,
    settings: DecodeVideoSettings = DECODE_VIDEO,
    progress: Progress | None = None,
    **options: Unpack[DecodeVideoOptions],
) -> ClipStats:
    """Decode a .ncv file into the file of video `path` ("-" is standard output), in the format of
    `suffix`, else of the path: .mp4, .m4v, .mov, .mkv or .y4m (the one of "-").

    Frames are coded by x264 with CRF 12, or as raw 4:2:0 in .y4m; `lossless` keeps every pixel
    (FFV1 in .mkv, x264 in .mp4, .m4v and .mov). Options are fields of `DecodeVideoSettings`, and
    overrule `settings`: `conceal` skips damage, up to the next intra frame. A file that is cut
    after its first frame gives what it holds, and `damage` of the stats says so. `progress` is
    called after every frame with frames done, bytes read, and their number or None. Raises
    InputError, FormatError, ModelError, BackendError, or OutputError, also for an existing file
    without `overwrite`.
    """
    settings = replace(settings, **options)
    wanted = suffix or (".y4m" if path == STDIO else Path(path).suffix)
    check_clip_suffix(wanted, lossless=lossless)
    with (
        open_video(source, settings=settings) as decoder,
        open_output(path, overwrite=overwrite, source=path_of(source)) as sink,
    ):
        stats = decode_clip(decoder, sink, suffix=wanted, lossless=lossless, progress=progress)
        report_notices(stats.notices, strict=settings.strict)
        return stats


def decode_frame(
    source: Source,
    path: Name,
    *,
    at: float,
    suffix: str | None = None,
    overwrite: bool = False,
    settings: DecodeVideoSettings = DECODE_VIDEO,
    **options: Unpack[DecodeVideoOptions],
) -> ClipStats:
    """Decode the frame that is shown `at` a time stamp, in seconds, into a picture file, in the
    format of `suffix`, else of the path (.png for "-"); the stats count this frame alone.

    Before the first frame the first one is taken. Options are fields of `DecodeVideoSettings`, and
    overrule `settings`. Raises InputError after the end of the clip, FormatError, ModelError,
    BackendError, or OutputError, also for a format that Pillow does not write and an existing file
    without `overwrite`.
    """
    settings = replace(settings, **options)
    wanted = suffix or (".png" if path == STDIO else Path(path).suffix)
    check_suffix(wanted)
    with open_video(source, settings=settings) as decoder:
        header = decoder.reader.header
        # A time such as 0.29 is meant as written, not as the nearest binary fraction below it.
        frame = decoder.frame_at(floor(Fraction(at).limit_denominator(10**6) / header.time_base))
        data, notices = write_picture(Picture(frame.pixels), wanted)
        report_notices((*decoder.notices, *notices), strict=settings.strict)
        write_bytes(data, path, overwrite=overwrite)
        counter = FrameCounter(header)
        counter.add(frame.pts, position=decoder.reader.position)
        return replace(counter.stats(), notices=(*decoder.notices, *notices))


def decode_frames(
    source: Source,
    pattern: Name,
    *,
    overwrite: bool = False,
    settings: DecodeVideoSettings = DECODE_VIDEO,
    progress: Progress | None = None,
    **options: Unpack[DecodeVideoOptions],
) -> ClipStats:
    """Decode every frame of a .ncv file into a picture file of its own, numbered from 1 by
    `pattern`, such as "frame-%04d.png", whose suffix names the format.

    Options are fields of `DecodeVideoSettings`, and overrule `settings`. A file that is cut after
    its first frame gives what it holds, and `damage` of the stats says so. Raises InputError for
    another pattern, FormatError, ModelError, BackendError, or OutputError, also for an existing
    file without `overwrite`.
    """
    pattern = str(pattern)
    if not is_numbered(pattern):
        msg = f"expected a pattern such as frame-%04d.png, got {pattern}"
        raise InputError(msg)
    settings = replace(settings, **options)
    suffix = Path(pattern).suffix
    check_suffix(suffix)
    with open_video(source, settings=settings) as decoder:
        losses: dict[str, None] = {}

        def write(frame: TimedFrame, number: int) -> None:
            data, notices = write_picture(Picture(frame.pixels), suffix)
            losses.update(dict.fromkeys(notices))
            if settings.strict:
                report_notices(losses, strict=True)
            write_bytes(data, numbered_name(pattern, number), overwrite=overwrite)

        stats = decode_each(decoder, write, progress=progress)
        stats = replace(stats, notices=(*stats.notices, *losses))
        report_notices(stats.notices, strict=settings.strict)
        return stats


@contextmanager
def open_video(
    source: Source,
    *,
    settings: DecodeVideoSettings = DECODE_VIDEO,
    **options: Unpack[DecodeVideoOptions],
) -> Iterator[VideoDecoder]:
    """Context manager of a decoder of a .ncv file: `records()` gives frames and packets,
    `frame_at(pts)` the frame shown at a time stamp in units of the header's time base.

    `source` is a path, "-", bytes or an open file. Options are fields of `DecodeVideoSettings`, and
    overrule `settings`. Raises InputError where the source cannot be opened or, without
    `allow_large`, its frames have more than twice Pillow's limit of pixels, and FormatError,
    ModelError or BackendError.
    """
    settings = replace(settings, **options)
    with open_source(source) as stream:
        reader = StreamReader(stream)
        header = reader.header
        check_pixels(header.width, header.height, allow_large=settings.allow_large)
        codecs = codecs_of_stream(header, backend=settings.backend, threads=settings.threads)
        with closing(VideoDecoder(reader, codecs, conceal=settings.conceal)) as decoder:
            yield decoder
