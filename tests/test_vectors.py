"""Motion survives its bytes, costs next to nothing where nothing moves, and damage is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncodec.entropy import Tables
from ncodec.errors import FormatError
from ncodec.motion import MAX_VECTOR, Motion
from ncodec.vectors import pack_motion, unpack_motion
from ncodec.zoo import load_model


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_model().tables


def smooth(seed: int, high: int = 23, wide: int = 40) -> Motion:
    """Neighbours move alike, a tenth of the blocks is not predicted, and a few have vectors of their own."""
    generator = np.random.default_rng(seed)
    walk = generator.integers(-1, 2, (2, high, wide)).cumsum(axis=2)
    wild = generator.random((high, wide)) < 0.05
    walk[:, wild] = generator.integers(-MAX_VECTOR, MAX_VECTOR + 1, (2, int(wild.sum())))
    return Motion(np.clip(walk, -MAX_VECTOR, MAX_VECTOR).astype(np.int16), generator.random((high, wide)) < 0.9)


@pytest.mark.parametrize("seed", range(4))
def test_round_trip(tables: Tables, seed: int) -> None:
    motion = smooth(seed)
    again = unpack_motion(pack_motion(motion, tables), tables, high=23, wide=40)
    np.testing.assert_array_equal(again.used, motion.used)
    np.testing.assert_array_equal(again.vectors[:, motion.used], motion.vectors[:, motion.used])


@pytest.mark.parametrize(("high", "wide"), [(1, 1), (1, 2), (2, 1), (1, 17), (17, 1), (2, 2), (5, 3), (9, 8), (64, 33)])
def test_every_size_round_trips(tables: Tables, high: int, wide: int) -> None:
    for seed in range(3):
        motion = smooth(seed, high, wide)
        again = unpack_motion(pack_motion(motion, tables), tables, high=high, wide=wide)
        np.testing.assert_array_equal(again.used, motion.used)
        np.testing.assert_array_equal(again.vectors[:, motion.used], motion.vectors[:, motion.used])


def test_extremes_round_trip(tables: Tables) -> None:
    vectors = np.where(np.indices((9, 7)).sum(axis=0) % 2, MAX_VECTOR, -MAX_VECTOR)
    motion = Motion(np.stack([vectors, -vectors]).astype(np.int16), np.ones((9, 7), dtype=bool))
    again = unpack_motion(pack_motion(motion, tables), tables, high=9, wide=7)
    np.testing.assert_array_equal(again.vectors, motion.vectors)


def test_no_motion_takes_no_bytes(tables: Tables) -> None:
    still = Motion(np.zeros((2, 23, 40), dtype=np.int16), np.ones((23, 40), dtype=bool))
    assert pack_motion(still, tables) == b""
    again = unpack_motion(b"", tables, high=23, wide=40)
    assert again.used.all()
    assert not again.vectors.any()


def test_one_pan_takes_little_more(tables: Tables) -> None:
    vectors = np.full((2, 23, 40), -9, dtype=np.int16)
    assert len(pack_motion(Motion(vectors, np.ones((23, 40), dtype=bool)), tables)) < 16


def test_an_object_in_a_still_scene_takes_little(tables: Tables) -> None:
    vectors = np.zeros((2, 23, 40), dtype=np.int16)
    vectors[:, 6:14, 11:25] = np.array([5, -22])[:, None, None]
    size = len(pack_motion(Motion(vectors, np.ones((23, 40), dtype=bool)), tables))
    assert size < 100, "920 blocks, of which 40 lie along an edge"


def test_damage_is_refused_or_decodes_to_motion(tables: Tables) -> None:
    data = pack_motion(smooth(1), tables)
    for length in range(1, len(data)):
        with pytest.raises(FormatError):
            unpack_motion(data[:length], tables, high=23, wide=40)
    with pytest.raises(FormatError):
        unpack_motion(data, tables, high=23, wide=41)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_of_all_sorts(data: bytes) -> None:
    try:
        motion = unpack_motion(data, load_model().tables, high=2, wide=3)
    except FormatError:
        return
    assert np.abs(motion.vectors).max() <= MAX_VECTOR
