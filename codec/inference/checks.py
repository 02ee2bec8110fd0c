"""Files of models that anyone may have made: what is checked before one is used.

Nothing of them is executed. Graphs have known operators alone, numbers are read as numbers, and
nothing is allocated that the files do not hold.
"""

import hashlib
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ncodec.entropy.tables import RESIDUAL_LIMIT, Tables
from ncodec.errors import ModelError
from ncodec.inference.decoders import graph_of, weights_of
from ncodec.inference.entry import GET_AGAIN, GRAPHS, LARGEST_GRAPH
from ncodec.inference.graph_check import MOST_AXES, check_graph
from ncodec.inference.model import TABLES_FILE, WEIGHTS_FILE, read_tables
from ncodec.quality import QP_COUNT

LARGEST_HEADER = 2**20
"""bytes of the JSON before the weights"""
_DECODER_PARTS = ("means.", "log_inverse_gain.", "synthesis.", "context.")
"""weights that decide a decoded picture, beside the tables"""

Places = dict[str, tuple[int, int]]
"""tensor of a weights file → its offset and its length in bytes"""


def check_content(entry: dict[str, Any], folder: Path, *, advice: str = GET_AGAIN) -> None:
    """Raise ModelError, with `advice`, unless weights, tables and graphs of a folder are of a
    model's kind, fit each other and give its id.

    Hashes are not looked at: files that match them may have been made on purpose.
    """
    file = WEIGHTS_FILE
    try:
        places = tensor_places(folder / file)
        file = TABLES_FILE
        tables = read_tables(folder / file)
        _check_shapes(tables, entry["architecture"])
        if (got := model_id(tables, folder / WEIGHTS_FILE)) != entry["id"]:
            msg = f"its tables and decoder weights have the id {got}, not {entry['id']}"
            raise ValueError(msg)
        for file in sorted(GRAPHS & entry["sha256"].keys()):
            data = _read_bounded(folder / file, LARGEST_GRAPH)
            check_graph(data, frozenset(places.values()))
        for decoder in entry.get("decoders", {}):
            file = weights_of(decoder)
            places = tensor_places(folder / file)
            data = _read_bounded(folder / (file := graph_of(decoder)), LARGEST_GRAPH)
            check_graph(data, frozenset(places.values()), weights_file=weights_of(decoder))
    except (OSError, ValueError) as error:
        msg = f"{folder / file}: cannot be used: {error}; {advice}"
        raise ModelError(msg) from error


def _read_bounded(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        msg = f"expected at most {most:,} bytes, got more"
        raise ValueError(msg)
    return data


def tensor_places(path: Path) -> Places:
    """Tensors of a weights file in safetensors' format; raises ValueError unless all are float16
    and lie in the file, and OSError."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > min(LARGEST_HEADER, size - 8):
            msg = f"expected a header of at most {LARGEST_HEADER:,} bytes, got one of {length:,}"
            raise ValueError(msg)
        header = stream.read(length)
    try:
        tensors = json.loads(header)
        tensors.pop("__metadata__", None)
        found = {name: _tensor_place(tensor, 8 + length, size) for name, tensor in tensors.items()}
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        msg = f"expected tensors in the header of the weights, got something else: {error}"
        raise ValueError(msg) from error
    if sum(bytes_held for _, bytes_held in found.values()) > size - 8 - length:
        msg = "expected tensors that do not overlap in the weights, got others"
        raise ValueError(msg)
    return found


def _tensor_place(tensor: dict[str, Any], start: int, size: int) -> tuple[int, int]:
    first, last = tensor["data_offsets"]
    shape = tensor["shape"]
    numbers = [first, last, *shape]
    whole = all(isinstance(number, int) and 0 <= number < 2**40 for number in numbers)
    if not whole or len(numbers) > 2 + MOST_AXES:
        msg = f"expected shapes and offsets of tensors, got {numbers[:8]}"
        raise ValueError(msg)
    whole = tensor["dtype"] == "F16" and last - first == 2 * math.prod(shape)
    if not whole or start + last > size:
        msg = f"expected float16 tensors within the file, got {tensor['dtype']!r:.20} of {shape} "
        msg += f"at {first} to {last}"
        raise ValueError(msg)
    return start + first, last - first


def _check_shapes(tables: Tables, architecture: dict[str, Any]) -> None:
    codec = architecture.get("codec", architecture)
    latent, hyper = codec["latent"], codec["hyper"]
    shapes = (tables.bias.shape, tables.z_rows.shape, tables.weight.shape)
    expected = ((QP_COUNT, latent), (QP_COUNT, hyper), (16 * latent, hyper))
    if shapes != expected:
        msg = f"expected tables of shapes {expected}, got {shapes}"
        raise ValueError(msg)
    if any(table.limit > RESIDUAL_LIMIT for table in tables.bank):
        msg = f"expected tables of magnitudes up to {RESIDUAL_LIMIT}, got more"
        raise ValueError(msg)


def model_id(tables: Tables, weights: Path) -> str:
    """Eight hex digits of the SHA-256 over what decides a decoded picture: integer tables and
    decoder weights.

    `weights` is a weights file. Raises ValueError for another file, and OSError.
    """
    digest = hashlib.sha256()
    for array in (
        *tables.counts,
        tables.weight,
        tables.bias,
        tables.z_rows,
        *tables.after,
        *(tables.adapted or ()),
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(bytes([tables.still] if tables.after else []))
    places = tensor_places(weights)
    with weights.open("rb") as stream:
        for name in sorted(places):
            if name.removeprefix("codec.").startswith(_DECODER_PARTS):
                offset, length = places[name]
                stream.seek(offset)
                digest.update(stream.read(length))
    return digest.hexdigest()[:8]
