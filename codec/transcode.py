"""Whole clips ↔ whole streams, record by record, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, count
from math import inf, isinf
from statistics import fmean
from typing import BinaryIO

from ncodec.ahead import read_ahead
from ncodec.clip_reader import ClipReader
from ncodec.clip_writer import ClipFormat, ClipWriter
from ncodec.control import AverageRate, ConstantQuality, Control
from ncodec.errors import InputError, TruncatedError
from ncodec.image import quality_to_qp
from ncodec.picture import TimedFrame, psnr
from ncodec.records import NO_MODEL, Media, StreamHeader, Tracks
from ncodec.sequence import Grouping, VideoDecoder, VideoEncoder
from ncodec.stream import StreamWriter
from ncodec.video import FrameCodecs

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

    def grouping(self, reader: ClipReader) -> Grouping:
        """Where intra frames go in what is read."""
        gop = 1 if self.intra_only else self.gop
        return Grouping(max(1, round(GOP_SECONDS * reader.rate)) if gop is None else gop, reader.frames)

    def control(self, reader: ClipReader, *, pixels: int) -> Control:
        """What chooses the quality of frames of so many pixels."""
        if self.bitrate is not None:
            return AverageRate(self.bitrate / float(reader.rate) - 8 * FRAME_OVERHEAD, pixels)
        return ConstantQuality(quality_to_qp(DEFAULT_QUALITY if self.quality is None else self.quality))


@dataclass(frozen=True)
class VideoFacts:
    """What became of a clip."""

    width: int
    height: int
    frames: int
    seconds: float
    """from the first frame to the end of the last"""
    size: int
    """bytes of the whole stream"""
    video_size: int
    """bytes of its frames"""
    notices: tuple[str, ...] = ()
    """what was lost, in sentences"""
    psnr: float | None = None
    """mean over the frames of the PSNR over RGB, in dB, where it was measured and some pixel differs"""
    cut: str | None = None
    """where and how the stream ended too soon"""

    @property
    def bitrate(self) -> float:
        """Bits a second of the frames."""
        return 8 * self.video_size / self.seconds if self.seconds else 0.0


class Tally:
    """Counts frames and measures time."""

    def __init__(
        self, first: TimedFrame, header: StreamHeader, *, total: int | None = None, watch: Watch | None = None
    ) -> None:
        self._first = self._last = first.pts
        self._header = header
        self._total = total
        self._watch = watch
        self.frames = 0
        self.video_size = 0

    def add(self, frame: TimedFrame, *, position: int, size: int = 0) -> None:
        """Count a frame, whose record took `size` bytes of the `position` so far."""
        self.frames += 1
        self.video_size += size
        self._last = frame.pts
        if self._watch is not None:
            self._watch(self.frames, position, self._total)

    def facts(self, *, size: int, notices: list[str], cut: str | None = None) -> VideoFacts:
        """What was counted, of a stream of `size` bytes."""
        header = self._header
        seconds = float((self._last - self._first) * header.time_base + 1 / header.rate)
        return VideoFacts(
            header.width, header.height, self.frames, seconds, size, self.video_size, tuple(notices), cut=cut
        )


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
    records = read_ahead(reader.records())
    before, first = _up_to_frame(records, reader.name)
    header = _header_of(reader, first, codecs)
    pixels = header.width * header.height
    encoder = VideoEncoder(codecs, control=options.control(reader, pixels=pixels), grouping=options.grouping(reader))
    writer = StreamWriter(sink, header)
    tally = Tally(first, header, total=reader.frames, watch=watch)
    psnrs: list[float] = []
    for record in chain(before, [first], records):
        if isinstance(record, TimedFrame):
            size = writer.write(encoder.encode_frame(record))
            tally.add(record, position=writer.position, size=size)
            if measure:
                psnrs.append(psnr(record.pixels, encoder.shown))
        else:
            writer.write(record)
    writer.finish()
    mean = fmean(psnrs) if psnrs else inf
    facts = tally.facts(size=writer.position, notices=reader.notices)
    return facts if isinf(mean) else replace(facts, psnr=mean)


def decode_clip(
    decoder: VideoDecoder, sink: BinaryIO, *, suffix: str, lossless: bool = False, watch: Watch | None = None
) -> VideoFacts:
    """Decode an open stream into a file of video; one that is cut gives all that it holds, and `cut` says so.

    Raises FormatError for damage, InputError for a suffix that is not written, and OutputError.
    """
    header = decoder.reader.header
    form = ClipFormat(
        suffix, header.width, header.height, header.time_base, header.rate, header.pixel_aspect, header.colour, lossless
    )
    opening = _Opening(decoder, watch)
    tracks = next((record for record in opening.before if isinstance(record, Tracks)), None)
    with ClipWriter(sink, form, tracks=tracks) as writer:
        facts = opening.go_on(writer.write, writer.write_media)
    return replace(facts, notices=(*facts.notices, *writer.notices))


def decode_each(
    decoder: VideoDecoder, write: Callable[[TimedFrame, int], None], *, watch: Watch | None = None
) -> VideoFacts:
    """Decode an open stream and hand over every frame with its number, from 1; the rest as of `decode_clip`."""
    numbers = count(1)
    return _Opening(decoder, watch).go_on(lambda frame: write(frame, next(numbers)), lambda media: None)


class _Opening:
    """A stream that is decoded up to its first frame; raises InputError where there is none."""

    def __init__(self, decoder: VideoDecoder, watch: Watch | None) -> None:
        self._decoder = decoder
        total = decoder.reader.frames()  # looked for before a thread reads on
        self._records = decoder.records()
        self.before, self._first = _up_to_frame(self._records, "stream")
        self._tally = Tally(self._first, decoder.reader.header, total=total, watch=watch)

    def go_on(self, write: Callable[[TimedFrame], None], write_media: Callable[[Media], None]) -> VideoFacts:
        """Hand over everything up to the end, or up to where the stream is cut."""
        decoder, cut = self._decoder, None
        try:
            for record in chain(self.before, [self._first], self._records):
                if isinstance(record, TimedFrame):
                    write(record)
                    self._tally.add(record, position=decoder.reader.position)
                elif isinstance(record, Media):
                    write_media(record)
        except TruncatedError as error:
            cut = str(error)
        return self._tally.facts(size=decoder.reader.position, notices=decoder.notices, cut=cut)


def _up_to_frame(records: Iterator[TimedFrame | Tracks | Media], name: str) -> tuple[list[Tracks | Media], TimedFrame]:
    """What comes before the first frame, and that; raises InputError where there is none."""
    before: list[Tracks | Media] = []
    for record in records:
        if isinstance(record, TimedFrame):
            return before, record
        before.append(record)
    msg = f"{name}: expected frames, got none"
    raise InputError(msg)


def _header_of(reader: ClipReader, first: TimedFrame, codecs: FrameCodecs) -> StreamHeader:
    height, width = first.pixels.shape[:2]
    frame_model = NO_MODEL if codecs.frames is None else codecs.frames.model.id
    turned = (width > height) != reader.is_wide
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
