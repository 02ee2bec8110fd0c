"""What docs/kept.md says of every input is what happens: each row of its tables is tried."""

import re
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import kept_animations
import kept_jpeg
import kept_other_pictures
import kept_pictures
import kept_png
import kept_shown
import kept_tiff
import kept_tracks
import numpy as np
import pytest
from kept_cases import PICTURES, PictureCase
from kept_clips import CLIPS, ClipCase, shades
from places import ROOT

import ncodec
from ncodec.arrays import Pixels
from ncodec.errors import NcodecError, NcodecWarning
from ncodec.media.animation import open_animation
from ncodec.media.demux import ClipReader
from ncodec.media.pictures import from_pil
from ncodec.picture import Picture, TimedFrame, psnr

MODULES = (
    kept_animations, kept_jpeg, kept_other_pictures, kept_pictures, kept_png, kept_shown,
    kept_tiff, kept_tracks,
)  # fmt: skip
"""which fill `PICTURES` and `CLIPS`"""
PAGE = ROOT / "docs" / "kept.md"
NEAR_S = 0.002
CODED = 22.0
"""dB that decoded clips have at least, at the default quality"""


def rows() -> dict[str, str]:
    """Rows of the page, "heading: first cell", and what happens by their last cell."""
    found: dict[str, str] = {}
    heading = ""
    for line in PAGE.read_text("utf-8").splitlines():
        heading = line.removeprefix("### ") if line.startswith("### ") else heading
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[0] not in ("---", "what"):
            found[f"{heading}: {cells[0]}"] = cells[2]
    return found


ROWS = rows()


def sentences(row: str) -> list[str]:
    return re.findall("“(.*?)”", ROWS[row])


def files(made: dict[str, list[Callable[[], Any]]]) -> list[Any]:
    """Rows of the page and makers of their files."""
    return [
        pytest.param(row, maker, id=f"{row}-{i}")
        for row in ROWS
        for i, maker in enumerate(made.get(row, ()))
    ]


def test_the_page_has_the_rows_that_are_tried() -> None:
    assert MODULES
    assert sorted(ROWS) == sorted([*PICTURES, *CLIPS])
    assert len(ROWS) == len(PICTURES) + len(CLIPS)
    assert all(
        cell == "kept" or cell.startswith(("kept: ", "refused: ", "“")) for cell in ROWS.values()
    )


def seen(picture: Picture) -> Pixels:
    colours = picture.pixels[:, :, :1] if picture.grey else picture.pixels
    planes = colours if picture.alpha is None else np.dstack([colours, picture.alpha])
    return np.ascontiguousarray(planes)


@pytest.mark.parametrize(("row", "maker"), files(PICTURES))
def test_pictures_are_kept_as_the_page_says(row: str, maker: Callable[[], PictureCase]) -> None:
    case = maker()
    if ROWS[row].startswith("refused"):
        with pytest.raises(NcodecError) as caught:
            ncodec.encode(case.data, quality="lossless", page=case.page)
        assert str(caught.value).endswith(sentences(row)[0])
        return
    with warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", NcodecWarning)
        coded = ncodec.encode(case.data, quality="lossless", page=case.page)
    told = [str(notice.message) for notice in notices if notice.category is NcodecWarning]
    assert told == sentences(row)
    if case.deep is not None:
        np.testing.assert_array_equal(ncodec.decode_array(coded), case.deep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        picture = from_pil(ncodec.decode(coded))
    assert case.shown is not None
    shown = case.shown if case.shown.ndim == 3 else case.shown[:, :, None]
    assert seen(picture).shape == shown.shape
    assert psnr(seen(picture), np.ascontiguousarray(shown)) >= case.least
    assert case.holds(picture)


def read(path: str) -> tuple[list[float], list[Pixels]]:
    """Times after the first frame, in seconds, and frames, upright."""
    with ExitStack() as stack:
        file = None if "%" in path else stack.enter_context(Path(path).open("rb"))
        reader = (open_animation(file, name=path) if file else None) or ClipReader(path)
        stack.enter_context(reader)
        frames = [record for record in reader.records() if isinstance(record, TimedFrame)]
        start = frames[0].pts
        times = [float((frame.pts - start) * reader.time_base) for frame in frames]
    return times, [frame.pixels for frame in frames]


@pytest.mark.parametrize(("row", "maker"), files(CLIPS))
def test_clips_are_kept_as_the_page_says(
    folder: Path, row: str, maker: Callable[[], ClipCase]
) -> None:
    case = maker()
    path = f"source{case.suffix}"
    case.write(path)
    if ROWS[row].startswith("refused"):
        with pytest.raises(NcodecError) as caught:
            ncodec.encode_video(path, "coded.ncv")
        assert str(caught.value).endswith(sentences(row)[0])
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        coded = ncodec.encode_video(path, "coded.ncv")
        back = ncodec.decode_video("coded.ncv", f"back{case.target}", **case.options)
    assert [*coded.notices, *back.notices] == sentences(row)
    assert coded.damage is None
    times, frames = read(path)
    shown = list(case.shown() if case.shown else shades())
    assert len(frames) == len(shown)
    assert min(map(psnr, frames, map(np.ascontiguousarray, shown))) >= case.least
    np.testing.assert_allclose(times, case.times, atol=NEAR_S)
    times, frames = read(f"back{case.target}")
    assert [frame.shape for frame in frames] == [frame.shape for frame in shown]
    assert min(map(psnr, frames, map(np.ascontiguousarray, shown))) >= CODED
    if case.target != ".y4m":
        np.testing.assert_allclose(times, case.times, atol=NEAR_S)
    with av.open(f"back{case.target}") as container:
        assert case.holds(container)
