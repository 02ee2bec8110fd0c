"""Whole clips ↔ whole streams, record by record, in bounded memory."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, count
from math import inf, isinf
from statistics import fmean
from typing import BinaryIO

from ncodec.container.ncv import StreamWriter
from ncodec.container.records import NO_MODEL, Media, StreamHeader, Tracks
from ncodec.errors import InputError, TruncatedError
from ncodec.media.demux import MAX_HELD, ClipReader
from ncodec.media.mux import ClipFormat, ClipWriter
from ncodec.picture import TimedFrame, psnr
from ncodec.prefetch import read_ahead
from ncodec.quality import quality_to_qp
from ncodec.video.frame_state import FrameCodecs
from ncodec.video.rate_control import AverageRate, ConstantQuality, Control
from ncodec.video.sequence import Grouping, VideoDecoder, VideoEncoder

DEFAULT_QUALITY = 50.0
GOP_SECONDS = 2
"""from one intra frame to the next, unless something else is asked for"""
FRAME_OVERHEAD = 12
"""bytes of a frame's record beside what is coded"""

Watch = Callable[[int, int, int | None], None]
"""told how many frames are done, how many bytes of the stream, and how many frames there are, about, where known"""


@dataclass(frozen=True)
class VideoOptions:
    """How a clip is coded."""

    quality: float | None = None
    """0…100, of every frame; `DEFAULT_QUALITY` where neither is set"""
    bitrate: float | None = None
    """bits a second of the frames, on average"""
    gop: int | None = None
    """frames from one intra frame to the next at most, `GOP_SECONDS` of them where nothing is set"""
    intra_only: bool = False

    def __post_init__(self) -> None:
        if self.quality is not None and self.bitrate is not None:
            msg = "expected one of quality and bitrate, got both"
            raise InputError(msg)
        if self.quality is not None and not 0 <= self.quality <= 100:
            msg = f"expected a quality of 0 to 100, got {self.quality}"
            raise InputError(msg)
        if self.intra_only and self.gop not in (None, 1):
            msg = f"expected groups of 1 frame for intra frames alone, got {self.gop}"
            raise InputError(msg)

    def used(self, codecs: FrameCodecs) -> FrameCodecs:
        """Those of the models that are used: no other than that of pictures where all frames are intra."""
        return FrameCodecs(codecs.pictures, None) if self.intra_only or self.gop == 1 else codecs

    def grouping(self, reader: ClipReader, *, predicting: bool) -> Grouping:
        """Where intra frames go in what is read: everywhere, where nothing predicts the others."""
        gop = self.gop if predicting else 1
        return Grouping(max(1, round(GOP_SECONDS * reader.rate)) if gop is None else gop, reader.frames)

    def control(self, reader: ClipReader, *, pixels: int) -> Control:
        """What chooses the quality of frames of so many pixels."""
        if self.bitrate is not None:
            rate = float(reader.rate)
            overhead = 8 * FRAME_OVERHEAD * rate
            if self.bitrate <= overhead:
                msg = f"expected more than {overhead:.0f} bits a second for {rate:.4g} frames, got {self.bitrate:g}"
                raise InputError(msg)
            return AverageRate((self.bitrate - overhead) / rate, pixels)
        return ConstantQuality(quality_to_qp(DEFAULT_QUALITY if self.quality is None else self.quality))


@dataclass(frozen=True)
class VideoFacts:
    """What became of a clip."""

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
    """mean over the frames of the PSNR over RGB, in dB, where it was measured and some pixel differs"""
    notices: tuple[str, ...] = ()
    """what was lost, in sentences"""
    cut: str | None = None
    """where and how a stream that was read ended too soon"""

    @property
    def bitrate(self) -> float | None:
        """Bits a second of the frames."""
        return 8 * self.video_size / self.duration if self.video_size is not None else None


class Tally:
    """Counts frames and measures time."""

    def __init__(self, header: StreamHeader, *, total: int | None = None, watch: Watch | None = None) -> None:
        self._header = header
        self._total = total
        self._watch = watch
        self._first: int | None = None
        self._last = 0
        self.frames = 0

    def add(self, frame: TimedFrame, *, position: int) -> None:
        """Count a frame, up to which the stream took `position` bytes."""
        self.frames += 1
        self._first = frame.pts if self._first is None else self._first
        self._last = frame.pts
        if self._watch is not None:
            self._watch(self.frames, position, self._total)

    def facts(self) -> VideoFacts:
        """What was counted; raises InputError where there was no frame."""
        header = self._header
        if self._first is None:
            msg = "expected frames, got none"
            raise InputError(msg)
        duration = float((self._last - self._first) * header.time_base + 1 / header.rate)
        return VideoFacts(header.width, header.height, self.frames, duration)


def encode_clip(
    reader: ClipReader,
    sink: BinaryIO,
    codecs: FrameCodecs,
    *,
    options: VideoOptions,
    measure: bool = False,
    watch: Watch | None = None,
) -> VideoFacts:
    """Code an open clip into a stream, and measure its PSNR if asked to. Raises InputError and OutputError."""
    codecs = options.used(codecs)
    with closing(read_ahead(reader.records())) as records:
        before, first = _up_to_frame(records, reader.name)
        header = _header_of(reader, first, codecs)
        encoder = VideoEncoder(
            codecs,
            control=options.control(reader, pixels=header.width * header.height),
            grouping=options.grouping(reader, predicting=codecs.frames is not None),
        )
        writer = StreamWriter(sink, header)
        tally = Tally(header, total=reader.frames, watch=watch)
        psnrs: list[float] = []
        video_size = 0
        for record in chain(before, [first], records):
            if not isinstance(record, TimedFrame):
                writer.write(record)
                continue
            video_size += writer.write(encoder.encode_frame(record))
            tally.add(record, position=writer.position)
            if measure:
                psnrs.append(psnr(record.pixels, encoder.shown))
    writer.finish()
    mean = fmean(psnrs) if psnrs else inf
    return replace(
        tally.facts(),
        size=writer.position,
        video_size=video_size,
        psnr=None if isinf(mean) else mean,
        notices=tuple(reader.notices),
    )


def decode_clip(
    decoder: VideoDecoder, sink: BinaryIO, *, suffix: str, lossless: bool = False, watch: Watch | None = None
) -> VideoFacts:
    """Decode an open stream into a file of video; one that is cut gives all that it holds, and `cut` says so.

    Raises FormatError for damage, InputError for a suffix that is not written or no frames, and OutputError.
    """
    header = decoder.reader.header
    form = ClipFormat(
        suffix, header.width, header.height, header.time_base, header.rate, header.pixel_aspect, header.colour, lossless
    )
    total = decoder.reader.frames()  # looked for before a thread reads on
    records = decoder.records()
    first = next(records, None)
    tracks = first if isinstance(first, Tracks) else None
    rest = records if first is None or tracks is not None else chain([first], records)
    with ClipWriter(sink, form, tracks=tracks) as writer:
        facts = _decode(decoder, rest, writer.write, writer.write_media, Tally(header, total=total, watch=watch))
    return replace(facts, notices=(*facts.notices, *writer.notices))


def decode_each(
    decoder: VideoDecoder, write: Callable[[TimedFrame, int], None], *, watch: Watch | None = None
) -> VideoFacts:
    """Decode an open stream and hand over every frame with its number, from 1; the rest as of `decode_clip`."""
    numbers = count(1)
    tally = Tally(decoder.reader.header, total=decoder.reader.frames(), watch=watch)
    return _decode(decoder, decoder.records(), lambda frame: write(frame, next(numbers)), lambda media: None, tally)


def _decode(
    decoder: VideoDecoder,
    records: Iterator[TimedFrame | Tracks | Media],
    write: Callable[[TimedFrame], None],
    write_media: Callable[[Media], None],
    tally: Tally,
) -> VideoFacts:
    """Hand over everything up to the end, or up to where the stream is cut."""
    cut = None
    try:
        for record in records:
            if isinstance(record, TimedFrame):
                write(record)
                tally.add(record, position=decoder.reader.position)
            elif isinstance(record, Media):
                write_media(record)
    except TruncatedError as error:
        if not tally.frames:
            raise
        cut = str(error)
    return replace(tally.facts(), notices=tuple(decoder.notices), cut=cut)


def _up_to_frame(records: Iterator[TimedFrame | Tracks | Media], name: str) -> tuple[list[Tracks | Media], TimedFrame]:
    """What comes before the first frame, and that; raises InputError where there is none."""
    before: list[Tracks | Media] = []
    for record in records:
        if isinstance(record, TimedFrame):
            return before, record
        before.append(record)
        if len(before) > MAX_HELD:
            msg = f"{name}: expected a frame among the first {MAX_HELD} packets, got none"
            raise InputError(msg)
    msg = f"{name}: expected frames, got none"
    raise InputError(msg)


def _header_of(reader: ClipReader, first: TimedFrame, codecs: FrameCodecs) -> StreamHeader:
    height, width = first.pixels.shape[:2]
    frame_model = NO_MODEL if codecs.frames is None else codecs.frames.model.id
    turned = (width > height) != (reader.width > reader.height)
    pixel_aspect = 1 / reader.pixel_aspect if turned else reader.pixel_aspect
    return StreamHeader(
        codecs.pictures.model.id,
        frame_model,
        width,
        height,
        reader.time_base,
        reader.rate,
        pixel_aspect,
        reader.colour,
    )
