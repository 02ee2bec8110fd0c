"""A tiny model learns for a few steps, resumes, exports and decodes real pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image
from places import ROOT

pytest.importorskip("pytorch_lightning")

import torch
import yaml
from tiny import TINY, log_losses

from ncodec.errors import InputError, ModelError, TrainingError
from ncodec.eval.metrics import METRICS
from ncodec.image.codec import ImageCodec
from ncodec.inference.backend import open_backend
from ncodec.inference.zoo import load_model_folder
from ncodec.networks.config import ImageConfig
from ncodec.networks.image import Prediction
from ncodec.picture import from_array
from ncodec.training import options as run_options
from ncodec.training import run
from ncodec.training.checkpoint import load_checkpoint
from ncodec.training.cli import train
from ncodec.training.data import PictureData, patch_statistics, picture_batches, spread_qps
from ncodec.training.export.calibrate import (
    picture_examples,
)
from ncodec.training.export.folder import export_folder
from ncodec.training.image import FAILED_BATCH, ImageTraining
from ncodec.training.losses import (
    balanced,
    lack_of_structure,
    mean_square,
    mean_square_420,
    rate_distortion,
)
from ncodec.training.pictures import CropOptions, PictureBank, split
from ncodec.training.profile import profile_training

Photo = npt.NDArray[np.uint8]


@pytest.mark.slow
def test_train_resume_export_decode(pictures: Path, tmp_path: Path, photo: Photo) -> None:
    out = tmp_path / "run"
    first = run.train_image(
        [pictures], out=out, options=run_options.read_options([*TINY, "--optimizer.steps=30"])
    )
    losses = log_losses(out)
    assert losses[-1] < losses[0], "the held-out loss falls"

    second = run.train_image(
        [pictures],
        out=out,
        options=run_options.read_options([*TINY, "--optimizer.steps=40"]),
        resume=first,
    )
    state = torch.load(second, weights_only=True)
    assert state["global_step"] == 40
    assert state["PictureData"]["first"] == 40

    with pytest.raises(ModelError, match="expected a model with latent 64, got 48"):
        run.train_image(
            [pictures],
            out=out,
            options=run_options.read_options([*TINY, "--model.latent=64"]),
            resume=second,
        )

    model, facts = load_checkpoint(second)
    assert facts["steps"] == 40
    fitted_to = picture_examples([np.ascontiguousarray(photo[:128, :192])])
    export_folder(model, tmp_path / "export", name="tiny", facts=facts, examples=fitted_to)
    loaded = load_model_folder(tmp_path / "export")
    again = run.train_image(
        [pictures],
        out=tmp_path / "again",
        options=run_options.read_options([*TINY, "--optimizer.steps=20"]),
        start_from=loaded.path("image.safetensors"),
    )
    assert torch.load(again, weights_only=True)["global_step"] == 20
    assert log_losses(tmp_path / "again")[0] < losses[0], (
        "exported weights are a better start than none"
    )
    codec = ImageCodec(loaded, open_backend(loaded))
    decoded = codec.decode(codec.encode(from_array(photo), qp=63).data)
    assert np.abs(decoded.pixels.astype(int) - photo).mean() < 20
    reference = ImageCodec(loaded, open_backend(loaded, "torch"))
    ours, theirs = (c.analyze(photo, qp=63).residual for c in (codec, reference))
    assert (ours != theirs).mean() < 1e-3, "both backends run the same weights"


def test_the_profile_of_a_step_measures_every_part(pictures: Path) -> None:
    profile = profile_training([pictures], options=run_options.read_options(TINY), steps=3)
    parts = (profile.data_s, profile.forward_s, profile.backward_s, profile.optimizer_s)
    assert min(*parts, profile.whole_s, profile.matrix_rate) > 0
    assert profile.bare_s == profile.forward_s + profile.backward_s
    assert profile.megapixels == pytest.approx(4 * 64**2 / 1e6)
    assert profile.flops > 3e6
    assert profile.utilization == profile.flops / profile.whole_s / profile.matrix_rate


def test_every_default_of_the_yaml_is_a_known_option() -> None:
    defaults = yaml.safe_load(run_options.DEFAULTS.read_text("utf-8"))
    options = run_options.read_options([])
    assert options.model.latent == defaults["model"]["latent"]
    assert options.optimizer.peak == defaults["optimizer"]["peak"]


def test_a_config_overrides_the_defaults_and_the_command_line_overrides_both(
    tmp_path: Path,
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("optimizer:\n  peak: 0.5\n  steps: 7\n", "utf-8")
    options = run_options.read_options(["--optimizer.steps", "9"], config=config)
    assert (options.optimizer.peak, options.optimizer.steps) == (0.5, 9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--optimizer.pace=1"],
            "unknown training option optimizer.pace; the nearest one is optimizer.peak",
        ),
        (
            ["--crop.batch", "3"],
            "unknown training option crop.batch; the nearest one is crops.batch",
        ),
        (["--optimizer.peak=fast"], 'Parser key "optimizer.peak": Expected a .*Got value: fast'),
        (["--optimizer.peak=-1"], "expected optimizer.peak of at least 0, got -1"),
        (["--crops.batch=0"], "expected crops.batch of at least 1, got 0"),
        (["--crops.crop=100"], "expected crops.crop to be a multiple of 64, got 100"),
        (["--devices=0"], "expected devices of at least 1, got 0"),
        (["--ema_decay=2"], "expected ema_decay of at least 0 and at most 1, got 2"),
        (
            ["--optimizer.warmup=500"],
            "expected optimizer.warmup of at least 0 and at most 0.9, got 500",
        ),
        (["--model.knots=1"], "expected model.knots of at least 2 and at most 64, got 1"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        run_options.read_options(arguments)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "optimizer:\n  pace: 1\n",
            "unknown training option optimizer.pace; the nearest one is optimizer.peak",
        ),
        (
            "optimiser:\n  peak: 1\n",
            "unknown training option optimiser.peak; the nearest one is optimizer.peak",
        ),
        ("optimizer: [", "Problems parsing config"),
    ],
)
def test_wrong_keys_of_a_config_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        run_options.read_options([], config=tmp_path / "mine.yaml")


def test_a_start_that_is_no_checkpoint_or_of_another_architecture_is_named(
    pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "some.file").write_bytes(b"not a checkpoint")
    options = run_options.read_options(TINY)
    with pytest.raises(ModelError, match="expected a checkpoint"):
        run.train_image([pictures], out=tmp_path, options=options, resume=tmp_path / "some.file")
    with pytest.raises(ModelError, match="expected exported weights"):
        run.train_image(
            [pictures], out=tmp_path, options=options, start_from=tmp_path / "some.file"
        )
    with pytest.raises(ModelError, match="expected weights of this architecture"):
        run.train_image(
            [pictures],
            out=tmp_path,
            options=options,
            start_from=ROOT / "weights" / "base" / "image.safetensors",
        )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_hardware_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for arguments in (["--accelerator=gpu"], ["--accelerator=abacus"]):
        with pytest.raises(InputError, match=r"accelerator|backend"):
            run.make_trainer(run_options.read_options(arguments), out=tmp_path)


def test_wrong_options_are_usage_errors_of_the_command(pictures: Path) -> None:
    result = CliRunner().invoke(train, ["image", "--data", str(pictures), "--optimizer.pace", "1"])
    assert result.exit_code == 2
    assert "the nearest one is optimizer.peak" in result.output


def test_batch_n_depends_on_n_alone(photo: Photo) -> None:
    bank = PictureBank([photo])
    options = CropOptions(crop=64, batch=6)
    stream = iter(picture_batches(bank, options, qp_count=64))
    batches = [next(stream) for _ in range(3)]
    resumed = next(iter(picture_batches(bank, options, qp_count=64, first=2)))
    assert torch.equal(batches[2][0], resumed[0])
    assert torch.equal(batches[2][1], resumed[1])
    assert not torch.equal(batches[1][0], resumed[0])


def test_every_batch_sees_low_and_high_rates() -> None:
    qps = spread_qps(4, 64, torch.Generator().manual_seed(1))
    assert [int(qp) // 16 for qp in qps] == [0, 1, 2, 3]
    seen = {
        int(qp)
        for seed in range(400)
        for qp in spread_qps(4, 64, torch.Generator().manual_seed(seed))
    }
    assert seen == set(range(64))


def test_held_out_pictures_are_not_trained_on(pictures: Path) -> None:
    data = PictureData([pictures], CropOptions(crop=64, held_out=1), qp_count=64)
    assert len(data.pictures) == 3
    assert len(data.held_out) == 1


def test_at_most_one_picture_in_eight_is_held_out(photo: Photo) -> None:
    assert [len(part) for part in split([photo] * 20, held_out=16)] == [18, 2]
    assert [len(part) for part in split([photo] * 455, held_out=16)] == [439, 16]


def test_training_without_finite_gradients_stops_and_keeps_the_batch(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = ImageTraining.price

    def broken(self: ImageTraining, *batch: torch.Tensor) -> object:
        result, seen = price(self, *batch)
        return replace(result, loss=result.loss * float("nan")), seen

    monkeypatch.setattr(ImageTraining, "price", broken)
    options = run_options.read_options([*TINY, "--optimizer.steps=90", "--validate_every=1000"])
    with pytest.raises(TrainingError, match="expected finite gradients"):
        run.train_image([pictures], out=tmp_path, options=options)
    kept = torch.load(tmp_path / FAILED_BATCH, weights_only=True)
    assert kept["crops"].shape == (4, 64, 64, 3)
    assert all(value.isfinite().all() for value in kept["model"].values()), "no step was taken"


def test_patch_statistics_are_principal_components(photo: Photo) -> None:
    statistics = patch_statistics([photo], ImageConfig(latent=32), crops=20)
    assert statistics.basis.shape == (32, 768)
    torch.testing.assert_close(
        statistics.basis @ statistics.basis.T, torch.eye(32), atol=1e-4, rtol=0
    )
    assert statistics.deviations.tolist() == sorted(statistics.deviations.tolist(), reverse=True)


def test_the_loss_is_lambda_times_255_squared_mse_plus_bpp() -> None:
    result = rate_distortion(
        mean_square(torch.full((2, 3, 64, 64), 0.1)),
        Prediction(
            torch.empty(0),
            torch.tensor([4000.0, 9000.0]),
            torch.tensor([96.0, 1240.0]),
            torch.tensor([0.0, 2048.0]),
        ),
        pixels=64 * 64,
        lagrangian=torch.tensor([0.01, 0.02]),
    )
    torch.testing.assert_close(result.bpp, torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(result.loss, torch.tensor([6.5025 + 1, 13.005 + 2.5]))
    torch.testing.assert_close(result.true_loss, torch.tensor([6.5025 + 1, 13.005 + 2]))
    torch.testing.assert_close(result.psnr, torch.tensor([20.0, 20.0]))
    torch.testing.assert_close(
        balanced(torch.tensor([1.0, 1.0]), lagrangian=torch.tensor([1.0, 4.0]), pivot=1.0),
        torch.tensor(0.75),
    )


def test_a_lack_of_structure_is_what_ms_ssim_lacks(photo: Photo) -> None:
    smaller = Image.fromarray(photo).resize((100, 76)).resize((200, 152))
    pictures = [
        np.pad(np.asarray(p), ((0, 40), (0, 0), (0, 0)), mode="edge") for p in (photo, smaller)
    ]
    first, second = (torch.from_numpy(p.transpose(2, 0, 1)[None] / 255).float() for p in pictures)
    measured = 1 - (METRICS["ms_ssim"].measure(pictures[0], pictures[1]) or 0)
    assert 0.001 < measured < 0.2
    assert float(lack_of_structure(second, first)) == pytest.approx(
        1260 / 255**2 * measured, rel=1e-3
    )
    assert float(lack_of_structure(first, first)) == pytest.approx(0, abs=1e-6)


def test_a_run_for_structure_makes_its_lack_smaller(photo: Photo, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(9):
        Image.fromarray(np.roll(np.tile(photo, (2, 1, 1)), 37 * i, axis=0)).save(
            pictures / f"{i}.png"
        )
    arguments = [
        *TINY,
        "--distortion=ms-ssim",
        "--crops.crop=192",
        "--crops.batch=2",
        "--optimizer.steps=20",
    ]
    run.train_image([pictures], out=tmp_path, options=run_options.read_options(arguments))
    losses = log_losses(tmp_path)
    assert losses[-1] < losses[0]
    with pytest.raises(
        InputError, match=r"expected crops\.crop of at least 161 for MS-SSIM, got 128"
    ):
        run_options.read_options([*TINY, "--distortion=ms-ssim", "--crops.crop=128"])


def test_errors_of_clips_are_those_of_planes_in_420(photo: Photo) -> None:
    first, second = (
        photo[:64, :96].astype(np.uint8),
        np.roll(photo, 5, axis=1)[:64, :96].astype(np.uint8),
    )
    difference = torch.from_numpy((first.astype(np.float32) - second) / 255).permute(2, 0, 1)[None]
    squares = []
    for planes in zip(
        *(Image.fromarray(p).convert("YCbCr").split() for p in (first, second)), strict=True
    ):
        small = [plane.reduce(2) if squares else plane for plane in planes]
        squares.append(
            np.square(np.asarray(small[0], np.float64) - np.asarray(small[1])).mean() / 255**2
        )
    assert float(mean_square_420(difference)) == pytest.approx(sum(squares), rel=0.01)
    grey = torch.full((1, 3, 8, 8), 0.1)
    torch.testing.assert_close(mean_square_420(grey), mean_square(grey))
