"""Clips for `import ncodec`: encode_video, decode_video, open_video, video_info."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from math import floor, inf
from pathlib import Path
from typing import TypedDict, Unpack

from ncodec.api.codecs import codecs_of_stream, open_frame_codecs
from ncodec.api.transcode import (
    FRAME_OVERHEAD,
    Tally,
    VideoFacts,
    VideoOptions,
    Watch,
    decode_clip,
    decode_each,
    encode_clip,
)
from ncodec.container.ncv import StreamReader
from ncodec.errors import InputError, OutputError
from ncodec.media.demux import ClipReader, measure_clip
from ncodec.media.mux import check_clip_suffix
from ncodec.media.numbered import is_numbered, numbered_name, numbers_of
from ncodec.media.pictures import check_pixels, check_suffix, write_picture
from ncodec.media.streams import STDIO, open_input, open_output, write_bytes
from ncodec.picture import Picture, TimedFrame
from ncodec.video.sequence import VideoDecoder

Name = str | os.PathLike[str]
"""a path, or "-" for standard input or output"""

SIZE_MARGIN = 0.98
"""share of a size that is aimed at: the control of the rate misses by a percent or two"""
SIZE_ATTEMPTS = 3
LEAST_RATED_S, LARGEST_MISS = 2.0, 0.1
"""seconds of a clip whose bit rate is looked at, and the share by which it may be missed without a word"""
FIXED_OVERHEAD = 100
"""bytes of a stream beside its records, but for the index"""
MEDIA_OVERHEAD = 16
"""bytes of a packet's record beside the packet"""


class OpenOptions(TypedDict, total=False):
    """How a stream is opened."""

    conceal: bool
    """skip what is damaged, up to the next intra frame"""
    allow_large: bool
    """take frames beyond Pillow's limit against decompression bombs"""
    backend: str
    threads: int | None


def encode_video(
    source: Name,
    path: Name,
    *,
    quality: float | None = None,
    bitrate: float | None = None,
    size: int | None = None,
    gop: int | None = None,
    intra_only: bool = False,
    rate: float | None = None,
    measure: bool = False,
    overwrite: bool = False,
    allow_large: bool = False,
    backend: str = "onnx",
    threads: int | None = None,
    watch: Watch | None = None,
) -> VideoFacts:
    """Code a file of video, with its sound and subtitles, into a .ncv file.

    At most one of: `quality` 0…100 (default 50); `bitrate`, bits a second of the frames on average; `size`, the largest
    file in bytes. `gop` is the largest number of frames from one intra frame to the next (default: two seconds of
    them). `rate` is of numbered pictures ("frame-%04d.png"). `measure` adds the PSNR. `watch` is told how it goes.
    `allow_large` takes frames beyond Pillow's limit. Raises InputError, ModelError, BackendError or OutputError.
    """
    if size is not None and (quality is not None or bitrate is not None):
        msg = "expected one of quality, bitrate and size, got several"
        raise InputError(msg)
    if rate is not None and not 0 < rate < inf:
        msg = f"expected a positive number of frames a second, got {rate}"
        raise InputError(msg)
    _check_row(source, path)
    codecs = open_frame_codecs(backend=backend, threads=threads)

    def attempt(bitrate: float | None) -> VideoFacts:
        options = VideoOptions(quality, bitrate, gop, intra_only)
        with ExitStack() as stack:
            clip = stack.enter_context(open_input(STDIO)) if source == STDIO else source
            reader = stack.enter_context(ClipReader(clip, rate=rate))
            check_pixels(reader.width, reader.height, allow_large=allow_large)
            sink = stack.enter_context(open_output(path, overwrite=overwrite, source=source))
            facts = encode_clip(reader, sink, codecs, options=options, measure=measure, watch=watch)
            if size is not None and (facts.size or 0) > size:
                raise _TooLargeError(facts)
        return facts if size is not None or bitrate is None else _with_missed_rate(facts, bitrate)

    return attempt(bitrate) if size is None else _fit(source, path, size, rate, attempt)


def _check_row(source: Name, path: Name) -> None:
    """Raise OutputError where the output is one of the numbered pictures that are to be read."""
    pattern = str(source)
    if not is_numbered(pattern) or not Path(path).is_file() or not Path(pattern).parent.is_dir():
        return
    if any(Path(path).samefile(numbered_name(pattern, number)) for number in numbers_of(pattern)):
        msg = f"{path}: is one of the inputs"
        raise OutputError(msg)


def _with_missed_rate(facts: VideoFacts, wanted: float) -> VideoFacts:
    """The same, and a notice where the frames took a bit rate that is far from what was asked for."""
    got = facts.bitrate or 0.0
    if facts.duration < LEAST_RATED_S or abs(got - wanted) <= LARGEST_MISS * wanted:
        return facts
    missed = f"the frames took {got / 1e3:.1f} kbit/s instead of {wanted / 1e3:.1f}: no quality suits that rate"
    return replace(facts, notices=(*facts.notices, missed))


class _TooLargeError(Exception):
    """An attempt at a size was too large."""

    def __init__(self, facts: VideoFacts) -> None:
        super().__init__()
        self.facts = facts


def _fit(source: Name, path: Name, size: int, rate: float | None, attempt: Callable[[float], VideoFacts]) -> VideoFacts:
    """Code at the bit rate that leaves a size, and at a lower one where the result was too large."""
    if source == STDIO or path == STDIO or (Path(path).exists() and not Path(path).is_file()):
        msg = "a size needs an input and an output that are files: it may take several attempts"
        raise InputError(msg)
    clip = measure_clip(source, rate=rate)
    if not clip.frames:
        msg = f"{source}: expected frames, got none"
        raise InputError(msg)
    beside = FIXED_OVERHEAD + clip.media_size + MEDIA_OVERHEAD * clip.media_packets
    wanted = SIZE_MARGIN * (size - beside)
    for _ in range(SIZE_ATTEMPTS):
        if wanted <= 2 * FRAME_OVERHEAD * clip.frames:
            break
        try:
            return attempt(8 * wanted / clip.seconds)
        except _TooLargeError as error:
            facts = error.facts
            if facts.size is None or not facts.video_size:
                break
            wanted *= SIZE_MARGIN * (size - (facts.size - facts.video_size)) / facts.video_size
    msg = f"{source}: expected a size that {clip.frames} frames and their sound fit into, got {size} bytes"
    raise InputError(msg)


def decode_video(
    source: Name,
    path: Name,
    *,
    suffix: str | None = None,
    lossless: bool = False,
    overwrite: bool = False,
    watch: Watch | None = None,
    **options: Unpack[OpenOptions],
) -> VideoFacts:
    """Decode a .ncv file into a file of video: .mp4, .mov, .mkv or .y4m, as `suffix` says or the path's own.

    Frames are coded by x264 at a high quality, or as they are where `lossless` asks for it (FFV1 in .mkv). `conceal`
    skips what is damaged, up to the next intra frame. A file that is cut gives what it holds, and `cut` of the facts
    says so. Raises InputError, FormatError, ModelError, BackendError or OutputError.
    """
    wanted = suffix or (".y4m" if path == STDIO else Path(path).suffix)
    check_clip_suffix(wanted, lossless=lossless)
    with (
        open_video(source, **options) as decoder,
        open_output(path, overwrite=overwrite, source=source) as sink,
    ):
        return decode_clip(decoder, sink, suffix=wanted, lossless=lossless, watch=watch)


def decode_frame(
    source: Name,
    path: Name,
    *,
    at: float,
    suffix: str | None = None,
    overwrite: bool = False,
    **options: Unpack[OpenOptions],
) -> VideoFacts:
    """Decode the frame that is shown at a time, in seconds, into a picture file; the rest as of `decode_video`."""
    wanted = suffix or (".png" if path == STDIO else Path(path).suffix)
    check_suffix(wanted)
    with open_video(source, **options) as decoder:
        header = decoder.reader.header
        # A time such as 0.29 is meant as written, not as the nearest binary fraction below it.
        frame = decoder.frame_at(floor(Fraction(at).limit_denominator(10**6) / header.time_base))
        write_bytes(write_picture(Picture(frame.pixels), wanted), path, overwrite=overwrite)
        tally = Tally(header)
        tally.add(frame, position=decoder.reader.position)
        return replace(tally.facts(), notices=tuple(decoder.notices))


def decode_frames(
    source: Name,
    pattern: Name,
    *,
    overwrite: bool = False,
    watch: Watch | None = None,
    **options: Unpack[OpenOptions],
) -> VideoFacts:
    """Decode every frame into a picture file of its own, numbered from 1 by a pattern such as "frame-%04d.png".

    The rest is as of `decode_video`.
    """
    pattern = str(pattern)
    if not is_numbered(pattern):
        msg = f"expected a pattern such as frame-%04d.png, got {pattern}"
        raise InputError(msg)
    suffix = Path(pattern).suffix
    check_suffix(suffix)
    with open_video(source, **options) as decoder:

        def write(frame: TimedFrame, number: int) -> None:
            picture = write_picture(Picture(frame.pixels), suffix)
            write_bytes(picture, numbered_name(pattern, number), overwrite=overwrite)

        return decode_each(decoder, write, watch=watch)


@contextmanager
def open_video(source: Name, **options: Unpack[OpenOptions]) -> Iterator[VideoDecoder]:
    """A .ncv file to decode frame by frame: `records()` gives frames and packets, `frame_at(pts)` one frame.

    Raises InputError, FormatError, ModelError or BackendError, and TypeError for options that are none.
    """
    if unknown := options.keys() - OpenOptions.__annotations__.keys():
        msg = f"unexpected option {min(unknown)}"
        raise TypeError(msg)
    with open_input(source) as stream:
        reader = StreamReader(stream)
        header = reader.header
        check_pixels(header.width, header.height, allow_large=options.get("allow_large", False))
        codecs = codecs_of_stream(header, backend=options.get("backend", "onnx"), threads=options.get("threads"))
        with closing(VideoDecoder(reader, codecs, conceal=options.get("conceal", False))) as decoder:
            yield decoder
