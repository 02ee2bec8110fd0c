"""The coder in Python gives the bytes and symbols of `constriction`."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from test_entropy import TABLES, random_symbols

import ncodec
from ncodec.container.nci import NO_MODEL, unpack
from ncodec.entropy import coder
from ncodec.entropy.ans import Packer, Unpacker
from ncodec.entropy.coder import Coder, coder_table, open_coder
from ncodec.entropy.latents import Symbols, pack_symbols, unpack_symbols
from ncodec.entropy.stack_coder import StackCoder, StackTable
from ncodec.entropy.tables import Table
from ncodec.errors import FormatError
from ncodec.image.file import read_symbols
from ncodec.inference.zoo import load_model

pytest.importorskip("constriction")

TOTAL = 2**24
GOLDEN = ROOT / "tests" / "golden" / ncodec.__version__
PICTURES = [
    path
    for path in sorted(GOLDEN.glob("*.nci"))
    if unpack(path.read_bytes()).header.model_id != NO_MODEL
]


@contextmanager
def without_constriction() -> Iterator[None]:
    """Packers and unpackers that are made inside have the coder in Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coder, "constriction", None)
        # A property goes before the forms that tables keep, and keeps none.
        patch.setattr(Table, "model", property(lambda table: coder_table(table.counts)))
        assert isinstance(open_coder(), StackCoder)
        yield


def random_counts(rng: np.random.Generator) -> np.ndarray:
    """Counts of any number of symbols, from all alike to one that has nearly everything."""
    weights = rng.random(2 * int(rng.integers(1, 300))) ** rng.choice([0, 1, 8, 60])
    counts = 1 + np.floor(weights / weights.sum() * (TOTAL - len(weights))).astype(np.int64)
    counts[rng.integers(len(counts))] += TOTAL - counts.sum()
    return counts.astype(np.uint32)


@dataclass(frozen=True)
class Example:
    """Groups of positions in tables, and both forms of the tables."""

    own: list[StackTable]
    theirs: list[object]
    groups: list[np.ndarray]


def random_example(seed: int) -> Example:
    """Up to seven tables, each with up to 200 symbols, of all kinds or as likely as its counts."""
    rng = np.random.default_rng(seed)
    tables = [random_counts(rng) for _ in range(rng.integers(0, 8))]
    groups = [
        rng.choice(
            len(counts), rng.integers(0, 200), p=None if rng.random() < 0.5 else counts / TOTAL
        ).astype(np.int32)
        for counts in tables
    ]
    return Example([StackTable(c) for c in tables], [coder_table(c) for c in tables], groups)


def encoded(empty: Coder, tables: list[object], groups: list[np.ndarray]) -> np.ndarray:
    for table, positions in zip(reversed(tables), reversed(groups), strict=True):
        empty.encode_reverse(positions, table)
    return empty.get_compressed()


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_words_are_the_same_and_give_the_symbols_back(seed: int) -> None:
    example = random_example(seed)
    own = StackCoder()
    words = encoded(own, example.own, example.groups)
    assert words.dtype == np.uint32
    np.testing.assert_array_equal(words, encoded(open_coder(), example.theirs, example.groups))
    for again in (own, StackCoder(words)):
        for table, positions in zip(example.own, example.groups, strict=True):
            found = again.decode(table, len(positions))
            assert found.dtype == np.int32
            np.testing.assert_array_equal(found, positions)
        assert again.is_empty()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    words=st.lists(st.sampled_from([0, 1, 255, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)),
    last=st.integers(1, 2**32 - 1),
)
def test_any_words_decode_to_the_same_symbols_beyond_their_end(
    seed: int, words: list[int], last: int
) -> None:
    example = random_example(seed)
    start = np.array([*words, last], dtype=np.uint32)
    own, theirs = StackCoder(start), open_coder(start)
    for table, of_theirs, positions in zip(
        example.own, example.theirs, example.groups, strict=True
    ):
        np.testing.assert_array_equal(
            own.decode(table, len(positions)), theirs.decode(of_theirs, len(positions))
        )
        assert own.is_empty() == theirs.is_empty()
        np.testing.assert_array_equal(own.get_compressed(), theirs.get_compressed())


@pytest.mark.parametrize("word", [256, 257])
def test_states_of_thirty_three_bits_take_no_word(word: int) -> None:
    """The first symbol leaves a state of 2³² − 1, which takes the last word, or of 2³²."""
    words = np.array([7, word, 1], dtype=np.uint32)
    own, theirs = StackCoder(words), open_coder(words)
    for counts in ([1, TOTAL - 1], [1, TOTAL - 2, 1], [1, TOTAL - 2, 1]):
        table = np.array(counts, dtype=np.uint32)
        position = own.decode(StackTable(table), 1)
        np.testing.assert_array_equal(position, theirs.decode(coder_table(table), 1))
        np.testing.assert_array_equal(own.get_compressed(), theirs.get_compressed())


@pytest.mark.parametrize("words", [None, np.array([], dtype=np.uint32)])
def test_without_words_every_symbol_is_the_first(words: np.ndarray | None) -> None:
    table = random_counts(np.random.default_rng(1))
    for empty, form in (
        (StackCoder(words), StackTable(table)),
        (open_coder(words), coder_table(table)),
    ):
        assert empty.is_empty()
        assert empty.decode(form, 5).tolist() == [0] * 5
        empty.encode_reverse(np.array([], dtype=np.int32), form)
        assert empty.is_empty()
        assert empty.get_compressed().tolist() == []


@pytest.mark.parametrize("spread", [0, 0.4, 4, 500])
def test_payloads_with_escapes_are_the_same(spread: float) -> None:
    symbols = random_symbols(21, 17, seed=3, spread=spread)
    packed = pack_symbols(symbols, TABLES, qp=11)
    with without_constriction():
        assert pack_symbols(symbols, TABLES, qp=11) == packed
        assert outcome(packed, 21, 17) == (symbols.z_hat.tobytes(), symbols.residual.tobytes())


def outcome(payload: bytes, height: int, width: int) -> str | tuple[bytes, bytes]:
    """Symbols of a payload, or the message of FormatError."""
    try:
        symbols = unpack_symbols(payload, TABLES, qp=11, height=height, width=width)
    except FormatError as error:
        return str(error)
    return symbols.z_hat.tobytes(), symbols.residual.tobytes()


def assert_same_outcome(payload: bytes) -> None:
    theirs = outcome(payload, 12, 9)
    with without_constriction():
        assert outcome(payload, 12, 9) == theirs


PACKED = pack_symbols(random_symbols(12, 9, seed=2, spread=60), TABLES, qp=11)


def test_truncated_payloads_have_the_same_outcome() -> None:
    for length in range(len(PACKED)):
        assert_same_outcome(PACKED[:length])


def test_payloads_with_a_flipped_bit_have_the_same_outcome() -> None:
    for position in range(0, 8 * len(PACKED), 7):
        damaged = bytearray(PACKED)
        damaged[position // 8] ^= 1 << position % 8
        assert_same_outcome(bytes(damaged))


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_crafted_payloads_have_the_same_outcome(payload: bytes) -> None:
    assert_same_outcome(payload)
    assert_same_outcome(b"\0" + payload)  # without escapes


def test_what_is_left_is_refused() -> None:
    table = TABLES.bank[7]
    with without_constriction():
        packer = Packer()
        packer.push([(table, np.array([3, -2, 1], dtype=np.int32))])
        unpacker = Unpacker(packer.payload())
        assert unpacker.values(table, 2).tolist() == [3, -2]
        with pytest.raises(FormatError, match="expected the coded symbols to end"):
            unpacker.finish()
        assert unpacker.values(table, 1).tolist() == [1]
        unpacker.finish()


def golden_symbols(data: bytes) -> Symbols:
    container = unpack(data)
    return read_symbols(container, load_model(container.header.model_id))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_golden_pictures_decode_and_pack_the_same(path: Path) -> None:
    data = path.read_bytes()
    theirs = golden_symbols(data)
    container = unpack(data)
    tables = load_model(container.header.model_id).tables
    with without_constriction():
        own = golden_symbols(data)
        np.testing.assert_array_equal(own.z_hat, theirs.z_hat)
        np.testing.assert_array_equal(own.residual, theirs.residual)
        assert pack_symbols(own, tables, qp=container.header.qp) == container.symbols


def test_golden_tests_pass_where_constriction_is_missing() -> None:
    script = (
        "import sys, pytest\n"
        "sys.modules['constriction'] = None\n"
        "code = pytest.main([sys.argv[1], '-q', '-p', 'no:cacheprovider', '-p', 'no:xdist'])\n"
        "from ncodec.entropy.coder import open_coder\n"
        "from ncodec.entropy.stack_coder import StackCoder\n"
        "assert isinstance(open_coder(), StackCoder)\n"
        "sys.exit(code)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, ROOT / "tests" / "test_golden.py"], check=True, cwd=ROOT
    )
