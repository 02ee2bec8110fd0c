"""The network that halves frames: its start, its training, its graph, and frames by it."""

import hashlib
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.plane import VideoPlane
from click.testing import CliRunner
from places import ROOT

from ncodec.errors import InputError, ModelError, OutputError
from ncodec.inference.zoo import list_models
from ncodec.media.learned_scaling import NETWORK, LearnedDownscaler, is_half
from ncodec.media.scaling import SCALER

SHIPPED = ROOT / "weights" / NETWORK
Luma = npt.NDArray[np.generic]


def made_frame(luma: Luma, *, pixel_format: str = "yuv420p") -> av.VideoFrame:
    """A frame with such luma, its chroma a ramp."""
    height, width = luma.shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, values in zip(frame.planes, (luma, None, None), strict=True):
        rows = rows_of(plane, pixel_format)
        rows[:] = np.arange(rows.shape[1]) % 200 if values is None else values
    return frame


def rows_of(plane: VideoPlane, pixel_format: str) -> npt.NDArray[np.generic]:
    kind = np.dtype(np.uint8 if pixel_format == "yuv420p" else "<u2")
    rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
    return rows[:, : plane.width]


def luma_of(frame: av.VideoFrame) -> npt.NDArray[np.int64]:
    return np.array(rows_of(frame.planes[0], frame.format.name), dtype=np.int64)


def lanczos(frame: av.VideoFrame) -> av.VideoFrame:
    """Half of a frame by FFmpeg."""
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    size = f"w={frame.width // 2}:h={frame.height // 2}:flags={SCALER}"
    for node in (graph.add("scale", size), graph.add("buffersink")):
        last.link_to(node)
        last = node
    graph.configure()
    graph.push(frame)
    small = graph.pull()
    assert isinstance(small, av.VideoFrame)
    return small


def texture(height: int, width: int, *, seed: int = 0, most: int = 235) -> npt.NDArray[np.uint8]:
    """Luma with edges and noise."""
    y, x = np.mgrid[:height, :width]
    waves = 60 * np.sin(x / 3 + seed) * np.cos(y / 5) + 40 * ((x // 24 + y // 16) % 2)
    noise = np.random.default_rng(seed).normal(scale=6, size=(height, width))
    return (100 + waves + noise).clip(16, most).astype(np.uint8)


# Frames by the packaged network


def test_the_packaged_network_is_the_one_that_was_measured() -> None:
    digest = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert digest == "e362a2cb1aa7fd6438a3232ed6ff7fd4385176b6bf7adecdebd8ca189c99914d"
    assert "downscaler" not in [entry["name"] for entry in list_models()]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
@pytest.mark.parametrize("level", [0, 16, 17, 100, 180, 235, 255])
def test_planes_of_one_level_keep_it(level: int, pixel_format: str) -> None:
    value = level if pixel_format == "yuv420p" else 4 * level + (level < 255)
    full = made_frame(np.full((72, 96), value), pixel_format=pixel_format)
    halved = LearnedDownscaler().halve(full, lanczos(full))
    assert (luma_of(halved) == value).all()


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_a_smooth_ramp_stays_within_a_level_of_lanczos(pixel_format: str) -> None:
    unit = 1 if pixel_format == "yuv420p" else 4
    y, x = np.mgrid[:200, :320]
    full = made_frame(unit * (16 + x // 2 + y // 4), pixel_format=pixel_format)
    plain = luma_of(lanczos(full))
    halved = luma_of(LearnedDownscaler().halve(full, lanczos(full)))
    assert np.abs(halved - plain)[8:-8, 8:-8].max() <= 1 * unit


def test_detail_gets_more_contrast_than_by_lanczos_and_chroma_and_times_stay() -> None:
    full = made_frame(texture(144, 160))
    scaled, plain = lanczos(full), lanczos(full)
    scaled.pts, scaled.time_base = 7, Fraction(1, 25)
    halved = LearnedDownscaler().halve(full, scaled)
    assert (halved.pts, halved.time_base) == (7, Fraction(1, 25))
    assert luma_of(halved).std() > luma_of(plain).std()
    for plane, other in zip(halved.planes[1:], plain.planes[1:], strict=True):
        assert (rows_of(plane, "yuv420p") == rows_of(other, "yuv420p")).all()


def test_ten_bits_are_eight_with_finer_steps() -> None:
    luma = texture(144, 160)
    eight = made_frame(luma)
    ten = made_frame(4 * luma.astype(np.int64), pixel_format="yuv420p10le")
    scaler = LearnedDownscaler()
    coarse = luma_of(scaler.halve(eight, lanczos(eight)))
    fine = luma_of(scaler.halve(ten, lanczos(ten)))
    assert np.abs(fine / 4 - coarse).max() <= 0.5


def test_bands_and_repeats_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    full = made_frame(texture(400, 96))
    results = []
    for rows in (1000, 128, 128, 18):
        monkeypatch.setattr("ncodec.media.learned_scaling._BAND", rows)
        results.append(luma_of(LearnedDownscaler().halve(full, lanczos(full))))
    assert all((one == results[0]).all() for one in results)


def test_a_frame_that_others_hold_is_not_written_to() -> None:
    full = made_frame(texture(64, 64))
    (held,) = [lanczos(full)]
    graph = av.filter.Graph()
    source = graph.add_buffer(width=32, height=32, format=held.format, time_base=Fraction(1, 25))
    split = graph.add("split", "outputs=2")
    source.link_to(split)
    sinks = [graph.add("buffersink"), graph.add("buffersink")]
    for place, sink in enumerate(sinks):
        split.link_to(sink, place, 0)
    graph.configure()
    graph.push(held)
    one, other = (sink.pull() for sink in sinks)
    assert isinstance(one, av.VideoFrame)
    assert isinstance(other, av.VideoFrame)
    before = luma_of(other)
    halved = LearnedDownscaler().halve(full, one)
    assert (luma_of(other) == before).all()
    assert (luma_of(halved) != before).any()


@pytest.mark.parametrize(
    ("size", "of", "fits"),
    [
        ((960, 540), (1920, 1080), True),
        ((640, 360), (1280, 720), True),
        ((854, 480), (1920, 1080), False),
        ((427, 240), (854, 480), False),
        ((428, 240), (854, 480), False),
        ((540, 960), (1920, 1080), False),
    ],
)
def test_what_is_half(size: tuple[int, int], of: tuple[int, int], fits: bool) -> None:
    assert is_half(*size, of=of) == fits


def test_frames_that_do_not_fit_are_refused() -> None:
    full = made_frame(texture(64, 64))
    scaler = LearnedDownscaler()
    with pytest.raises(InputError, match="half of 64×64 pixels, got 48×32"):
        scaler.halve(full, made_frame(texture(32, 48)))
    with pytest.raises(InputError, match="half of 66×64 pixels, got 33×32"):
        scaler.halve(made_frame(texture(64, 66)), made_frame(texture(32, 33)))
    with pytest.raises(InputError, match="one format of yuv420p, yuv420p10le"):
        scaler.halve(full, made_frame(texture(32, 32), pixel_format="yuv420p10le"))


# Training

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of two lossless clips of four frames of 192×192 that move."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(2):
        whole = texture(192, 224, seed=number)
        with av.open(str(folder / f"{number}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 192, 192, "yuv420p"
            for step in range(4):
                frame = made_frame(whole[:, 5 * step : 5 * step + 192])
                frame.pts = step
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return folder


@pytest.fixture
def few_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ncodec.training.downscaler.objective.MEASURED", 2)
    monkeypatch.setattr("ncodec.training.downscaler.objective.VALIDATED", 2)


def test_before_training_it_is_lanczos_of_ffmpeg() -> None:
    from ncodec.training.downscaler.network import Downscaler

    luma = texture(96, 128)
    start = Downscaler()(torch.from_numpy(luma).float()[None, None])
    assert torch.equal(start, Downscaler().shrink(torch.from_numpy(luma).float()[None, None]))
    by_ffmpeg = luma_of(lanczos(made_frame(luma)))
    assert np.abs(start[0, 0].round().clamp(0, 255).detach().numpy() - by_ffmpeg).max() <= 1


def test_the_graph_is_the_network_and_has_its_strength(tmp_path: Path) -> None:
    from ncodec.training.downscaler.network import Downscaler, export_downscaler, load_downscaler

    model = load_downscaler(SHIPPED)
    luma = torch.from_numpy(texture(64, 80)).float()[None, None]
    for strength in (1.0, 0.7, 0.0):
        path = tmp_path / f"{strength}.onnx"
        export_downscaler(model, path, strength=strength)
        plain = model.shrink(luma)
        expected = plain + strength * (model(luma) - plain)
        assert np.abs(run_graph(path, luma) - expected.detach().numpy()).max() < 0.02
    export_downscaler(load_downscaler(tmp_path / "0.7.onnx"), tmp_path / "again.onnx", strength=0.7)
    assert np.array_equal(
        run_graph(tmp_path / "again.onnx", luma), run_graph(tmp_path / "0.7.onnx", luma)
    )
    assert np.abs(run_graph(SHIPPED, luma) - run_graph(tmp_path / "0.7.onnx", luma)).max() < 1e-3
    assert sum(weight.numel() for weight in Downscaler().parameters()) == 3201


def run_graph(path: Path, luma: "torch.Tensor") -> npt.NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    small: npt.NDArray[np.float32] = session.run(["small"], {"luma": luma.numpy()})[0]
    return small


def test_a_start_that_is_something_else_is_named(tmp_path: Path) -> None:
    from ncodec.training.downscaler.network import load_downscaler

    for name in ("a.onnx", "a.ckpt"):
        (tmp_path / name).write_bytes(b"something else")
        with pytest.raises(ModelError, match="got something else"):
            load_downscaler(tmp_path / name)
    with pytest.raises(ModelError, match="expected a downscaler's checkpoint or graph"):
        load_downscaler(ROOT / "weights" / "ssim" / "decoder.onnx")


@pytest.mark.usefixtures("few_measurements")
def test_training_on_a_batch_makes_its_loss_smaller(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ncodec.training.downscaler import run as module
    from ncodec.training.downscaler.options import DownscalerOptions, load_material

    options = DownscalerOptions(
        minutes=1e6, steps=1000, learning_rate=2e-3, crop=176, batch=1, frames=2
    )
    run = module.Run(load_material([clips], held_out=(), options=options), options)
    assert all(value == 0 for value in run.validate().values()), "it begins as Lanczos"
    drawn = module.draw
    monkeypatch.setattr(module, "draw", lambda clips, options, step: drawn(clips, options, 0))
    losses = [run.train_step() for _ in range(24)]
    assert min(losses[12:]) < losses[0] - 0.05


@pytest.mark.usefixtures("few_measurements")
def test_a_resumed_run_ends_as_one_that_was_never_stopped(clips: Path, tmp_path: Path) -> None:
    from ncodec.training.checkpoint import read_checkpoint
    from ncodec.training.downscaler.options import DownscalerOptions, load_material
    from ncodec.training.downscaler.run import Run

    options = DownscalerOptions(minutes=1e6, steps=6, crop=176, batch=1, frames=2)
    material = load_material([clips], held_out=(), options=options)
    whole, stopped = Run(material, options), Run(material, options)
    losses = [whole.train_step() for _ in range(6)]
    for _ in range(3):
        stopped.train_step()
    stopped.save(tmp_path / "last.ckpt")
    resumed = Run(material, options, resumed=read_checkpoint(tmp_path / "last.ckpt"))
    assert [resumed.train_step() for _ in range(3)] == losses[3:]
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[name]), name
    assert whole.spent == pytest.approx(1)
    with pytest.raises(ModelError, match="expected the checkpoint of a downscaler"):
        Run(material, options, resumed={"config": {}})


@pytest.mark.usefixtures("few_measurements")
def test_the_command_trains_resumes_and_starts_from_a_graph(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ncodec.training.cli import train
    from ncodec.training.downscaler.network import load_downscaler
    from ncodec.training.downscaler.options import DownscalerOptions

    out = tmp_path / "run"
    small = partial(DownscalerOptions, crop=176, batch=1, frames=2)
    monkeypatch.setattr("ncodec.training.downscaler.options.DownscalerOptions", small)
    base = ["downscaler", str(clips), "--held-out", str(clips / "0.mkv"), "-o", str(out)]
    first = CliRunner().invoke(train, [*base, "--start-from", str(SHIPPED), "--steps", "1"])
    assert first.exit_code == 0, first.output
    assert "downscaler.onnx: the averaged weights" in first.output
    again = CliRunner().invoke(train, base)
    assert isinstance(again.exception, OutputError)
    last = ["--resume", str(out / "last.ckpt"), "--strength", "0.5"]
    more = CliRunner().invoke(train, [*base, *last, "--steps", "2"])
    assert more.exit_code == 0, more.output
    rows = (out / "log.csv").read_text("utf-8").splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "1", "2"]
    moved = load_downscaler(out / "downscaler.onnx").state_dict()
    started = load_downscaler(SHIPPED).state_dict()
    assert any(not torch.equal(moved[name], started[name]) for name in started)


def test_clips_that_are_too_small_are_named(clips: Path, tmp_path: Path) -> None:
    from ncodec.training.cli import train

    result = CliRunner().invoke(train, ["downscaler", str(clips), "-o", str(tmp_path / "run")])
    assert isinstance(result.exception, InputError)
    assert "expected clips of 3 frames of 240×240 pixels" in str(result.exception)
    assert not (tmp_path / "run").exists()
