"""A file of video that is opened: what it says of itself."""

import os
import re
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

import av
from av.stream import Disposition
from av.video.stream import VideoStream

from ncodec.container.records import Colour
from ncodec.errors import InputError, sentence_of
from ncodec.media.clip_properties import without_profile
from ncodec.media.numbered import frame_rate, is_numbered, numbers_in_row, row_url
from ncodec.media.timestamps import FINEST_TIME_BASE, MPEG_TIME_BASE

if TYPE_CHECKING:
    from av.container import InputContainer

_LISTS = {"concat", "dash", "hls", "lavfi", "rtsp", "sdp", "webm_dash_manifest"}
"""FFmpeg's names of what names other files, or devices and servers: a clip must not open what it
likes"""
_DEMUXERS = {"format_whitelist": ",".join(sorted(av.formats_available - _LISTS))}
_NAMED_PROFILES = frozenset({"apng", "png"})
"""decoders that give ICC profiles names"""


class OpenedVideo:
    """Open file of video, or image sequence, and its first video stream that is no cover picture; a
    context manager.

    `source` is a path or an open binary file; `rate`, in frames a second, 25 if None, is for image
    sequences alone. Raises InputError where the source cannot be read or has no video stream, and
    for a `rate` of what is no image sequence. `notices` lists losses, in sentences.
    """

    def __init__(
        self, source: str | os.PathLike[str] | BinaryIO, *, rate: float | Fraction | None = None
    ) -> None:
        """`rate`, in frames a second, is of numbered pictures ("frame-%04d.png"), which have none
        of their own (25).

        Raises InputError in one sentence where there is no video that can be read.
        """
        self.name = "clip" if hasattr(source, "read") else str(source)
        self.notices: list[str] = []
        self.damage: str | None = None
        """where and how the file is damaged or ends too soon, once it is read"""
        is_file = hasattr(source, "read")
        is_row = not is_file and is_numbered(self.name)
        if rate is not None and not is_row:
            msg = (
                f"{self.name}: expected numbered pictures where a frame rate is given, got "
                f"something else"
            )
            raise InputError(msg)
        numbers = numbers_in_row(self.name) if is_row else []
        self._is_row = is_row
        self._missing = len(numbers)
        """numbered pictures that were not read yet"""
        row = (
            {"framerate": str(frame_rate(rate)), "start_number": str(numbers[0])}
            if is_row
            else None
        )
        url = source if is_file else row_url(self.name) if is_row else f"file:{source}"
        try:
            self._container: InputContainer = av.open(
                url, "r", options=row or _DEMUXERS, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            msg = f"{self.name}: cannot be read: {sentence_of(error)}"
            raise InputError(msg) from error
        video = self._best_video()
        if video is None:
            self._container.close()
            msg = f"{self.name}: expected a video stream, got none"
            raise InputError(msg)
        self._video = video
        # Where each thread decodes a frame, whole frames of these are lost before a damaged one.
        name = video.codec_context.name
        self._video.thread_type = "SLICE" if name in ("h264", "hevc") else "AUTO"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

    @property
    def width(self) -> int:
        """Columns of frames, before they are turned upright."""
        return self._video.width

    @property
    def height(self) -> int:
        """Rows of frames, before they are turned upright."""
        return self._video.height

    @property
    def time_base(self) -> Fraction:
        """Seconds of one unit of a frame's pts: the video stream's time base, 1/25 where the file
        states none, and 1/90000 in place of any finer than 1/100000."""
        own = self._own_time_base
        return own if own >= FINEST_TIME_BASE else MPEG_TIME_BASE

    @property
    def _own_time_base(self) -> Fraction:
        """The file's."""
        return self._video.time_base or Fraction(1, 25)

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""
        return self._video.average_rate or Fraction(25)

    @property
    def frames(self) -> int | None:
        """Approximate number of frames, None where the file does not say."""
        duration = self._container.duration
        return self._video.frames or (
            round(duration / av.time_base * self.rate) if duration else None
        )

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height."""
        return self._video.sample_aspect_ratio or Fraction(1)

    @property
    def colour(self) -> Colour:
        """Matrix, primaries, transfer and range of the file."""
        context = self._video.codec_context
        return Colour(
            context.colorspace, context.color_primaries, context.color_trc, context.color_range == 2
        )

    @property
    def _has_hidden_alpha(self) -> bool:
        """Whether the frames have alpha that their decoder does not give, as in WebM."""
        return self._video.metadata.get("alpha_mode") == "1"

    def _said_end(self) -> float | None:
        """Seconds at which the video ends, as its stream says, or in Matroska a tag of it."""
        tag = re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", self._video.metadata.get("DURATION", ""))
        if tag is not None:
            hours, minutes, seconds = map(float, tag.groups())
            return 3600 * hours + 60 * minutes + seconds
        # FFmpeg takes the length of a Matroska file, with its sound, for that of every stream.
        is_shared = "matroska" in self._container.format.name and len(self._container.streams) > 1
        if self._video.duration is None or is_shared:
            return None
        start = self._video.start_time or 0
        return float((start + self._video.duration) * self._own_time_base)

    def _best_video(self) -> VideoStream | None:
        """The first default stream of pictures that is no cover, else the first one."""
        videos = [
            video
            for video in self._container.streams.video
            if not video.disposition & Disposition.attached_pic
        ]
        defaults = (video for video in videos if video.disposition & Disposition.default)
        return next(defaults, videos[0] if videos else None)

    def _safe(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame without what makes PyAV crash."""
        if self._video.codec_context.name not in _NAMED_PROFILES:
            return frame
        bare, had_profile = without_profile(frame)
        if had_profile:
            self._notice("the ICC profile of the frames was left out")
        return bare

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)

    def _damaged(self, sentence: str) -> None:
        self._notice(sentence)
        self.damage = self.damage or sentence
