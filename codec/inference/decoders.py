"""Decoders of a model beside its own: smaller networks that read the same symbols."""

import re
from typing import Any

from ncodec.errors import ModelError
from ncodec.inference.model import WEIGHTS_FILE
from ncodec.quality import FULL

MOST_DECODERS = 4
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_FILE = re.compile(rf"decoder-({_NAME.pattern})\.(?:onnx|safetensors)")


def graph_of(decoder: str) -> str:
    """File of a decoder's graph."""
    return "decoder.onnx" if decoder == FULL else f"decoder-{decoder}.onnx"


def weights_of(decoder: str) -> str:
    """File of a decoder's weights, in safetensors' format."""
    return WEIGHTS_FILE if decoder == FULL else f"decoder-{decoder}.safetensors"


def files_of(decoders: Any) -> frozenset[str]:
    """Files of decoders beside a model's own."""
    return frozenset(file for name in decoders for file in (graph_of(name), weights_of(name)))


def is_decoder_file(file: str) -> bool:
    """Whether a file can be one of a decoder beside a model's own."""
    return _FILE.fullmatch(file) is not None


def is_decoder_name(name: object) -> bool:
    """Whether a decoder beside a model's own can have a name: letters, digits and `-`."""
    return isinstance(name, str) and name != FULL and _NAME.fullmatch(name) is not None


def check_decoder_name(name: str) -> None:
    """Raise ModelError for what cannot name a decoder beside a model's own."""
    if not is_decoder_name(name):
        msg = "expected a decoder's name of small letters, digits and '-', at most 31, and not "
        msg += f"{FULL!r}, got {name!r:.40}"
        raise ModelError(msg)
