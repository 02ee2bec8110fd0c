"""Speeds are of what users run: in this process, and as whole processes."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ncodec.eval import speed

Photo = npt.NDArray[np.uint8]


def test_times_are_of_the_effort_that_is_named(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(photo[:100, :140])
    plain, searched = (speed.time_ncodec(image, effort=effort, threads=1) for effort in (0, 6))
    assert [plain.name, searched.name] == ["ncodec effort 0", "ncodec effort 6"]
    assert searched.encode_s > plain.encode_s > 0
    monkeypatch.setattr(speed, "PROCESS_REPEATS", 1)
    processes = speed.time_processes(image)
    assert list(processes) == ["ncodec encode", "ncodec decode", "ncodec --help"]
    assert min(processes.values()) > 0
