"""Motion survives its bytes, as the format has it, costs next to nothing where nothing moves;
damage is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncodec.arrays import Vectors
from ncodec.container.varint import ByteReader, pack_varint
from ncodec.entropy.ans import Packer, Unpacker
from ncodec.entropy.tables import Table, Tables
from ncodec.errors import FormatError
from ncodec.inference.zoo import load_model
from ncodec.video.motion.field import MAX_VECTOR, Motion
from ncodec.video.motion.vector_coding import group_motion, pop_motion


def pack(motion: Motion, tables: Tables, before: Vectors | None = None) -> bytes:
    """As of a frame that has nothing else."""
    packer = Packer()
    packer.push(group_motion(motion, tables, before=before).groups)
    return packer.payload()


def unpack(
    data: bytes, tables: Tables, *, high: int, wide: int, before: Vectors | None = None
) -> Motion:
    """Inverse of `pack`; raises FormatError."""
    unpacker = Unpacker(data)
    motion = pop_motion(unpacker, tables, high=high, wide=wide, before=before)
    unpacker.finish()
    return motion


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_model().tables


def smooth(seed: int, high: int = 23, wide: int = 40) -> Motion:
    """Neighbours move alike, a tenth of the blocks is not predicted, and a few have vectors of
    their own."""
    generator = np.random.default_rng(seed)
    walk = generator.integers(-1, 2, (2, high, wide)).cumsum(axis=2)
    wild = generator.random((high, wide)) < 0.05
    walk[:, wild] = generator.integers(-MAX_VECTOR, MAX_VECTOR + 1, (2, int(wild.sum())))
    return Motion(
        np.clip(walk, -MAX_VECTOR, MAX_VECTOR).astype(np.int16),
        generator.random((high, wide)) < 0.9,
    )


@pytest.mark.parametrize("seed", range(4))
def test_round_trip(tables: Tables, seed: int) -> None:
    motion = smooth(seed)
    again = unpack(pack(motion, tables), tables, high=23, wide=40)
    np.testing.assert_array_equal(again.used, motion.used)
    np.testing.assert_array_equal(again.vectors[:, motion.used], motion.vectors[:, motion.used])
    np.testing.assert_array_equal(again.vectors, group_motion(motion, tables).vectors)


@pytest.mark.parametrize(
    ("high", "wide"), [(1, 1), (1, 2), (2, 1), (1, 17), (17, 1), (2, 2), (5, 3), (9, 8), (64, 33)]
)
def test_every_size_round_trips(tables: Tables, high: int, wide: int) -> None:
    for seed in range(3):
        motion = smooth(seed, high, wide)
        again = unpack(pack(motion, tables), tables, high=high, wide=wide)
        np.testing.assert_array_equal(again.used, motion.used)
        np.testing.assert_array_equal(again.vectors[:, motion.used], motion.vectors[:, motion.used])


def test_extremes_round_trip(tables: Tables) -> None:
    vectors = np.where(np.indices((9, 7)).sum(axis=0) % 2, MAX_VECTOR, -MAX_VECTOR)
    motion = Motion(np.stack([vectors, -vectors]).astype(np.int16), np.ones((9, 7), dtype=bool))
    again = unpack(pack(motion, tables), tables, high=9, wide=7)
    np.testing.assert_array_equal(again.vectors, motion.vectors)


def test_no_motion_takes_a_symbol(tables: Tables) -> None:
    still = Motion(np.zeros((2, 23, 40), dtype=np.int16), np.ones((23, 40), dtype=bool))
    packed = pack(still, tables)
    assert len(packed) <= 4
    again = unpack(packed, tables, high=23, wide=40)
    assert again.used.all()
    assert not again.vectors.any()


def test_two_halves_that_move_apart_take_little(tables: Tables) -> None:
    vectors = np.repeat(np.where(np.arange(40) < 17, 30, -42).astype(np.int16)[None], 23, axis=0)
    size = len(pack(Motion(np.stack([vectors, vectors]), np.ones((23, 40), dtype=bool)), tables))
    assert size < 80, (
        "23 of 920 blocks on either side of the edge, which take over what one of four around has"
    )


def test_one_pan_takes_little_more(tables: Tables) -> None:
    vectors = np.full((2, 23, 40), -9, dtype=np.int16)
    assert len(pack(Motion(vectors, np.ones((23, 40), dtype=bool)), tables)) < 16


def test_what_moved_so_before_takes_less(tables: Tables) -> None:
    motion, other = smooth(2), smooth(3)
    alone = pack(motion, tables)
    after = pack(motion, tables, motion.vectors)
    assert len(after) < 0.7 * len(alone)
    again = unpack(after, tables, high=23, wide=40, before=motion.vectors)
    np.testing.assert_array_equal(again.vectors[:, motion.used], motion.vectors[:, motion.used])
    assert len(pack(motion, tables, other.vectors)) > len(after)


def test_an_object_in_a_still_scene_takes_little(tables: Tables) -> None:
    vectors = np.zeros((2, 23, 40), dtype=np.int16)
    vectors[:, 6:14, 11:25] = np.array([5, -22])[:, None, None]
    size = len(pack(Motion(vectors, np.ones((23, 40), dtype=bool)), tables))
    assert size < 100, "920 blocks, of which 40 lie along an edge"


def test_damage_is_refused_or_decodes_to_motion(tables: Tables) -> None:
    data = pack(smooth(1), tables)
    for length in range(len(data)):
        with pytest.raises(FormatError):
            unpack(data[:length], tables, high=23, wide=40)
    with pytest.raises(FormatError):
        unpack(data, tables, high=23, wide=41)


NUDGE = Motion(np.ones((2, 1, 1), dtype=np.int16), np.ones((1, 1), dtype=bool))


@pytest.mark.parametrize("kind", [1, 4, 5, -4])
def test_kinds_that_a_block_cannot_have_are_refused(tables: Tables, kind: int) -> None:
    of_first_stage = [
        1,
        *(count * 2**14 - 2 * (place == 1) for place, count in enumerate(KIND_COUNTS[2][5])),
        1,
    ]
    table = Table(np.array(of_first_stage, dtype=np.uint32))
    packer = Packer()
    packer.push(
        [*group_motion(NUDGE, tables).groups[:2], (table, np.array([kind], dtype=np.int32))]
    )
    with pytest.raises(FormatError, match="expected a known mode of every block"):
        unpack(packer.payload(), tables, high=1, wide=1)


@pytest.mark.parametrize("moving", [-1, 2, -40])
def test_something_moves_or_nothing_does(tables: Tables, moving: int) -> None:
    first, *others = group_motion(NUDGE, tables).groups
    packer = Packer()
    packer.push([(first[0], np.array([moving], dtype=np.int32)), *others])
    with pytest.raises(FormatError, match="expected 0 or 1 for whether anything moves"):
        unpack(packer.payload(), tables, high=1, wide=1)


words = st.lists(st.integers(0, 2**32 - 1), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=6), words, st.integers(1, 9), st.integers(1, 9))
def test_bytes_of_all_sorts(escapes: bytes, coded: list[int], high: int, wide: int) -> None:
    head = pack_varint(2 * len(escapes)) + escapes
    try:
        motion = unpack(
            head + struct.pack(f"<{len(coded)}I", *coded), load_model().tables, high=high, wide=wide
        )
    except FormatError:
        return
    assert np.abs(motion.vectors).max() <= MAX_VECTOR


KIND_COUNTS = [
    [
        (3, 993, 20, 4, 1, 1, 1, 1),
        (2, 769, 30, 215, 5, 1, 1, 1),
        (3, 601, 60, 221, 120, 16, 2, 1),
        (3, 530, 91, 178, 138, 65, 17, 2),
        (9, 414, 170, 170, 131, 85, 37, 8),
        (23, 321, 208, 149, 125, 114, 65, 19),
        (76, 243, 281, 131, 132, 100, 45, 16),
    ],
    [
        (4, 971, 30, 15, 1, 1, 1, 1),
        (2, 759, 51, 200, 9, 1, 1, 1),
        (3, 591, 88, 198, 118, 22, 3, 1),
        (2, 493, 143, 153, 122, 87, 23, 1),
        (7, 384, 202, 121, 154, 101, 46, 9),
        (20, 267, 329, 95, 142, 109, 46, 16),
        (44, 224, 421, 104, 100, 73, 34, 24),
    ],
    [
        (4, 930, 61, 25, 1, 1, 1, 1),
        (2, 742, 76, 183, 18, 1, 1, 1),
        (3, 614, 126, 158, 90, 30, 2, 1),
        (3, 507, 201, 135, 101, 62, 14, 1),
        (5, 406, 224, 143, 113, 99, 30, 4),
        (7, 642, 241, 87, 20, 18, 8, 1),
        (36, 196, 426, 144, 110, 82, 27, 3),
    ],
]
ROWS_OF_CLASS = [
    [20, 19, 21, 22, 27, 33, 47],
    [20, 21, 22, 24, 28, 33, 47],
    [27, 24, 26, 25, 27, 33, 47],
]
Block = tuple[int, int]


class PlainReader:
    """The coder of FORMAT.md in whole numbers of any size, one symbol after the other."""

    def __init__(self, payload: bytes) -> None:
        reader = ByteReader(payload)
        self.escapes = ByteReader(reader.take(reader.varint() >> 1))
        words = reader.rest()
        words += bytes(-len(words) % 4)
        self.words = list(struct.unpack(f"<{len(words) // 4}I", words))
        self.state = 0
        for _ in range(2):
            self.refill()

    def refill(self) -> None:
        if self.words:
            self.state = self.state << 32 | self.words.pop()

    def symbol(self, counts: list[int]) -> int:
        place, value = self.state % 2**24, 0
        while place >= counts[value]:
            place -= counts[value]
            value += 1
        self.state = (self.state >> 24) * counts[value] + place
        if self.state < 2**32:
            self.refill()
        limit = len(counts) // 2 - 1
        if value <= 2 * limit:
            return value - limit
        code = self.escapes.varint()
        return (-1 if code % 2 else 1) * (code // 2 + limit + 1)


def blocks_around(block: Block, offsets: list[Block], high: int, wide: int) -> list[Block]:
    def mirrored(place: int, step: int, limit: int) -> int:
        return place + step if 0 <= place + step < limit else place - step

    near = [
        (mirrored(block[0], down, high), mirrored(block[1], right, wide)) for down, right in offsets
    ]
    inside = [n for n in near if 0 <= n[0] < high and 0 <= n[1] < wide]
    return [n if n in inside else inside[0] for n in near]


def in_order_of_choice(around: list[Block], expected: Block) -> list[Block]:
    new = [v for i, v in enumerate(around) if v != expected and v not in around[:i]]
    old = [v for i, v in enumerate(around) if v == expected or v in around[:i]]
    return sorted(new, key=lambda v: abs(v[0] - expected[0]) + abs(v[1] - expected[1])) + old


def read_plainly(
    payload: bytes, tables: Tables, high: int, wide: int, before: Vectors
) -> tuple[dict[Block, Block], set[Block]]:
    """The vector of each block and which are predicted, as FORMAT.md says it."""
    reader = PlainReader(payload)
    every = [(row, column) for row in range(high) for column in range(wide)]
    if reader.symbol([1, 2**22, 3 * 2**22 - 2, 1]) == 0:
        return dict.fromkeys(every, (0, 0)), set(every)
    down, right = (reader.symbol(tables.counts[36].tolist()) for _ in range(2))
    stages: list[tuple[int, list[Block], list[Block]]] = [
        (2, [b for b in every if b[0] % 8 == b[1] % 8 == 0], [])
    ]
    for s in (4, 2, 1):
        on = [b for b in every if b[0] % s == b[1] % s == 0]
        odd = {b: (b[0] // s % 2, b[1] // s % 2) for b in on}
        stages.append(
            (
                1 if s == 1 else 2,
                [b for b in on if odd[b] == (1, 1)],
                [(-s, -s), (-s, s), (s, -s), (s, s)],
            )
        )
        stages.append(
            (
                0 if s == 1 else 2,
                [b for b in on if sum(odd[b]) == 1],
                [(-s, 0), (s, 0), (0, -s), (0, s)],
            )
        )
    vectors: dict[Block, Block] = {}
    modes: dict[Block, int] = {}
    for level, blocks, offsets in stages:
        expected, classes, choices = {}, {}, {}
        for block in blocks:
            around = [vectors[near] for near in blocks_around(block, offsets, high, wide)]
            rows, columns = (sorted(vector[axis] for vector in around) for axis in (0, 1))
            last = (int(before[0][block]), int(before[1][block]))
            expected[block], classes[block] = (down, right), 5
            if around:
                expected[block] = ((rows[1] + rows[2]) // 2, (columns[1] + columns[2]) // 2)
                spread = rows[3] - rows[0] + columns[3] - columns[0]
                classes[block] = sum(spread >= least for least in (1, 2, 4, 8, 16, 32))
            choices[block] = in_order_of_choice([*around, last], expected[block])
        for number, of_kinds in enumerate(KIND_COUNTS[level]):
            counts = [
                1,
                *(2**14 * count - 2 * (kind == 1) for kind, count in enumerate(of_kinds)),
                1,
            ]
            modes |= {b: reader.symbol(counts) for b in blocks if classes[b] == number}
        vectors |= {b: choices[b][modes[b]] if modes[b] >= 0 else expected[b] for b in blocks}
        for number, row in enumerate(ROWS_OF_CLASS[level]):
            moving = [b for b in blocks if classes[b] == number and modes[b] == -1]
            counts = tables.counts[row].tolist()
            away = [[reader.symbol(counts) for _ in moving] for _ in range(2)]
            for block, *mvd in zip(moving, *away, strict=True):
                vectors[block] = (expected[block][0] + mvd[0], expected[block][1] + mvd[1])
    return vectors, {b for b in every if modes[b] > -3}


@pytest.mark.parametrize(("high", "wide"), [(1, 1), (1, 17), (17, 1), (2, 2), (9, 5), (20, 11)])
def test_a_plain_reader_reads_the_same(tables: Tables, high: int, wide: int) -> None:
    before = smooth(5, high, wide).vectors
    for seed in (4, 6, 7):
        motion = smooth(seed, high, wide)
        motion.vectors[:, ::2] = before[:, ::2]
        vectors, used = read_plainly(pack(motion, tables, before), tables, high, wide, before)
        assert used == {(row, column) for row, column in np.argwhere(motion.used).tolist()}
        assert all(vectors[block] == tuple(motion.vectors[:, *block]) for block in used)
        before = group_motion(motion, tables, before=before).vectors
        assert all(vectors[block] == tuple(before[:, *block]) for block in vectors), (
            "of all that a decoder knows"
        )


def test_frames_one_after_the_other(tables: Tables) -> None:
    """Each side goes on from the vectors that it knows itself, those of blocks that are not
    predicted too."""
    still = Motion(np.zeros((2, 23, 40), dtype=np.int16), np.ones((23, 40), dtype=bool))
    written: Vectors | None = None
    read: Vectors | None = None
    for motion in (smooth(1), smooth(2), still, smooth(3), smooth(1)):
        packed = pack(motion, tables, written)
        written = group_motion(motion, tables, before=written).vectors
        read = unpack(packed, tables, high=23, wide=40, before=read).vectors
        np.testing.assert_array_equal(read, written)


def test_bytes_of_a_pan(tables: Tables) -> None:
    vectors = np.repeat(np.array([3, -6], dtype=np.int16), 12).reshape(2, 3, 4)
    used = np.ones((3, 4), dtype=bool)
    used[1, 2] = False
    assert pack(Motion(vectors, used), tables).hex(" ") == "00 d1 16 61 e2 0d"
