"""Opened models, kept for the next call."""

import os
from functools import lru_cache

from ncodec.container.records import NO_MODEL, StreamHeader
from ncodec.errors import InputError, ModelError
from ncodec.image.codec import ImageCodec
from ncodec.inference.model import FRAME, PICTURE, Model
from ncodec.inference.zoo import load_model, with_decoder
from ncodec.quality import FULL, check_effort
from ncodec.video.frame_state import FrameCodecs

TUNES: dict[str, str | None] = {"psnr": None, "ssim": "ssim"}
"""metric that pictures can be tuned for → name of the tuned model, None for the default model"""


@lru_cache(maxsize=8)
def _open_codec(
    loaded: Model,
    backend: str,
    threads: int | None,
    precision: str,
    device: str | None,
    decoder: str,
) -> ImageCodec:
    from ncodec.inference.backend import open_backend

    opened = open_backend(
        loaded, backend, threads=threads, precision=precision, device=device, decoder=decoder
    )
    return ImageCodec(loaded, opened)


def open_codec(
    model: str | int | os.PathLike[str] | None = None,
    *,
    kind: str = PICTURE,
    backend: str = "onnx",
    threads: int | None = None,
    precision: str = "float32",
    device: str | None = None,
    decoder: str = FULL,
) -> ImageCodec:
    """Codec of a model on a backend; the last 8 are kept, so that a call with equal arguments opens
    nothing.

    `model` is a name, an id or the path of a model's folder or single file, None for the default
    one of `kind`, "picture" or "frame". `backend` is "onnx" or "torch", `threads` 1 to 256, or None
    for the library's choice; `precision`, "float32" or "bfloat16", and `device`, None for a GPU if
    there is one, can be changed for "torch" alone. `decoder` is "full" or a smaller one that the
    model has. Raises ModelError or BackendError.
    """
    loaded = with_decoder(load_model(model, kind=kind), decoder)
    return _open_codec(loaded, backend, threads, precision, device, decoder)


def model_id(model: str | os.PathLike[str] | None = None, *, kind: str = PICTURE) -> str:
    """Id, eight hex digits, of a model by its name, id or path, or of the default one of `kind`;
    raises ModelError."""
    return f"{load_model(model, kind=kind).id:08x}"


def tuned_model(
    tune: str, *, model: str | os.PathLike[str] | None, effort: int | None
) -> str | os.PathLike[str] | None:
    """Name or path of the model of pictures that are tuned for `tune`: `model`, None for the
    default one, for "psnr", and "ssim" for "ssim".

    Raises InputError for another `tune`, for an effort that is no integer of 0 to 9 (None is
    allowed), and, with "ssim", for any `model` or an effort above 0.
    """
    if tune not in TUNES:
        msg = f"expected a picture to be tuned for {' or '.join(TUNES)}, got {tune}"
        raise InputError(msg)
    if effort is not None:
        check_effort(effort)
    wanted = TUNES[tune]
    if wanted is None:
        return model
    if model is not None:
        msg = (
            f"expected no model beside a picture that is tuned for {tune}, which has its own, got "
            f"{model}"
        )
        raise InputError(msg)
    if effort:
        msg = (
            f"expected no effort, which is made for PSNR, for a picture that is tuned for {tune}, "
            f"got {effort}"
        )
        raise InputError(msg)
    return wanted


def open_frame_codecs(
    picture_model: str | int | None = None,
    frame_model: str | int | None = None,
    *,
    backend: str = "onnx",
    threads: int | None = None,
) -> FrameCodecs:
    """Codecs of intra and of predicted frames on a backend, by names or ids of models, None for the
    default ones.

    Where no model of predicted frames can be loaded and `frame_model` is None, the result has none,
    and all frames will be intra. `backend` is "onnx" or "torch", `threads` 1 to 256, or None for
    the library's choice. Raises ModelError or BackendError.
    """
    pictures = open_codec(picture_model, backend=backend, threads=threads)
    try:
        loaded = load_model(frame_model, kind=FRAME)
    except ModelError:
        if frame_model is not None:
            raise
        return FrameCodecs(pictures, None)
    return FrameCodecs(pictures, _open_codec(loaded, backend, threads, "float32", None, FULL))


def codecs_of_stream(header: StreamHeader, *, backend: str, threads: int | None) -> FrameCodecs:
    """The models that a stream's header names, opened on a backend; raises ModelError and
    BackendError."""
    pictures = open_codec(header.picture_model, backend=backend, threads=threads)
    if header.frame_model == NO_MODEL:
        return FrameCodecs(pictures, None)
    return FrameCodecs(
        pictures, open_codec(header.frame_model, kind=FRAME, backend=backend, threads=threads)
    )
