"""Coded frames decode to what the encoder saw, in order, from any intra frame, and damage is
refused."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncodec.api.codecs import open_codec, open_frame_codecs
from ncodec.arrays import Samples
from ncodec.container.records import Frame, Tag
from ncodec.entropy.latents import Symbols, pack_symbols
from ncodec.errors import FormatError, InputError, ModelError
from ncodec.image.codec import ImageCodec
from ncodec.inference.backend import open_backend
from ncodec.inference.model import Model
from ncodec.picture import psnr
from ncodec.video.frame_decoder import FrameDecoder
from ncodec.video.frame_encoder import FrameEncoder
from ncodec.video.frame_state import NO_REFERENCE, FrameCodecs
from ncodec.video.motion.field import MAX_VECTOR
from ncodec.video.rounding import MAX_OFFSET

Photo = npt.NDArray[np.uint8]
QP = 45


@pytest.fixture(scope="module")
def codecs(frame_model: Model) -> FrameCodecs:
    return FrameCodecs(open_codec(), ImageCodec(frame_model, open_backend(frame_model)))


@pytest.fixture(scope="module")
def scene(photo: Photo) -> list[Photo]:
    """A pan that rests twice; neither side a multiple of 16."""
    lefts = [0, 3, 6, 9, 9, 12, 15, 15]
    return [np.ascontiguousarray(photo[:149, left : left + 181]) for left in lefts]


@pytest.fixture(scope="module")
def coded(codecs: FrameCodecs, scene: list[Photo]) -> tuple[list[Frame], list[Photo]]:
    encoder = FrameEncoder(codecs)
    frames, seen = [], []
    for pts, pixels in enumerate(scene):
        frames.append(encoder.encode(encoder.decide(pixels, intra=pts in (2, 7)), pts=pts, qp=QP))
        seen.append(encoder.last[:149, :181].copy())
    return frames, seen


def decoder(codecs: FrameCodecs) -> FrameDecoder:
    return FrameDecoder(codecs, height=149, width=181)


def test_a_decoder_sees_what_the_encoder_saw(
    codecs: FrameCodecs, coded: tuple[list[Frame], list[Photo]], scene: list[Photo]
) -> None:
    frames, seen = coded
    first, predicted, copy = Tag.INTRA, Tag.PREDICTED, Tag.DUPLICATE
    assert [f.tag for f in frames] == [
        first,
        predicted,
        first,
        predicted,
        copy,
        predicted,
        predicted,
        copy,
    ]
    decoding = decoder(codecs)
    for frame, expected, original in zip(frames, seen, scene, strict=True):
        pixels = decoding.decode(decoding.parse(frame))
        np.testing.assert_array_equal(pixels, expected)
        assert psnr(pixels, original) > 28


def test_a_frame_is_coded_given_the_one_before(
    codecs: FrameCodecs, coded: tuple[list[Frame], list[Photo]]
) -> None:
    decoding = decoder(codecs)
    for frame in coded[0][:6]:
        decoding.parse(frame)
    before, last = decoding._state, coded[0][6]
    read = decoding.parse(last).symbols
    assert read is not None
    assert before.context is not None
    z_activity, r_activity = before.context.activity
    livelier = replace(r_activity, found=r_activity.found + 5000)
    other = replace(before.context, activity=(z_activity, livelier))
    parts = (
        replace(before, context=None),
        replace(before, vectors=None),
        replace(before, context=other),
    )
    for partly in (NO_REFERENCE, *parts):
        decoding._state = partly
        try:
            misread = decoding.parse(last).symbols
        except FormatError:
            continue
        assert misread is not None
        assert (read.z_hat != misread.z_hat).any() or (read.residual != misread.residual).any()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["flip", "cut", "noise"]))
def test_damaged_frames_are_refused_or_parsed(
    codecs: FrameCodecs, coded: tuple[list[Frame], list[Photo]], seed: int, damage: str
) -> None:
    random = np.random.default_rng(seed)
    decoding, frame = decoder(codecs), coded[0][int(random.choice([0, 1, 6]))]
    for whole in (coded[0][2], coded[0][3], coded[0][5]):
        decoding.parse(whole)
    payload = np.frombuffer(frame.payload, np.uint8).copy()
    if damage == "flip":
        payload[random.integers(len(payload))] ^= 1 << int(random.integers(8))
    elif damage == "cut":
        payload = payload[: random.integers(len(payload))]
    else:
        payload = random.integers(0, 256, len(payload)).astype(np.uint8)
    try:
        parsed = decoding.parse(replace(frame, payload=payload.tobytes()))
    except FormatError:
        return
    assert parsed.offsets is not None
    assert np.abs(parsed.offsets).max() <= MAX_OFFSET
    assert parsed.motion is None or np.abs(parsed.motion.vectors).max() <= MAX_VECTOR


def test_symbols_that_a_decoder_will_not_see_leave_the_reference_too(
    codecs: FrameCodecs, scene: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where graphs in floating point code what the integer tables call certain, the frame is
    rendered again."""
    coding = codecs.predicting().code

    def code(pixels: Photo, *, qp: int, predicted: Photo) -> tuple[Symbols, Samples]:
        symbols, samples = coding(pixels, qp=qp, predicted=predicted)
        tables = codecs.predicting().model.tables
        certain = tables.residual_rows(symbols.z_hat, qp=qp, height=10, width=12) == 0
        assert certain.any()
        symbols.residual[certain] = 3
        return symbols, samples + 5

    encoder, decoding = FrameEncoder(codecs), decoder(codecs)
    decoding.decode(decoding.parse(encoder.encode(encoder.decide(scene[0]), pts=0, qp=QP)))
    monkeypatch.setattr("ncodec.video.frame_encoder.is_drawn", lambda frame: False)
    monkeypatch.setattr(
        ImageCodec, "code", lambda self, *args, exact=None, **options: code(*args, **options)
    )
    pixels = decoding.decode(decoding.parse(encoder.encode(encoder.decide(scene[1]), pts=1, qp=2)))
    np.testing.assert_array_equal(pixels, encoder.last[:149, :181])


def test_decoding_starts_at_any_intra_frame(
    codecs: FrameCodecs, coded: tuple[list[Frame], list[Photo]]
) -> None:
    frames, seen = coded
    decoding = decoder(codecs)
    for frame, expected in zip(frames[2:], seen[2:], strict=True):
        np.testing.assert_array_equal(decoding.decode(decoding.parse(frame)), expected)
    for frame in (frames[1], frames[4]):
        with pytest.raises(FormatError, match="expected an intra frame first"):
            decoder(codecs).parse(frame)
        with pytest.raises(FormatError, match="expected an intra frame first"):
            decoder(codecs).decode(decoding.parse(frame))
    decoding = decoder(codecs)
    decoding.decode(decoding.parse(frames[0]))
    decoding.forget()
    with pytest.raises(FormatError, match="expected an intra frame first"):
        decoding.parse(frames[1])


def test_without_a_model_of_frames_all_are_intra(
    codecs: FrameCodecs, scene: list[Photo], coded: object
) -> None:
    encoder = FrameEncoder(FrameCodecs(codecs.pictures, None))
    pairs = enumerate([scene[0], scene[1], scene[1]])
    frames = [encoder.encode(encoder.decide(pixels), pts=pts, qp=QP) for pts, pixels in pairs]
    assert [f.tag for f in frames] == [Tag.INTRA, Tag.INTRA, Tag.DUPLICATE]
    with pytest.raises(ModelError, match="expected a model of predicted frames"):
        FrameDecoder(FrameCodecs(codecs.pictures, None), height=149, width=181).parse(
            Frame(Tag.PREDICTED, 1, QP)
        )


def test_intra_frames_are_searched_for(codecs: FrameCodecs, scene: list[Photo]) -> None:
    encoder, reader, quick = FrameEncoder(codecs), decoder(codecs), codecs.pictures
    frame = encoder.encode(encoder.decide(scene[0]), pts=0, qp=QP)
    searched = reader.decode(reader.parse(frame))
    symbols = quick.analyze(scene[0], qp=QP)
    plain = quick.synthesize(symbols, qp=QP, height=149, width=181)
    size = len(pack_symbols(symbols, quick.model.tables, qp=QP))
    price = 0.0004 * (0.5 / 0.0004) ** (QP / 63) * scene[0].size / 3

    def error(seen: Photo) -> float:
        return float(np.square(seen.astype(float) - scene[0]).mean())

    assert price * error(searched) + 8 * len(frame.payload) < 0.98 * (
        price * error(plain) + 8 * size
    )


def test_another_scene_is_intra(codecs: FrameCodecs, scene: list[Photo]) -> None:
    encoder = FrameEncoder(codecs)
    encoder.encode(encoder.decide(scene[0]), pts=0, qp=QP)
    other = np.ascontiguousarray(
        scene[0].transpose(1, 0, 2)[::-1][: scene[0].shape[0]].repeat(2, axis=1)[:, :181]
    )
    assert encoder.decide(other).tag == Tag.INTRA
    assert encoder.decide(scene[1]).tag == Tag.PREDICTED


def test_a_size_that_changes_is_refused(codecs: FrameCodecs, scene: list[Photo]) -> None:
    encoder = FrameEncoder(codecs)
    encoder.encode(encoder.decide(scene[0]), pts=0, qp=QP)
    with pytest.raises(InputError, match="expected frames of one size, got 180×149 after 181×149"):
        encoder.decide(scene[1][:, 1:])


def test_a_caller_may_fill_its_array_anew(codecs: FrameCodecs, scene: list[Photo]) -> None:
    encoder, buffer = FrameEncoder(codecs), scene[0].copy()
    encoder.encode(encoder.decide(buffer), pts=0, qp=QP)
    buffer[:] = scene[1]
    assert encoder.decide(buffer).tag == Tag.PREDICTED


def test_frames_that_no_encoder_makes_are_refused(
    codecs: FrameCodecs, coded: tuple[list[Frame], list[Photo]]
) -> None:
    first, second = coded[0][:2]
    for broken in (
        replace(second, payload=b"\xff" + second.payload[1:]),
        replace(second, payload=second.payload + b"\0"),
        replace(second, payload=b""),
    ):
        decoding = decoder(codecs)
        decoding.parse(first)
        with pytest.raises(FormatError, match=r"damaged|truncated|got what is no"):
            decoding.parse(broken)


def strips_and_a_visitor(seed: int) -> list[Photo]:
    """Four frames of texture that moves in three strips; in the third a plain rectangle hides a
    quarter of it."""
    rng = np.random.default_rng(seed)
    high, wide = (16 * int(side) for side in rng.integers(17, 24, 2))

    def texture(side: int) -> npt.NDArray[np.float64]:
        coarse = rng.normal(size=(-(-(high + 64) // side), -(-(wide + 64) // side), 3))
        return coarse.repeat(side, axis=0).repeat(side, axis=1)[: high + 64, : wide + 64]

    world = np.clip(128 + 20 * texture(8) + 8 * texture(2), 0, 255)
    steps = rng.integers(-4, 5, (3, 2))
    top, left = int(rng.integers(0, high // 2)), int(rng.integers(0, wide // 2))
    frames = []
    for time in range(4):
        frame = np.empty((high, wide, 3))
        for strip, (down, right) in enumerate(32 + time * steps):
            columns = slice(strip * wide // 3, (strip + 1) * wide // 3)
            frame[:, columns] = world[down : down + high, right : right + wide][:, columns]
        frame += rng.normal(0, 1, frame.shape)
        if time == 2:
            frame[top : top + high // 2, left : left + wide // 2] = 255
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
    return frames


@pytest.mark.parametrize("seed", range(16))
def test_both_sides_know_the_same_of_blocks_that_come_and_go(seed: int) -> None:
    frames = strips_and_a_visitor(seed)
    codecs = open_frame_codecs(threads=1)
    encoder = FrameEncoder(codecs)
    decoding = FrameDecoder(codecs, height=frames[0].shape[0], width=frames[0].shape[1])
    for pts, pixels in enumerate(frames):
        decoded = decoding.decode(
            decoding.parse(encoder.encode(encoder.decide(pixels), pts=pts, qp=15))
        )
        np.testing.assert_array_equal(decoded, encoder.last)
        written, read = encoder._predictor, decoding._state
        assert written is not None
        if written.golden is None:
            assert read.golden is None
            continue
        assert read.golden is not None
        np.testing.assert_array_equal(read.golden.chosen, written.golden.chosen)
        np.testing.assert_array_equal(read.golden.vectors, written.golden.vectors)
        np.testing.assert_array_equal(read.vectors, written.vectors)
