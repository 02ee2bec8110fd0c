"""Any bytes come back from .ncz files, and damage never passes for them."""

import io
import json
import lzma
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from test_cli import call, fails

import ncodec
from ncodec.api import packed_streams
from ncodec.container import ncz
from ncodec.errors import BackendError, FormatError, InputError, OutputError
from ncodec.lossless import files, methods

pytest.importorskip("numba")

import numpy as np

TEXT = (ROOT / "README.md").read_bytes()
RANDOM = random.Random(1).randbytes(5000)


def sound(seconds: float = 1.0) -> bytes:
    """Two channels of 16 bits: tones that swell, and a little noise."""
    at = np.arange(int(8000 * seconds)) / 8000
    noise = np.random.default_rng(1).normal(0, 60, (len(at), 2))
    tones = [(440.0, 0.0), (443.0, 0.4)]
    swell = 6000 * (1 + np.sin(3 * at))
    waves = [swell * np.sin(2 * np.pi * f * at + phase) for f, phase in tones]
    return (np.stack(waves, axis=1) + noise).astype("<i2").tobytes()


def machine_code() -> bytes:
    """Calls of a few places, as x86 has them, among other bytes, some of them false calls."""
    rng, code = random.Random(2), bytearray()
    while len(code) < 20_000:
        code += rng.randbytes(rng.randrange(1, 9)) + b"\xe8"
        place = rng.choice([100, 4000, 9000, 15_000]) - len(code)
        code += place.to_bytes(4, "little", signed=True) + b"\x90\x90\xc3"
    return bytes(code) + b"\xe8\x00"


INPUTS = {
    "nothing": b"",
    "a byte": b"x",
    "zeros": bytes(100_000),
    "noise": RANDOM,
    "text": TEXT,
    "every byte": bytes(range(256)) * 3,
    "repeated": TEXT[:700] * 40,
    "alternating": b"\x00\xff" * 9000,
    "records": b"".join(n.to_bytes(4, "little") + b"abc" for n in range(3000)),
    "a lie": bytes(20_000) + RANDOM,
    "sound": sound(),
    "machine code": machine_code(),
}
NETWORKS = ("cmix", "nncp", "trace", "dzip")


@pytest.mark.parametrize("method", methods.METHODS)
@pytest.mark.parametrize("name", INPUTS)
def test_any_bytes_come_back(name: str, method: str) -> None:
    data = INPUTS[name][:6000] if method in NETWORKS else INPUTS[name]
    packed = ncodec.pack(data, method=method)
    assert ncodec.unpack(packed) == data
    assert len(packed) <= len(data) + 48


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000), st.sampled_from(methods.METHODS))
def test_random_bytes_come_back(data: bytes, method: str) -> None:
    assert ncodec.unpack(ncodec.pack(data, method=method)) == data


@pytest.mark.parametrize("name", INPUTS)
def test_nothing_is_larger_than_xz(name: str) -> None:
    data = INPUTS[name]
    other = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    assert len(ncodec.pack(data)) <= len(other) + 16


def test_text_is_much_smaller_than_by_xz() -> None:
    other = lzma.compress(TEXT, preset=9 | lzma.PRESET_EXTREME)
    assert len(ncodec.pack(TEXT)) < 0.85 * len(other)


def test_blocks_are_packed_alike_by_any_number_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK", 3000)
    packed = [ncodec.pack(TEXT, jobs=jobs) for jobs in (1, 2, 5)]
    assert packed[0] == packed[1] == packed[2]
    assert ncodec.unpack(packed[0], jobs=3) == TEXT


def test_every_flip_is_refused() -> None:
    packed = ncodec.pack(TEXT[:300])
    for place in range(8 * len(packed)):
        damaged = bytearray(packed)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(FormatError):
            ncodec.unpack(bytes(damaged))


def test_every_cut_and_every_addition_is_refused() -> None:
    packed = ncodec.pack(TEXT[:300])
    for size in range(len(packed)):
        with pytest.raises(FormatError):
            ncodec.unpack(packed[:size])
    with pytest.raises(FormatError, match="got more bytes"):
        ncodec.unpack(packed + b"\0")


def test_blocks_in_another_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK", 1000)
    stream = io.BytesIO(ncodec.pack(TEXT[:2000]))
    facts = ncz.read_start(stream)
    first, second, end = ncz.read_blocks(stream)
    assert isinstance(end, ncz.End)
    swapped = [ncz.pack_block(block) for block in (second, first) if isinstance(block, ncz.Block)]
    data = ncz.pack_start(facts) + b"".join(swapped) + ncz.pack_end(end)
    with pytest.raises(FormatError, match="CRC-32"):
        ncodec.unpack(data)


@pytest.mark.parametrize("method", list(ncz.Method))
def test_blocks_that_claim_too_much_are_refused(method: ncz.Method) -> None:
    """A few bytes of a block of 64 MiB cost neither memory nor time."""
    block = ncz.Block(method, ncz.LARGEST_BLOCK, b"\0abc")
    data = ncz.pack_start(ncz.NOTHING_KNOWN) + ncz.pack_block(block) + ncz.pack_end(ncz.End(0))
    with pytest.raises(FormatError):
        ncodec.unpack(data)


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "C:x", "a\nb", "..", "\x1b[2J"])
def test_names_of_other_places_are_refused(name: str) -> None:
    encoded = name.encode()
    payload = bytes([len(encoded)]) + encoded + b"\0"
    data = ncz.MAGIC + b"\1" + ncz.pack_chunk(ncz.Tag.HEADER, payload)
    with pytest.raises(FormatError, match="expected a plain name"):
        ncz.read_start(io.BytesIO(data))


def test_files_of_other_kinds_and_versions_are_named() -> None:
    with pytest.raises(FormatError, match=r"expected a \.ncz file"):
        ncodec.unpack(b"\x9dNCI\1")
    with pytest.raises(FormatError, match="starts with nothing"):
        ncodec.unpack(b"")
    with pytest.raises(FormatError, match="needs a newer ncodec"):
        ncodec.unpack(ncz.MAGIC + b"\2")


def test_streams_pack_while_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_streams, "BLOCK", 1000)
    data, path = TEXT[:4500], tmp_path / "a.ncz"
    with ncodec.PackWriter(path, name="a.txt") as writer:
        for start in range(0, len(data), 700):
            assert writer.write(data[start : start + 700]) == len(data[start : start + 700])
        assert not path.exists()
    assert ncodec.unpack(path.read_bytes()) == data
    assert len(ncz_blocks(path.read_bytes())) == 5
    with ncodec.PackReader(path) as reader:
        assert reader.name == "a.txt"
        assert reader.read(10) == data[:10]
        assert reader.read() == data[10:]
        assert reader.read() == b""
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"lost")
    target = io.BytesIO()
    with ncodec.PackWriter(target, method="store"):
        pass
    assert ncodec.unpack(target.getvalue()) == b""


def test_a_stream_that_fails_leaves_no_file(tmp_path: Path) -> None:
    writer = ncodec.PackWriter(tmp_path / "a.ncz")
    writer.write(b"half")
    writer.__exit__(KeyError, KeyError(), None)
    assert writer.closed
    assert not list(tmp_path.iterdir())
    (tmp_path / "b.ncz").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        ncodec.PackWriter(tmp_path / "b.ncz")
    with pytest.raises(InputError, match="expected a method among"):
        ncodec.PackWriter(tmp_path / "c.ncz", method="zip")


def test_a_stream_that_is_damaged_does_not_end_well() -> None:
    data = ncodec.pack(TEXT[:3000])
    crc = int.from_bytes(data[-8:-4], "little") ^ 1
    with ncodec.PackReader(
        data[: -len(ncz.pack_end(ncz.End(0)))] + ncz.pack_end(ncz.End(crc))
    ) as reader:
        assert reader.read(3000) == TEXT[:3000]
        with pytest.raises(FormatError, match="CRC-32"):
            reader.read(1)
    with pytest.raises(FormatError, match=r"expected a \.ncz file"):
        ncodec.PackReader(b"something else")


def ncz_blocks(data: bytes) -> list[ncz.Block]:
    stream = io.BytesIO(data)
    ncz.read_start(stream)
    return [part for part in ncz.read_blocks(stream) if isinstance(part, ncz.Block)]


def test_without_numba_other_methods_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = ncodec.pack(TEXT[:500])
    monkeypatch.setattr(methods, "find_spec", lambda _name: None)
    with pytest.raises(BackendError, match=r"pip install 'ncodec\[lossless\]'"):
        ncodec.pack(TEXT)
    with pytest.raises(BackendError, match=r"pip install 'ncodec\[lossless\]'"):
        ncodec.unpack(mixed)
    assert ncodec.unpack(ncodec.pack(TEXT, method="xz")) == TEXT


def test_a_numba_that_does_not_work_is_named(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs another NumPy')")
    (tmp_path / "a").write_bytes(TEXT)
    done = subprocess.run(
        [sys.executable, "-m", "ncodec", "pack", str(tmp_path / "a")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "which cannot be used here: Numba needs another NumPy" in done.stderr


class Slow:
    """A stream that gives a few bytes at a time, or none yet."""

    def __init__(self, data: bytes, *, waits: bool = True) -> None:
        self.stream, self.waits = io.BytesIO(data), waits

    def read(self, count: int) -> bytes | None:
        return self.stream.read(min(count, 3)) or (b"" if self.waits else None)


def test_streams_that_give_little_at_a_time(tmp_path: Path) -> None:
    packed = ncodec.pack(TEXT, method="xz")
    ncodec.unpack_file(Slow(packed), tmp_path / "a")  # type: ignore[arg-type]
    assert (tmp_path / "a").read_bytes() == TEXT
    ncodec.pack_file(Slow(TEXT), tmp_path / "b", method="store")  # type: ignore[arg-type]
    assert ncodec.unpack((tmp_path / "b").read_bytes()) == TEXT


def test_a_stream_that_does_not_wait_is_refused(tmp_path: Path) -> None:
    """Its end is not known: what came so far would pass for the whole."""
    hasty = Slow(TEXT, waits=False)
    with pytest.raises(InputError, match="expected a stream that waits"):
        ncodec.pack_file(hasty, tmp_path / "a", method="store")  # type: ignore[arg-type]
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("jobs", [1, 4, 8])
def test_what_stands_before_damage_is_written(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BLOCK", 1000)
    data = bytearray(ncodec.pack(TEXT, method="store"))
    data[5500] ^= 1
    out = io.BytesIO()
    with pytest.raises(FormatError, match="the file is damaged"):
        files.unpack_stream(io.BytesIO(data), out, jobs=jobs)
    assert out.getvalue() == TEXT[:5000]


def test_names_of_later_unicodes_are_kept() -> None:
    start = ncz.pack_start(ncz.FileFacts("\U0001fae9.txt"))
    assert ncz.read_start(io.BytesIO(start)).name == "\U0001fae9.txt"


def test_what_is_not_bytes_is_named() -> None:
    for work in (ncodec.pack, ncodec.unpack):
        with pytest.raises(InputError, match="expected bytes, got str: pack_file"):
            work("notes.txt")  # type: ignore[arg-type]


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(InputError, match="expected a method among fast"):
        ncodec.pack(b"", method="zip")
    for jobs in (0, 257, 1.5):
        with pytest.raises(InputError, match="expected 1 to 256 jobs"):
            ncodec.pack(b"", jobs=jobs)  # type: ignore[arg-type]


def ok(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_names_and_times_come_back(folder: Path) -> None:
    Path("a.txt").write_bytes(TEXT)
    os.utime("a.txt", (1_000_000, 1_000_000))
    assert "a.txt → a.txt.ncz" in ok("pack", "a.txt")
    Path("a.txt").unlink()
    assert "a.txt.ncz → a.txt" in ok("unpack", "a.txt.ncz")
    assert Path("a.txt").read_bytes() == TEXT
    assert Path("a.txt").stat().st_mtime == 1_000_000


def test_files_of_other_names_get_the_kept_one(folder: Path) -> None:
    Path("a.txt").write_bytes(TEXT)
    ok("pack", "a.txt", "-o", "renamed.bin", "--method", "store")
    Path("a.txt").unlink()
    assert "renamed.bin → a.txt" in ok("unpack", "renamed.bin")
    Path("b").write_bytes(ncodec.pack(TEXT, method="store"))
    assert "b → b.unpacked" in ok("unpack", "b")


def test_repeats_far_apart_are_found() -> None:
    """Noise that comes twice, farther apart than context mixing looks back."""
    noise = random.Random(2).randbytes(1_300_000)
    assert len(ncodec.pack(noise + noise)) < 1.01 * len(noise)


def test_many_files_go_into_a_folder(folder: Path) -> None:
    for name in ("a.txt", "b.bin"):
        Path(name).write_bytes(TEXT)
    Path("out").mkdir()
    ok("pack", "a.txt", "b.bin", "-o", "out", "--method", "deflate")
    ok("unpack", "out/*.ncz", "-o", "out")
    assert Path("out/b.bin").read_bytes() == TEXT


def test_nothing_is_overwritten_unasked(folder: Path) -> None:
    Path("a").write_bytes(TEXT)
    ok("pack", "a", "--method", "store")
    fails(call("pack", "a", "--method", "store"), "exists; -f")
    fails(call("unpack", "a.ncz"), "exists; -f")
    ok("unpack", "a.ncz", "-f")
    with pytest.raises(OutputError, match="is the input itself"):
        ncodec.pack_file("a", "a", overwrite=True)


def test_damage_leaves_nothing_behind(folder: Path) -> None:
    Path("a").write_bytes(TEXT)
    ok("pack", "a", "--method", "xz")
    data = bytearray(Path("a.ncz").read_bytes())
    data[-1] ^= 1
    Path("a.ncz").write_bytes(data)
    Path("a").unlink()
    fails(call("unpack", "a.ncz"), "the file is damaged")
    fails(call("unpack", "a.ncz", "--verify"), "the file is damaged")
    assert not Path("a").exists()
    assert os.listdir() == ["a.ncz"]


def test_a_file_is_verified_and_described(folder: Path) -> None:
    Path("a").write_bytes(TEXT)
    fields = json.loads(ok("pack", "a", "--json"))
    assert fields["methods"] == ["fast"]
    assert fields["packed"] == Path("a.ncz").stat().st_size
    assert fields["bits_per_byte"] == 8 * fields["packed"] / len(TEXT)
    assert "is whole" in ok("unpack", "a.ncz", "--verify")
    fails(call("unpack", "a.ncz", "--verify", "-o", "b"), "writes nothing", code=2)
    twice = [json.loads(line) for line in ok(
        "unpack", "a.ncz", "a.ncz", "--verify", "--json").splitlines()]  # fmt: skip
    assert [fields["output"] for fields in twice] == [None, None]


def test_info_reads_headers_alone(folder: Path) -> None:
    Path("a").write_bytes(TEXT)
    ok("pack", "a", "--method", "xz")
    assert "xz  was a" in ok("info", "a.ncz")
    fields = json.loads(ok("info", "a.ncz", "--json", "--verify"))
    assert (fields["size"], fields["verified"]) == (len(TEXT), True)
    assert fields["packed"] == Path("a.ncz").stat().st_size
    cut = Path("a.ncz").read_bytes()[:-1]
    Path("b.ncz").write_bytes(cut)
    fails(call("info", "b.ncz"), "the file is truncated")


def test_streams_pass_through(folder: Path) -> None:
    packer = [sys.executable, "-m", "ncodec", "pack", "-", "--method", "xz"]
    packed = subprocess.run(packer, input=TEXT, capture_output=True, check=True).stdout
    unpacker = [sys.executable, "-m", "ncodec", "unpack", "-"]
    assert subprocess.run(unpacker, input=packed, capture_output=True, check=True).stdout == TEXT


def test_what_is_not_there_is_named(folder: Path) -> None:
    fails(call("pack", "nothing"), "no such file")
    Path("a").write_bytes(TEXT)
    fails(call("unpack", "a"), "expected a .ncz file")
    assert os.listdir() == ["a"]
