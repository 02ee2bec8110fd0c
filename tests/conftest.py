import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from places import KODAK, ROOT

if TYPE_CHECKING:
    from ncodec.inference.model import Model


@pytest.fixture(autouse=True)
def usual_scheduling() -> Iterator[None]:
    """SVT-AV1 gives its caller real-time priority where it may; no later test must have it."""
    yield
    if not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) == os.SCHED_OTHER:
        return
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # of threads that have ended
            os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture(scope="session")
def photo() -> npt.NDArray[np.uint8]:
    """A real photograph, 200×152: neither side a multiple of 16."""
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        return np.asarray(image.crop((330, 80, 530, 232)))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, photo: npt.NDArray[np.uint8]) -> Path:
    """A folder of photographs to train on."""
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(4):
        Image.fromarray(np.roll(photo, 37 * i, axis=0)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def coded(photo: npt.NDArray[np.uint8]) -> bytes:
    import ncodec

    return ncodec.encode(photo, quality=30)


@pytest.fixture(scope="session")
def sounding(photo: npt.NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A stream of ten frames of 0.04 s, with sound of 0.43 s; frames 0, 3, 6 and 9 are intra."""
    from test_demux import write

    import ncodec

    frames = [np.ascontiguousarray(photo[:64, 2 * i : 2 * i + 96]) for i in range(10)]
    path = write(tmp_path_factory.mktemp("sounding") / "clip.mp4", frames, sound=True)
    ncodec.encode_video(path, path.with_suffix(".ncv"), gop=3)
    return path.with_suffix(".ncv").read_bytes()


@pytest.fixture(scope="session")
def ladder_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 198 frames in four shots, of which the last three begin at frames 65, 85 and 123,
    with sound."""
    pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")
    from stream_clips import shots

    return shots(tmp_path_factory.mktemp("ladder_clip") / "shots.mp4", [2.6, 0.8, 1.5, 3.0])


@pytest.fixture(scope="session")
def ladder(tmp_path_factory: pytest.TempPathFactory, ladder_clip: Path) -> Path:
    """Folder of a stream of `ladder_clip`: two rungs in each of three codecs, AAC and Opus."""
    from stream_clips import FAST

    import ncodec

    folder = tmp_path_factory.mktemp("ladder") / "stream"
    settings = {**FAST, "codecs": ["h264", "hevc", "av1"], "rungs": 2}
    assert ncodec.stream(ladder_clip, folder, **settings).notices == ()
    return folder


@pytest.fixture(scope="session")
def kodak() -> list[Path]:
    """The Kodak pictures, where they are at hand."""
    paths = sorted(KODAK.glob("*.png"))
    if not paths:
        pytest.skip("the Kodak pictures are not beside the repository")
    return paths


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def frame_model(tmp_path_factory: pytest.TempPathFactory, photo: npt.NDArray[np.uint8]) -> "Model":
    """An untrained model of predicted frames that does code what is left of a frame."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from ncodec.inference.zoo import load_model_folder
    from ncodec.networks.config import ImageConfig
    from ncodec.networks.frame import FrameConfig, FrameModel
    from ncodec.training.data import patch_statistics
    from ncodec.training.export.calibrate import frame_examples
    from ncodec.training.export.onnx import export_model

    torch.manual_seed(1)
    config = ImageConfig(
        latent=96,
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
    network = FrameModel(FrameConfig(config, context_width=16, context_depth=1)).eval()
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        network.codec.start_from(
            patch_statistics([np.array(image.convert("RGB"))], config, crops=50)
        )
    for hint in (network.context.to_means, network.context.to_body, network.context.to_encoder):
        hint.weight.data.normal_(std=0.02)
    network.codec.hyper_analysis.head.bias.data.normal_(std=2)  # else all of ẑ is zero
    # Of a fade, in which hyper-latents of one frame tell those of the next.
    clip = np.stack([(photo[:64, :128] * light).astype(np.uint8) for light in (1, 0.9, 0.8)])
    folder = tmp_path_factory.mktemp("model")
    examples = frame_examples(network, network.codec, [clip])
    export_model(network, folder, name="tiny", facts={}, examples=examples)
    return load_model_folder(folder)
