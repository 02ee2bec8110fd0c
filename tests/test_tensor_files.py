"""Files of tensors that are odd, damaged or hostile are refused in a sentence."""

import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest
from test_cli import call, fails
from test_tensors import NAMES, normal, of_every_kind, packed, stored

import ncodec
from ncodec.container.nct import (
    MAGIC,
    Entry,
    Form,
    Index,
    Origin,
    pack_index,
    pack_tensor,
    read_index,
)
from ncodec.errors import FormatError, InputError, LossError, NcodecWarning, OutputError
from ncodec.tensors.elements import KINDS


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "something else"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "something else"),
        ((2).to_bytes(8, "little") + b"[]", "header of safetensors"),
        ((9).to_bytes(8, "little") + b'{"a": 1} ', "header of safetensors"),
        (stored({"w": ("F32", (3,), bytes(8))}), "expected 12 bytes"),
        (stored({"w": ("F4", (2,), bytes(1))}), "'F4' are not known"),
        (stored({"w": ("U8", (2,), bytes(2))}) + b"x", "got 3"),
        (stored({"w": ("U8", (-2,), bytes(2))}), "negative"),
    ],
)
def test_other_files_are_named(data: bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        ncodec.pack_tensors(data, tmp_path / "a.nct")
    assert not list(tmp_path.iterdir())


def test_what_follows_an_array_is_not_dropped_in_silence(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.arange(10))
    np.save(array, np.ones(1000))
    with pytest.raises(InputError, match="got bytes after it"):
        ncodec.pack_tensors(array.getvalue(), tmp_path / "a.nct")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        for _ in range(2):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                members.writestr("a.npy", array.getvalue()[:208])
    with pytest.raises(InputError, match="two of one name"):
        ncodec.pack_tensors(archive.getvalue(), tmp_path / "a.nct")


def test_damaged_arrays_are_refused_in_a_sentence(tmp_path: Path) -> None:
    archive = io.BytesIO()
    np.savez_compressed(archive, a=np.arange(300), b=np.ones((4, 5)))
    array = io.BytesIO()
    np.save(array, np.ones((4, 5)))
    random = Random(1)
    for data in (archive.getvalue(), array.getvalue(), of_every_kind()):
        for _ in range(150):
            damaged = bytearray(data)
            damaged[random.randrange(min(len(data), 200))] ^= 1 << random.randrange(8)
            with suppress(InputError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                packed(bytes(damaged), tmp_path)


def test_names_and_shapes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for name, shape in (("\ud800", [1]), ("w", [1e999]), ("w", [1] * 200_000), ("w", [0, 2**60])):
        header = json.dumps({name: {"dtype": "U8", "shape": shape, "data_offsets": [0, 1]}})
        header = header.replace("Infinity", "1e999")
        data = len(header).to_bytes(8, "little") + header.encode() + b"x"
        with pytest.raises(InputError):
            ncodec.pack_tensors(data, tmp_path / "a.nct")


def test_an_index_finds_tensors_beyond_32_gigabytes(tmp_path: Path) -> None:
    lengths = (2**34, 2**34, 2**34, 20)
    entries = tuple(
        Entry(f"t{n}", 0, (1,), Form.EXACT, 0, length) for n, length in enumerate(lengths)
    )
    start = 5 + sum(lengths)
    path = tmp_path / "sparse.nct"
    with path.open("wb") as stream:
        stream.write(MAGIC + b"\1")
        stream.seek(start)
        stream.write(pack_index(Index(Origin.NPZ, b"", entries), start))
    with path.open("rb") as stream:
        found = read_index(stream).entries
    assert [entry.start for entry in found] == [5, 5 + 2**34, 5 + 2**35, 5 + 3 * 2**34]


def test_arrays_of_no_numbers_are_refused(tmp_path: Path) -> None:
    for array in (np.array([1 + 2j]), np.array(["a"]), np.array([b"a", None], dtype=object)):
        stream = io.BytesIO()
        np.save(stream, array)
        with pytest.raises(InputError, match=r"expected numbers|cannot be read"):
            ncodec.pack_tensors(stream.getvalue(), tmp_path / "a.nct")


def test_conversions_are_named(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, big=np.arange(6, dtype=">i4"), turned=np.asfortranarray(normal((3, 4))))
    with pytest.warns(NcodecWarning, match=r"big-endian|Fortran"):
        stats = ncodec.pack_tensors(stream.getvalue(), tmp_path / "a.nct")
    assert len(stats.notices) == 2
    with ncodec.open_tensors(tmp_path / "a.nct") as file:
        assert file["big"].tolist() == list(range(6))
    with pytest.raises(LossError):
        ncodec.pack_tensors(stream.getvalue(), tmp_path / "b.nct", strict=True)


def test_every_flip_and_cut_is_refused(tmp_path: Path) -> None:
    data = packed(stored({"w": ("F32", (9, 9), normal((9, 9)).tobytes()),
                          "n": ("U8", (5,), bytes(5))}), tmp_path)  # fmt: skip
    for place in range(len(data)):
        for bit in (0, 3, 7):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            with pytest.raises(FormatError):
                ncodec.unpack_tensors(bytes(damaged), None)
        with pytest.raises(FormatError):
            ncodec.unpack_tensors(data[:place], None)
    with pytest.raises(FormatError):
        ncodec.unpack_tensors(data + b"x", None)


@contextmanager
def refused(sentence: str) -> Iterator[None]:
    with pytest.raises(FormatError, match=sentence):
        yield


def hostile(
    shape: tuple[int, ...], payload: bytes, form: Form = Form.EXACT, kind: int = 11
) -> bytes:
    start = MAGIC + b"\1"
    chunk = pack_tensor(payload)
    entry = Entry("w", kind, shape, form, len(start), len(chunk))
    end = pack_index(Index(Origin.NPZ, b"", (entry,)), len(start) + len(chunk))
    return start + chunk + end


def test_sizes_that_a_payload_cannot_have_are_refused() -> None:
    assert KINDS[11].name == "F32"
    with refused("at most 17,179,869,184 bytes"):
        ncodec.unpack_tensors(hostile((2**34, 2**34), b"\1\0" * 4), None)
    with refused("expected at least"):
        ncodec.unpack_tensors(hostile((2**31,), b"\1\0" * 4), None)
    with refused("expected rows of floating-point numbers"):
        ncodec.unpack_tensors(hostile((7,), b"\3", Form.QUANTIZED), None)
    with refused("expected rows of floating-point numbers"):
        ncodec.unpack_tensors(
            hostile((0,), b"\xff" * 4 + b"\7" + b"\1\0" * 99, Form.QUANTIZED), None
        )
    with refused("at most 17,179,869,184 bytes"):
        ncodec.unpack_tensors(hostile((0, 2**34, 2**34), b""), None)
    with refused("of kind 0 to 2"):
        ncodec.unpack_tensors(hostile((7,), b"\7" * 40), None)
    with refused("elements of a known kind"):
        ncodec.unpack_tensors(hostile((7,), b"", kind=99), None)
    with refused("got more bytes"):
        ncodec.unpack_tensors(hostile((7,), b"\1\0" * 5), None)


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = of_every_kind()
    Path("a.safetensors").write_bytes(data)
    done = call("tensors", "pack", "a.safetensors", "--json")
    assert done.exit_code == 0, done.output
    fields = json.loads(done.stdout)
    assert fields["output"] == "a.safetensors.nct"
    assert (fields["tensors"], fields["quantized"]) == (len(NAMES) + 2, 0)
    fails(call("tensors", "pack", "a.safetensors"), "exists; -f")
    fails(call("tensors", "unpack", "a.safetensors.nct"), "exists; -f")
    fails(call("tensors", "unpack", "a.safetensors.nct", "-o", "b.npz"), "ends in .safetensors")
    assert call("tensors", "unpack", "a.safetensors.nct", "-o", "b").exit_code == 0
    assert Path("b").read_bytes() == data
    assert "is whole" in call("tensors", "unpack", "--verify", "a.safetensors.nct").stdout
    listed = call("tensors", "list", "a.safetensors.nct").stdout.splitlines()
    assert len(listed) == len(NAMES) + 2
    assert any(line.startswith("number  F64 one number  exact") for line in listed)
    fails(call("tensors", "pack", "b", "--bits", "3", "--max-error", "1"), "got both", code=2)
    fails(call("tensors", "list", "b"), "expected a .nct file")
    shown = json.loads(call("info", "--verify", "--json", "a.safetensors.nct").stdout)
    assert (shown["tensors"], shown["exact"], shown["verified"]) == (len(NAMES) + 2, 17, True)
    fails(call("tensors", "pack", "missing"), "no such file")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.nct").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        ncodec.pack_tensors(of_every_kind(), tmp_path / "a.nct")
    assert (tmp_path / "a.nct").read_bytes() == b"mine"
