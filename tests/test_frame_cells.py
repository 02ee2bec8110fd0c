"""Frames of screens: cells without a network come back on every side alike."""

import numpy as np
import numpy.typing as npt
import pytest

from ncodec.api.codecs import open_frame_codecs
from ncodec.container.records import Frame, Tag, pack_record, unpack_record
from ncodec.errors import FormatError
from ncodec.exact.layers import Layer, add_differences, code_differences, code_layers
from ncodec.exact.vp8l import pack_vp8l
from ncodec.picture import TimedFrame, psnr
from ncodec.video.frame_cells import FrameCells, no_cells, pack_cells, unpack_cells
from ncodec.video.frame_decoder import FrameDecoder
from ncodec.video.frame_encoder import FrameEncoder
from ncodec.video.motion.compensate import compensate
from ncodec.video.motion.field import Golden, Motion
from ncodec.video.rate_control import ConstantQuality
from ncodec.video.scroll import Scroll, find_scroll
from ncodec.video.sequence import GopStructure, VideoEncoder

Photo = npt.NDArray[np.uint8]
SIZE = (200, 320)


def page(rows: int = 400) -> Photo:
    """Dark words on a light page: what a screen shows."""
    rng = np.random.default_rng(5)
    drawn = np.full((rows, SIZE[1], 3), 245, dtype=np.uint8)
    for top in range(8, rows - 8, 14):
        for left in range(10, SIZE[1] - 16, 9):
            if rng.random() < 0.8:
                drawn[top : top + 8, left : left + 6] = np.where(
                    rng.random((8, 6, 1)) < 0.5, 30, 245
                )
    return drawn


@pytest.fixture(scope="module")
def recording() -> list[Photo]:
    """A page that scrolls by 50 pixels a frame, then stands still while one letter appears."""
    whole = page()
    frames = [whole[top : top + SIZE[0]] for top in (0, 50, 100, 150)]
    typed = frames[-1].copy()
    typed[100:108, 60:66] = (200, 20, 20)
    return [*frames, frames[-1], typed]


def test_a_screen_recording_is_exact_small_and_the_same_for_decoders(
    recording: list[Photo],
) -> None:
    codecs = open_frame_codecs(threads=1)
    encoder, decoder = FrameEncoder(codecs), FrameDecoder(codecs, height=SIZE[0], width=SIZE[1])
    sizes = []
    for pts, pixels in enumerate(recording):
        decision = encoder.decide(pixels)
        frame = encoder.encode(decision, pts=pts, qp=32 if decision.tag == Tag.INTRA else 16)
        record = pack_record(frame)
        code, _, payload = record[0], record[1], record[2 + (len(record) > 135) : -4]
        assert unpack_record(code, payload) == frame
        shown = decoder.decode(decoder.parse(frame))
        np.testing.assert_array_equal(shown, encoder.last[: SIZE[0], : SIZE[1]])
        assert psnr(pixels, shown) > 30
        sizes.append(len(frame.payload) + len(frame.exact))
    intra, *scrolled, copied, typed = sizes
    assert max(scrolled) < 0.6 * intra, sizes
    assert copied == 0
    assert typed < 150


def test_cells_of_a_frame_come_back() -> None:
    rng = np.random.default_rng(1)
    predicted, pixels = (rng.integers(0, 256, (128, 192, 3), dtype=np.uint8) for _ in range(2))
    still = np.array([[True, False, False], [False, False, True]])
    changed, drawn = ~still & [[False, True, False]] * 2, ~still & [[True, False, True]] * 2
    differences = (pixels - predicted).view(np.int8)
    layers = (*code_differences(differences, changed, step=1), *code_layers(pixels, drawn))
    blocks = rng.random((8, 12)) < 0.5
    cells = FrameCells(still, layers, Scroll(-40, 7), blocks)
    again = unpack_cells(pack_cells(cells, intra=False), 128, 192, intra=False)
    assert again.scroll == cells.scroll
    np.testing.assert_array_equal(again.scrolled, blocks)
    np.testing.assert_array_equal(again.known, np.ones((2, 3), dtype=np.bool_))
    painted = np.zeros_like(pixels)
    again.paint(painted, predicted=predicted)
    expected = pixels.copy()
    expected[:64, :64], expected[64:, 128:] = predicted[:64, :64], predicted[64:, 128:]
    np.testing.assert_array_equal(painted, expected)


def test_scrolled_cells_are_predicted_from_the_last_frame_moved_as_one() -> None:
    last = page(192)[:, :192]
    cells = FrameCells(
        np.zeros((3, 3), dtype=np.bool_), (), Scroll(30, -5), np.eye(12, dtype=np.bool_)
    )
    predicted = cells.predict(np.zeros_like(last), last)
    np.testing.assert_array_equal(predicted[:16, 5:16], last[30:46, :11])
    np.testing.assert_array_equal(predicted[:16, :5], np.repeat(last[30:46, :1], 5, axis=1))
    assert not predicted[:16, 16:].any()


@pytest.mark.parametrize("down", [-90, -9, 3, 77])
def test_a_scroll_is_found_however_far(down: int) -> None:
    whole = page(600)
    last, frame = whole[200:400], whole[200 + down : 400 + down]
    assert find_scroll(frame, last, (frame != last).any(axis=2)) == Scroll(down, 0)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 5), (5, 40)])
def test_tiny_frames_are_no_error(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    frame, last = (rng.integers(0, 2, (*size, 3)).astype(np.uint8) for _ in range(2))
    assert find_scroll(frame, last, np.ones(size, dtype=np.bool_)) is None or max(size) > 2


class Recorded(ConstantQuality):
    """Keeps the bits that are reported to it."""

    def __init__(self) -> None:
        super().__init__(32)
        self.bits: list[int] = []

    def spend(self, tag: Tag, qp: int, bits: int) -> None:
        self.bits.append(bits)


def test_rate_control_is_told_the_bits_of_exact_cells(recording: list[Photo]) -> None:
    control = Recorded()
    encoder = VideoEncoder(open_frame_codecs(threads=1), control=control, gop=GopStructure(9))
    frames = [encoder.encode_frame(TimedFrame(*pair)) for pair in enumerate(recording[:2])]
    assert min(len(frame.exact) for frame in frames) > 0
    assert control.bits == [8 * (len(frame.payload) + len(frame.exact)) for frame in frames]


def test_no_scroll_is_found_between_frames_that_have_nothing_in_common() -> None:
    last, frame = (
        page()[: SIZE[0]],
        np.random.default_rng(2).integers(0, 256, (*SIZE, 3), dtype=np.uint8),
    )
    assert find_scroll(frame, last, np.ones(SIZE, dtype=np.bool_)) is None


COLOUR = b"\x01\x00\x03abc"
"""a layer of all cells in one colour"""


@pytest.mark.parametrize(
    "payload",
    [
        b"\x04",
        b"\x01",
        b"\x01\x00" + COLOUR,
        b"\x02\x81\x80\x08\x00\x00",
        b"\x02\x00",
        b"\x00\x00\x00\x04abcd",
    ],
    ids=["kinds", "no map", "still and exact", "too far", "no scroll", "longer colour"],
)
def test_damaged_cells_are_refused(payload: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_cells(payload, 128, 128, intra=False).paint(
            np.zeros((128, 128, 3), dtype=np.uint8),
            predicted=np.zeros((128, 128, 3), dtype=np.uint8),
        )


def test_differences_are_of_predicted_frames_alone() -> None:
    layer = Layer(
        np.ones((2, 2), dtype=np.bool_),
        pack_vp8l(np.zeros((128, 128, 3), dtype=np.uint8)),
        9,
        is_difference=True,
    )
    cells = FrameCells(no_cells(128, 128).still, (layer,))
    assert unpack_cells(pack_cells(cells, intra=False), 128, 128, intra=False).layers
    assert (
        not unpack_cells(pack_cells(cells, intra=True), 128, 128, intra=True)
        .layers[0]
        .is_difference
    )


@pytest.mark.parametrize("step", [1, 2, 16, 128])
def test_differences_come_back_in_their_steps(step: int) -> None:
    rng = np.random.default_rng(step)
    predicted, pixels = (rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(2))
    every = np.ones((1, 1), dtype=np.bool_)
    steps = np.clip(np.rint((pixels.astype(int) - predicted) / step), -128, 127).astype(np.int8)
    coded = (pixels - predicted).view(np.int8) if step == 1 else steps
    cells = FrameCells(~every, code_differences(coded, every, step=step))
    painted = np.zeros_like(pixels)
    unpack_cells(pack_cells(cells, intra=False), 64, 64, intra=False).paint(
        painted, predicted=predicted
    )
    np.testing.assert_array_equal(painted, add_differences(predicted, coded, step=step))
    assert np.abs(painted.astype(int) - pixels).max() <= step // 2 + (step == 2)


def test_scrolled_blocks_mix_with_no_neighbour() -> None:
    rng = np.random.default_rng(3)
    last = rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)
    vectors, scrolled = np.zeros((2, 2, 3), dtype=np.int16), np.zeros((2, 3), dtype=np.bool_)
    vectors[:, :, 0] = 8
    scrolled[:, 1] = True
    golden = Golden(scrolled.copy(), np.full((2, 2, 3), 12, dtype=np.int16))
    motion = Motion(vectors, np.ones((2, 3), dtype=np.bool_), golden)
    cells = FrameCells(np.zeros((1, 1), dtype=np.bool_), (), Scroll(3, 0), scrolled)
    predicted = cells.predict(compensate(last, cells.moved(motion)), last)
    np.testing.assert_array_equal(predicted[:29, 16:32], last[3:, 16:32])
    np.testing.assert_array_equal(predicted[:, 32:], last[:, 32:])
    np.testing.assert_array_equal(predicted[:16, :16], last[2:18, 2:18])


def test_a_frame_that_says_it_has_exact_cells_has_some() -> None:
    packed = pack_record(Frame(Tag.INTRA, 5, 20, b"symbols", exact=COLOUR))
    assert packed[0] == Tag.EXACT_INTRA
    with pytest.raises(FormatError, match="got none"):
        unpack_record(Tag.EXACT_INTRA, b"\x00\x0a\x14\x00symbols")


@pytest.mark.parametrize("qp", [35, 50, 62])
def test_tiny_frames_are_as_good_as_large_ones(photo: Photo, qp: int) -> None:
    codecs = open_frame_codecs(threads=1)
    encoder = FrameEncoder(codecs)
    frame = encoder.encode(encoder.decide(photo[:64, :64]), pts=0, qp=qp)
    assert abs(frame.qp - qp) <= 4
    assert psnr(photo[:64, :64], encoder.last) > codecs.pictures.model.floor(frame.qp) - 2


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (70, 100)])
@pytest.mark.parametrize("colour", [(128, 128, 128), (69, 78, 10), (255, 255, 255)])
@pytest.mark.parametrize("qp", [6, 57])
def test_plain_frames_are_exact_in_a_few_bytes(
    size: tuple[int, int], colour: tuple[int, int, int], qp: int
) -> None:
    encoder = FrameEncoder(open_frame_codecs(threads=1))
    pixels = np.full((*size, 3), colour, dtype=np.uint8)
    frame = encoder.encode(encoder.decide(pixels), pts=0, qp=qp)
    np.testing.assert_array_equal(encoder.last[: size[0], : size[1]], pixels)
    assert len(frame.payload) + len(frame.exact) < 20
