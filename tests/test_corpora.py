"""The corpus that scripts draw: equal every time, of every kind and size, whole as files."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import require_browser

from ncodec.errors import BackendError, OutputError
from ncodec.eval.corpora import browser
from ncodec.eval.corpora.files import write
from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.members import members
from ncodec.eval.corpora.pages import pages
from ncodec.eval.corpora.plain import plain
from ncodec.eval.corpora.screencast import recording

KINDS = {
    "plain", "gradient", "bars", "noise", "checkerboard", "stripes", "dither", "halftone", "scan",
    "lineart", "sprite", "icon", "chart", "map", "text", "overlay", "palette", "onebit", "mixed",
}  # fmt: skip
MEMBERS = members()
LARGEST = 1024
SMALL = (192, 128)


@cache
def made(member: Member) -> Image.Image:
    return member.make()


def pixels(image: Image.Image) -> bytes:
    return image.mode.encode() + image.tobytes() + repr(image.getpalette()).encode()


def of_kind(kind: str) -> list[Member]:
    return [member for member in MEMBERS if member.kind == kind]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: f"{m.kind}-{m.name}")
def test_a_member_is_the_same_every_time_and_of_a_size_that_is_quick(member: Member) -> None:
    assert pixels(made(member)) == pixels(member.make())
    assert max(made(member).size) <= LARGEST


def test_there_is_every_kind_and_no_name_twice() -> None:
    assert {member.kind for member in MEMBERS} == KINDS
    named = [(member.kind, member.name) for member in [*MEMBERS, *pages()]]
    assert len(set(named)) == len(named)
    assert all(name == name.lower() and " " not in name for _, name in named)


def test_sizes_are_of_all_sorts() -> None:
    sizes = {made(member).size for member in MEMBERS}
    assert (1, 1) in sizes
    assert any(width == 1 < height for width, height in sizes)
    assert any(height == 1 < width for width, height in sizes)
    assert len({side % 64 for size in sizes for side in size}) >= 40
    assert 0 in {side % 64 for size in sizes for side in size}


def test_modes_are_of_all_sorts() -> None:
    assert {made(member).mode for member in MEMBERS} == {"RGB", "RGBA", "L", "P", "1"}


def test_no_picture_but_a_plain_one_is_plain() -> None:
    for member in MEMBERS:
        image = np.asarray(made(member).convert("RGB"))
        assert (image == image[0, 0]).all() == (member.kind == "plain"), member.name


def test_a_plain_picture_has_its_colour_and_size() -> None:
    assert np.array_equal(np.asarray(plain((1, 2, 3), (5, 4))), np.full((4, 5, 3), (1, 2, 3)))


def test_icons_have_hidden_pixels_of_many_colours() -> None:
    for member in of_kind("icon"):
        image = np.asarray(made(member))
        hidden = image[image[..., 3] == 0][:, :3]
        assert len(np.unique(hidden, axis=0)) > 1, member.name
        assert (image[..., 3] == 255).any()


def test_files_keep_modes_and_hidden_pixels(tmp_path: Path) -> None:
    chosen = [of_kind(kind)[-1] for kind in sorted(KINDS)]
    paths = write(tmp_path / "corpus", chosen)
    assert [path.name for path in paths] == [f"{m.kind}-{m.name}.png" for m in chosen]
    for path, member in zip(paths, chosen, strict=True):
        with Image.open(path) as image:
            assert pixels(image) == pixels(made(member))
    with pytest.raises(OutputError):
        write(tmp_path / "corpus", chosen[:1])
    write(tmp_path / "corpus", chosen[:1], overwrite=True)


def test_a_recording_goes_on_in_frames_of_one_size() -> None:
    frames = list(recording(size=SMALL, seconds=4))
    assert len(frames) == 60
    assert {(frame.shape, str(frame.dtype)) for frame in frames} == {((*SMALL[::-1], 3), "uint8")}
    changes = [(a != b).any() for a, b in pairwise(frames)]
    assert 0.5 < np.mean(changes) < 1, "most frames differ, and some rest"


def test_a_recording_is_the_same_every_time() -> None:
    for a, b in zip(*(recording(size=SMALL, seconds=2, fps=5) for _ in range(2)), strict=True):
        assert np.array_equal(a, b)


def test_pages_are_light_and_dark_and_need_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pages()
    assert len(found) >= 14
    assert sum(member.name.endswith("-dark") for member in found) >= 4
    monkeypatch.setattr(browser, "find_browser", lambda: None)
    with pytest.raises(BackendError, match="chromium"):
        found[0].make()


def test_a_page_is_drawn() -> None:
    require_browser()
    (page,) = (member for member in pages() if member.name == "log-in")
    image = page.make()
    assert image.size == (800, 600)
    assert image.mode == "RGB"
    assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 500


def test_a_browser_can_be_recorded() -> None:
    require_browser()
    pytest.importorskip("selenium")
    from ncodec.eval.corpora import browser_cast

    frames = list(browser_cast.browser_recording(4, 320, 240))
    assert [frame.shape for frame in frames] == [(240, 320, 3)] * 4
    assert all((a != b).any() for a, b in pairwise(frames))
