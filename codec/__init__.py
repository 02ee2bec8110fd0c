"""ncodec: a learned image and video codec that decodes everywhere, without PyTorch.

import ncodec

data = ncodec.encode("picture.png", quality=60)   # bytes; or encode(..., "picture.nci")
image = ncodec.decode(data)                       # a Pillow image
ncodec.info(data).bpp
ncodec.encode_video("clip.mp4", "clip.ncv")       # and ncodec.decode_video("clip.ncv", "clip.mp4")
"""

from typing import TYPE_CHECKING

from ncodec.errors import (
    BackendError,
    FormatError,
    InputError,
    LossError,
    ModelError,
    NcodecError,
    NcodecWarning,
    OutputError,
    TruncatedError,
)

if TYPE_CHECKING:
    from ncodec.api.clip_info import VideoInfo, video_info
    from ncodec.api.clip_work import ClipWork, open_clip_work
    from ncodec.api.clips import decode_video, encode_video, open_video
    from ncodec.api.cut import CutStats, cut_video
    from ncodec.api.join import JoinStats, join_videos
    from ncodec.api.ladder import (
        StreamSettings,
        StreamStats,
        StreamWork,
        open_stream_work,
        stream,
    )
    from ncodec.api.lossless import (
        PackedInfo,
        PackStats,
        pack,
        pack_file,
        packed_info,
        unpack,
        unpack_file,
    )
    from ncodec.api.packed_streams import PackReader, PackWriter
    from ncodec.api.pictures import (
        Info,
        PictureStats,
        decode,
        decode_array,
        encode,
        encode_file,
        info,
    )
    from ncodec.api.settings import (
        DecodeSettings,
        DecodeVideoSettings,
        EncodeSettings,
        EncodeVideoSettings,
    )
    from ncodec.api.streaming import Packet, StreamDecoder, StreamEncoder
    from ncodec.api.tensors import (
        TensorFile,
        TensorInfo,
        TensorLoss,
        TensorStats,
        open_tensors,
        pack_tensors,
        unpack_tensors,
    )
    from ncodec.api.transcode import ClipStats
    from ncodec.api.video_index import IntraFrame, VideoIndex, video_index

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "ClipStats",
    "ClipWork",
    "CutStats",
    "DecodeSettings",
    "DecodeVideoSettings",
    "EncodeSettings",
    "EncodeVideoSettings",
    "FormatError",
    "Info",
    "InputError",
    "IntraFrame",
    "JoinStats",
    "LossError",
    "ModelError",
    "NcodecError",
    "NcodecWarning",
    "OutputError",
    "PackReader",
    "PackStats",
    "PackWriter",
    "PackedInfo",
    "Packet",
    "PictureStats",
    "StreamDecoder",
    "StreamEncoder",
    "StreamSettings",
    "StreamStats",
    "StreamWork",
    "TensorFile",
    "TensorInfo",
    "TensorLoss",
    "TensorStats",
    "TruncatedError",
    "VideoIndex",
    "VideoInfo",
    "__version__",
    "cut_video",
    "decode",
    "decode_array",
    "decode_video",
    "encode",
    "encode_file",
    "encode_video",
    "info",
    "join_videos",
    "open_clip_work",
    "open_stream_work",
    "open_tensors",
    "open_video",
    "pack",
    "pack_file",
    "pack_tensors",
    "packed_info",
    "stream",
    "unpack",
    "unpack_file",
    "unpack_tensors",
    "video_index",
    "video_info",
]

_LAZY = {
    "ncodec.api.pictures": (
        "Info",
        "PictureStats",
        "decode",
        "decode_array",
        "encode",
        "encode_file",
        "info",
    ),
    "ncodec.api.lossless": (
        "PackStats",
        "PackedInfo",
        "pack",
        "pack_file",
        "packed_info",
        "unpack",
        "unpack_file",
    ),
    "ncodec.api.packed_streams": ("PackReader", "PackWriter"),
    "ncodec.api.clips": ("decode_video", "encode_video", "open_video"),
    "ncodec.api.clip_work": ("ClipWork", "open_clip_work"),
    "ncodec.api.clip_info": ("VideoInfo", "video_info"),
    "ncodec.api.cut": ("CutStats", "cut_video"),
    "ncodec.api.join": ("JoinStats", "join_videos"),
    "ncodec.api.video_index": ("IntraFrame", "VideoIndex", "video_index"),
    "ncodec.api.transcode": ("ClipStats",),
    "ncodec.api.settings": (
        "DecodeSettings",
        "DecodeVideoSettings",
        "EncodeSettings",
        "EncodeVideoSettings",
    ),
    "ncodec.api.tensors": (
        "TensorFile",
        "TensorInfo",
        "TensorLoss",
        "TensorStats",
        "open_tensors",
        "pack_tensors",
        "unpack_tensors",
    ),
    "ncodec.api.ladder": (
        "StreamSettings",
        "StreamStats",
        "StreamWork",
        "open_stream_work",
        "stream",
    ),
    "ncodec.api.streaming": ("Packet", "StreamDecoder", "StreamEncoder"),
}


def __getattr__(name: str) -> object:
    """Load numpy, Pillow and the rest when they are first needed: the command's --help must not
    wait for them."""
    module = next((module for module, names in _LAZY.items() if name in names), None)
    if module is None:
        msg = f"module 'ncodec' has no attribute {name!r}"
        raise AttributeError(msg)
    import importlib

    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    """Public names, those that are not loaded yet included."""
    return __all__
