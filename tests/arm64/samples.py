"""Pictures and clips to compare machines on; those beside the repository where they are there."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ncodec.eval.stored_frames import read_rgb

ROOT = Path(__file__).parent.parent.parent
PHOTO = ROOT / "docs" / "osprey.png"
SHARED = ROOT.parent / "shared" / "data"
FRAMES = 20
PICTURE_SIDES, CLIP_SIDES = (256, 384), (96, 128)
"""rows and columns taken from the middle of pictures and clips beside the repository, because
emulation is slow"""

Pixels = npt.NDArray[np.uint8]


def write_samples(folder: Path, *, every: bool) -> None:
    """Write pictures as .png and clips as arrays of frames, .npy; `every` adds a photograph at full
    size, two Kodak pictures and eight clips."""
    with Image.open(PHOTO) as opened:
        photo = opened.convert("RGB")
    pictures = {
        "whole": photo.reduce(4),
        "crop": photo.crop((330, 80, 522, 240)),
        "text": text(),
        "noise": noise(),
    }
    if every:
        pictures["large"] = photo
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
    np.save(folder / "pan.npy", pan(photo))
    np.save(folder / "cut.npy", cut(photo))
    if every:
        for path in sorted((SHARED / "kodak").glob("*.png"))[:2]:
            with Image.open(path) as opened:
                pixels = middle(np.asarray(opened.convert("RGB")), PICTURE_SIDES)
            Image.fromarray(pixels).save(folder / path.name)
        for path in sorted((SHARED / "video_test").glob("*.mkv")):
            frames = middle(np.stack(read_rgb(path, most=FRAMES)), CLIP_SIDES)
            np.save(folder / f"{re.split(r'_[0-9]', path.stem)[0]}.npy", frames)


def middle(pixels: Pixels, sides: tuple[int, int]) -> Pixels:
    """The middle of (…, H, W, 3), of so many rows and columns."""
    top, left = (
        (pixels.shape[axis] - side) // 2 for axis, side in zip((-3, -2), sides, strict=True)
    )
    return pixels[..., top : top + sides[0], left : left + sides[1], :]


def text() -> Image.Image:
    """Black letters and a plain box on white."""
    picture = Image.new("RGB", (160, 128), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((100, 70, 150, 120), fill="#2060a0")
    for row in range(8):
        draw.text((4, 4 + 14 * row), "the same symbols", fill="black")
    return picture


def noise() -> Image.Image:
    """Noise on a slope of colours."""
    rows, columns, _ = np.mgrid[:96, :128, :3]
    slope = rows + columns / 2 + np.array([0, 40, 80])
    spread = np.random.default_rng(1).normal(0, 8, (96, 128, 3))
    return Image.fromarray(np.clip(slope + spread, 0, 255).astype(np.uint8))


def pan(photo: Image.Image) -> Pixels:
    """A camera that moves over a photograph, and a box that moves otherwise."""
    frames = []
    for i in range(FRAMES):
        frame = photo.crop((330 + 3 * i, 80 + i, 430 + 3 * i, 148 + i))
        ImageDraw.Draw(frame).rectangle((4 * i, 40, 4 * i + 20, 56), fill="#c04020")
        frames.append(np.asarray(frame))
    return np.stack(frames)


def cut(photo: Image.Image) -> Pixels:
    """A photograph that fades, a cut, and text under which the picture rests."""
    first = np.asarray(photo.crop((350, 90, 450, 158)))
    fade = [(first * (1 - 0.04 * i)).astype(np.uint8) for i in range(FRAMES // 2)]
    rest = []
    for i in range(FRAMES - len(fade)):
        page = text().crop((0, 0, 100, 68))
        ImageDraw.Draw(page).text((2 * (i // 2), 50), "moving", fill="red")
        rest.append(np.asarray(page))
    return np.stack([*fade, *rest])
