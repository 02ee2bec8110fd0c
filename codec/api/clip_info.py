"""Stream files → what they say of themselves."""

from collections import Counter
from dataclasses import dataclass

from ncodec.api.codecs import codecs_of_stream
from ncodec.container.clip_metadata import NO_METADATA, ClipMetadata
from ncodec.container.ncv import StreamReader
from ncodec.container.records import NO_MODEL, End, Frame, LastDuration, Media, Tag
from ncodec.errors import FormatError, ModelError
from ncodec.inference.model import FRAME, PICTURE
from ncodec.inference.zoo import load_model
from ncodec.media.pictures import check_pixels
from ncodec.media.streams import Source, open_source
from ncodec.video.frame_decoder import FrameDecoder


@dataclass(frozen=True)
class VideoInfo:
    """Header and counters of a .ncv file."""

    width: int
    height: int
    frames: int
    duration: float
    """seconds that it is shown; the last frame lasts as long as frames do on average, unless the
    stream says otherwise"""
    rate: float
    """frames a second on average"""
    intra: int
    predicted: int
    duplicates: int
    """frames that equal the one before them"""
    size: int
    """bytes of the whole stream"""
    video_size: int
    """bytes of its coded frames"""
    media_size: int
    """bytes of its packets of sound and subtitles"""
    picture_model: str
    frame_model: str | None
    """names of the models, or their ids where they are not installed"""
    metadata: ClipMetadata = NO_METADATA
    """tags, chapters, and how tracks and frames are shown"""


def video_info(source: Source, *, verify: bool = False, allow_large: bool = False) -> VideoInfo:
    """Size, rate, models, and counts of frames and bytes of a .ncv file, which is read to its end
    with every checksum verified.

    `source` is a path, "-", bytes or an open file. `verify` decodes every symbol too; neither runs
    a network. Raises InputError where the source cannot be opened, FormatError for damage, and
    TruncatedError for a cut file. If `verify`, raises ModelError for a model that is not installed
    and, without `allow_large`, InputError for frames of more than twice Pillow's limit of pixels.
    """
    with open_source(source) as stream:
        reader = StreamReader(stream)
        header = reader.header
        coder = None
        if verify:
            check_pixels(header.width, header.height, allow_large=allow_large)
            codecs = codecs_of_stream(header, backend="onnx", threads=None)
            coder = FrameDecoder(codecs, height=header.height, width=header.width)
        return _survey(reader, coder)


def _survey(reader: StreamReader, coder: FrameDecoder | None) -> VideoInfo:
    header, start = reader.header, reader.position
    kinds: Counter[Tag] = Counter()
    stamps: list[int] = []
    media_size = video_size = 0
    last_duration, metadata = header.frame_duration, NO_METADATA
    while not isinstance(record := reader.read(), End):
        if isinstance(record, Frame):
            kinds[record.tag] += 1
            stamps = [*stamps[:1], record.pts]
            video_size += reader.position - start
            if coder is not None:
                coder.parse(record)
        elif isinstance(record, Media):
            media_size += len(record.data)
        elif isinstance(record, LastDuration):
            last_duration = record.duration
        elif isinstance(record, ClipMetadata):
            metadata = record
        start = reader.position
    if record.frames != kinds.total():
        msg = f"expected {record.frames} frames, got {kinds.total()}: the file is damaged"
        raise FormatError(msg)
    return VideoInfo(
        width=header.width,
        height=header.height,
        frames=kinds.total(),
        duration=float((stamps[-1] - stamps[0] + last_duration) * header.time_base)
        if stamps
        else 0.0,
        rate=float(header.rate),
        intra=kinds[Tag.INTRA],
        predicted=kinds[Tag.PREDICTED],
        duplicates=kinds[Tag.DUPLICATE],
        size=reader.position,
        video_size=video_size,
        media_size=media_size,
        picture_model=_model_name(header.picture_model, PICTURE),
        frame_model=None
        if header.frame_model == NO_MODEL
        else _model_name(header.frame_model, FRAME),
        metadata=metadata,
    )


def _model_name(model: int, kind: str) -> str:
    try:
        return load_model(model, kind=kind).name
    except ModelError:
        return f"{model:08x}"
