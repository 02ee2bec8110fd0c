"""The networks: budgets, locality, and that the training pass prices what the coder codes."""

import pytest

torch = pytest.importorskip("torch")

from ncodec.networks.complexity import decode_kmac, encode_kmac
from ncodec.networks.config import ImageConfig
from ncodec.networks.image import ImageModel, Statistics, decode_halo_of, halo_of
from ncodec.networks.likelihood import noisy_bits, scale_of_index

SMALL = ImageConfig(
    latent=16,
    hyper=8,
    encoder_width=16,
    encoder_depth=2,
    entropy_width=8,
    hyper_width=8,
    body_width=16,
    body_depth=1,
    render_width=8,
    render_depth=1,
)


@pytest.fixture
def model() -> ImageModel:
    """A small model with every branch alive."""
    torch.manual_seed(0)
    network = ImageModel(SMALL)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    torch.nn.init.constant_(network.table_index.bias.knots, 40)
    torch.nn.init.constant_(network.z_index.knots, 40)
    torch.nn.init.normal_(network.hyper_analysis.head.weight, std=3)
    return network.eval()


def test_the_default_model_is_within_its_budget() -> None:
    network = ImageModel(ImageConfig())
    assert encode_kmac(network) <= 25
    assert decode_kmac(network) <= 6


@torch.no_grad()
def test_nothing_looks_further_than_the_halo(model: ImageModel) -> None:
    qp = torch.tensor([40.0])
    side = 2 * halo_of(SMALL) + 128
    levels = 255 * torch.rand(1, 3, side, side) - 127.5
    changed = levels.clone()
    changed[..., :64] *= -1
    edge = (64 + halo_of(SMALL)) // 16
    for before, after, unit in zip(
        model.encode(levels, qp), model.encode(changed, qp), (4, 1), strict=True
    ):
        start = -(-edge // unit)
        assert not torch.equal(before, after), "the change must be seen at all"
        assert torch.equal(before[..., start:], after[..., start:])


@torch.no_grad()
def test_no_pixel_depends_on_more_than_the_halo_of_decoding(model: ImageModel) -> None:
    qp, cells = torch.tensor([40.0]), 2 + decode_halo_of(SMALL) // 64
    z_hat = torch.randint(-3, 4, (1, 8, cells, cells)).float()
    residual = torch.randint(-3, 4, (1, 16, 4 * cells, 4 * cells)).float()
    before = model.decode(z_hat, residual, qp)
    z_hat[..., :1] += 1
    residual[..., :4] += 1
    after, edge = model.decode(z_hat, residual, qp), 64 + decode_halo_of(SMALL)
    assert not torch.equal(before[:, :, : edge - 64], after[:, :, : edge - 64])
    assert torch.equal(before[:, :, edge:], after[:, :, edge:])


@torch.no_grad()
def test_the_exported_form_of_the_synthesis_is_that_which_is_trained(model: ImageModel) -> None:
    qp, y_hat = torch.tensor([40.0]), 9 * torch.randn(1, 16, 5, 7)
    samples = model.samples(y_hat, qp)
    trained = model.train().render(y_hat, qp)
    torch.testing.assert_close(samples, 255 * trained.permute(0, 2, 3, 1), atol=1e-3, rtol=1e-5)


@torch.no_grad()
def test_the_exported_form_of_the_encoder_is_that_which_is_trained(model: ImageModel) -> None:
    qp, levels = torch.tensor([40.0]), 255 * torch.rand(1, 3, 80, 112) - 127.5
    y = model.scaled_latent(levels, qp)
    z_hat = model.hyper_analysis(y).round()
    known = y, model.means.features(z_hat, qp, y), model.table_index(z_hat, qp, y)
    model.train()
    trained = (
        model.scaled_latent(levels, qp),
        model.means.features(z_hat, qp, y),
        model.table_index(z_hat, qp, y),
    )
    torch.testing.assert_close(known, trained, atol=1e-4, rtol=1e-5)


@torch.no_grad()
def test_decoding_mirrors_encoding(model: ImageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder's ŷ is what the encoder meant: its latent, within half a step."""
    qp = torch.tensor([20.0])
    levels = 255 * torch.rand(1, 3, 80, 112) - 127.5
    z_hat, residual = model.encode(levels, qp)
    assert z_hat.shape == (1, 8, 2, 2)
    assert residual.shape == (1, 16, 5, 7)
    assert torch.equal(residual, residual.round())
    seen = []
    monkeypatch.setattr(model, "samples", lambda y_hat, *_: seen.append(y_hat))
    model.decode(z_hat, residual, qp)
    assert (seen[0] - model.scaled_latent(levels, qp)).abs().max() <= 0.5 + 1e-4


def test_training_starts_as_a_transform_codec() -> None:
    torch.manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(768, 16))
    network = ImageModel(SMALL)
    network.start_from(Statistics(basis.T.contiguous(), torch.full((16,), 30.0)))
    span = (torch.randn(4, 16) @ basis.T * 0.02).view(4, 768, 1, 1)
    pixels = torch.nn.functional.pixel_shuffle(torch.nn.functional.pixel_shuffle(span, 4), 4) + 0.5
    pixels = pixels.repeat(1, 1, 4, 4)
    seen = network(pixels, torch.full((4,), 63.0))
    assert (seen.pixels - pixels).abs().max() < 0.03


def test_bits_of_a_sure_thing_and_of_a_surprise() -> None:
    assert noisy_bits(torch.zeros(1000), torch.tensor(0.05)).sum() < 100
    scale = torch.tensor(4.0)
    values = torch.randn(100_000) * 4
    entropy = 0.5 * torch.log2(2 * torch.pi * torch.e * scale**2)
    assert noisy_bits(values, scale).mean().item() == pytest.approx(entropy.item(), rel=0.01)
    far = torch.tensor([500.0], requires_grad=True)
    noisy_bits(far, torch.tensor(1.0)).sum().backward()
    assert far.grad is not None
    assert far.grad.item() > 1, "a value far outside its table is still pulled back"


def test_table_indices_outside_the_bank_are_only_pulled_inwards() -> None:
    index = torch.tensor([-5.0, -5.0, 10.0, 80.0, 80.0], requires_grad=True)
    (scale_of_index(index) * torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])).sum().backward()
    assert index.grad is not None
    assert (index.grad == 0).tolist() == [True, False, False, False, True]
