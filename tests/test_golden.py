"""Files of every release decode the same for ever: symbols exactly, pixels within one level on any
machine."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image
from places import ROOT

import ncodec
from ncodec.container.ncv import StreamReader
from ncodec.container.records import Frame, Tag
from ncodec.video.frame_cells import unpack_cells

FOLDER = ROOT / "tests" / "golden"
RELEASES = sorted(path.name for path in FOLDER.iterdir() if path.name[0].isdigit())
GOLDEN = FOLDER / ncodec.__version__
HASHES = {
    f"{release}/{name}": value
    for release in RELEASES
    for name, value in json.loads((FOLDER / release / "symbols.json").read_text("utf-8")).items()
}
STREAMS = sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.glob("*/*.ncv"))


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_make", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(HASHES))
def test_symbols_are_exact(name: str, make: ModuleType) -> None:
    assert make.symbols_hash((FOLDER / f"{name}.nci").read_bytes()) == HASHES[name]


@pytest.mark.parametrize("name", sorted(HASHES))
def test_pixels_are_within_one_level(name: str) -> None:
    decoded = np.asarray(ncodec.decode(FOLDER / f"{name}.nci"))
    expected = np.asarray(Image.open(FOLDER / f"{name}.png"))
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", sorted(name for name in HASHES if "exact-alone" not in name))
def test_symbols_pack_to_the_same_bytes(name: str, make: ModuleType) -> None:
    """Decoded symbols code to their payload again: neither direction has drifted."""
    from ncodec.api.codecs import open_codec
    from ncodec.container.nci import unpack
    from ncodec.entropy.latents import pack_symbols

    data = (FOLDER / f"{name}.nci").read_bytes()
    container = unpack(data)
    codec = open_codec(container.header.model_id)
    again = pack_symbols(make.symbols_of(data), codec.model.tables, qp=container.header.qp)
    assert again == container.symbols


def test_every_golden_file_is_listed() -> None:
    files = (path.relative_to(FOLDER).with_suffix("") for path in FOLDER.glob("*/*.nci"))
    assert sorted(map(str, files)) == sorted(HASHES)
    assert ncodec.__version__ in RELEASES


@pytest.mark.parametrize("name", STREAMS)
def test_frames_are_exact(name: str, make: ModuleType) -> None:
    """Reference frames are equal everywhere, or errors would grow."""
    decoded = np.asarray(make.decoded_frames(FOLDER / f"{name}.ncv"))
    np.testing.assert_array_equal(decoded, np.asarray(Image.open(FOLDER / f"{name}.png")))


def frames_of(name: str) -> list[Frame]:
    with (GOLDEN / f"{name}.ncv").open("rb") as stream:
        return [record for record in StreamReader(stream).records() if isinstance(record, Frame)]


def test_the_clip_has_frames_of_every_kind() -> None:
    assert [frame.tag for frame in frames_of("clip")] == [
        Tag.INTRA,
        *[Tag.PREDICTED] * 3,
        Tag.INTRA,
        Tag.DUPLICATE,
    ]


def test_the_screen_has_exact_still_and_scrolled_cells() -> None:
    intra, *predicted = frames_of("screen")
    assert intra.exact
    cells = [unpack_cells(frame.exact, 160, 208, intra=False) for frame in predicted]
    assert any(cell.scroll is not None for cell in cells)
    assert any(cell.still.any() for cell in cells)
    assert any(cell.layers for cell in cells)


def test_pictures_have_exact_cells_beside_the_networks_and_alone() -> None:
    assert 0 < ncodec.info(GOLDEN / "exact-cells.nci").exact < 1
    assert ncodec.info(GOLDEN / "exact-alone.nci").lossless


def test_the_film_has_sound_subtitles_a_title_and_a_held_frame(tmp_path: Path) -> None:
    found = ncodec.video_info(GOLDEN / "film.ncv")
    assert found.metadata.tags == (("title", "A film"),)
    assert len(found.metadata.chapters) == 1
    assert found.duration == pytest.approx(2, abs=0.01)
    ncodec.decode_video(GOLDEN / "film.ncv", tmp_path / "film.mkv")
    with av.open(str(tmp_path / "film.mkv")) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio", "subtitle"]
        assert film.streams[2].disposition == Disposition.forced
        texts = [bytes(packet) for packet in film.demux(film.streams[2]) if packet.size]
        assert texts == [b"Bonjour"]
