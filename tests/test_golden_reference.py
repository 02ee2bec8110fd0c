"""Blocks from the last intra frame survive their bytes, as the format has it; damage is refused."""

from dataclasses import replace

import numpy as np
import pytest

from ncodec.arrays import Vectors
from ncodec.entropy.ans import Packer, Unpacker
from ncodec.entropy.tables import Table, Tables
from ncodec.errors import FormatError
from ncodec.inference.zoo import load_model
from ncodec.video.motion.compensate import compensate
from ncodec.video.motion.field import MAX_VECTOR, Golden, Motion
from ncodec.video.motion.golden_coding import group_golden, pop_golden, project
from ncodec.video.motion.golden_search import GoldenSearch
from ncodec.video.motion.lattice import stages_of
from ncodec.video.motion.search import MotionSearch

SHARES = [25, 115, 165, 320, 445, 290, 455, 595, 740, 915]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_model().tables


def pack(golden: Golden, tables: Tables, *, motion: Motion, before: Golden | None) -> bytes:
    packer = Packer()
    packer.push(group_golden(golden, tables, motion=motion, before=before))
    return packer.payload()


def unpack(data: bytes, tables: Tables, *, motion: Motion, before: Golden | None) -> Golden:
    unpacker = Unpacker(data)
    golden = pop_golden(unpacker, tables, motion=motion, before=before)
    unpacker.finish()
    return golden


def scene(seed: int, high: int = 9, wide: int = 14) -> tuple[Motion, Golden, Golden]:
    """Motion, what was known before it, and golden blocks near to where it leads."""
    generator = np.random.default_rng(seed)

    def field(most: int) -> Vectors:
        return generator.integers(-most, most + 1, (2, high, wide)).astype(np.int16)

    motion = Motion(field(40), generator.random((high, wide)) < 0.9)
    before = Golden(generator.random((high, wide)) < 0.3, field(90))
    projected = project(motion, before).vectors
    chosen = generator.random((high, wide)) < 0.3
    found = np.clip(projected + field(2), -MAX_VECTOR, MAX_VECTOR).astype(np.int16)
    return motion, before, Golden(chosen, np.where(chosen, found, projected))


@pytest.mark.parametrize("size", [(9, 14), (1, 1), (1, 9), (17, 2)])
def test_round_trip(tables: Tables, size: tuple[int, int]) -> None:
    for seed in range(4):
        motion, before, golden = scene(seed, *size)
        again = unpack(
            pack(golden, tables, motion=motion, before=before), tables, motion=motion, before=before
        )
        np.testing.assert_array_equal(again.chosen, golden.chosen)
        np.testing.assert_array_equal(again.vectors, golden.vectors)


def test_a_frame_after_an_intra_frame_has_none(tables: Tables) -> None:
    motion, _, golden = scene(1)
    assert group_golden(golden, tables, motion=motion, before=None) == []
    nothing = pop_golden(Unpacker(b"\0"), tables, motion=motion, before=None)
    assert not nothing.chosen.any()
    np.testing.assert_array_equal(nothing.vectors, motion.vectors)


def test_no_golden_blocks_take_a_symbol(tables: Tables) -> None:
    motion, before, _ = scene(1, 40, 60)
    assert len(pack(project(motion, before), tables, motion=motion, before=before)) <= 5


def test_vectors_lead_where_the_block_under_them_came_from() -> None:
    """Word by word as of FORMAT.md."""
    motion, before, _ = scene(3)
    high, wide = motion.used.shape
    projected = project(motion, before).vectors
    for i, j in np.ndindex(high, wide):
        down, right = motion.vectors[:, i, j].tolist()
        row = min(max((16 * i + 8 + down // 4) // 16, 0), high - 1)
        column = min(max((16 * j + 8 + right // 4) // 16, 0), wide - 1)
        there = before.vectors[:, row, column].tolist()
        expected = [
            min(max(own + other, -140), 140)
            for own, other in zip((down, right), there, strict=True)
        ]
        assert projected[:, i, j].tolist() == expected


def test_a_plain_reader_reads_the_same(tables: Tables) -> None:
    motion, before, golden = scene(2)
    unpacker = Unpacker(pack(golden, tables, motion=motion, before=before))

    def table(share: int) -> Table:
        return Table(
            np.array([1, 2**14 * (1024 - share) - 1, 2**14 * share - 1, 1], dtype=np.uint32)
        )

    assert unpacker.values(table(512), 1).tolist() == [1]
    chosen: dict[tuple[int, int], int] = {}
    for stage in stages_of(*motion.used.shape):
        classes: dict[int, list[tuple[int, int]]] = {}
        for n, block in enumerate(zip(*stage.points.tolist(), strict=True)):
            around = (
                2
                if stage.around is None
                else sum(chosen[i, j] for i, j in stage.around[:, :, n].T.tolist())
            )
            classes.setdefault(around + 5 * int(before.chosen[block]), []).append(block)
        for number, blocks in sorted(classes.items()):
            flags = unpacker.values(table(SHARES[number]), len(blocks)).tolist()
            chosen.update(zip(blocks, flags, strict=True))
    blocks = sorted(block for block, flag in chosen.items() if flag)
    assert blocks == [tuple(block) for block in np.argwhere(golden.chosen).tolist()]
    mvd = unpacker.values(tables.bank[12], 2 * len(blocks)).reshape(2, -1)
    unpacker.finish()
    projected = project(motion, before).vectors
    np.testing.assert_array_equal(
        projected[:, golden.chosen] + mvd, golden.vectors[:, golden.chosen]
    )


def test_damage_is_refused_or_decodes(tables: Tables) -> None:
    motion, before, golden = scene(1)
    data = pack(golden, tables, motion=motion, before=before)
    for length in range(len(data)):
        with pytest.raises(FormatError):
            unpack(data[:length], tables, motion=motion, before=before)
    generator = np.random.default_rng(1)
    for _ in range(300):
        noise = bytes([0, *generator.integers(0, 256, 40).tolist()])
        try:
            found = unpack(noise, tables, motion=motion, before=before)
        except FormatError:
            continue
        assert np.abs(found.vectors).max() <= MAX_VECTOR


@pytest.mark.parametrize("value", [-1, 2])
@pytest.mark.parametrize("place", [0, 1])
def test_blocks_are_golden_or_not(tables: Tables, place: int, value: int) -> None:
    motion, before, golden = scene(1, 1, 1)
    groups = group_golden(
        replace(golden, chosen=~np.zeros((1, 1), dtype=bool)), tables, motion=motion, before=before
    )
    groups[place] = groups[place][0], np.array([value], dtype=np.int32)
    packer = Packer()
    packer.push(groups)
    with pytest.raises(FormatError, match="expected flags of 0 or 1"):
        unpack(packer.payload(), tables, motion=motion, before=before)


def test_vectors_beyond_their_range_are_refused(tables: Tables) -> None:
    motion, before, _ = scene(1, 1, 1)
    far = Golden(~np.zeros((1, 1), dtype=bool), np.full((2, 1, 1), MAX_VECTOR + 1, dtype=np.int16))
    with pytest.raises(FormatError, match="expected vectors of at most 140"):
        unpack(
            pack(far, tables, motion=motion, before=before), tables, motion=motion, before=before
        )


def test_what_was_covered_is_found_in_the_intra_frame() -> None:
    """An object leaves: what was behind it is seen in the intra frame alone."""
    generator = np.random.default_rng(4)
    behind = (
        generator.integers(0, 256, (24, 36, 3), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    )
    behind = behind[:96, :144].copy()
    covered = behind.copy()
    covered[32:64, 48:96] = 128
    search = MotionSearch(behind, covered)
    motion = search.motion(qp=40)
    before = project(Motion(np.zeros((2, 6, 9), dtype=np.int16), np.ones((6, 9), dtype=bool)), None)
    found = GoldenSearch(behind)
    motion = found.motion(search, motion, qp=40, before=before)
    assert motion.golden is not None
    chosen = motion.golden.chosen
    assert chosen[2:4, 3:6].sum() >= 4
    assert chosen.sum() == chosen[2:4, 3:6].sum()
    predicted = [
        compensate(covered, m, intra=found.planes) for m in (replace(motion, golden=None), motion)
    ]
    errors = [np.abs(p[32:64, 48:96].astype(int) - behind[32:64, 48:96]).mean() for p in predicted]
    assert errors[1] < 0.5 * errors[0]
