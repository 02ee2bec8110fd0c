"""Text subtitles of one container → those of another, by FFmpeg's decoders and encoders."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
from av.stream import Stream

from ncodec.container.records import Media
from ncodec.errors import OutputError, sentence_of

if TYPE_CHECKING:
    from av.container import OutputContainer

    from ncodec.media.tracks import Packet

TEXT_CODECS = frozenset({"ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"})
"""FFmpeg's names of codecs of text subtitles"""
WRITTEN_CODECS = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webvtt": "webvtt"}
"""FFmpeg's name of a muxer → codec that text subtitles are converted to"""
_UNIT = Fraction(1, 1000)
"""the time base of encoders of subtitles"""
_STYLES = (
    b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n"
    b"[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, "
    b"OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, "
    b"Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\r\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\r\n"
    b"\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, "
    b"Text\r\n"
)
"""header of Advanced SubStation Alpha with one style, which encoders of subtitles want"""


def can_convert(track: Stream, muxer: str) -> bool:
    """Whether a track is of text subtitles, and files of `muxer` hold text in another form."""
    context = track.codec_context
    return context is not None and context.name in TEXT_CODECS and muxer in WRITTEN_CODECS


class TextConverter:
    """Converts packets of a track of text subtitles for another container."""

    def __init__(self, container: "OutputContainer", track: Stream, *, muxer: str) -> None:
        """Adds a stream for `track` to `container`, in the form that `muxer` holds."""
        source: Any = track.codec_context
        decoder = cast("Any", av.CodecContext.create(source.codec.name, "r"))
        if source.extradata:
            decoder.extradata = source.extradata
        decoder.open(strict=False)
        self._decoder = decoder
        self.stream: Stream = cast("Stream", container.add_stream(WRITTEN_CODECS[muxer]))
        self._encoder = cast("Any", self.stream.codec_context)
        self._encoder.time_base = _UNIT
        self._encoder.subtitle_header = decoder.subtitle_header or _STYLES

    def convert(self, media: Media) -> "Packet | None":
        """The packet in its new form, without times, or None for a packet without text."""
        try:
            text = self._decoder.decode2(av.Packet(media.data))
            if text is None or not len(text.rects):
                return None
            packet: Packet = self._encoder.encode_subtitle(text)
        except (av.FFmpegError, ValueError) as error:
            msg = f"expected text in a packet of subtitles, got another: {sentence_of(error)}"
            raise OutputError(msg) from error
        return packet
