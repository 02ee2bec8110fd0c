"""Tensors come back from .nct files to the bit, or within what was asked for."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from places import ROOT
from test_cli import call
from test_stack_coder import without_constriction

import ncodec
from ncodec.container.varint import ByteReader
from ncodec.errors import InputError
from ncodec.tensors.elements import (
    BY_NAME,
    difference,
    numbers_of,
    summed,
    turned,
    turned_back,
    words_of,
)
from ncodec.tensors.planes import PART, pack_planes, unpack_planes

RNG = np.random.default_rng(1)
WEIGHTS = ROOT / "weights" / "base" / "tables.npz"
NAMES = sorted(BY_NAME)


def stored(members: dict[str, tuple[str, tuple[int, ...], bytes]], **metadata: str) -> bytes:
    """A file as safetensors writes it."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, (kind, shape, data) in members.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    start = json.dumps(header).encode()
    body = b"".join(data for _, _, data in members.values())
    return len(start).to_bytes(8, "little") + start + body


def of_every_kind() -> bytes:
    """Tensors of every kind of elements, one without elements, one without axes."""
    members = {
        name: (name, (30, 7), RNG.integers(0, 256, 210 * BY_NAME[name].width, np.uint8).tobytes())
        for name in NAMES
    }
    members |= {"empty": ("F32", (0, 4), b""), "number": ("F64", (), bytes(8))}
    return stored(members, format="pt")


def packed(data: bytes, tmp_path: Path, **options: Any) -> bytes:
    ncodec.pack_tensors(data, tmp_path / "a.nct", overwrite=True, **options)
    return (tmp_path / "a.nct").read_bytes()


def unpacked(data: bytes, tmp_path: Path, **options: Any) -> bytes:
    ncodec.unpack_tensors(data, tmp_path / "a.out", overwrite=True, **options)
    return (tmp_path / "a.out").read_bytes()


def normal(shape: tuple[int, ...], spread: float = 0.05) -> np.ndarray:
    return RNG.normal(0, spread, shape).astype(np.float32)


def test_a_safetensors_file_comes_back_byte_for_byte(tmp_path: Path) -> None:
    data = of_every_kind()
    assert unpacked(packed(data, tmp_path), tmp_path) == data


def test_arrays_come_back(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, normal((20, 9)))
    assert unpacked(packed(array.getvalue(), tmp_path), tmp_path) == array.getvalue()
    made = unpacked(packed(WEIGHTS.read_bytes(), tmp_path), tmp_path)
    with np.load(WEIGHTS) as expected, np.load(io.BytesIO(made)) as found:
        assert expected.files == found.files
        assert all((expected[name] == found[name]).all() for name in found.files)
        assert all(expected[name].dtype == found[name].dtype for name in found.files)


@given(st.sampled_from(NAMES), st.data())
def test_words_turn_back(name: str, data: st.DataObject) -> None:
    kind = BY_NAME[name]
    words = data.draw(arrays_of.arrays(kind.words, st.integers(1, 50)))
    base = data.draw(arrays_of.arrays(kind.words, len(words)))
    assert (turned_back(turned(words, kind), kind) == words).all()
    assert (summed(difference(words, base, kind), base, kind) == words).all()


@settings(deadline=None)
@given(arrays_of.arrays("<u4", st.integers(0, 300)))
def test_planes_come_back(words: np.ndarray) -> None:
    made = b"".join(pack_planes(words))
    reader = ByteReader(made)
    assert (unpack_planes(reader, len(words), words.dtype) == words).all()
    assert reader.at_end


def test_a_coder_in_python_gives_the_same_bytes() -> None:
    words = normal((2000,)).view("<u4")
    made = b"".join(pack_planes(words))
    with without_constriction():
        assert b"".join(pack_planes(words)) == made
        assert (unpack_planes(ByteReader(made), len(words), words.dtype) == words).all()


def test_exponents_take_what_their_entropy_says(tmp_path: Path) -> None:
    """bfloat16 weights of one spread: 8 bits of sign and fraction, 2.5 to 2.7 of the exponent."""
    halves = (normal((400, 500)).view("<u4") >> 16).astype("<u2").tobytes()
    made = packed(stored({"w": ("BF16", (400, 500), halves)}), tmp_path)
    assert 10.5 < 8 * len(made) / 200_000 < 10.8


class Counted(io.BytesIO):
    """A file that notes how much of it was read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_one_tensor_is_read_without_the_others(tmp_path: Path) -> None:
    large = RNG.integers(0, 256, 4 * 50_000, np.uint8).tobytes()
    small = normal((7, 3))
    members = {"a": ("F32", (50_000,), large), "b": ("F32", (7, 3), small.tobytes())}
    stream = Counted(packed(stored(members), tmp_path))
    with ncodec.open_tensors(stream) as file:
        assert list(file) == ["a", "b"]
        assert len(file) == 2
        assert (file["b"] == small).all()
        assert [(found.kind, found.shape, found.form) for found in file.infos()] == [
            ("F32", (50_000,), "exact"),
            ("F32", (7, 3), "exact"),
        ]
        with pytest.raises(KeyError):
            file["c"]
    assert stream.count < 2000


def test_small_floats_are_numbers() -> None:
    torch = pytest.importorskip("torch")
    for name, dtype in (
        ("F8_E4M3", torch.float8_e4m3fn), ("F8_E5M2", torch.float8_e5m2), ("BF16", torch.bfloat16),
    ):  # fmt: skip
        kind = BY_NAME[name]
        words = np.arange(1 << (8 * kind.width)).astype(kind.words)
        signed = torch.from_numpy(words.view(f"i{kind.width}").copy())
        expected = signed.view(dtype).to(torch.float32).numpy()
        assert np.array_equal(numbers_of(words, kind), expected, equal_nan=True)


def test_bfloat16_rounds_as_pytorch_does() -> None:
    torch = pytest.importorskip("torch")
    numbers = normal((5000,), 3.0)
    expected = torch.from_numpy(numbers).to(torch.bfloat16).view(torch.int16).numpy()
    assert (words_of(numbers, BY_NAME["BF16"]).view("i2") == expected).all()


def test_tuned_weights_are_packed_as_differences(tmp_path: Path) -> None:
    base = normal((300, 200))
    tuned = base + np.where(RNG.random(base.shape) < 0.1, np.float32(1e-5), np.float32(0))
    files = [stored({"w": ("F32", base.shape, array.tobytes())}) for array in (base, tuned)]
    alone, beside = packed(files[1], tmp_path), packed(files[1], tmp_path, like=files[0])
    assert len(beside) < len(alone) / 3
    assert unpacked(beside, tmp_path, like=files[0]) == files[1]
    packed_base = packed(files[0], tmp_path)
    assert unpacked(beside, tmp_path, like=packed_base) == files[1]
    with pytest.raises(InputError, match="--like FILE"):
        unpacked(beside, tmp_path)
    (tmp_path / "base").write_bytes(files[0])
    (tmp_path / "beside.nct").write_bytes(beside)
    assert call("info", "--verify", str(tmp_path / "beside.nct")).exit_code == 1
    shown = call("info", "--verify", str(tmp_path / "beside.nct"), "--like", str(tmp_path / "base"))
    assert "1 difference  verified" in shown.stdout
    with pytest.raises(InputError, match="difference to another tensor"):
        unpacked(beside, tmp_path, like=files[1])


@pytest.mark.parametrize("name", ["F16", "BF16", "F32", "F64"])
@pytest.mark.parametrize("max_error", [1e-1, 1e-3, 1e-6])
def test_no_error_is_above_the_largest(name: str, max_error: float, tmp_path: Path) -> None:
    kind = BY_NAME[name]
    words = words_of(normal((2000,), 1.0), kind)
    data = stored({"w": (name, (40, 50), words.tobytes())})
    made = packed(data, tmp_path, max_error=max_error)
    with ncodec.open_tensors(made) as file:
        found = file["w"].astype(np.float64).ravel()
        assert np.abs(found - numbers_of(words, kind).astype(np.float64)).max() <= max_error
        reached = kind.width > 2 or max_error > 2e-2  # beyond the rounding of the kind
        assert file.infos()[0].form == ("quantized" if reached else "exact")


def test_any_error_allowed_leaves_zeros(tmp_path: Path) -> None:
    weights = normal((40, 50))
    data = stored({"w": ("F32", weights.shape, weights.tobytes())})
    with ncodec.open_tensors(packed(data, tmp_path, max_error=1e300)) as file:
        assert file.infos()[0].form == "quantized"
        assert (file["w"] == 0).all()


def test_fewer_bits_lose_more_and_take_less(tmp_path: Path) -> None:
    weights, bias = normal((60, 80)), normal((60,))
    data = stored({"w": ("F32", weights.shape, weights.tobytes()),
                   "b": ("F32", bias.shape, bias.tobytes())})  # fmt: skip
    errors, sizes = [], []
    for bits in (8, 6, 4, 2):
        made = packed(data, tmp_path, bits=bits)
        with ncodec.open_tensors(made) as file:
            assert (file["b"] == bias).all()
            steps = np.abs(weights).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
            assert (np.abs(file["w"] - weights) <= 1.001 * steps).all()
            errors.append(float(np.mean((file["w"] - weights) ** 2)))
            sizes.append(len(made))
    assert errors == sorted(errors)
    assert sizes == sorted(sizes, reverse=True)


def test_rows_below_what_a_step_can_be_stay_exact(tmp_path: Path) -> None:
    rows = np.array([[3e-200] * 4, [1.0] * 4])
    data = stored({"w": ("F64", rows.shape, rows.tobytes())})
    assert unpacked(packed(data, tmp_path, bits=8), tmp_path) == data


def test_what_cannot_be_quantized_stays_exact(tmp_path: Path) -> None:
    odd = normal((4, 5))
    odd[1, 2] = np.nan
    zeros, whole = np.zeros((3, 4), np.float32), np.arange(12, dtype="<i4").reshape(3, 4)
    data = stored({"odd": ("F32", odd.shape, odd.tobytes()),
                   "zeros": ("F32", zeros.shape, zeros.tobytes()),
                   "whole": ("I32", whole.shape, whole.tobytes())})  # fmt: skip
    for loss in ({"bits": 3}, {"max_error": 0.5}):
        with ncodec.open_tensors(packed(data, tmp_path, **loss)) as file:
            assert np.array_equal(file["odd"], odd, equal_nan=True)
            assert (file["zeros"] == 0).all()
            assert (file["whole"] == whole).all()
            forms = {found.name: found.form for found in file.infos()}
            assert forms["odd"] == forms["whole"] == "exact"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"bits": 1}, "expected 2 to 12 bits, got 1"),
        ({"bits": 4, "max_error": 1.0}, "expected bits or max_error, got both"),
        ({"max_error": 0.0}, "expected a max_error above 0"),
        ({"max_error": float("nan")}, "expected a max_error above 0"),
    ],
)
def test_losses_out_of_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ncodec.TensorLoss(**options)


def test_golden_files_unpack(tmp_path: Path) -> None:
    folder = ROOT / "tests" / "golden" / "0.1.0"
    whole = (folder / "tensors.safetensors").read_bytes()
    assert unpacked((folder / "tensors.nct").read_bytes(), tmp_path) == whole
    lossy = unpacked((folder / "tensors-4-bits.nct").read_bytes(), tmp_path)
    assert hashlib.sha256(lossy).hexdigest()[:16] == "7c69d8eebdd02203"
    assert packed(whole, tmp_path) == (folder / "tensors.nct").read_bytes()


def test_parts_are_coded_one_by_one() -> None:
    words = np.concatenate([np.full(PART, 7, "<u2"), RNG.integers(0, 2**16, 100).astype("<u2")])
    parts = list(pack_planes(words))
    assert [len(part) for part in parts] == [2, 2, 101, 101]
