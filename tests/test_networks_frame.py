"""A predicted frame starts as the image codec on a difference, and both sides of it agree."""

import pytest

pytest.importorskip("torch")

import torch

from ncodec.networks.config import ImageConfig
from ncodec.networks.frame import FrameConfig, FrameModel, keep_nearer
from ncodec.networks.image import ImageModel

SMALL = ImageConfig(
    latent=32,
    hyper=8,
    encoder_width=16,
    encoder_depth=1,
    entropy_width=16,
    hyper_width=16,
    body_width=16,
    body_depth=1,
    render_width=8,
    render_depth=1,
)
QP = torch.tensor([30.0])


@pytest.fixture(scope="module")
def model() -> FrameModel:
    torch.manual_seed(1)
    made = FrameModel(FrameConfig(SMALL, context_width=16, context_depth=1)).eval()
    made.codec.table_index.bias.knots.data.fill_(30.0)
    for head in (
        made.codec.analysis.head,
        made.codec.synthesis.head,
    ):  # silent at first, as hints are
        head.weight.data.normal_(std=0.1)
    return made


@pytest.fixture(scope="module")
def units() -> tuple[torch.Tensor, torch.Tensor]:
    """A frame and its prediction in 0…1."""
    generator = torch.Generator().manual_seed(2)
    frame = torch.rand(1, 3, 64, 128, generator=generator)
    return frame, (frame + 0.05 * torch.randn(frame.shape, generator=generator)).clamp(0, 1)


@pytest.fixture(scope="module")
def pair(units: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """A frame and its prediction in 8-bit levels about 0."""
    frame, predicted = (255 * unit - 127.5 for unit in units)
    return frame, predicted


@torch.no_grad()
def test_with_silent_hints_it_codes_the_difference_as_a_picture(
    model: FrameModel, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    picture = ImageModel(SMALL).eval()
    picture.load_state_dict(model.codec.state_dict())
    frame, predicted = pair
    expected = picture.encode(frame - predicted, QP)
    for ours, theirs in zip(model.encode(frame, predicted, QP), expected, strict=True):
        assert torch.equal(ours, theirs)
    torch.testing.assert_close(
        model.decode(*expected, predicted, QP), picture.decode(*expected, QP)
    )


def test_every_hint_learns(model: FrameModel, units: tuple[torch.Tensor, torch.Tensor]) -> None:
    seen = model(*units, QP)
    (seen.pixels.square().mean() * 1e4 + seen.y_bits.sum() + seen.z_bits.sum()).backward()
    for name in ("to_encoder", "to_means", "to_body", "to_render"):
        weight = getattr(model.context, name).weight
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


@torch.no_grad()
def test_a_decoder_needs_the_prediction(
    model: FrameModel, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    frame, predicted = pair
    symbols = model.encode(frame, predicted, QP)
    again, elsewhere = (
        known + model.decode(*symbols, known, QP).permute(0, 3, 1, 2)
        for known in (predicted, predicted.flip(3))
    )
    assert (again - frame).abs().mean() < (elsewhere - frame).abs().mean()


def test_cells_are_kept_where_nothing_is_coded_and_the_prediction_is_nearer() -> None:
    pixels, predicted = torch.full((1, 3, 64, 192), 0.5), torch.full((1, 3, 64, 192), 0.48)
    made = pixels.clone()
    made[..., 64:] += 0.05  # nearer in the first cell, farther in the others
    made.requires_grad_()
    zero_bins = torch.ones(1, 1, 4, 12, dtype=torch.bool)
    zero_bins[..., 2, 9] = False  # something is coded in the last cell
    kept = keep_nearer(made, pixels, predicted, zero_bins)
    assert [round(float(value), 3) for value in kept[0, 0, 0, ::64]] == [0.5, 0.48, 0.55]
    kept.sum().backward()
    assert made.grad is not None
    assert (made.grad == 1).all()


@torch.no_grad()
def test_training_sees_where_residuals_are_none(
    model: FrameModel, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    frame, predicted = pair
    seen = model.codec((frame - predicted) / 255 + 0.5, QP, model.context(predicted, QP))
    _, residual = model.encode(frame, predicted, QP)
    assert seen.zero_bins is not None
    assert torch.equal(seen.zero_bins, ~residual.any(dim=1, keepdim=True))
