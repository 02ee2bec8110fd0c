"""`model.json`, the entry of a model in its folder, and the check of the files that it names."""

import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any, TypeGuard

from ncodec.errors import ModelError
from ncodec.grid import CELL
from ncodec.inference.decoders import (
    MOST_DECODERS,
    files_of,
    is_decoder_file,
    is_decoder_name,
)
from ncodec.inference.model import (
    FRAME,
    LARGEST_TABLES,
    PICTURE,
    RD_GRADIENT_FILE,
    TABLES_FILE,
    WEIGHTS_FILE,
)
from ncodec.quality import QP_COUNT

MODEL_FILE = "model.json"
FORMAT = 2
"""newest format of `model.json` and of what it names: that of models with several decoders"""
PLAIN_FORMAT = 1
"""format of models with their own decoder alone"""
GRAPHS = frozenset({"decoder.onnx", "encoder.onnx", RD_GRADIENT_FILE})
FILES = GRAPHS | {WEIGHTS_FILE, TABLES_FILE}
"""files of a model beside `model.json` and those of further decoders; it may lack the
rate–distortion gradient alone"""
LARGEST_MODEL = 2**30
"""bytes of all files of a model"""
LARGEST_ENTRY = 2**20
LARGEST_GRAPH = 2**22
_LARGEST = dict.fromkeys(GRAPHS, LARGEST_GRAPH) | {
    WEIGHTS_FILE: LARGEST_MODEL,
    TABLES_FILE: LARGEST_TABLES,
}
_LARGEST_HALO = 2**12
_LARGEST_NUMBER = 2**40
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID = re.compile(r"[0-9a-f]{8}")
_HASH = re.compile(r"[0-9a-f]{64}")
GET_AGAIN = "get or export the model again"
REINSTALL = "reinstall ncodec"


def read_entry(folder: Path, *, advice: str = GET_AGAIN) -> dict[str, Any]:
    """Content of a folder's `model.json`: id, name, kind, files, hashes and facts of its model.

    Raises ModelError, with `advice`, where it cannot be read, is of a newer format or lacks
    something.
    """
    path = folder / MODEL_FILE
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            msg = f"expected a regular file as {MODEL_FILE}"
            raise ValueError(msg)
        with path.open("rb") as stream:
            text = stream.read(LARGEST_ENTRY + 1)
        return parse_entry(text)
    except FileNotFoundError as error:
        msg = f"{folder}: expected the folder of a model, got one without {MODEL_FILE}; {advice}"
        raise ModelError(msg) from error
    except ModelError as error:
        msg = f"{folder}: {error}"
        raise ModelError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be used: {error}; {advice}"
        raise ModelError(msg) from error


def parse_entry(text: bytes) -> dict[str, Any]:
    """Content of a `model.json`; raises ValueError for anything else, ModelError for a newer
    format."""
    if len(text) > LARGEST_ENTRY:
        msg = f"expected at most {LARGEST_ENTRY:,} bytes of {MODEL_FILE}, got more"
        raise ValueError(msg)
    try:
        entry = json.loads(text)
    except RecursionError as error:
        msg = f"expected {MODEL_FILE} without deep nesting, got another"
        raise ValueError(msg) from error
    if not isinstance(entry, dict):
        msg = f"expected an object in {MODEL_FILE}, got {type(entry).__name__}"
        raise ValueError(msg)
    form = entry.get("format")
    if _is_whole(form, FORMAT + 1, 2**31):
        msg = f"the model is of format {form}, this release reads {FORMAT}: update ncodec"
        raise ModelError(msg)
    for field, fits in _EXPECTED.items():
        if not fits(entry.get(field, _DEFAULTS.get(field))):
            msg = f"expected {field} of a model in {MODEL_FILE}, got {entry.get(field)!r:.60}"
            raise ValueError(msg)
    expected = FILES | files_of(entry.get("decoders", {}))
    for field in ("sha256", "bytes"):
        if not expected - {RD_GRADIENT_FILE} <= entry[field].keys() <= expected:
            msg = f"expected {field} of a model in {MODEL_FILE}, got those of other files"
            raise ValueError(msg)
    if entry["bytes"].keys() != entry["sha256"].keys():
        msg = f"expected bytes and sha256 of the same files in {MODEL_FILE}, got others"
        raise ValueError(msg)
    return entry


def check_files(entry: dict[str, Any], folder: Path, *, advice: str = GET_AGAIN) -> None:
    """Raise ModelError, with `advice`, unless a folder has the files of its entry, of their sizes
    and hashes."""
    for file, expected in entry["sha256"].items():
        path = folder / file
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != entry["bytes"][file]:
                msg = f"expected {file} of model {entry['name']} to be a file of "
                msg += f"{entry['bytes'][file]:,} bytes, got another in {folder}; {advice}"
                raise ModelError(msg)
            with path.open("rb") as stream:
                got = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            msg = f"model {entry['name']} is incomplete: {error}; {advice}"
            raise ModelError(msg) from error
        if got != expected:
            msg = f"expected SHA-256 {expected[:16]}… of {file} of model {entry['name']}, "
            msg += f"got {got[:16]}… in {folder}; {advice}"
            raise ModelError(msg)


def write_entry(entry: dict[str, Any], folder: Path) -> None:
    """Write a folder's `model.json`."""
    text = json.dumps(entry, indent=1, ensure_ascii=False) + "\n"
    (folder / MODEL_FILE).write_text(text, "utf-8", newline="\n")


def check_name(name: str) -> None:
    """Raise ModelError for what cannot be a model's name."""
    if not _NAME.fullmatch(name):
        msg = f"expected a name of letters, digits, '-', '_' and '.', at most 64, got {name!r:.80}"
        raise ModelError(msg)


def _is_whole(value: object, least: int, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and -_LARGEST_NUMBER < value < _LARGEST_NUMBER


def is_model_file(file: str) -> bool:
    """Whether a folder of a model may hold a file of this name beside `model.json`."""
    return file in FILES or is_decoder_file(file)


def largest_of(file: str) -> int:
    """Most bytes of a file of a model."""
    if is_decoder_file(file):
        return LARGEST_GRAPH if file.endswith(".onnx") else LARGEST_MODEL
    return _LARGEST[file]


def _are_files(value: object) -> bool:
    return isinstance(value, dict) and all(map(is_model_file, value))


def _are_decoders(value: object) -> bool:
    """Name of each decoder beside the model's own → its cost, what made it and what it loses."""
    return (
        isinstance(value, dict)
        and len(value) <= MOST_DECODERS
        and all(is_decoder_name(name) and _is_decoder(facts) for name, facts in value.items())
    )


def _is_decoder(facts: object) -> bool:
    if not isinstance(facts, dict):
        return False
    made_by, lost = facts.get("made_by"), facts.get("lost_db")
    return (
        _is_number(facts.get("decode_kmac_per_pixel"))
        and isinstance(made_by, list)
        and all(map(_is_line, made_by))
        and isinstance(lost, list)
        and all(isinstance(p, list) and len(p) == 2 and all(map(_is_number, p)) for p in lost)
    )


def _are_sizes(value: Any) -> bool:
    return (
        _are_files(value)
        and all(_is_whole(size, 1, largest_of(file)) for file, size in value.items())
        and sum(value.values()) <= LARGEST_MODEL
    )


def _is_architecture(value: Any) -> bool:
    """Widths, depths and λ of networks that fit into memory, of frames with those of their codec
    inside."""
    if not isinstance(value, dict):
        return False
    codec = value.get("codec", value)
    if not isinstance(codec, dict) or codec.get("qp_count") != QP_COUNT:
        return False
    fields = [*codec.items(), *(item for item in value.items() if item[0] != "codec")]
    widths = [(key, item) for key, item in fields if not key.startswith("lambda_")]
    if not all(_is_whole(item, 1, 64 if "depth" in key else 1024) for key, item in widths):
        return False
    least, most = (codec.get(f"lambda_{end}") for end in ("min", "max"))
    if not _is_number(least) or not _is_number(most):
        return False
    return {"latent", "hyper"} <= codec.keys() and 1 / _LARGEST_NUMBER < least < most


def _are_floors(value: Any) -> bool:
    if not isinstance(value, list) or not all(isinstance(p, list) and len(p) == 2 for p in value):
        return False
    qps = [qp for qp, _ in value]
    return (
        all(_is_whole(qp, 0, QP_COUNT - 1) and _is_number(psnr) for qp, psnr in value)
        and sorted(set(qps)) == qps
    )


def _are_facts(value: Any) -> bool:
    """kMAC/px, and what people read, without control characters of a terminal."""
    if not isinstance(value, dict):
        return False
    curve = value.get("rate_distortion", {"pictures": "", "bpp_psnr": [[1, 1]]})
    points = curve.get("bpp_psnr") if isinstance(curve, dict) else None
    return (
        all(_is_number(value.get(f"{work}_kmac_per_pixel")) for work in ("encode", "decode"))
        and _is_line(value.get("summary", ""))
        and _is_line(curve.get("pictures") if isinstance(curve, dict) else None)
        and isinstance(points, list)
        and len(points) > 0
        and all(isinstance(p, list) and len(p) == 2 and all(map(_is_number, p)) for p in points)
    )


def _is_line(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_halo(value: object) -> bool:
    return _is_whole(value, 0, _LARGEST_HALO) and value % CELL == 0


def _is_text(pattern: re.Pattern[str]) -> Any:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value)


_EXPECTED: dict[str, Any] = {
    "format": lambda value: _is_whole(value, PLAIN_FORMAT, FORMAT),
    "id": _is_text(_ID),
    "name": _is_text(_NAME),
    "kind": lambda value: value in (PICTURE, FRAME),
    "sha256": lambda value: _are_files(value) and all(map(_is_text(_HASH), value.values())),
    "bytes": _are_sizes,
    "architecture": _is_architecture,
    "halo": _is_halo,
    "decode_halo": _is_halo,
    "facts": _are_facts,
    "floors": _are_floors,
    "decoders": _are_decoders,
}
"""field of a `model.json` → whether a value can be its own"""
_DEFAULTS: dict[str, Any] = {"floors": [], "decode_halo": 0, "decoders": {}}
"""fields that a `model.json` may lack, and a value that is checked for them"""
