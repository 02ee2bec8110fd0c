"""`.ncv` files: all that decoding them does but for the networks, with damage skipped, and
seeking."""

import io
from contextlib import closing

from fuzz.containers import packed, split
from fuzz.endings import any_ending
from fuzz.networks import blank_codecs

from ncodec.api.clip_info import video_info
from ncodec.container.ncv import StreamReader, read_packet
from ncodec.container.records import FRAME_TAGS
from ncodec.errors import NcodecError
from ncodec.video.sequence import VideoDecoder

LARGEST = 2**16
"""pixels, beyond which the size alone may cost time"""


def decode_stream(data: bytes) -> None:
    """Survey, decode and seek in a stream; errors of each are those of an input."""
    header = StreamReader(io.BytesIO(data)).header
    failure: NcodecError | None = None
    if header.width * header.height > LARGEST:
        video_info(data)
        return
    for step in (_survey, _decode, _seek, _packets):
        try:
            with any_ending():
                step(data)
        except NcodecError as error:
            failure = error
    if failure is not None:
        raise failure


def _survey(data: bytes) -> None:
    video_info(data)


def _decode(data: bytes) -> None:
    reader = StreamReader(io.BytesIO(data))
    with closing(VideoDecoder(reader, blank_codecs(reader.header), conceal=True)) as decoder:
        for _ in decoder.records():
            pass
        list(decoder.notices)


def _seek(data: bytes) -> None:
    reader = StreamReader(io.BytesIO(data))
    reader.seek_before(min(reader.frames() or 0, 2))
    for _ in reader.records():
        pass


def _packets(data: bytes) -> None:
    parts = split(data)
    frames = [chunk for chunk in parts.chunks if chunk.tag in FRAME_TAGS] if parts else []
    for chunk in frames:
        read_packet(packed(chunk), last_pts=0)
