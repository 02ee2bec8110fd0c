"""Frames ↔ packets of a .ncv stream, one by one, without files.

An encoder and a decoder belong to one thread each; any number of them can work at once.
"""

import io
from dataclasses import dataclass, field, replace
from fractions import Fraction
from numbers import Integral
from typing import Unpack

from ncodec.api.codecs import codecs_of_stream, open_frame_codecs
from ncodec.api.settings import (
    ENCODE_VIDEO,
    SHARED,
    EncodeVideoOptions,
    EncodeVideoSettings,
    Options,
    Settings,
)
from ncodec.api.transcode import gop_structure, models_in_use, rate_control
from ncodec.arrays import Pixels
from ncodec.container.chunks import CRC_SIZE
from ncodec.container.ncv import NUMBERS, StreamReader, StreamWriter, read_packet
from ncodec.container.records import NO_MODEL, Frame, StreamHeader, Tag, pack_record
from ncodec.errors import FormatError, InputError
from ncodec.grid import MAX_SIDE
from ncodec.media.numbered import frame_rate
from ncodec.media.pictures import check_pixels
from ncodec.picture import TimedFrame, check_frame
from ncodec.video.frame_decoder import FrameDecoder
from ncodec.video.sequence import VideoEncoder

MAX_STAMP_BITS = 34
SHORT_STAMP = 1
"""a time stamp of one byte"""


@dataclass(frozen=True, eq=False)
class Packet:
    """A coded frame: header, packets and trailer, joined, are a .ncv file."""

    frame: Frame
    data: bytes = field(repr=False)

    @property
    def pts(self) -> int:
        """Time stamp, in units of the encoder's time base."""
        return self.frame.pts

    @property
    def is_intra(self) -> bool:
        """Whether decoding can start here."""
        return self.frame.tag == Tag.INTRA

    @property
    def coded_size(self) -> int:
        """Bytes of the packet without sync mark, time stamp and checksum, which packets of other
        codecs do not hold."""
        return len(pack_record(replace(self.frame, pts=SHORT_STAMP))) - 1 - CRC_SIZE


class StreamEncoder:
    """Codes frames of one size, (H, W, 3) uint8, into packets, without delay."""

    def __init__(
        self,
        width: int,
        height: int,
        *,
        time_base: Fraction | None = None,
        settings: EncodeVideoSettings = ENCODE_VIDEO,
        **options: Unpack[EncodeVideoOptions],
    ) -> None:
        """Options are fields of the settings, and go first: `quality` or `bitrate`, `gop`,
        `intra_only`, `rate`.

        `time_base`, in seconds, is the unit of time stamps, a frame of the rate if None. Raises
        InputError, ModelError or BackendError.
        """
        settings = replace(settings, **options)
        if settings.size is not None:
            msg = (
                f"expected a quality or a bit rate of a stream without an end, got a size of "
                f"{settings.size}"
            )
            raise InputError(msg)
        rate = frame_rate(settings.rate)
        unit = 1 / rate if time_base is None else time_base
        _check_stream(width, height, unit)
        codecs = models_in_use(
            settings, open_frame_codecs(backend=settings.backend, threads=settings.threads)
        )
        frame_model = NO_MODEL if codecs.frames is None else codecs.frames.model.id
        self._size = height, width
        self._last_pts, self._finished = -1, False
        self._sink = io.BytesIO()
        header = StreamHeader(codecs.pictures.model.id, frame_model, width, height, unit, rate)
        self._writer = StreamWriter(self._sink, header)
        self.header = self._taken()
        """bytes before the first packet"""
        self._encoder = VideoEncoder(
            codecs,
            control=rate_control(settings, rate=rate, pixels=width * height),
            gop=gop_structure(
                settings, rate=rate, frames=None, predicting=codecs.frames is not None
            ),
        )

    def encode(self, pixels: Pixels, pts: int | None = None) -> Packet:
        """Code the next frame, (height, width, 3) uint8, shown at `pts` in units of the time base;
        None is the number of the frame, from 0.

        Raises InputError for another size or type, and for time stamps that do not ascend or are
        beyond 34 bits.
        """
        check_frame(pixels)
        if pixels.shape[:2] != self._size:
            height, width = self._size
            msg = f"expected frames of {width}×{height}, got an array of {pixels.shape}"
            raise InputError(msg)
        pts = self._last_pts + 1 if pts is None else pts
        self._check_pts(pts)  # before the frame becomes the reference of the next one
        frame = self._encoder.encode_frame(TimedFrame(pts, pixels))
        frame = replace(frame, number=self._writer.frames % NUMBERS)
        self._writer.write(frame)
        self._last_pts = pts
        return Packet(frame, self._taken())

    def _check_pts(self, pts: int) -> None:
        if self._finished:
            msg = "expected an unfinished stream, got a frame after its end"
            raise InputError(msg)
        if not isinstance(pts, Integral) or not self._last_pts < pts < 2**MAX_STAMP_BITS:
            msg = f"expected a time stamp above {self._last_pts}, a whole number, got {pts!r}"
            raise InputError(msg)

    def finish(self) -> bytes:
        """Bytes after the last packet, the index and the end; raises InputError the second time."""
        if self._finished:
            msg = "expected an unfinished stream, got one that was finished"
            raise InputError(msg)
        self._finished = True
        self._writer.finish()
        return self._taken()

    @property
    def shown(self) -> Pixels:
        """The last frame as a decoder shows it, (H, W, 3)."""
        return self._encoder.shown

    def _taken(self) -> bytes:
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data


def _check_stream(width: int, height: int, unit: Fraction) -> None:
    """Raise InputError for sides or a time base that no stream can have."""
    if not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in (width, height)):
        msg = f"expected sides of 1 to {MAX_SIDE}, got {width}×{height}"
        raise InputError(msg)
    if not isinstance(unit, Fraction) or unit <= 0:
        msg = f"expected a positive fraction of a second as time base, got {unit!r}"
        raise InputError(msg)


class StreamDecoder:
    """Decodes the packets of a stream, in order, from any intra frame on."""

    def __init__(
        self, header: bytes, *, settings: Settings = SHARED, **options: Unpack[Options]
    ) -> None:
        """`header` is that of `StreamEncoder`. Raises FormatError, InputError, ModelError or
        BackendError."""
        settings = replace(settings, **options)
        reader = StreamReader(io.BytesIO(header))
        if reader.position != len(header):
            msg = f"expected the header of a stream, {reader.position} bytes, got {len(header)}"
            raise FormatError(msg)
        self.header = reader.header
        """sides in pixels, time base and models"""
        check_pixels(self.header.width, self.header.height, allow_large=settings.allow_large)
        codecs = codecs_of_stream(self.header, backend=settings.backend, threads=settings.threads)
        self._last_pts = 0
        self._number: int | None = None
        """of the next frame, modulo `NUMBERS`"""
        self._decoder = FrameDecoder(codecs, height=self.header.height, width=self.header.width)

    def decode(self, data: bytes) -> TimedFrame:
        """Decode the bytes of one packet to its frame, (H, W, 3) uint8, with its time stamp.

        Raises FormatError for damage and where packets before it are missing; decoding then
        resumes at any intra frame. Raises ModelError where no installed model decodes it.
        """
        try:
            frame = read_packet(data, last_pts=self._last_pts)
            self._follow(frame)
            return TimedFrame(frame.pts, self._decoder.decode(self._decoder.parse(frame)))
        except FormatError:
            self._decoder.forget()
            raise

    def _follow(self, frame: Frame) -> None:
        """Check that a frame is the next one, or intra."""
        expected, self._number = self._number, (frame.number + 1) % NUMBERS
        self._last_pts = frame.pts
        if frame.tag != Tag.INTRA and expected not in (None, frame.number):
            msg = f"expected frame {expected}, counted modulo {NUMBERS}, got frame {frame.number}: "
            msg += "frames are missing; decoding can go on at an intra frame"
            raise FormatError(msg)
