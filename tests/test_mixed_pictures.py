"""Lossless pictures by context mixing come back, wherever numba is, and damage never passes."""

import hashlib
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from places import ROOT

import ncodec
from ncodec.container.nci import Tag, pack, unpack
from ncodec.errors import BackendError, FormatError
from ncodec.exact.layers import unpack_layers
from ncodec.exact.mixed import SIGNATURE, pack_mixed, unpack_mixed
from ncodec.exact.vp8l import pack_vp8l
from ncodec.lossless import methods

pytest.importorskip("numba")

from reference_planes import decode as read_planes

from ncodec.lossless.picture_tables import FAR, UNITS, picture_tables
from ncodec.lossless.planes import DENSEST, decode_planes, encode_planes

RNG = np.random.default_rng(1)
GOLDEN = ROOT / "tests" / "golden" / "0.1.0"


def photograph(height: int, width: int) -> np.ndarray:
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        return np.asarray(image.convert("RGB"))[100 : 100 + height, 200 : 200 + width]


PICTURES = {
    "photograph": photograph(48, 61),
    "a pixel": photograph(1, 1),
    "a row": photograph(1, 40),
    "a column": photograph(40, 1),
    "noise": RNG.integers(0, 256, (30, 33, 3), np.uint8),
    "black and white": RNG.integers(0, 2, (30, 33, 3), np.uint8) * 255,
    "plain": np.full((20, 70, 3), (3, 200, 255), np.uint8),
    "ramp": np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 5, axis=0).repeat(3, axis=2),
    "checks": np.indices((32, 32)).sum(axis=0).astype(np.uint8)[:, :, None].repeat(3, 2) % 2 * 255,
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("channels", [1, 3])
def test_planes_come_back(name: str, channels: int) -> None:
    pixels = np.ascontiguousarray(PICTURES[name][:, :, :channels])
    code = encode_planes(pixels)
    assert len(code) < pixels.size or not code
    if code:
        height, width, _ = pixels.shape
        assert np.array_equal(decode_planes(code, height, width, channels), pixels)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 255), st.integers(0, 2**32 - 1))
def test_random_pictures_come_back(height: int, width: int, most: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, most + 1, (height, width, 3), np.uint8)
    coded = pack_mixed(pixels)
    assert coded is None or np.array_equal(unpack_mixed(coded, height, width), pixels)


@pytest.mark.parametrize("name", ["photograph", "ramp", "black and white"])
def test_a_second_reader_reads_the_same(name: str) -> None:
    """One in plain Python, after codec/FORMAT.md."""
    for pixels in (PICTURES[name][:11, :14], PICTURES[name][:9, :10, :1]):
        code = encode_planes(np.ascontiguousarray(pixels))
        read = np.array(read_planes(code, *pixels.shape), dtype=np.uint8)
        assert np.array_equal(read.reshape(pixels.shape), pixels)


def test_photographs_are_smaller_than_by_webp() -> None:
    pixels = photograph(256, 256)
    coded = pack_mixed(pixels)
    assert coded is not None
    assert len(coded) < 0.92 * len(pack_vp8l(pixels))


def test_a_grey_picture_is_one_plane() -> None:
    pixels = PICTURES["photograph"][:, :, :1].repeat(3, axis=2)
    coded = pack_mixed(pixels)
    assert coded is not None
    assert coded[:2] == bytes([SIGNATURE, 1])
    assert np.array_equal(unpack_mixed(coded, *pixels.shape[:2]), pixels)


def coded_of(data: bytes) -> bytes:
    """Bytes of the first layer of a file."""
    container = unpack(data)
    header = container.header
    return unpack_layers(container.extras[Tag.EXACT], header.height, header.width)[0].coded


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_files_of_every_mode_come_back(mode: str) -> None:
    rgb = photograph(96, 130)
    pixels = {
        "L": rgb[:, :, 0],
        "LA": rgb[:, :, :2],
        "RGB": rgb,
        "RGBA": np.dstack([rgb, rgb[:, :, 1]]),
        "I;16": rgb[:, :, 0].astype(np.uint16) * 257 + rgb[:, :, 1],
    }[mode]
    data = ncodec.encode(pixels, quality="lossless")
    assert coded_of(data)[0] == SIGNATURE
    from ncodec.api.pictures import decode_array

    assert np.array_equal(decode_array(data), pixels)


def test_the_library_coder_remains_for_speed_and_for_flat_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = photograph(96, 130)
    assert coded_of(ncodec.encode(pixels, quality="lossless"))[0] == SIGNATURE
    assert coded_of(ncodec.encode(pixels, quality="lossless", effort=0))[0] != SIGNATURE
    with Image.open(GOLDEN / "screen.png") as image:
        flat = np.asarray(image.convert("RGB"))
    assert coded_of(ncodec.encode(flat, quality="lossless"))[0] != SIGNATURE
    monkeypatch.setattr("ncodec.image.rate_target._MIXED", 1000)
    assert coded_of(ncodec.encode(pixels, quality="lossless"))[0] != SIGNATURE
    assert coded_of(ncodec.encode(pixels, quality="lossless", effort=1))[0] == SIGNATURE


def test_without_numba_the_library_coder_packs_and_the_reader_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = photograph(96, 130)
    data = ncodec.encode(pixels, quality="lossless")
    monkeypatch.setattr(methods, "find_spec", lambda _name: None)
    assert coded_of(ncodec.encode(pixels, quality="lossless"))[0] != SIGNATURE
    with pytest.raises(BackendError, match=r"pip install 'ncodec\[lossless\]'"):
        ncodec.decode(data)
    found = ncodec.info(data)
    assert found.lossless
    assert found.mixed
    assert not ncodec.info(ncodec.encode(pixels, quality="lossless")).mixed


def test_a_numba_that_does_not_work_is_not_needed(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs another NumPy')")
    Image.fromarray(photograph(40, 50)).save(tmp_path / "a.png")
    done = subprocess.run(
        [sys.executable, "-m", "ncodec", "encode", "--lossless", str(tmp_path / "a.png")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert coded_of((tmp_path / "a.nci").read_bytes())[0] != SIGNATURE


def test_a_plain_colour_is_not_mixed() -> None:
    """Its three bytes may look like the start of context mixing."""
    plain = np.full((70, 90, 3), (SIGNATURE, 3, 9), np.uint8)
    data = ncodec.encode(plain, quality="lossless")
    assert not ncodec.info(data).mixed
    assert np.array_equal(np.asarray(ncodec.decode(data)), plain)


def test_golden_files_decode() -> None:
    with Image.open(GOLDEN / "mixed" / "mixed.png") as image:
        expected = np.asarray(image)
    data = (GOLDEN / "mixed" / "mixed.nci").read_bytes()
    assert np.array_equal(np.asarray(ncodec.decode(data)), expected)
    assert ncodec.encode(expected, quality="lossless") == data


def test_damage_is_refused_or_harmless_behind_right_checksums() -> None:
    data = (GOLDEN / "mixed" / "mixed.nci").read_bytes()
    container, random = unpack(data), Random(1)
    for _ in range(100):
        layers = bytearray(container.extras[Tag.EXACT])
        layers[random.randrange(8, len(layers))] ^= 1 << random.randrange(8)
        container.extras[Tag.EXACT] = bytes(layers)
        with suppress(FormatError):
            ncodec.decode(pack(container))
        container = unpack(data)


def test_cuts_and_sizes_that_a_code_cannot_have_are_refused() -> None:
    pixels = PICTURES["photograph"]
    code = encode_planes(pixels)
    height, width, _ = pixels.shape
    for cut in (code[:-1], code + b"\0", code[:20], b""):
        with pytest.raises(FormatError):
            decode_planes(cut, height, width, 3)
    with pytest.raises(FormatError, match="expected at least"):
        decode_planes(code[:100], 2**14, 2**14, 3)
    plain = np.full((300, 300, 1), 7, np.uint8)
    assert encode_planes(plain) == b""
    assert DENSEST * 100 < 2**16
    with pytest.raises(FormatError, match="one plane or three"):
        unpack_mixed(bytes([SIGNATURE, 2]) + code, height, width)


def test_tables_are_the_same_by_any_exponential() -> None:
    """No value that is rounded lies so near a half that an error of libraries could move it."""
    exact = (1 << 22) / (1 + np.exp(-np.arange(-FAR, FAR + 1) / UNITS))
    assert np.abs(exact - np.floor(exact) - 0.5).min() > 1e-6
    tables = picture_tables()
    assert (np.diff(tables.cumulative) >= 0).all()
    assert (np.diff(tables.fine) >= 0).all()


PROGRAM = """
import hashlib, sys
import numpy as np
from PIL import Image
from ncodec.exact.mixed import pack_mixed
print(hashlib.sha256(pack_mixed(np.asarray(Image.open(sys.argv[1]).convert("RGB")))).hexdigest())
"""


@pytest.mark.parametrize("features", ["", "+avx2,+fma"])
def test_every_instruction_set_gives_the_same_bytes(features: str, tmp_path: Path) -> None:
    """Compiled for the least x86-64 or ARM without optimizations, and with vectors of AVX2, as for
    this processor."""
    picture = tmp_path / "a.png"
    Image.fromarray(photograph(60, 90)).save(picture)
    environment = {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_OPT": "3" if features else "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(picture)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if features and done.returncode:
        pytest.skip("this processor has no AVX2")
    here = pack_mixed(photograph(60, 90))
    assert here is not None
    assert done.stdout.strip() == hashlib.sha256(here).hexdigest()
