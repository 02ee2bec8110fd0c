"""Smaller decoders of a model: what each method keeps, and that files decode by any of them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from places import ROOT
from test_cli import call, fails
from test_model_store import refuses

import ncodec
from ncodec.errors import InputError, ModelError
from ncodec.inference import zoo
from ncodec.inference.zoo import load_model, load_model_folder, weights_folder

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from ncodec.inference.onnx import OnnxBackend
from ncodec.inference.torch import TorchBackend, load_network
from ncodec.networks.complexity import decoder_kmac
from ncodec.networks.image import ImageModel
from ncodec.networks.shrunk import ShrunkDecoder, decoder_from, decoder_of
from ncodec.training.shrink.decompose import decompose, spectra_of
from ncodec.training.shrink.distill import StudentShape, student_of
from ncodec.training.shrink.examples import Examples, make_examples
from ncodec.training.shrink.finetune import FitOptions, decibels_lost, decoder_of_run, fit
from ncodec.training.shrink.prune import groups_of, keep_channels, prune
from ncodec.training.shrink.quantize import quantizable, quantize, quantize_within

Photo = npt.NDArray[np.uint8]
STUDENT = StudentShape(body_width=64, body_depth=1, render_width=16, render_depth=1)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """PyTorch's threads spin: those of several test processes keep each other from the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Crops of a photograph, coded by the package's model."""
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        pixels = np.array(image.convert("RGB"))
    crops = [pixels[y : y + 128, x : x + 128].copy() for y in (0, 128) for x in range(0, 512, 128)]
    qps = [4, 12, 20, 28, 36, 44, 52, 60]
    return make_examples(load_model(), crops, qps, progress=lambda _done, _all: None)


@pytest.fixture
def decoder() -> ShrunkDecoder:
    network = load_network(load_model())
    assert isinstance(network, ImageModel)
    return decoder_of(network).eval()


def test_the_models_own_decoder_loses_nothing(decoder: ShrunkDecoder, examples: Examples) -> None:
    assert abs(decibels_lost(decoder, examples)) < 0.01


def test_decoders_are_rebuilt_from_their_tensors(
    decoder: ShrunkDecoder, examples: Examples
) -> None:
    small = student_of(decoder, STUDENT, examples)
    decompose(small, examples, kmac=decoder_kmac(small) - 0.05)
    quantize(small, quantizable(small)[:3], examples)
    again = decoder_from(small.state_dict(), small.config).eval()
    symbols = examples.z_hat.float(), examples.residual.float(), examples.qp
    torch.testing.assert_close(again.decode(*symbols), small.eval().decode(*symbols))


def test_tensors_of_something_else_are_refused(decoder: ShrunkDecoder) -> None:
    state = decoder.state_dict()
    for changed in (
        {**state, "extra": torch.zeros(1)},
        {name: value for name, value in state.items() if name != "means.enter.weight"},
        {**state, "synthesis.spread.bias": torch.zeros(3)},
        {**state, "synthesis.body.3000.enter.bias": torch.zeros(3)},
        {**state, "means.enter.weight": torch.zeros(2**17, 1, 1, 0)},
        {**state, "means.fine.depthwise.weight": torch.zeros(8)},
        {**state, "means.fine.depthwise.weight": torch.zeros(())},
    ):
        with pytest.raises(ValueError, match="expected"):
            decoder_from(changed, decoder.config)


def test_channels_that_do_nothing_go_first(decoder: ShrunkDecoder, examples: Examples) -> None:
    """Channels whose outgoing weights are 0 change nothing when they go."""
    ffn = decoder.synthesis.body[0].ffn
    with torch.no_grad():
        ffn.project.weight[:, ::2] = 0
    symbols = examples.z_hat.float(), examples.residual.float(), examples.qp
    before = decoder.decode(*symbols)
    group = next(g for g in groups_of(decoder) if g.name == "synthesis.body.0.ffn")
    smaller = keep_channels(decoder, {group: torch.arange(1, group.channels, 2)}).eval()
    torch.testing.assert_close(smaller.decode(*symbols), before, atol=1e-3, rtol=1e-4)
    pruned = prune(decoder, examples, kmac=decoder_kmac(smaller)).eval()
    assert decibels_lost(pruned, examples) - decibels_lost(decoder, examples) < 0.05


def test_pruning_meets_its_budget(decoder: ShrunkDecoder, examples: Examples) -> None:
    for kmac in (5.0, 3.5):
        assert kmac - 0.3 < decoder_kmac(prune(decoder, examples, kmac=kmac)) <= kmac
    with pytest.raises(InputError, match=r"expected at least .* kMAC/px"):
        prune(decoder, examples, kmac=1)


def test_every_group_can_lose_channels(decoder: ShrunkDecoder) -> None:
    for group in groups_of(decoder):
        half = keep_channels(decoder, {group: torch.arange(group.channels // 2)})
        assert decoder_kmac(half) < decoder_kmac(decoder), group.name


def test_layers_of_full_rank_are_products_of_two(
    decoder: ShrunkDecoder, examples: Examples
) -> None:
    for name, spectrum in spectra_of(decoder, examples).items():
        weight = decoder.get_submodule(name).weight[:, :, 0, 0]
        torch.testing.assert_close(spectrum.left @ spectrum.right, weight, atol=1e-3, rtol=1e-3)
        assert spectrum.shares.sum() == pytest.approx(1, abs=1e-3)


def test_decomposition_meets_its_budget(decoder: ShrunkDecoder, examples: Examples) -> None:
    decompose(decoder, examples, kmac=4.5)
    assert 4.4 < decoder_kmac(decoder) <= 4.5
    with pytest.raises(InputError, match=r"expected at least .* kMAC/px"):
        decompose(decoder, examples, kmac=1)


def test_layers_of_8_bits_have_256_values(decoder: ShrunkDecoder, examples: Examples) -> None:
    quantize(decoder, ["synthesis.body.0.enter"], examples)
    layer = decoder.get_submodule("synthesis.body.0.enter")
    made = layer(torch.randn(1, 192, 32, 32))
    assert made.unique().numel() <= 256
    assert 0 in made or made.abs().min() > 0
    assert 0 < decibels_lost(decoder.eval(), examples) < 0.5


def test_quantization_keeps_its_budget(decoder: ShrunkDecoder, examples: Examples) -> None:
    few = examples.at(torch.arange(0, len(examples), 3))
    before = decibels_lost(decoder, few)
    chosen = quantize_within(decoder, few, lost_db=0.02)
    assert 0 < len(chosen) < len(chosen) + len(quantizable(decoder))
    assert {name for name, m in decoder.named_modules() if hasattr(m, "steps")} == set(chosen)
    worst = max(decibels_lost(decoder, few.at(torch.tensor([one]))) for one in range(len(few)))
    assert worst - before < 0.03


def test_what_cannot_be_quantized_is_named(decoder: ShrunkDecoder, examples: Examples) -> None:
    with pytest.raises(InputError, match=r"got synthesis\.linear"):
        quantize(decoder, ["synthesis.linear"], examples)


def test_pruning_comes_before_factors(decoder: ShrunkDecoder, examples: Examples) -> None:
    decompose(decoder, examples, kmac=5)
    with pytest.raises(InputError, match="before it is decomposed or quantized"):
        groups_of(decoder)


def test_fitting_recovers_what_was_lost(decoder: ShrunkDecoder, examples: Examples) -> None:
    small = student_of(decoder, STUDENT, examples)
    before = decibels_lost(small.eval(), examples)
    frozen = small.means.first.weight.clone()
    steps = fit(small, examples, FitOptions(minutes=0.1, batch=4))
    assert steps > 3
    assert decibels_lost(small.eval(), examples) < before - 0.3
    torch.testing.assert_close(small.means.first.weight, frozen, rtol=0, atol=0)


def test_a_fit_that_was_stopped_goes_on(
    decoder: ShrunkDecoder, examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill after a checkpoint costs the steps since then alone."""
    monkeypatch.setattr("ncodec.training.shrink.finetune.CHECKPOINT_S", 0.0)
    run, seen = tmp_path / "run.ckpt", 0

    def stop(share: float, _loss: float) -> None:
        nonlocal seen
        seen += 1
        if seen == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(decoder, examples, FitOptions(minutes=5, batch=4), run=run, report=stop)
    with pytest.raises(ModelError, match="expected a checkpoint of another, got one of "):
        decoder_of_run(run, decoder.config, task="another")
    again = decoder_of_run(run, decoder.config, task="")
    first: list[float] = []
    spent_s = torch.load(run, weights_only=True)["spent_s"]
    options = FitOptions(minutes=(spent_s + 2) / 60, batch=4)
    total = fit(again, examples, options, run=run, report=lambda share, _loss: first.append(share))
    assert total == 3 + len(first)
    assert first[0] > 0
    with pytest.raises(ModelError, match="expected a checkpoint of `ncodec shrink`"):
        decoder_of_run(ROOT / "README.md", decoder.config, task="")
    (tmp_path / "empty").touch()
    with pytest.raises(ModelError, match="expected a checkpoint of `ncodec shrink`"):
        decoder_of_run(tmp_path / "empty", decoder.config, task="")


@pytest.fixture(scope="module")
def shrunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's model with a pruned decoder, and one in 8 bits made of it, by the command."""
    home = tmp_path_factory.mktemp("shrunk")
    pictures = home / "pictures"
    pictures.mkdir()
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        for at in (0, 256):
            image.crop((at, 0, at + 256, 256)).save(pictures / f"{at}.png")
    folder = home / "model"
    run = ["--run", str(home / "run.ckpt")]
    shared = ["--data", str(pictures), "--examples", "16", "--minutes", "0", *run]
    call_ok("shrink", "prune", "base", "-o", str(folder), "--kmac", "3.5", *shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ncodec.training.shrink.quantize.PROBED", 1)
        call_ok("shrink", "quantize", str(folder), "--decoder", "pruned", "--lost", "0.2", *shared)
    return folder


def call_ok(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_methods_follow_each_other(shrunk: Path) -> None:
    entry = json.loads((shrunk / "model.json").read_text("utf-8"))
    assert entry["format"] == 2
    assert entry["id"] == f"{load_model().id:08x}"
    assert entry["decoders"]["int8"]["made_by"] == [
        "pruned to 3.5 kMAC/px",
        "quantized within 0.2 dB",
    ]
    assert entry["decoders"]["int8"]["decode_kmac_per_pixel"] <= 3.5
    assert [qp for qp, _ in entry["decoders"]["int8"]["lost_db"]] == [4, 16, 28, 40, 52]


@pytest.mark.parametrize("name", ["pruned", "int8"])
def test_backends_agree_on_smaller_decoders(shrunk: Path, photo: Photo, name: str) -> None:
    model = load_model_folder(shrunk)
    ours = OnnxBackend(model, threads=1, decoder=name)
    symbols = ours.analyze(photo[:64, :128], qp=30)
    made = ours.synthesize(symbols, qp=30)
    theirs = TorchBackend(model, threads=1, device="cpu", decoder=name).synthesize(symbols, qp=30)
    # A value between two steps of an 8-bit layer may go either way.
    assert np.abs(made - theirs).mean() < (0.001 if name == "pruned" else 1)


def test_any_decoder_reads_any_file(
    shrunk: Path, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "_by_place", {})
    monkeypatch.setenv("NCODEC_MODELS", str(shrunk.parent))
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("a.png")
    call_ok("encode", "a.png", "-q", "40")
    printed = call_ok("decode", "a.nci", "-o", "b.png", "--decoder", "int8")
    assert "decoder int8" in printed
    fields = json.loads(call_ok("decode", "a.nci", "-o", "c.png", "--json"))
    assert fields["decoder"] == "full"
    small, full = (np.asarray(Image.open(f"{name}.png"), np.float32) for name in "bc")
    assert 0 < np.abs(small - full).mean() < 6
    np.testing.assert_array_equal(np.asarray(ncodec.decode("a.nci", decoder="int8")), small)
    assert "int8" in call_ok("models")


def test_decoders_of_the_packages_model_can_be_added(
    shrunk: Path, photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "_by_place", {})
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    data = ncodec.encode(photo[:64, :64], effort=0)
    with pytest.raises(ModelError, match="got 'pruned'"):
        ncodec.decode(data, decoder="pruned")
    call_ok("models", "add", str(shrunk))
    assert ncodec.decode(data, decoder="pruned").size == (64, 64)


def test_decoders_that_are_not_there_are_named(photo: Photo) -> None:
    data = ncodec.encode(photo[:64, :64], effort=0)
    with pytest.raises(ModelError, match=r"among full.*got 'no'"):
        ncodec.decode(data, decoder="no")


def test_clips_have_one_decoder(tmp_path: Path) -> None:
    clip = min((ROOT / "tests" / "golden").rglob("*.ncv"))
    result = call("decode", str(clip), "-o", str(tmp_path / "a.mp4"), "--decoder", "tiny")
    fails(result, "clips are decoded by full alone", code=2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["base-frames"], "expected a model of pictures"),
        (["base", "--name", "full"], "and not 'full'"),
        (["base", "--name", "../x"], "expected a decoder's name"),
        (["base", "--decoder", "no"], "expected a decoder of model base"),
        (["base", "--resume"], "expected a checkpoint to resume"),
        (["base", "--data", "nothing"], "nothing: cannot be read"),
    ],
)
def test_what_cannot_be_shrunk_is_named(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "docs" / "osprey.png", "a.png")
    given = arguments if "--data" in arguments else [*arguments, "--data", "a.png"]
    refuses(["shrink", "prune", *given, "--kmac", "4"], sentence)
    assert not (weights_folder() / "base" / "decoder-pruned.onnx").exists()


def test_a_decoder_is_replaced_with_force_alone(shrunk: Path, tmp_path: Path) -> None:
    shared = ["--data", str(shrunk.parent / "pictures"), "--kmac", "3.5"]
    refuses(["shrink", "prune", str(shrunk), *shared], "-f replaces it")


@pytest.mark.parametrize("file", ["decoder-pruned.onnx", "decoder-pruned.safetensors"])
def test_damaged_decoders_are_refused(shrunk: Path, tmp_path: Path, file: str) -> None:
    folder = shutil.copytree(shrunk, tmp_path / "copy")
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(data)
    with pytest.raises(ModelError, match="expected SHA-256"):
        load_model_folder(folder)
    (folder / file).unlink()
    with pytest.raises(ModelError, match="is incomplete"):
        load_model_folder(folder)


def test_models_with_decoders_travel(shrunk: Path, tmp_path: Path, photo: Photo) -> None:
    call_ok("models", "pack", str(shrunk), "-o", str(tmp_path / "a.ncmodel"))
    model = load_model(tmp_path / "a.ncmodel")
    assert model.decoders == ("pruned", "int8")
    call_ok("export", str(shrunk), "-o", str(tmp_path / "renewed"))
    again = load_model_folder(tmp_path / "renewed")
    symbols = OnnxBackend(again, threads=1).analyze(photo[:64, :64], qp=20)
    for name in model.decoders:
        made = [
            OnnxBackend(m, threads=1, decoder=name).synthesize(symbols, qp=20)
            for m in (model, again)
        ]
        np.testing.assert_allclose(*made, atol=1e-4)
