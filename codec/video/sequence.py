"""A sequence of frames ↔ the records of a stream, one by one, with bounded memory and no delay."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

from ncodec.arrays import Pixels
from ncodec.container.ncv import StreamReader
from ncodec.container.records import (
    Companion,
    End,
    Frame,
    Index,
    LastDuration,
    Tag,
)
from ncodec.errors import FormatError, InputError, TruncatedError
from ncodec.picture import TimedFrame, check_frame
from ncodec.prefetch import prefetch
from ncodec.video.frame_decoder import FrameDecoder, Parsed
from ncodec.video.frame_encoder import FrameEncoder
from ncodec.video.frame_state import FrameCodecs
from ncodec.video.rate_control import RateControl


@dataclass(frozen=True)
class GopStructure:
    """Where intra frames are."""

    gop: int
    """frames from one intra frame to the next at most, unless nothing moves"""
    count: int | None = None
    """frames of the whole sequence, where that is known"""

    def __post_init__(self) -> None:
        if self.gop < 1:
            msg = f"expected groups of at least 1 frame, got {self.gop}"
            raise InputError(msg)


class VideoEncoder:
    """Codes a sequence: `for frame in encoder.encode(frames)`, or frame by frame."""

    def __init__(self, codecs: FrameCodecs, *, control: RateControl, gop: GopStructure) -> None:
        self.control = control
        self.gop = gop
        self._coder = FrameEncoder(codecs)
        self._since_intra = 0
        self._coded = 0
        self._size = (0, 0)

    def encode(self, frames: Iterable[TimedFrame]) -> Iterator[Frame]:
        """A coded frame for each frame, as it comes. Raises InputError where the size changes."""
        return map(self.encode_frame, frames)

    def encode_frame(self, frame: TimedFrame) -> Frame:
        """Code the next frame of the sequence.

        Raises InputError for pixels that are not (H, W, 3) uint8 with sides of 1 to 16384 and for a
        size other than that of the frame before, BackendError where ONNX Runtime fails.
        """
        check_frame(frame.pixels)
        self._size = frame.pixels.shape[:2]
        decision = self._coder.decide(frame.pixels, intra=self._since_intra >= self.gop.gop)
        if decision.tag == Tag.INTRA:
            self._since_intra = 0
        qp = self.control.qp(decision.tag, left=self._left())
        coded = self._coder.encode(decision, pts=frame.pts, qp=qp)
        self.control.spend(coded.tag, coded.qp, 8 * (len(coded.payload) + len(coded.exact)))
        self._since_intra += 1
        self._coded += 1
        return coded

    @property
    def shown(self) -> Pixels:
        """The last frame as a decoder shows it, (H, W, 3)."""
        height, width = self._size
        shown = self._coder.last[:height, :width]
        shown.flags.writeable = False  # the next frame is predicted from it
        return shown

    def _left(self) -> int:
        """Frames up to the next intra frame or the end, this one included."""
        in_group = max(1, self.gop.gop - self._since_intra)
        count = self.gop.count
        return in_group if count is None else max(1, min(in_group, count - self._coded))


class VideoDecoder:
    """Decodes a stream from front to back, or from any intra frame where its file can seek.

    Records are read and their symbols decoded ahead, in a thread of their own, while networks run;
    `close` ends it.
    """

    def __init__(self, reader: StreamReader, codecs: FrameCodecs, *, conceal: bool = False) -> None:
        self.reader = reader
        self.conceal = conceal
        header = reader.header
        self._coder = FrameDecoder(codecs, height=header.height, width=header.width)
        self._ahead: Generator[Parsed | Companion, None, None] | None = None
        self._closed = False
        self._skips = 0
        self._first_skip = ""

    @property
    def notices(self) -> list[str]:
        """Damage that was skipped so far, in sentences."""
        if not self._skips:
            return []
        more = f", and {self._skips - 1} times more" if self._skips > 1 else ""
        return [f"{self._first_skip}{more}"]

    def close(self) -> None:
        """Read no further; raises InputError from whoever asks for more."""
        self._closed = True
        self._stop()

    def _stop(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def records(self) -> Iterator[TimedFrame | Companion]:
        """Iterate over decoded frames, and what goes with them, that were not given yet, in file
        order.

        With `conceal`, damage is skipped up to the next intra frame, except in bitstreams of exact
        cells; else it raises FormatError. Raises TruncatedError where the stream ends too soon,
        after all whole records; ModelError for a predicted frame without a model of them;
        BackendError where ONNX Runtime fails; InputError after `close`.
        """
        self._check_open()
        if self._ahead is None:
            self._ahead = prefetch(self._parsed())
        for record in self._ahead:
            yield (
                TimedFrame(record.pts, self._coder.decode(record))
                if isinstance(record, Parsed)
                else record
            )

    def frame_at(self, pts: int) -> TimedFrame:
        """Frame shown at `pts`, in units of the time base: the last one not after it, or else the
        first frame.

        Decoding starts at the intra frame before it where the file can seek, else at the next frame
        not given yet. The last frame lasts as long as the stream says, else as the one before it.
        Raises InputError for a later `pts` and after `close`, TruncatedError where the stream is
        cut.
        FormatError, ModelError and BackendError are those of `records`.
        """
        self._check_open()
        if self.reader.can_seek:
            self._stop()
            self._coder.forget()
            self.reader.seek_before(pts)
        shown: TimedFrame | None = None
        lasts = self.reader.header.frame_duration
        try:
            for frame in self.records():
                if isinstance(frame, LastDuration):
                    lasts = frame.duration
                if not isinstance(frame, TimedFrame):
                    continue
                if frame.pts > pts:
                    return shown or frame
                lasts = frame.pts - shown.pts if shown else lasts
                shown = frame
        except TruncatedError:
            if shown is None or pts - shown.pts >= lasts:
                raise
        if shown is None or pts - shown.pts >= lasts:
            base = self.reader.header.time_base
            end = (
                f"its last frame is at {float(shown.pts * base):.3f} s"
                if shown
                else "it has no frames"
            )
            msg = f"expected a time inside the clip, got {float(pts * base):.3f} s: {end}"
            raise InputError(msg)
        return shown

    def _check_open(self) -> None:
        if self._closed:
            msg = "expected an open decoder, got one that was closed"
            raise InputError(msg)

    def _parsed(self) -> Iterator[Parsed | Companion]:
        while True:
            try:
                record = self.reader.read()
                if isinstance(record, End):
                    return
                if isinstance(record, Frame):
                    yield self._coder.parse(record)
                elif record is not None and not isinstance(record, Index):
                    yield record
            except FormatError as error:
                if not self.conceal:
                    raise
                if not self._skip(error):
                    return

    def _skip(self, error: FormatError) -> bool:
        """Go on to the next intra frame, and say so; False where there is none."""
        found = self.reader.skip_damage()
        if not found and isinstance(error, TruncatedError):
            raise error
        if not self._skips:
            what = "skipped to the next intra frame" if found else "nothing more was decoded"
            self._first_skip = f"{what}: {error}"
        self._skips += 1
        return found
