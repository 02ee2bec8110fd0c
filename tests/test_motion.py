"""Motion is found where it is, compensation is exact in whole numbers, and new content is left alone."""

import numpy as np
import numpy.typing as npt
import pytest

from ncodec.motion import GREY, MAX_VECTOR, Motion, compensate, estimate

Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def scene(photo: Photo) -> Photo:
    return np.ascontiguousarray(photo[:144, :192])


def moved(scene: Photo, down: int, right: int) -> Photo:
    return np.roll(scene, (down, right), axis=(0, 1))


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -5), (-11, 7), (26, 30)])
def test_a_moved_scene_is_found_again(scene: Photo, down: int, right: int) -> None:
    frame = moved(scene, down, right)
    motion = estimate(frame, scene)
    inside = (slice(2, -2), slice(2, -2))
    found = motion.vectors[:, *inside]
    exact = (found[0] == -2 * down) & (found[1] == -2 * right)
    assert exact.mean() > 0.9
    predicted = compensate(scene, motion)
    edge = 32
    error = np.abs(predicted.astype(int) - frame)[edge:-edge, edge:-edge]
    assert np.median(error) == 0


def test_no_motion_predicts_the_frame_itself(scene: Photo) -> None:
    motion = estimate(scene, scene)
    assert not motion.vectors.any()
    assert motion.used.all()
    np.testing.assert_array_equal(compensate(scene, motion), scene)


def test_half_a_pixel_lies_between_whole_ones() -> None:
    ramp = np.repeat(np.arange(0, 192, 2, dtype=np.uint8)[None, :, None], 48, axis=0).repeat(3, axis=2)
    vectors = np.zeros((2, 3, 6), dtype=np.int16)
    vectors[1] = 1
    predicted = compensate(ramp, Motion(vectors, np.ones((3, 6), dtype=bool)))
    np.testing.assert_array_equal(predicted[:, 3:-4], ramp[:, 3:-4] + 1)


def test_vectors_may_point_outside_as_far_as_they_go(scene: Photo) -> None:
    for sign in (-1, 1):
        vectors = np.full((2, 9, 12), sign * MAX_VECTOR, dtype=np.int16)
        predicted = compensate(scene, Motion(vectors, np.ones((9, 12), dtype=bool)))
        corner = scene[0, 0] if sign < 0 else scene[-1, -1]
        block = predicted[:16, :16] if sign < 0 else predicted[-16:, -16:]
        assert (block == corner).all()


def test_content_that_is_new_is_not_predicted(scene: Photo) -> None:
    noise = np.random.default_rng(1).integers(0, 256, scene.shape, dtype=np.uint8)
    assert estimate(noise, scene).used.mean() < 0.9
    motion = estimate(scene, noise)
    assert motion.used.mean() < 0.1
    unused = ~motion.used.repeat(16, axis=0).repeat(16, axis=1)
    assert (compensate(noise, motion)[unused] == GREY).all()


def test_compensation_follows_a_plain_loop(scene: Photo) -> None:
    generator = np.random.default_rng(2)
    vectors = (2 * generator.integers(-20, 21, (2, 9, 12))).astype(np.int16)
    used = generator.random((9, 12)) < 0.8
    predicted = compensate(scene, Motion(vectors, used))
    for y in range(144):
        for x in range(0, 192, 5):
            block = (y // 16, x // 16)
            row = np.clip(y + vectors[0][block] // 2, 0, 143)
            column = np.clip(x + vectors[1][block] // 2, 0, 191)
            assert (predicted[y, x] == (scene[row, column] if used[block] else GREY)).all()
