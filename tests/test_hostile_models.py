"""A model that was made to do harm costs a refused load: a sentence, and nothing run, written or
allocated beyond its own bytes."""

import io
import json
import resource
import shutil
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from other_model import field, graph_file, make_model, node, rewrite, varint, weight, write_zip

from ncodec.errors import BackendError, ModelError
from ncodec.inference import graph_check
from ncodec.inference.checks import tensor_places
from ncodec.inference.graph_check import check_graph
from ncodec.inference.model import read_tables
from ncodec.inference.onnx import OnnxBackend
from ncodec.inference.store import unpack
from ncodec.inference.zoo import load_model_folder, weights_folder

SMALLER: dict[str, Any] = {"decode_kmac_per_pixel": 1.0, "made_by": [], "lost_db": []}
"""facts of a decoder beside a model's own"""
WEIGHTS = frozenset({(8, 4)})
"""offset and length of the one tensor of a weights file"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that no test changes."""
    return make_model(tmp_path_factory.mktemp("mine") / "export")


@pytest.fixture
def broken(mine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(mine, tmp_path / "broken")


def entries_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"../evil": b"x"}, "each once, got '../evil'"),
        ({"/evil": b"x"}, "got '/evil'"),
        ({"sub/decoder.onnx": b"x"}, "got 'sub/decoder.onnx'"),
        ({"C:\\evil": b"x"}, "got 'C:"),
        ({"evil.py": b"x"}, "got 'evil.py'"),
        ({"decoder.onnx": None}, "expected files of"),
        ({"decoder.onnx": b"shorter"}, "expected files of"),
        ({"slopes.onnx": b"not stated"}, "expected files of"),
        ({"model.json": None}, "expected model.json of up to 1,048,576 bytes, got 0"),
        ({"model.json": b" " * 2**21}, "expected model.json of up to 1,048,576 bytes"),
        ({"model.json": b"[" * 2**19}, "deep nesting"),
        ({"tables.npz": bytes(2**28)}, "expected files of"),
        ({f"{i}": b"" for i in range(20)}, "expected at most 16 entries"),
        ({f"{i}": b"" for i in range(70000)}, "expected at most 16 entries|64-bit"),
    ],
)
def test_a_packed_file_holds_plain_files_as_stated(
    mine: Path, tmp_path: Path, change: dict[str, bytes | None], sentence: str
) -> None:
    entries = {**entries_of(mine), **change}
    packed = write_zip(
        tmp_path / "it.ncmodel", [(k, v) for k, v in entries.items() if v is not None]
    )
    (tmp_path / "in").mkdir()
    with pytest.raises(ModelError, match=sentence):
        unpack(packed, tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "it.ncmodel"]


def test_links_and_doubles_in_a_packed_file(mine: Path, tmp_path: Path) -> None:
    entries = entries_of(mine)
    del entries["tables.npz"]
    packed = write_zip(tmp_path / "a", [*entries.items(), (link("tables.npz"), b"/etc/passwd")])
    with pytest.raises(ModelError, match=r"expected tables\.npz to be a regular file"):
        unpack(packed, tmp_path)
    with pytest.warns(UserWarning, match="Duplicate"):
        write_zip(tmp_path / "b", [*entries.items(), ("model.json", b"{}")])
    with pytest.raises(ModelError, match=r"once, got 'model\.json'"):
        unpack(tmp_path / "b", tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 100, 10**6, -1, -30])
def test_a_cut_packed_file_is_a_sentence(mine: Path, tmp_path: Path, cut: int) -> None:
    packed = write_zip(tmp_path / "whole", entries_of(mine).items())
    (tmp_path / "cut").write_bytes(packed.read_bytes()[:cut])
    with pytest.raises(ModelError, match="cut: not a model that can be used: expected"):
        unpack(tmp_path / "cut", tmp_path)


def test_a_directory_of_64_bits_is_not_followed(mine: Path, tmp_path: Path) -> None:
    data = write_zip(tmp_path / "a", entries_of(mine).items()).read_bytes()
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    (tmp_path / "a").write_bytes(data[:-22] + locator + data[-22:])
    with pytest.raises(ModelError, match="64-bit fields"):
        unpack(tmp_path / "a", tmp_path)


GOOD = node(b"Abs") + weight()


def test_the_crafted_graph_itself_is_fine() -> None:
    check_graph(graph_file(GOOD), WEIGHTS)


def value(raw: bytes, *, kind: int = 7, dims: int = 1) -> bytes:
    """An attribute that is a tensor."""
    return field(1, b"value") + field(5, field(1, dims) + field(2, kind) + field(9, raw))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (graph_file(node(b"Loop")), "expected operators of exported models, got b'Loop'"),
        (graph_file(node(b"If")), "got b'If'"),
        (graph_file(node(b"Expand")), "got b'Expand'"),
        (graph_file(node(b"Abs", domain=b"com.evil")), "b'Abs' of b'com.evil'"),
        (graph_file(node(b"Abs") + node(b"Abs")[:-1] + b"!"), "expected operators"),
        (graph_file(GOOD, domain=b"com.microsoft"), "expected operators of ONNX's own domain"),
        (graph_file(GOOD, version=16), "in version 17 alone"),
        (graph_file(GOOD, rest=field(25, b"function")), "got field 25"),
        (graph_file(GOOD, rest=field(20, b"training")), "got field 20"),
        (graph_file(GOOD, rest=field(14, b"metadata")), "got field 14"),
        (graph_file(GOOD, rest=field(7, node(b"Loop"))), "expected one graph"),
        (graph_file(node(b"Abs", field(1, b"axis") + field(6, b""))), "got field 6"),
        (graph_file(node(b"Abs", field(1, b"axis") + field(11, b""))), "got field 11"),
        (graph_file(node(b"Abs", field(1, b"evil"))), "expected attributes .* got b'evil'"),
        (
            graph_file(node(b"Abs", field(1, b"pads") + field(8, 2**40))),
            "whole numbers up to 65536",
        ),
        (graph_file(node(b"Abs", field(1, b"pads") + field(8, varint(2**40)))), "whole numbers"),
        (graph_file(weight(place=b"../image.safetensors")), "beside the graph, got b'../image"),
        (graph_file(weight(place=b"/etc/passwd")), "got b'/etc/passwd'"),
        (graph_file(weight(offset=9)), r"expected a tensor of image.safetensors, .*\(9, 4\)"),
        (graph_file(weight(length=2**40, dims=2**30)), "expected a tensor of image.safetensors"),
        (graph_file(weight(dims=3)), "got 6 bytes"),
        (graph_file(field(5, field(1, 2) + field(2, 10) + field(14, 1))), "expected location"),
        (graph_file(field(5, field(1, 2) + field(2, 8) + field(6, b"text"))), "got field 6"),
        (graph_file(node(b"Constant", value(bytes(8), dims=2**30))), "got 8 for"),
        (graph_file(node(b"Constant", value(bytes(8192), dims=1024))), "at most 4096 bytes"),
        (
            graph_file(node(b"ConstantOfShape", value(struct.pack("<q", 10**12)))),
            "whole numbers up to 65536, got",
        ),
        (graph_file(node(b"Constant", value(bytes(8), kind=8))), "expected a tensor of numbers"),
        (graph_file(field(15, b"sparse")), "got field 15"),
        (graph_file(GOOD)[:-3], "truncated"),
        (graph_file(GOOD) + b"\xff" * 11, "at most 10 bytes"),
        (graph_file(GOOD) + b"\x0b", "wire type 3"),
        (field(7, 5), "expected bytes in a field of the graph, got the number 5"),
        (b"", "expected one graph in the graph, got 0"),
        (b"\x89PNG\r\n\x1a\n", "expected"),
    ],
)
def test_a_hostile_graph_is_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_graph(data, WEIGHTS)


def test_any_cut_and_any_flipped_bit_of_a_graph_is_read_or_refused() -> None:
    data = (weights_folder() / "ssim" / "decoder.onnx").read_bytes()
    places = frozenset(tensor_places(weights_folder() / "ssim" / "image.safetensors").values())
    check_graph(data, places)
    random = np.random.default_rng(0)
    refused = 0
    for at in random.integers(0, len(data), 60).tolist():
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]):
            try:
                check_graph(damaged, places)
            except ValueError:
                refused += 1
    assert refused > 60


def test_many_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_check, "MOST_NODES", 1)
    with pytest.raises(ValueError, match="expected at most 1 operators, got 2"):
        check_graph(graph_file(node(b"Abs") * 2), WEIGHTS)


def test_a_hostile_graph_in_a_folder_whose_hashes_fit(broken: Path) -> None:
    (broken / "decoder.onnx").write_bytes(graph_file(node(b"Loop")))
    rewrite(broken)
    with pytest.raises(ModelError, match=r"decoder.onnx: cannot be used: .*b'Loop'"):
        load_model_folder(broken)
    (broken / "decoder.onnx").write_bytes(bytes(2**22 + 1))
    rewrite(broken)
    with pytest.raises(ModelError, match=r"model.json: cannot be used: expected sha256|bytes of"):
        load_model_folder(broken)


def test_what_a_graph_gives_is_of_the_shapes_that_coders_need(mine: Path) -> None:
    class OtherGraph:
        def run(self, *_: object) -> list[np.ndarray[Any, Any]]:
            return [np.zeros((8, 1, 1), np.int8), np.zeros((320, 4, 4), np.int16)]

    backend = OnnxBackend(load_model_folder(mine), threads=1)
    backend._sessions["encoder.onnx"] = OtherGraph()
    with pytest.raises(BackendError, match=r"expected z_hat of type and shape .*96, 1, 1.* got"):
        backend.analyze(np.zeros((64, 64, 3), np.uint8), qp=30)


def safetensors(header: bytes | dict[str, Any], data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(first: int = 0, last: int = 4, shape: object = (2,), dtype: str = "F16") -> Any:
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "expected a header"),
        (b"\xff" * 8, "expected a header of at most 1,048,576 bytes"),
        (struct.pack("<Q", 100) + b"{}", "expected a header"),
        (safetensors(b"[]"), "something else"),
        (safetensors(b"[" * 100_000), "something else"),
        (safetensors(b"\xff\xfe"), "Expecting value"),
        (safetensors({"a": 1}), "something else"),
        (safetensors({"a": {}}), "something else"),
        (safetensors({"a": tensor()}), "within the file"),
        (safetensors({"a": tensor(0, 2**30)}, bytes(4)), "float16 tensors within the file"),
        (safetensors({"a": tensor(4, 0)}, bytes(4)), "float16 tensors within"),
        (safetensors({"a": tensor(-4, 0)}, bytes(4)), "shapes and offsets"),
        (safetensors({"a": tensor(shape=(3,))}, bytes(4)), "float16 tensors"),
        (safetensors({"a": tensor(shape=(-1, -2))}, bytes(4)), "shapes and offsets"),
        (safetensors({"a": tensor(shape=[2**39] * 5000)}, bytes(4)), "shapes and offsets"),
        (safetensors({"a": tensor(dtype="F32")}, bytes(4)), "got 'F32'"),
        (safetensors({str(i): tensor() for i in range(999)}, bytes(4)), "do not overlap"),
    ],
)
def test_a_hostile_weights_file_is_a_sentence(data: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(ValueError, match=sentence):
        tensor_places(tmp_path / "w")


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def described(dtype: str = "<u4", shape: str = "(1,)") -> str:
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}"


def pickled() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("counts.npy", npy(described(shape="(99999999999,)")), "got 0 bytes for"),
        ("counts.npy", npy(described(shape="(-1, -1)"), bytes(4)), "got 4 bytes for"),
        ("counts.npy", npy(described("<f8"), bytes(8)), "expected counts of uint32"),
        ("counts.npy", npy("(" * 5000), "expected an array as counts"),
        ("counts.npy", npy("__import__('os').abort()"), "expected an array as counts"),
        ("counts.npy", pickled(), "expected counts of uint32"),
        ("counts.npy", b"", "expected an array as counts"),
        ("counts.npy", bytes(2**26), "expected at most 33,554,432 bytes"),
        ("evil.npy", b"", "got 'evil.npy'"),
        ("../counts.npy", b"", "got '../counts.npy'"),
        ("sizes.npy", npy(described("<i8", "()"), bytes(8)), "expected"),
        ("bias.npy", npy(described("<i4"), bytes(4)), "expected tables that fit each other"),
        ("counts.npy", npy(described(shape="(64, 1)"), bytes(256)), "tables of one axis"),
        ("shift.npy", npy(described("<i8", "(2,)"), bytes(16)), "expected tables that fit"),
    ],
)
def test_hostile_tables_are_a_sentence(
    name: str, data: bytes, sentence: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(weights_folder() / "ssim" / "tables.npz") as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    packed = write_zip(tmp_path / "tables.npz", {**entries, name: data}.items())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=sentence):
        read_tables(packed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": "../x"}, "name"),
        ({"name": "\x1b[2J"}, "name"),
        ({"id": "0102030"}, "id"),
        ({"kind": "other"}, "kind"),
        ({"halo": 2**30}, "halo"),
        ({"halo": 100}, "halo"),
        ({"decode_halo": 100}, "decode_halo"),
        ({"bytes": {}}, "bytes"),
        ({"sha256": {"../x": "0" * 64}}, "sha256"),
        ({"architecture": {"latent": 2**40}}, "architecture"),
        ({"architecture": []}, "architecture"),
        ({"facts": {"summary": "\x1b[2J"}}, "facts"),
        ({"facts": {}}, "facts"),
        ({"floors": [[0, "high"]]}, "floors"),
        ({"floors": [[0, 10**400]]}, "floors"),
        ({"facts": {"encode_kmac_per_pixel": float("nan")}}, "facts"),
        ({"floors": [[9, 30.0], [3, 31.0]]}, "floors"),
        ({"decoders": []}, "decoders"),
        ({"decoders": {"a": {}}}, "decoders"),
        ({"decoders": {"../x": SMALLER}}, "decoders"),
        ({"decoders": {"full": SMALLER}}, "decoders"),
        ({"decoders": {"a": {**SMALLER, "made_by": ["\x1b[2J"]}}}, "decoders"),
        ({"decoders": {"a": {**SMALLER, "lost_db": [[4]]}}}, "decoders"),
        ({"decoders": dict.fromkeys("abcde", SMALLER)}, "decoders"),
        ({"decoders": {"a": SMALLER}}, "sha256"),
    ],
)
def test_a_hostile_entry_is_a_sentence(broken: Path, fields: dict[str, Any], name: str) -> None:
    rewrite(broken, **fields)
    with pytest.raises(ModelError, match=f"expected {name} of a model in model.json, got"):
        load_model_folder(broken)


def test_an_architecture_that_the_weights_do_not_have(broken: Path) -> None:
    entry = rewrite(broken)
    rewrite(broken, architecture={**entry["architecture"], "latent": 64})
    with pytest.raises(ModelError, match="expected tables of shapes"):
        load_model_folder(broken)
    pytest.importorskip("torch")
    from ncodec.inference.backend import open_backend

    for change in ({"body_depth": 5}, {"unknown_width": 5}):
        rewrite(broken, architecture={**entry["architecture"], **change})
        with pytest.raises(ModelError, match="expected weights of its architecture"):
            open_backend(load_model_folder(broken), "torch")
