"""Files written once must decode the same for ever: symbols exactly, pixels within one level on any
machine."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from places import ROOT

import ncodec
from ncodec.container.ncv import StreamReader
from ncodec.container.records import Frame, Tag
from ncodec.video.frame_cells import unpack_cells

GOLDEN = ROOT / "tests" / "golden"
HASHES = json.loads((GOLDEN / "symbols.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(HASHES))
def test_symbols_are_exact(name: str, make: ModuleType) -> None:
    assert make.symbols_hash((GOLDEN / f"{name}.nci").read_bytes()) == HASHES[name]


@pytest.mark.parametrize("name", sorted(HASHES))
def test_pixels_are_within_one_level(name: str) -> None:
    decoded = np.asarray(ncodec.decode(GOLDEN / f"{name}.nci"))
    expected = np.asarray(Image.open(GOLDEN / f"{name}.png"))
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", sorted(HASHES.keys() - {"exact-alone"}))
def test_symbols_pack_to_the_same_bytes(name: str, make: ModuleType) -> None:
    """Decoded symbols code to their payload again: neither direction has drifted."""
    from ncodec.api.codecs import open_codec
    from ncodec.container.nci import unpack
    from ncodec.entropy.latents import pack_symbols

    data = (GOLDEN / f"{name}.nci").read_bytes()
    container = unpack(data)
    codec = open_codec(container.header.model_id)
    again = pack_symbols(make.symbols_of(data), codec.model.tables, qp=container.header.qp)
    assert again == container.symbols


def test_every_golden_file_is_listed() -> None:
    assert sorted(path.stem for path in Path(GOLDEN).glob("*.nci")) == sorted(HASHES)


@pytest.mark.parametrize("name", ["clip", "screen"])
def test_frames_are_exact(name: str, make: ModuleType) -> None:
    """Reference frames are equal everywhere, or errors would grow."""
    decoded = np.asarray(make.decoded_frames(GOLDEN / f"{name}.ncv"))
    np.testing.assert_array_equal(decoded, np.asarray(Image.open(GOLDEN / f"{name}.png")))


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
