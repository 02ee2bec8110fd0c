from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from places import KODAK, ROOT


@pytest.fixture(scope="session")
def photo() -> npt.NDArray[np.uint8]:
    """A real photograph, 200×152: neither side a multiple of 16."""
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        return np.asarray(image.crop((330, 80, 530, 232)))


@pytest.fixture(scope="session")
def coded(photo: npt.NDArray[np.uint8]) -> bytes:
    import ncodec

    return ncodec.encode(photo, quality=30)


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
