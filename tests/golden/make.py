"""Write the golden streams of the version in the making: `python tests/golden/make.py`.

Do it only when format or weights change on purpose. Those of a release never change.
"""

import hashlib
import json
import sys
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

import ncodec
from ncodec.container.nci import NO_MODEL, unpack
from ncodec.entropy.latents import Symbols
from ncodec.image.file import read_symbols
from ncodec.inference.zoo import load_model
from ncodec.picture import TimedFrame

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "tests" / "golden" / ncodec.__version__
SOURCE = ROOT / "docs" / "osprey.png"
UNRELEASED = f"## {ncodec.__version__} (unreleased)"
"""line of the changelog for a version in the making"""


def pictures() -> dict[str, tuple[Image.Image, float]]:
    """Name → picture and quality: each mode, odd sizes, low and high rates."""
    whole = Image.open(SOURCE)
    crop = whole.crop((330, 90, 427, 155))
    alpha = crop.convert("RGBA")
    alpha.putalpha(crop.convert("L"))
    alpha.info.update(icc_profile=b"profile", xmp=b"<x/>")
    return {
        "rgb-low": (crop, 10),
        "rgb-high": (crop, 95),
        "grey": (crop.convert("L"), 50),
        "alpha": (alpha, 50),
        "one-pixel": (crop.crop((0, 0, 1, 1)), 50),
    }


def exact_pictures() -> dict[str, tuple[Image.Image, float | str]]:
    """Pictures with exact cells beside the network's, and with exact cells alone."""
    whole = Image.open(SOURCE)
    page = Image.fromarray(words(180, 200))
    page.paste(whole.crop((330, 90, 458, 154)), (64, 64))
    return {
        "exact-cells": (page, 50),
        "exact-alone": (alpha_of(page.crop((0, 0, 70, 50))), "lossless"),
    }


def words(height: int, width: int) -> np.ndarray:
    """(H, W, 3) black marks in lines on white."""
    page = np.full((height, width, 3), 255, dtype=np.uint8)
    marks = np.random.default_rng(3).random((height, width, 1)) < 0.4
    for top in range(6, height - 8, 12):
        page[top : top + 6, 4 : width - 4] = np.where(marks[top : top + 6, 4 : width - 4], 0, 255)
    return page


def alpha_of(image: Image.Image) -> Image.Image:
    """An image with an alpha plane that lossless WebP codes in fewer bytes than PNG."""
    image = image.convert("RGBA")
    image.putalpha(
        Image.fromarray(np.tile(np.arange(image.width, dtype=np.uint8), (image.height, 1)))
    )
    return image


def screen_frames() -> list[Image.Image]:
    """A page that scrolls by more than blocks can move, and a letter that appears."""
    whole = words(330, 200)
    frames = [whole[top : top + 150].copy() for top in (0, 60, 120, 120)]
    frames[-1][70:78, 90:96] = (200, 0, 0)
    return [Image.fromarray(frame) for frame in frames]


def symbols_of(data: bytes) -> Symbols:
    """Symbols of a file, without running a network."""
    container = unpack(data)
    return read_symbols(container, load_model(container.header.model_id))


def symbols_hash(data: bytes) -> str:
    """SHA-256 of all symbols of a file, or of its pixels where they are all exact."""
    if unpack(data).header.model_id == NO_MODEL:
        return hashlib.sha256(np.asarray(ncodec.decode(data)).tobytes()).hexdigest()
    symbols = symbols_of(data)
    digest = hashlib.sha256(symbols.z_hat.tobytes())
    digest.update(symbols.residual.astype("<i2").tobytes())
    return digest.hexdigest()


def clip_frames() -> list[Image.Image]:
    """A picture that pans, a part that moves against it, a cut, and a duplicate frame."""
    whole = Image.open(SOURCE)
    frames = []
    for step in range(4):
        frame = whole.crop((330 + 3 * step, 90 + step, 330 + 3 * step + 98, 90 + step + 66))
        frame.paste(whole.crop((200, 200, 230, 224)), (50 - 5 * step, 20))
        frames.append(frame)
    cut = whole.crop((100, 100, 198, 166))
    return [*frames, cut, cut]


def write_film(path: Path) -> None:
    """A Matroska file with sound, forced subtitles, a title, chapters and a last frame that is
    held."""
    with av.open(str(path), "w") as film:
        film.metadata["title"] = "A film"
        chapter = {"id": 0, "start": 0, "end": 1, "time_base": Fraction(1), "metadata": {}}
        film.set_chapters([chapter])
        video = film.add_stream("libx264", rate=2, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = 98, 66, "yuv420p"
        sound = film.add_stream("flac", rate=8000)
        text = film.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        text.metadata["language"], text.disposition = "fra", Disposition.forced
        film.start_encoding()
        tone = (8000 * np.sin(np.arange(8000) / 3)).astype(np.int16)[None]
        for start in range(0, len(tone[0]), 1000):
            part = av.AudioFrame.from_ndarray(tone[:, start : start + 1000], "s16", "mono")
            part.sample_rate, part.pts = 8000, start
            film.mux(sound.encode(part))
        film.mux(sound.encode(None))
        words = av.Packet(b"Bonjour")
        words.pts = words.dts = 100
        words.duration, words.time_base, words.stream = 300, Fraction(1, 1000), text
        film.mux(words)
        packets = []
        for number, image in enumerate(clip_frames()[:2]):
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = number, Fraction(1, 2)
            packets += video.encode(frame)
        packets += video.encode(None)
        last = max(packets, key=lambda packet: packet.pts or 0)
        last.duration = round(1.5 / (last.time_base or 1))
        film.mux(packets)


def decoded_frames(stream: Path) -> Image.Image:
    """All frames of a stream, one below the other."""
    with ncodec.open_video(stream) as decoder:
        return Image.fromarray(
            np.concatenate([r.pixels for r in decoder.records() if isinstance(r, TimedFrame)])
        )


def main() -> None:
    """Write streams, what they decode to, and the hashes of the symbols of pictures."""
    if UNRELEASED not in (ROOT / "CHANGELOG.md").read_text("utf-8"):
        sys.exit(f"{ncodec.__version__} is released: its golden streams never change")
    FOLDER.mkdir(exist_ok=True)
    hashes = {}
    for name, (picture, quality) in (pictures() | exact_pictures()).items():
        path = FOLDER / f"{name}.nci"
        data = ncodec.encode(picture, path, quality=quality, overwrite=True)
        Image.fromarray(np.asarray(ncodec.decode(data))).save(FOLDER / f"{name}.png", optimize=True)
        hashes[name] = symbols_hash(data)
    for name, frames in (("clip", clip_frames()), ("screen", screen_frames())):
        with TemporaryDirectory() as folder:
            for number, frame in enumerate(frames):
                frame.save(f"{folder}/{number}.png")
            ncodec.encode_video(
                f"{folder}/%d.png", FOLDER / f"{name}.ncv", quality=60, overwrite=True
            )
        decoded_frames(FOLDER / f"{name}.ncv").save(FOLDER / f"{name}.png", optimize=True)
    with TemporaryDirectory() as folder:
        write_film(Path(folder) / "film.mkv")
        ncodec.encode_video(f"{folder}/film.mkv", FOLDER / "film.ncv", overwrite=True)
    decoded_frames(FOLDER / "film.ncv").save(FOLDER / "film.png", optimize=True)
    (FOLDER / "symbols.json").write_text(json.dumps(hashes, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
