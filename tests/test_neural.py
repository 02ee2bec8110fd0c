"""Neural coders give every byte back, code alike everywhere, and refuse what is damaged."""

import hashlib
import random
import struct
from types import ModuleType

import pytest
from places import ROOT

from ncodec.errors import FormatError

pytest.importorskip("numba")

import numpy as np

from ncodec.lossless import profiles
from ncodec.lossless.contexts import TEXT as TEXT_PROFILE
from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.memory import CMIX
from ncodec.lossless.neural import attention, bootstrap, coding, recurrent
from ncodec.lossless.neural.coding import chance_of_one
from ncodec.lossless.neural.dictionary import LONGEST, learned, texts_of
from ncodec.lossless.neural.exact import exp, uniform
from ncodec.lossless.neural.recurrent_step import begin, byte_model, step

CODERS = (recurrent, attention, bootstrap)
TEXT = (ROOT / "LICENSE").read_bytes()
SMALL = bytes(range(97, 123)) * 8 + b"to be or not to be, that is the question. " * 20
coders = pytest.mark.parametrize("coder", CODERS, ids=lambda coder: coder.__name__.split(".")[-1])


@coders
def test_bytes_come_back(coder: ModuleType) -> None:
    for data in (bytes(300) + b"some", TEXT, SMALL, SMALL[:997] + bytes(range(256))):
        code = coder.encode(data)
        assert 0 < len(code) < len(data)
        assert coder.decode(code, len(data)) == data
    assert 3 * len(coder.encode(SMALL)) < len(SMALL)


@coders
def test_what_would_grow_is_not_coded(coder: ModuleType) -> None:
    for data in (b"", b"a", b"abc", random.Random(1).randbytes(2000), bytes(100_000)):
        assert coder.encode(data) == b""


@coders
def test_pieces_change_nothing_and_all_bytes_are_reported(
    coder: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = coder.encode(SMALL)
    monkeypatch.setattr(coding, "PIECE", 100)
    done: list[int] = []
    assert coder.encode(SMALL, progress=done.append) == whole
    assert len(done) >= 10
    assert sum(done) == len(SMALL)
    done.clear()
    assert coder.decode(whole, len(SMALL), progress=done.append) == SMALL
    assert sum(done) == len(SMALL)


@coders
def test_damage_is_refused(coder: ModuleType) -> None:
    code, size = coder.encode(SMALL), len(SMALL)
    for damaged in (
        b"",
        b"\1",
        b"\1\0\0\0\1\0",
        code[:3],
        code[:-1],
        code + b"\0",
        code[: len(code) // 2],
    ):
        with pytest.raises(FormatError):
            coder.decode(damaged, size)


@coders
def test_sizes_that_no_code_has_are_refused_before_memory_is_taken(
    coder: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coder, "fresh", lambda *_: pytest.fail("memory was taken"))
    for size in (0, -1, coding.DENSEST * 21, 2**40):
        with pytest.raises(FormatError):
            coder.decode(b"\0" * 20, size)


@pytest.mark.parametrize(
    ("merged", "pairs"),
    [(257, [(0, 0)] * 257), (1, [(256, 0)]), (6, [(255 + n, 255 + n) for n in range(6)])],
)
def test_pairs_that_cannot_be_are_refused(merged: int, pairs: list[tuple[int, int]]) -> None:
    head = struct.pack("<IH", 300, merged) + np.array(pairs, "<u2").tobytes()
    with pytest.raises(FormatError, match="pairs"):
        recurrent.decode(head + bytes(40), 300)


def test_dictionary_gives_symbols_of_bounded_length() -> None:
    data = bytes(100_000)
    symbols, pairs = learned(data, 256)
    texts = texts_of(pairs)
    assert max(map(len, texts)) == LONGEST
    assert b"".join(texts[symbol] for symbol in symbols) == data


def test_symbols_of_another_total_are_refused() -> None:
    code = recurrent.encode(SMALL)
    with pytest.raises(FormatError, match="another size"):
        recurrent.decode(code, len(SMALL) + 1)


def test_a_bootstrap_is_stored_when_told() -> None:
    data = (ROOT / "codec" / "FORMAT.md").read_bytes()[:30_000]
    code, alone = bootstrap.encode(data, bootstrap=True), bootstrap.encode(data)
    assert (code[0], alone[0]) == (1, 0)
    assert bootstrap.decode(code, len(data)) == data


@pytest.mark.parametrize("head", [b"\2", b"\1" + b"\xff" * 20, b"\1" + bytes(20), b"\1\0"])
def test_a_bootstrap_whose_head_is_damaged_is_refused(head: bytes) -> None:
    with pytest.raises(FormatError, match="steps of weights"):
        bootstrap.decode(head, 30)


@coders
def test_code_is_the_same_on_every_machine(coder: ModuleType) -> None:
    known = {
        recurrent: "c1515ac95159ea60",
        attention: "bbb3f5ea4279cd6d",
        bootstrap: "29c723fdbc5a7ad0",
    }
    assert hashlib.sha256(coder.encode(SMALL)).hexdigest()[:16] == known[coder]


def sentences(size: int) -> bytes:
    """Words of a vocabulary of 300, alike on every machine."""
    chance = random.Random(7)
    letters = "etaoinshrdlucmfw"
    words = ["".join(chance.choices(letters, k=chance.randrange(1, 9))) for _ in range(300)]
    text = " ".join(words[int(300 * chance.random() ** 3)] for _ in range(size // 4))
    return text.encode()[:size]


def test_code_of_long_texts_never_changes() -> None:
    """Pairs, the table at its largest, every second segment and a stored bootstrap included."""
    data = sentences(70_000)
    made = {
        "nncp": recurrent.encode(data),
        "trace": attention.encode(data),
        "dzip": bootstrap.encode(data[:30_000], bootstrap=True),
        "cmix": profiles.code_block(np.frombuffer(data[:20_000], np.uint8), TEXT_PROFILE, CMIX),
    }
    assert int.from_bytes(made["nncp"][4:6], "little") > 50
    assert {name: hashlib.sha256(code).hexdigest()[:16] for name, code in made.items()} == {
        "nncp": "25c0de5fccf237b1",
        "trace": "f07892527e22b4aa",
        "dzip": "2155d20d5e9c8dfb",
        "cmix": "3b49667975edc3ae",
    }


@exact_kernel
def exponential(x: np.float32) -> np.float32:
    return exp(x)


def test_exponential_is_close_and_bounded() -> None:
    for x in (-40.0, -3.3, 0.0, 1.0, 12.5, 40.0):
        assert exponential(np.float32(x)) == pytest.approx(np.exp(x), rel=3e-4)
    assert exponential(np.float32(1e30)) == exponential(np.float32(40))
    assert exponential(np.float32(-1e30)) == exponential(np.float32(-40))


def test_weights_fill_their_range_evenly() -> None:
    weights = uniform((100, 100), 0.5, 7)
    assert -0.5 <= weights.min() < -0.49
    assert 0.49 < weights.max() <= 0.5
    assert abs(float(weights.mean())) < 0.01


@exact_kernel
def cost(net: object, data: np.ndarray) -> float:
    """Bits that the distributions of the bytes take."""
    bits, t = 0.0, begin(net)
    for at in range(data.size):
        node = 1
        for shift in range(7, -1, -1):
            bit = (data[at] >> shift) & 1
            one = chance_of_one(net.heap, t, node) / 65536
            bits -= np.log2(one if bit else 1 - one)
            node = 2 * node + bit
        t = step(net, t, data[at])
    return bits


def test_another_kernel_can_use_the_lstm() -> None:
    data = np.frombuffer(SMALL, np.uint8).astype(np.int64)
    net = byte_model()
    first = cost(net, data)
    assert first < 5 * len(data)
    assert net.step[4] == len(data) // recurrent.HORIZON
    assert net.heap[0, 1] == net.heap[0, 256:].sum()
    assert net.direct.nbytes <= 2**10
