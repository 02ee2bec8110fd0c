"""Motion is found where it is, compensation is exact in whole numbers, and new content is left
alone."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from places import ROOT

from ncodec.arrays import Vectors
from ncodec.entropy.ans import Packer
from ncodec.inference.zoo import load_model
from ncodec.video.frame_encoder import LEAST_PREDICTED
from ncodec.video.motion.compensate import GREY, compensate
from ncodec.video.motion.field import MAX_VECTOR, Golden, Motion
from ncodec.video.motion.interpolate import HalfPixelPlanes
from ncodec.video.motion.search import ERROR_LASTS, MotionSearch, bit_price
from ncodec.video.motion.vector_coding import group_motion

Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def scene(photo: Photo) -> Photo:
    return np.ascontiguousarray(photo[:144, :192])


def moved(scene: Photo, down: int, right: int) -> Photo:
    return np.roll(scene, (down, right), axis=(0, 1))


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -5), (-11, 7), (26, 30)])
def test_a_moved_scene_is_found_again(scene: Photo, down: int, right: int) -> None:
    frame = moved(scene, down, right)
    motion = MotionSearch(frame, scene).motion(qp=50)
    inside = (slice(2, -2), slice(2, -2))
    found = motion.vectors[:, *inside]
    exact = (found[0] == -4 * down) & (found[1] == -4 * right)
    assert exact.mean() > 0.9
    predicted = compensate(scene, motion)
    edge = 32
    error = np.abs(predicted.astype(int) - frame)[edge:-edge, edge:-edge]
    assert np.median(error) == 0


def test_no_motion_predicts_the_frame_itself(scene: Photo) -> None:
    motion = MotionSearch(scene, scene).motion(qp=50)
    assert not motion.vectors.any()
    assert motion.used.all()
    np.testing.assert_array_equal(compensate(scene, motion), scene)


@pytest.mark.parametrize(("quarters", "levels"), [(1, 1), (2, 2), (3, 3), (-1, -1), (9, 9)])
def test_fractions_of_a_pixel_lie_between_whole_ones(quarters: int, levels: int) -> None:
    ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], 48, axis=0).repeat(
        3, axis=2
    )
    vectors = np.zeros((2, 3, 4), dtype=np.int16)
    vectors[1] = quarters
    predicted = compensate(ramp, Motion(vectors, np.ones((3, 4), dtype=bool)))
    np.testing.assert_array_equal(predicted[:, 8:-8], ramp[:, 8:-8].astype(int) + levels)


def test_few_bits_buy_few_changes_of_vectors() -> None:
    grain = np.random.default_rng(3).normal(100, 9, (2, 144, 192, 3)).clip(0, 255).astype(np.uint8)
    search = MotionSearch(grain[0], grain[1])
    steps = [np.abs(np.diff(search.motion(qp=qp).vectors, axis=2)).sum() for qp in (0, 63)]
    assert steps[0] < steps[1] / 2, (
        "each block of film grain is a little more like some other place"
    )


def test_vectors_are_chosen_for_what_they_cost() -> None:
    """A noisy pan over a texture, with an object that moves against it: what is found takes few
    bits."""
    noise = np.random.default_rng(5)
    texture = noise.integers(60, 190, (40, 60, 3)).repeat(6, axis=0).repeat(6, axis=1)

    def frame(step: int) -> Photo:
        shown = texture[2 * step : 2 * step + 208, 3 * step : 3 * step + 320].copy()
        shown[60:130, 200 - 5 * step : 280 - 5 * step] = texture[20:90, 30:110]
        return np.clip(shown + noise.normal(0, 12, shown.shape), 0, 255).astype(np.uint8)

    tables, frames = load_model().tables, [frame(step) for step in range(3)]

    def size(motion: Motion, before: Vectors | None = None) -> int:
        packer = Packer()
        packer.push(group_motion(motion, tables, before=before).groups)
        return len(packer.payload())

    search = MotionSearch(frames[2], frames[1])
    nearest = search.motion(qp=63)
    chosen = search.motion(qp=5)
    assert size(chosen) < 0.6 * size(nearest)
    before = MotionSearch(frames[1], frames[0]).motion(qp=5).vectors
    assert size(search.motion(qp=5, before=before), before) < size(search.motion(qp=5), before)
    lost = [
        np.square(compensate(frames[1], motion) - frames[2].astype(float)).mean()
        for motion in (nearest, chosen)
    ]
    assert lost[1] < 1.1 * lost[0]


def test_vectors_may_point_outside_as_far_as_they_go(scene: Photo) -> None:
    for sign in (-1, 1):
        vectors = np.full((2, 9, 12), sign * MAX_VECTOR, dtype=np.int16)
        predicted = compensate(scene, Motion(vectors, np.ones((9, 12), dtype=bool)))
        corner = scene[0, 0] if sign < 0 else scene[-1, -1]
        block = predicted[:16, :16] if sign < 0 else predicted[-16:, -16:]
        assert (block == corner).all()


def test_content_that_is_new_is_not_predicted(scene: Photo) -> None:
    noise = np.random.default_rng(1).integers(0, 256, scene.shape, dtype=np.uint8)
    assert MotionSearch(noise, scene).predictable < 0.9
    search = MotionSearch(scene, noise)
    assert search.predictable < LEAST_PREDICTED
    motion = search.motion(qp=50)
    assert motion.used.mean() < 0.1
    unused = ~motion.used.repeat(16, axis=0).repeat(16, axis=1)
    assert (compensate(noise, motion)[unused] == GREY).all()


def sample(plane: Photo, row: int, column: int) -> int:
    """The value of a plane at a place in quarter pixels, word by word as of FORMAT.md."""
    high, wide = plane.shape

    def whole(row: int, column: int) -> int:
        return int(plane[min(max(row, 0), high - 1), min(max(column, 0), wide - 1)])

    def between(six: list[int]) -> int:
        total = sum(tap * value for tap, value in zip((1, -5, 20, 20, -5, 1), six, strict=True))
        return min(max((total + 16) // 32, 0), 255)

    def across(row: int, column: int) -> int:
        if column % 2 == 0:
            return whole(row, column // 2)
        return between([whole(row, column // 2 + i) for i in range(-2, 4)])

    def half(row: int, column: int) -> int:
        if row % 2 == 0:
            return across(row // 2, column)
        return between([across(row // 2 + i, column) for i in range(-2, 4)])

    rows, columns = {row // 2, (row + 1) // 2}, {column // 2, (column + 1) // 2}
    places = [(r, c) for r in rows for c in columns]
    if len(places) == 4:
        places = [(r, c) for r, c in places if r % 2 != c % 2]
    return (sum(half(*place) for place in places) + len(places) - 1) // len(places)


def test_compensation_follows_the_format_word_by_word(scene: Photo) -> None:
    small = np.ascontiguousarray(scene[:64, :96])
    generator = np.random.default_rng(2)
    vectors = generator.integers(-MAX_VECTOR, MAX_VECTOR + 1, (2, 4, 6)).astype(np.int16)
    used = generator.random((4, 6)) < 0.9
    intra = np.ascontiguousarray(scene[64:128, 96:192])
    golden = Golden(generator.random((4, 6)) < 0.3, vectors[::-1, ::-1])
    known = used | golden.chosen
    predicted = compensate(small, Motion(vectors, used, golden), intra=HalfPixelPlanes(intra))
    for y, x in zip(generator.integers(0, 64, 400), generator.integers(0, 96, 400), strict=True):
        block, i, j = (y // 16, x // 16), y % 16, x % 16
        beside = {(-1, 0): i, (1, 0): 15 - i, (0, -1): j, (0, 1): 15 - j}
        expected = []
        for channel in range(3):

            def moved(
                block: tuple[int, int], channel: int = channel, y: int = y, x: int = x
            ) -> int:
                picture, field = (
                    (intra, golden.vectors) if golden.chosen[block] else (small, vectors)
                )
                down, right = map(int, field[:, *block])
                return sample(picture[:, :, channel], 4 * y + down, 4 * x + right)

            total = 64 * moved(block)
            for (down, right), distance in beside.items():
                other = block[0] + down, block[1] + right
                if 0 <= other[0] < 4 and 0 <= other[1] < 6 and known[other]:
                    total += max(15 - 2 * distance, 0) * (moved(other) - moved(block))
            expected.append((total + 32) // 64)
        assert predicted[y, x].tolist() == (expected if known[block] else [GREY] * 3)


def test_one_row_of_blocks_moves_together_in_noise() -> None:
    osprey = np.asarray(Image.open(ROOT / "docs" / "osprey.png").convert("RGB"))
    row = np.ascontiguousarray(osprey[64:80, :320])
    noise = np.random.default_rng(5).normal(0, 25, row.shape)
    frame = np.clip(moved(row, 0, -4) + noise, 0, 255).astype(np.uint8)
    vectors = MotionSearch(frame, row).motion(qp=0).vectors
    assert len(np.unique(vectors[:, 0, :-1], axis=1).T) == 1
    assert vectors[:, 0, 0].tolist() == [0, 16]


def test_a_bit_is_worth_what_the_models_were_trained_for() -> None:
    pytest.importorskip("torch")
    import torch

    from ncodec.networks.config import ImageConfig

    for qp in (0, 30, 63):
        trained = float(ImageConfig().lambda_of(torch.tensor(float(qp))))
        assert 1 / (ERROR_LASTS * bit_price(qp)) == pytest.approx(trained, rel=1e-5)
