"""The saving of an effort is measured on files that the default decoder reads."""

import numpy as np
import numpy.typing as npt
import pytest

from ncodec.eval.effort import measure_efforts, saved

Photo = npt.NDArray[np.uint8]


def test_an_effort_is_measured_against_none(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    monkeypatch.setattr("ncodec.eval.effort.QUALITIES", (30, 60))
    told: list[int] = []
    results = measure_efforts([photo[:96, :96]], (0, 4), threads=1, advance=told.append)
    assert sum(told) == 4
    assert [result.effort for result in results] == [0, 4]
    none, some = saved(results)
    assert none == 0
    assert -20 < some < -1
