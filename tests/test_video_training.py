"""A tiny model of predicted frames learns from clips and moving photographs."""

import io
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("pytorch_lightning")

import torch
from tiny import log_losses

from ncodec.clip_api import open_frame_codecs
from ncodec.errors import InputError, ModelError
from ncodec.models.frame import FrameModel
from ncodec.models.image import ImageModel
from ncodec.training import run
from ncodec.training.checkpoint import load_picture_model, save_weights
from ncodec.training.clips import ClipBank, ClipOptions, load_clips, move, predict
from ncodec.training.losses import RateDistortion
from ncodec.training.pairs import (
    HELD_OUT,
    QP_SPREAD,
    TRAINED,
    Pair,
    PairData,
    PairOptions,
    make_pairs,
    read_pairs,
    write_pair,
)
from ncodec.training.pictures import PictureBank
from ncodec.training.video import VideoTraining

Photo = npt.NDArray[np.uint8]
TINY = [
    "--model.codec.latent=48", "--model.codec.hyper=8", "--model.codec.encoder_width=16",
    "--model.codec.encoder_depth=1", "--model.codec.entropy_width=16", "--model.codec.hyper_width=16",
    "--model.codec.body_width=16", "--model.codec.body_depth=1", "--model.codec.render_width=8",
    "--model.codec.render_depth=1",
    "--model.codec.lambda_min=6e-4", "--model.codec.lambda_max=0.25",
    "--model.context_width=16", "--model.context_depth=1", "--pairs.batch=4", "--validate_every=10",
    "--accelerator=cpu", "--optimizer.warmup=0.2",
]  # fmt: skip
SMALL = ClipOptions(crop=64, batch=4, frames=3)


def clip(photo: Photo, step: int, frames: int = 6) -> bytes:
    """A lossless clip of a photograph that pans `step` pixels a frame."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="matroska") as container:
        pictures = container.add_stream("ffv1", rate=Fraction(25))
        pictures.width, pictures.height, pictures.pix_fmt = 128, 96, "bgr0"
        for i in range(frames):
            pixels = np.ascontiguousarray(photo[20:116, i * step : i * step + 128])
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="bgr0")))
        container.mux(pictures.encode(None))
    return stream.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for i, step in enumerate((3, 0, 8)):
        (folder / f"{i}.mkv").write_bytes(clip(photo, step))
    for i in range(2):
        Image.fromarray(np.roll(photo, 31 * i, axis=0)).save(folder / f"{i}.png")
    (folder / "broken.mp4").write_bytes(b"not a clip")
    return folder


def test_clips_are_decoded_and_bad_ones_listed(photo: Photo) -> None:
    files = [("good", clip(photo, 3)), ("broken", b"no"), ("short", clip(photo, 3, frames=2))]
    loaded = load_clips(files, options=SMALL)
    np.testing.assert_array_equal(loaded.pictures[0][2], photo[20:116, 6:134])
    assert [line.split(":")[0] for line in loaded.skipped] == ["broken", "short"]
    with pytest.raises(InputError, match="expected clips of 3 frames of 256×256 pixels, got none; good: 6 frames"):
        load_clips(files, options=replace(SMALL, crop=256))


def test_sequences_are_cuts_of_clips(photo: Photo) -> None:
    bank = ClipBank([load_clips([("a", clip(photo, 3))], options=SMALL).pictures[0]], None)
    drawn = bank.draw(SMALL, torch.Generator().manual_seed(1))
    assert drawn.shape == (4, 3, 64, 64, 3)
    assert torch.equal(drawn, bank.draw(SMALL, torch.Generator().manual_seed(1)))
    assert not torch.equal(drawn[0], drawn[1])


def test_photographs_that_move_can_be_followed(photo: Photo) -> None:
    picture = torch.from_numpy(photo[:128, :128].copy())
    errors, still = [], []
    for seed in range(8):
        sequence = move(picture, picture.flip(0), options=SMALL, generator=torch.Generator().manual_seed(seed))
        predicted = predict(sequence[1:2], sequence[:1], torch.tensor([32.0]))
        errors.append((predicted.float() - sequence[1].float()).abs().mean().item())
        still.append((sequence[0].float() - sequence[1].float()).abs().mean().item())
    assert np.mean(errors) < 0.7 * np.mean(still)
    assert min(still) < 4 < max(still), "some stand still, some do not"


def test_a_batch_mixes_both(photo: Photo) -> None:
    still = np.repeat(np.full((1, 96, 128, 3), 7, dtype=np.uint8), 6, axis=0)
    bank = ClipBank([still], PictureBank([photo]))
    options = replace(SMALL, batch=40, synthetic=0.5)
    drawn = bank.draw(options, torch.Generator().manual_seed(1))
    real = (drawn == 7).flatten(1).all(1).float().mean()
    assert 0.25 < real < 0.75


@pytest.fixture(scope="module")
def pairs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    options = ClipOptions(crop=64, batch=2, frames=5, synthetic=0.3, held_out=1)
    for index, pair in enumerate(islice(make_pairs([data], open_frame_codecs(threads=1), options=options), 16)):
        write_pair(pair, folder, index=index)
    return folder


def test_pairs_are_frames_and_what_they_were_predicted_as(pairs: Path) -> None:
    (held_out, first_qps), (trained, qps) = (read_pairs(pairs / name) for name in (HELD_OUT, TRAINED))
    assert held_out.shape == (4, 2, 64, 64, 3), "all but the first frame of one clip of five"
    assert len(set(first_qps.tolist())) == 1
    assert trained.shape == (12, 2, 64, 64, 3)
    assert len(set(qps.tolist())) > 1
    error = (held_out[:, 0].float() - held_out[:, 1].float()).abs().mean()
    unlike = (held_out[:, 0].float() - trained[:4, 1].float()).abs().mean()
    assert 0 < error < 0.5 * unlike


def test_the_same_seed_makes_the_same_pairs(data: Path) -> None:
    def made(seed: int) -> list[Pair]:
        options = ClipOptions(crop=64, batch=2, frames=3, synthetic=0.3, held_out=1)
        return list(islice(make_pairs([data], open_frame_codecs(threads=1), options=options, seed=seed), 4))

    for first, second in zip(made(1), made(1), strict=True):
        np.testing.assert_array_equal(first.both, second.both)
        assert first.qp == second.qp
    assert any(a.qp != b.qp for a, b in zip(made(1), made(2), strict=True))


def test_pairs_are_drawn_turned_over_at_qps_near_their_own(pairs: Path) -> None:
    data = PairData(pairs, PairOptions(batch=64), qp_count=64)
    crops, qp = data.batches(0).draw(0)
    both, qps = data.trained
    turned = torch.stack([both.flip(axes) for axes in ((), (2,), (3,), (2, 3))])  # (4, N, 2, H, W, 3)
    for crop, level in zip(crops, qp, strict=True):
        same = (turned == crop).flatten(2).all(2)  # (4, N)
        assert same.any()
        assert (qps[same.any(0)] - level).abs().min() <= QP_SPREAD
    assert not torch.equal(qp, data.batches(1).draw(1)[1])
    assert torch.equal(qp, data.batches(0).draw(0)[1])


def test_other_pictures_are_no_pairs(data: Path, pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected pairs of `ncodec train pairs`, got other pictures"):
        read_pairs(data)
    for name, source in (("0-10.avif", next((pairs / TRAINED).iterdir())), ("1-10.png", data / "0.png")):
        (tmp_path / name).write_bytes(source.read_bytes())
    with pytest.raises(InputError, match="expected pairs of one size"):
        read_pairs(tmp_path)


def test_sharing_the_weights_is_refused(pairs: Path, tmp_path: Path) -> None:
    options = run.read_video_options([*TINY, "--strategy=fsdp", "--devices=2"])
    with pytest.raises(InputError, match="expected the strategy ddp"):
        run.train_video(pairs, out=tmp_path, options=options)


def test_a_run_goes_on_from_exported_weights(pairs: Path, tmp_path: Path) -> None:
    options = run.read_video_options(TINY)
    frames, pictures = FrameModel(options.model), ImageModel(options.model.codec)
    other = ImageModel(replace(options.model.codec, latent=32))
    for model, name in ((frames, "f"), (pictures, "i"), (other, "o")):
        save_weights(model, tmp_path / name)
    module, _ = run.prepare_video(pairs, options=options, start_from=tmp_path / "f")
    for name, value in frames.state_dict().items():
        assert torch.equal(module.model.state_dict()[name], value.half().float()), name
    module, _ = run.prepare_video(pairs, options=options, start_from=tmp_path / "i")
    for name, value in pictures.state_dict().items():
        assert torch.equal(module.model.codec.state_dict()[name], value.half().float()), name
    with pytest.raises(ModelError, match="expected weights of this architecture"):
        run.prepare_video(pairs, options=options, start_from=tmp_path / "o")


def test_weights_say_of_which_pictures_they_are(tmp_path: Path) -> None:
    options = run.read_video_options(TINY)
    model = ImageModel(options.model.codec)
    save_weights(model, tmp_path / "i")
    save_weights(FrameModel(options.model), tmp_path / "f")
    assert load_picture_model(tmp_path / "i").config == model.config
    with pytest.raises(ModelError, match="expected exported weights of pictures"):
        load_picture_model(tmp_path / "f")


@pytest.mark.slow
def test_train_and_resume(pairs: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    out = tmp_path / "run"
    first = run.train_video(pairs, out=out, options=run.read_video_options([*TINY, "--optimizer.steps=30"]))
    losses = log_losses(out)
    assert losses[-1] < losses[0], "the held-out loss falls"
    assert torch.load(first, weights_only=True)["config"]["codec"]["latent"] == 48
    longer = run.read_video_options([*TINY, "--optimizer.steps=34"])
    second = run.train_video(pairs, out=out, options=longer, resume=first)
    assert torch.load(second, weights_only=True)["PairData"]["first"] == 34


def test_a_still_scene_pulls_as_hard_as_one_that_moves() -> None:
    loss = torch.tensor([0.3 + 0.15, 6.0 + 0.15], requires_grad=True)
    unused, idle = torch.ones(2), torch.full((2,), 0.15)
    result = RateDistortion(loss, unused, unused, unused, idle)
    VideoTraining.objective(None, result).backward()  # type: ignore[arg-type]
    assert loss.grad is not None
    pull = loss.grad * result.true_loss.detach()  # of the same relative gain
    assert float(pull[0]) == pytest.approx(float(pull[1]), rel=0.1)


def test_noise_around_certain_values_is_no_part_of_a_file() -> None:
    options = run.read_video_options(TINY)
    module = VideoTraining(FrameModel(options.model), options.optimizer)
    with torch.no_grad():
        module.model.codec.table_index.weight.zero_()
        module.model.codec.table_index.bias.knots.fill_(-1)
        module.model.codec.z_index.knots.fill_(-1)
    crops = torch.full((2, 2, 64, 64, 3), 128, dtype=torch.uint8)
    result, _ = module.price(crops, torch.tensor([20.0, 40.0]))
    torch.testing.assert_close(result.bpp, torch.zeros(2), atol=1e-6, rtol=0)
    assert (result.loss > result.true_loss + 0.01).all()
