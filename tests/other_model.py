"""Models that are not the package's, made of it without PyTorch, and what may be wrong with one."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ncodec.inference.checks import model_id, tensor_places
from ncodec.inference.model import read_tables
from ncodec.inference.zoo import weights_folder

DECODER, ENCODER = "synthesis.", "analysis."
"""weights that decide what a decoder shows, and that do not"""


def make_model(folder: Path, *, name: str = "mine", part: str = DECODER, by: float = 0.25) -> Path:
    """A folder of the package's model for structure, one weight of a part of which was changed."""
    shutil.copytree(weights_folder() / "ssim", folder)
    weights = folder / "image.safetensors"
    offset = min(o for key, (o, _) in tensor_places(weights).items() if key.startswith(part))
    data = bytearray(weights.read_bytes())
    value = np.frombuffer(data[offset : offset + 2], np.float16) + np.float16(by)
    data[offset : offset + 2] = value.tobytes()
    weights.write_bytes(data)
    rewrite(folder, name=name, id=model_id(read_tables(folder / "tables.npz"), weights))
    return folder


def rewrite(folder: Path, **fields: Any) -> dict[str, Any]:
    """Give a folder's `model.json` other fields, and the hashes and sizes that its files have."""
    entry: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
    for file in entry["sha256"]:
        data = (folder / file).read_bytes()
        entry["sha256"][file] = hashlib.sha256(data).hexdigest()
        entry["bytes"][file] = len(data)
    entry = {**entry, **fields}
    (folder / "model.json").write_text(json.dumps(entry), "utf-8")
    return entry


def write_zip(path: Path, entries: Iterable[tuple[zipfile.ZipInfo | str, bytes]]) -> Path:
    """A zip archive of deflated entries, which may have one name or any."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value % 2**64)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    packed = bytearray()
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*packed, value])


def graph_file(graph: bytes, *, domain: bytes = b"", version: int = 17, rest: bytes = b"") -> bytes:
    """An ONNX file of a graph, and of further fields."""
    opset = field(1, domain) + field(2, version)
    return field(1, 8) + field(8, opset) + field(7, graph) + rest


def node(operator: bytes, *attributes: bytes, domain: bytes | None = None) -> bytes:
    """A node of a graph, as its field."""
    parts = [field(4, operator), *(field(5, attribute) for attribute in attributes)]
    return field(1, b"".join(parts) + (b"" if domain is None else field(7, domain)))


def weight(
    *, place: bytes = b"image.safetensors", offset: int = 8, length: int = 4, dims: int = 2
) -> bytes:
    """An initializer in another file, float16, as its field in a graph."""
    entries = ((b"location", place), (b"offset", b"%d" % offset), (b"length", b"%d" % length))
    external = b"".join(field(13, field(1, key) + field(2, value)) for key, value in entries)
    return field(5, field(1, dims) + field(2, 10) + external + field(14, 1))
