"""Regenerate the golden streams: `python tests/golden/make.py`. Do it only when format or weights change on purpose."""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

import ncodec
from ncodec.bitstream import unpack
from ncodec.entropy import Symbols
from ncodec.image import read_symbols
from ncodec.zoo import load_model

FOLDER = Path(__file__).parent
SOURCE = FOLDER.parent.parent / "docs" / "osprey.png"


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


def symbols_of(data: bytes) -> Symbols:
    """Symbols of a file, without running a network."""
    container = unpack(data)
    return read_symbols(container, load_model(container.header.model_id))


def symbols_hash(data: bytes) -> str:
    """SHA-256 of all symbols of a file."""
    symbols = symbols_of(data)
    digest = hashlib.sha256(symbols.z_hat.tobytes())
    digest.update(symbols.residual.astype("<i2").tobytes())
    return digest.hexdigest()


def main() -> None:
    """Write one .nci, one decoded .png each, and the hashes of the symbols."""
    hashes = {}
    for name, (picture, quality) in pictures().items():
        data = ncodec.encode(picture, FOLDER / f"{name}.nci", quality=quality)
        Image.fromarray(np.asarray(ncodec.decode(data))).save(FOLDER / f"{name}.png", optimize=True)
        hashes[name] = symbols_hash(data)
    (FOLDER / "symbols.json").write_text(json.dumps(hashes, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
