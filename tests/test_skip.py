"""Cells of predicted frames that stay as they were predicted."""

import numpy as np
import pytest

from ncodec.api.codecs import open_frame_codecs
from ncodec.container.records import Tag
from ncodec.entropy.ans import Packer, Unpacker
from ncodec.entropy.flags import flag_table
from ncodec.errors import FormatError
from ncodec.image.codec import ImageCodec
from ncodec.video.frame_decoder import FrameDecoder
from ncodec.video.frame_encoder import FrameEncoder
from ncodec.video.motion.field import Golden, Motion
from ncodec.video.skip import (
    SkipBlocks,
    apply_skip,
    choose_skipped,
    group_skipped,
    pop_skipped,
    skippable_cells,
)

HIGH, WIDE = 9, 6
"""blocks: cells of two by three, the last row of one block, the last column of two"""


NONE_KNOWN = np.zeros((3, 2), dtype=np.bool_)


def motion(used: np.ndarray, golden: np.ndarray | None = None) -> Motion:
    vectors = np.zeros((2, HIGH, WIDE), dtype=np.int16)
    return Motion(vectors, used, None if golden is None else Golden(golden, vectors))


def one(row: int, column: int) -> np.ndarray:
    return np.pad([[True]], ((row, HIGH - row - 1), (column, WIDE - column - 1)))


def test_cells_without_residuals_whose_blocks_are_predicted_can_be_kept() -> None:
    residual = np.zeros((3, HIGH, WIDE), dtype=np.int16)
    residual[2, 3, 3] = -1
    used, golden = ~(one(8, 4) | one(5, 5)), one(8, 4)
    possible = skippable_cells(residual, motion(used, golden), NONE_KNOWN)
    assert possible.tolist() == [[False, True], [True, False], [True, True]]
    assert skippable_cells(residual, motion(used), NONE_KNOWN).tolist() == [
        [False, True],
        [True, False],
        [True, False],
    ]


def test_the_prediction_is_kept_where_the_network_errs_more() -> None:
    pixels = np.full((16 * HIGH, 16 * WIDE, 3), 100, dtype=np.uint8)
    predicted, samples = pixels.copy(), np.zeros(pixels.shape, dtype=np.float32)
    predicted[:64, :64], samples[:64, :64] = 96, 3
    samples[128:, 64:], samples[64:128, :64] = 0.1, -5
    possible = np.array([[True, True], [True, True], [False, True]])
    skip = choose_skipped(pixels, predicted, samples, possible)
    assert skip.chosen.tolist() == [[False, True], [True, True], [False, True]]
    apply_skip(samples, skip)
    assert np.argwhere(samples[::64, ::64, 0]).tolist() == [[0, 0]]
    assert not samples[128:, 64:].any()


@pytest.mark.parametrize("first", [True, False])
def test_kept_cells_survive_as_symbols(first: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        possible, wanted, was_possible, was_kept = (
            rng.random((5, 7)) < share for share in (0.7, 0.8, 0.7, 0.5)
        )
        before = None if first else SkipBlocks(was_possible, was_possible & was_kept)
        packer = Packer()
        packer.push(group_skipped(SkipBlocks(possible, possible & wanted), before=before))
        unpacker = Unpacker(packer.payload())
        read = pop_skipped(unpacker, possible, before=before)
        np.testing.assert_array_equal(read.chosen, possible & wanted)
        unpacker.finish()


def test_flags_are_coded_as_specified() -> None:
    possible = np.ones((1, 4), dtype=bool)
    before = SkipBlocks(
        np.array([[True, False, True, True]]), np.array([[True, False, False, True]])
    )
    skip = SkipBlocks(possible, np.array([[True, True, False, False]]))
    shares = [int(table.counts[2]) // 2**14 for table, _ in group_skipped(skip, before=before)]
    assert shares == [814, 639, 944], "one less than 815, 640 and 945, for the escape"
    assert [flags.tolist() for _, flags in group_skipped(skip, before=before)] == [[1], [0], [1, 0]]
    assert [flags.tolist() for _, flags in group_skipped(skip, before=None)] == [[1, 1, 0, 0]]


def test_what_is_no_flag_is_refused() -> None:
    packer = Packer()
    packer.push([(flag_table(815), np.array([1, -1], dtype=np.int32))])
    with pytest.raises(FormatError, match="expected flags of 0 or 1"):
        pop_skipped(Unpacker(packer.payload()), np.ones((1, 2), dtype=bool), before=None)


def test_most_of_a_still_scene_is_kept_and_runs_no_network_where_all_is(
    photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    codecs = open_frame_codecs(threads=1)
    encoder, decoder = FrameEncoder(codecs), FrameDecoder(codecs, height=128, width=192)
    still = np.ascontiguousarray(photo[:128, :192])
    busy, fainter = still.copy(), still.copy()
    busy[:20, :20] = photo[64:84, 5:25]
    fainter[:20, :20] = busy[:20, :20]
    fainter[100, 100] ^= 1
    shown = []
    for pts, (pixels, qp) in enumerate([(still, 40), (busy, 21), (fainter, 0)]):
        frame = encoder.encode(encoder.decide(pixels), pts=pts, qp=qp)
        parsed = decoder.parse(frame)
        if parsed.skip is not None and parsed.skip.chosen.all():
            monkeypatch.setattr(ImageCodec, "render", None)
        shown.append(decoder.decode(parsed).copy())
        np.testing.assert_array_equal(shown[-1], encoder.last)
        assert parsed.tag == (Tag.PREDICTED if pts else Tag.INTRA)
    assert ImageCodec.render is None, "all of the last frame was to be kept"
    np.testing.assert_array_equal(shown[1][64:, 64:], shown[0][64:, 64:])
    assert (shown[1][:20, :20] != shown[0][:20, :20]).any()
