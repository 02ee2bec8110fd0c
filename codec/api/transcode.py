"""Whole clips ↔ whole streams, record by record, in bounded memory."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, count
from math import inf, isinf
from statistics import fmean
from typing import BinaryIO, Protocol

from ncodec.api.settings import EncodeVideoSettings
from ncodec.container.clip_metadata import NO_METADATA, ClipMetadata
from ncodec.container.ncv import StreamWriter
from ncodec.container.records import (
    NO_MODEL,
    Colour,
    Companion,
    LastDuration,
    StreamHeader,
    Tracks,
)
from ncodec.errors import InputError, TruncatedError
from ncodec.media.mux import ClipFormat, ClipWriter
from ncodec.picture import TimedFrame, psnr
from ncodec.prefetch import prefetch
from ncodec.quality import DEFAULT_QUALITY, quality_to_qp
from ncodec.video.frame_state import FrameCodecs
from ncodec.video.rate_control import AverageRate, ConstantQuality, RateControl
from ncodec.video.sequence import GopStructure, VideoDecoder, VideoEncoder

GOP_SECONDS = 2
"""from one intra frame to the next, unless something else is asked for"""
FRAME_OVERHEAD = 12
"""bytes of a frame's record beside its payload"""

Progress = Callable[[int, int, int | None], None]
"""called with the frames done, the bytes of the stream so far, and about how many frames there are,
if known"""


class FrameSource(Protocol):
    """A clip that is read from front to back: a file of video, or arrays."""

    name: str
    notices: list[str]
    """losses, in sentences, known once all is read"""

    @property
    def width(self) -> int:
        """Columns of frames, before they are turned upright."""

    @property
    def height(self) -> int:
        """Rows of frames, before they are turned upright."""

    @property
    def time_base(self) -> Fraction:
        """Seconds of one unit of a time stamp."""

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""

    @property
    def frames(self) -> int | None:
        """About how many frames there are, if known."""

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height, in upright frames once the first one is read."""

    @property
    def colour(self) -> Colour:
        """Matrix, primaries, transfer and range of the source."""

    @property
    def damage(self) -> str | None:
        """Sentence about damage or a cut of the source, known once all is read."""

    def records(self) -> Iterator[TimedFrame | Companion]:
        """Tracks and metadata, where there are any, then frames and packets as they come."""


@dataclass(frozen=True)
class ClipStats:
    """Size, length and quality of a clip that was coded or decoded."""

    width: int
    height: int
    frames: int
    duration: float
    """seconds from the first frame to the end of the last"""
    size: int | None = None
    """bytes of the whole stream, where it was written"""
    video_size: int | None = None
    """bytes of its frames"""
    psnr: float | None = None
    """mean over the frames of the PSNR over RGB, in dB, where it was measured and some pixel
    differs"""
    notices: tuple[str, ...] = ()
    """losses, in sentences"""
    damage: str | None = None
    """where and how the clip or stream that was read is damaged or ends too soon"""

    @property
    def bitrate(self) -> float | None:
        """Bits a second of the frames, None where their bytes are not known."""
        return 8 * self.video_size / self.duration if self.video_size is not None else None


class FrameCounter:
    """Counts frames and measures their duration."""

    def __init__(
        self, header: StreamHeader, *, total: int | None = None, progress: Progress | None = None
    ) -> None:
        self._header = header
        self._total = total
        self._progress = progress
        self._first: int | None = None
        self._last = 0
        self._last_duration = 1 / (header.rate * header.time_base)
        self.frames = 0

    def add(self, pts: int, *, position: int) -> None:
        """Count the frame of a time stamp, up to which the stream took `position` bytes."""
        self.frames += 1
        self._first = pts if self._first is None else self._first
        self._last = pts
        if self._progress is not None:
            self._progress(self.frames, position, self._total)

    def hold(self, last: LastDuration) -> None:
        """Take the duration of the last frame, in place of the average."""
        self._last_duration = Fraction(last.duration)

    def stats(self) -> ClipStats:
        """Size, frames and duration so far; raises InputError where there was no frame."""
        header = self._header
        if self._first is None:
            msg = "expected frames, got none"
            raise InputError(msg)
        units = self._last - self._first + self._last_duration
        duration = float(units * header.time_base)
        return ClipStats(header.width, header.height, self.frames, duration)


def models_in_use(settings: EncodeVideoSettings, codecs: FrameCodecs) -> FrameCodecs:
    """The models that settings need: the one of pictures alone where all frames are intra."""
    return (
        FrameCodecs(codecs.pictures, None) if settings.intra_only or settings.gop == 1 else codecs
    )


def gop_structure(
    settings: EncodeVideoSettings, *, rate: Fraction, frames: int | None, predicting: bool
) -> GopStructure:
    """Distance of intra frames: `settings.gop`, or two seconds of frames where it is None; 1, every
    frame intra, unless there is a model of predicted frames (`predicting`).

    `rate` is in frames a second; `frames` is the length of the clip, None where it is unknown.
    Raises InputError for a distance below 1.
    """
    gop = settings.gop if predicting else 1
    return GopStructure(max(1, round(GOP_SECONDS * rate)) if gop is None else gop, frames)


def rate_control(settings: EncodeVideoSettings, *, rate: Fraction, pixels: int) -> RateControl:
    """Rate control of a clip: the constant quality of `settings`, 50 where none is given, or its
    average bit rate.

    `rate` is in frames a second, `pixels` are those of a frame. Raises InputError for a bit rate
    that is not finite or not above 96 bits a frame, the overhead of records. The `size` of
    `settings` is ignored.
    """
    if settings.bitrate is None:
        return ConstantQuality(
            quality_to_qp(DEFAULT_QUALITY if settings.quality is None else settings.quality)
        )
    overhead = 8 * FRAME_OVERHEAD * float(rate)
    if settings.bitrate <= overhead:
        msg = (
            f"expected more than {overhead:.0f} bits a second for {float(rate):.4g} frames, got "
            f"{settings.bitrate:g}"
        )
        raise InputError(msg)
    return AverageRate((settings.bitrate - overhead) / float(rate), pixels)


def encode_clip(
    reader: FrameSource,
    sink: BinaryIO,
    codecs: FrameCodecs,
    *,
    settings: EncodeVideoSettings,
    measure: bool = False,
    progress: Progress | None = None,
) -> ClipStats:
    """Code an open clip into a stream at the quality or bit rate of `settings`, whose `size` is
    ignored; `measure` adds the mean PSNR over RGB, in dB.

    `progress` is called after every frame with frames done, bytes so far, and their expected number
    or None. Raises InputError where there is no frame, where frames change in size or time stamps
    do not ascend, FormatError for a frame rate, time base or pixel aspect beyond 31-bit terms,
    BackendError, and what `sink` raises.
    """
    codecs = models_in_use(settings, codecs)
    with closing(prefetch(reader.records())) as records:
        before, first = up_to_frame(records, reader.name)
        header = header_of(reader, first, codecs)
        encoder = VideoEncoder(
            codecs,
            control=rate_control(settings, rate=reader.rate, pixels=header.width * header.height),
            gop=gop_structure(
                settings,
                rate=reader.rate,
                frames=reader.frames,
                predicting=codecs.frames is not None,
            ),
        )
        writer = StreamWriter(sink, header)
        counter = FrameCounter(header, total=reader.frames, progress=progress)
        psnrs: list[float] = []
        video_size = 0
        for record in chain(before, [first], records):
            if not isinstance(record, TimedFrame):
                writer.write(record)
                if isinstance(record, LastDuration):
                    counter.hold(record)
                continue
            video_size += writer.write(encoder.encode_frame(record))
            counter.add(record.pts, position=writer.position)
            if measure:
                psnrs.append(psnr(record.pixels, encoder.shown))
    writer.finish()
    mean = fmean(psnrs) if psnrs else inf
    return replace(
        counter.stats(),
        size=writer.position,
        video_size=video_size,
        psnr=None if isinf(mean) else mean,
        notices=tuple(reader.notices),
        damage=reader.damage,
    )


def decode_clip(
    decoder: VideoDecoder,
    sink: BinaryIO,
    *,
    suffix: str,
    lossless: bool = False,
    progress: Progress | None = None,
) -> ClipStats:
    """Decode an open stream into a file of video in the format of `suffix`, such as ".mp4", written
    to the binary file `sink`.

    A stream that is cut after its first frame gives all it holds, and `damage` of the stats says
    so. `progress` is called after every frame with frames done, bytes read, and their number or
    None.
    Raises FormatError for damage, InputError for a suffix that is not written or no frames,
    ModelError, BackendError, or OutputError.
    """
    header = decoder.reader.header
    form = ClipFormat(
        suffix,
        header.width,
        header.height,
        header.time_base,
        header.rate,
        header.pixel_aspect,
        header.colour,
        lossless,
    )
    total = decoder.reader.frames()  # looked for before a thread reads on
    records = decoder.records()
    tracks, metadata = None, NO_METADATA
    for record in records:
        if isinstance(record, Tracks):
            tracks = record
        elif isinstance(record, ClipMetadata):
            metadata = record
        else:
            records = chain([record], records)
            break
    with ClipWriter(sink, form, tracks=tracks, metadata=metadata) as writer:
        stats = _decode(
            decoder,
            records,
            writer.write,
            writer.write_companion,
            FrameCounter(header, total=total, progress=progress),
        )
    return replace(stats, notices=(*stats.notices, *writer.notices))


def decode_each(
    decoder: VideoDecoder,
    write: Callable[[TimedFrame, int], None],
    *,
    progress: Progress | None = None,
) -> ClipStats:
    """Decode an open stream and call `write` with every frame and its number, from 1; packets of
    sound and subtitles are dropped.

    A stream that is cut after its first frame gives all it holds, and `damage` of the stats says
    so. Raises FormatError for damage, InputError for no frames, ModelError, BackendError, and what
    `write` raises.
    """
    numbers = count(1)
    counter = FrameCounter(decoder.reader.header, total=decoder.reader.frames(), progress=progress)
    return _decode(
        decoder,
        decoder.records(),
        lambda frame: write(frame, next(numbers)),
        lambda companion: None,
        counter,
    )


def _decode(
    decoder: VideoDecoder,
    records: Iterator[TimedFrame | Companion],
    write: Callable[[TimedFrame], None],
    write_companion: Callable[[Companion], None],
    counter: FrameCounter,
) -> ClipStats:
    """Hand over everything up to the end, or up to where the stream is cut."""
    damage = None
    try:
        for record in records:
            if isinstance(record, TimedFrame):
                write(record)
                counter.add(record.pts, position=decoder.reader.position)
                continue
            write_companion(record)
            if isinstance(record, LastDuration):
                counter.hold(record)
    except TruncatedError as error:
        if not counter.frames:
            raise
        damage = str(error)
    return replace(counter.stats(), notices=tuple(decoder.notices), damage=damage)


def up_to_frame(
    records: Iterator[TimedFrame | Companion], name: str
) -> tuple[list[Companion], TimedFrame]:
    """Records before the first frame, and that frame; raises InputError where there is none."""
    before: list[Companion] = []
    for record in records:
        if isinstance(record, TimedFrame):
            return before, record
        before.append(record)
    msg = f"{name}: expected frames, got none"
    raise InputError(msg)


def header_of(reader: FrameSource, first: TimedFrame, codecs: FrameCodecs) -> StreamHeader:
    """Header of the stream of a clip, by its reader, its first frame, (H, W, 3), and the models
    that it is coded by; raises FormatError for properties that a stream cannot have."""
    height, width = first.pixels.shape[:2]
    frame_model = NO_MODEL if codecs.frames is None else codecs.frames.model.id
    return StreamHeader(
        codecs.pictures.model.id,
        frame_model,
        width,
        height,
        reader.time_base,
        reader.rate,
        reader.pixel_aspect,
        reader.colour,
    )
