"""A tiny model of predicted frames learns from clips and moving photographs."""

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("pytorch_lightning")

import torch
from tiny import log_losses

from ncodec.errors import InputError, ModelError
from ncodec.networks.frame import FrameModel
from ncodec.networks.image import ImageModel
from ncodec.training import options as run_options
from ncodec.training import run, video
from ncodec.training.checkpoint import save_weights
from ncodec.training.clips import (
    ClipBank,
    ClipOptions,
    Predictors,
    intra_qp,
    load_clips,
    move,
    to_bytes,
)
from ncodec.training.data import patch_statistics
from ncodec.training.losses import RateDistortion
from ncodec.training.pictures import PictureBank
from ncodec.training.video import VideoTraining

Photo = npt.NDArray[np.uint8]
TINY = [
    "--model.codec.latent=48",
    "--model.codec.hyper=8",
    "--model.codec.encoder_width=16",
    "--model.codec.encoder_depth=1",
    "--model.codec.entropy_width=16",
    "--model.codec.hyper_width=16",
    "--model.codec.body_width=16",
    "--model.codec.body_depth=1",
    "--model.codec.render_width=8",
    "--model.codec.render_depth=1",
    "--model.codec.lambda_min=6e-4",
    "--model.codec.lambda_max=0.25",
    "--model.context_width=16",
    "--model.context_depth=1",
    "--clips.crop=64",
    "--clips.batch=4",
    "--clips.frames=5",
    "--clips.together=2",
    "--clips.held_out=1",
    "--validate_every=10",
    "--accelerator=cpu",
    "--optimizer.warmup=0.2",
]
SMALL = ClipOptions(crop=64, batch=4, frames=3)


def clip(photo: Photo, step: int, frames: int = 6) -> bytes:
    """A lossless clip of a photograph that pans `step` pixels a frame."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="matroska") as container:
        pictures = container.add_stream("ffv1", rate=Fraction(25))
        pictures.width, pictures.height, pictures.pix_fmt = 128, 96, "bgr0"
        for i in range(frames):
            pixels = np.ascontiguousarray(photo[20:116, i * step : i * step + 128])
            container.mux(
                pictures.encode(av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="bgr0"))
            )
        container.mux(pictures.encode(None))
    return stream.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for step in (0, 3, 8):
        (folder / f"{step}.mkv").write_bytes(clip(photo, step))
    for i in range(2):
        Image.fromarray(np.roll(photo, 31 * i, axis=0)).save(folder / f"{i}.png")
    (folder / "broken.mp4").write_bytes(b"not a clip")
    return folder


def test_clips_are_decoded_and_bad_ones_listed(photo: Photo) -> None:
    files = [("good", clip(photo, 3)), ("broken", b"no"), ("short", clip(photo, 3, frames=2))]
    loaded = load_clips(files, options=SMALL)
    np.testing.assert_array_equal(loaded.pictures[0][2], photo[20:116, 6:134])
    assert [line.split(":")[0] for line in loaded.skipped] == ["broken", "short"]
    with pytest.raises(
        InputError, match="expected clips of 3 frames of 256×256 pixels, got none; good: 6 frames"
    ):
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
        sequence = move(
            picture, picture.flip(0), options=SMALL, generator=torch.Generator().manual_seed(seed)
        )
        predicted = Predictors(sequence[:1]).predict(
            sequence[1:2], sequence[:1], torch.tensor([32.0])
        )
        errors.append((predicted.float() - sequence[1].float()).abs().mean().item())
        still.append((sequence[0].float() - sequence[1].float()).abs().mean().item())
    assert np.mean(errors) < 0.7 * np.mean(still)
    assert min(still) < 4 < max(still), "some stand still, some do not"


def test_what_is_clearer_in_the_intra_frame_comes_from_there(photo: Photo) -> None:
    still = torch.from_numpy(photo[:128, :128].copy())[None]
    noisy = (
        (still + 20 * torch.randn(still.shape, generator=torch.Generator().manual_seed(1)))
        .clamp(0, 255)
        .byte()
    )
    predictors, qp = Predictors(still), torch.tensor([32.0])
    predictors.predict(still, still, qp)
    assert (predictors.predict(still, noisy, qp).float() - still).abs().mean() < 2
    without = Predictors(still).predict(still, noisy, qp)
    assert (without.float() - still).abs().mean() > 10, "the first frame after it has no choice"


def test_a_batch_mixes_both(photo: Photo) -> None:
    still = np.repeat(np.full((1, 96, 128, 3), 7, dtype=np.uint8), 6, axis=0)
    bank = ClipBank([still], PictureBank([photo]))
    options = replace(SMALL, batch=40, synthetic=0.5)
    drawn = bank.draw(options, torch.Generator().manual_seed(1))
    real = (drawn == 7).flatten(1).all(1).float().mean()
    assert 0.25 < real < 0.75


def test_sharing_the_weights_is_refused(data: Path, tmp_path: Path) -> None:
    options = run_options.read_video_options([*TINY, "--strategy=fsdp", "--devices=2"])
    with pytest.raises(InputError, match="expected the strategy ddp"):
        run.train_video([data], out=tmp_path, options=options, intra=tmp_path / "any")


def exported(model: ImageModel | FrameModel, path: Path) -> Path:
    save_weights(model, path)
    return path


def test_a_run_goes_on_from_exported_weights_of_predicted_frames(
    data: Path, tmp_path: Path
) -> None:
    options = run_options.read_video_options(TINY)
    intra = exported(ImageModel(options.model.codec), tmp_path / "i.safetensors")
    frames = FrameModel(options.model)
    start = exported(frames, tmp_path / "f.safetensors")
    module, _ = run.prepare_video([data], options=options, intra=intra, start_from=start)
    for name, value in frames.state_dict().items():
        assert torch.equal(module.model.state_dict()[name], value.half().float()), name
    with pytest.raises(ModelError, match="expected weights of this architecture"):
        run.prepare_video([data], options=options, intra=intra, start_from=intra)
    with pytest.raises(ModelError, match="expected exported weights of pictures"):
        run.prepare_video([data], options=options, intra=start)


def test_a_run_begins_as_pictures_of_its_architecture_alone(data: Path, tmp_path: Path) -> None:
    options = run_options.read_video_options(TINY)
    alike, other = (
        ImageModel(options.model.codec),
        ImageModel(replace(options.model.codec, latent=32)),
    )
    module, _ = run.prepare_video(
        [data], options=options, intra=exported(alike, tmp_path / "a.safetensors")
    )
    assert torch.equal(
        module.model.codec.means.first.weight, alike.means.first.weight.half().float()
    )
    with pytest.raises(InputError, match="name --start-from"):
        run.prepare_video(
            [data], options=options, intra=exported(other, tmp_path / "o.safetensors")
        )


@pytest.mark.slow
def test_train_and_resume(data: Path, tmp_path: Path, photo: Photo) -> None:
    options = run_options.read_video_options([*TINY, "--optimizer.steps=80"])
    torch.manual_seed(1)
    begun = ImageModel(options.model.codec)
    begun.start_from(
        patch_statistics([photo], options.model.codec, crops=50)
    )  # else nothing is coded, and all kept
    intra = exported(begun, tmp_path / "i.safetensors")
    out = tmp_path / "run"
    first = run.train_video([data], out=out, options=options, intra=intra)
    losses = log_losses(out)
    assert losses[-1] < losses[0], "the held-out loss falls"
    checkpoint = torch.load(first, weights_only=True)
    assert checkpoint["config"]["codec"]["latent"] == 48
    assert not any("intra" in name for name in checkpoint["state_dict"])
    longer = run_options.read_video_options([*TINY, "--optimizer.steps=84"])
    second = run.train_video([data], out=out, options=longer, intra=intra, resume=first)
    assert torch.load(second, weights_only=True)["ClipData"]["first"] == 84


def test_a_still_scene_pulls_as_hard_as_one_that_moves() -> None:
    zero_bin = torch.full((2,), 0.15)
    loss = (torch.tensor([0.3, 6.0]) + zero_bin).requires_grad_()
    unused = torch.ones(2)
    result = RateDistortion(loss, unused, unused, unused, zero_bin)
    VideoTraining.objective(None, result).backward()  # type: ignore[arg-type]
    assert loss.grad is not None
    pull = loss.grad * result.true_loss.detach()  # of the same relative gain
    assert float(pull[0]) == pytest.approx(float(pull[1]), rel=0.1)


def test_first_frames_are_coded_better_by_what_encoders_choose() -> None:
    assert intra_qp(torch.tensor([10.0, 62.0])).tolist() == [25, 63]


@pytest.fixture(scope="module")
def module() -> VideoTraining:
    options = run_options.read_video_options(TINY)
    torch.manual_seed(1)
    intra, frames = ImageModel(options.model.codec), FrameModel(options.model)
    return VideoTraining(frames, intra, options.optimizer, together=2).train()


def test_a_step_goes_on_with_what_another_decoded(
    module: VideoTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "BEGUN", 0.0)
    crops = torch.randint(0, 256, (1, 4, 64, 64, 3), dtype=torch.uint8)
    module.price(crops, torch.tensor([32.0]))
    (before,) = module.under_way
    there_and_back = [2, 3, 2, 1, 0, 1]
    assert torch.equal(before.frames, crops[:, there_and_back])
    _, seen = module.price(torch.zeros_like(crops), torch.tensor([0.0]))
    (after,) = module.under_way
    assert torch.equal(after.frames, before.frames.roll(-2, dims=1))
    assert torch.equal(after.last, to_bytes(seen.pixels[1:]))
    assert after.qp == 32


def test_sequences_under_way_are_few_and_change(
    module: VideoTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "BEGUN", 1.0)
    monkeypatch.setattr(video, "MOST_UNDER_WAY", 2)
    module.under_way.clear()
    for shade in range(4):
        module.price(torch.full((1, 3, 64, 64, 3), shade, dtype=torch.uint8), torch.tensor([32.0]))
    assert len(module.under_way) == 2
    assert module.under_way[1].frames[0, 0, 0, 0, 0] == 3
