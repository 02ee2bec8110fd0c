"""Encodes and decodes pictures, a clip and damaged files over and over, and watches the memory.

    python tests/soak.py 60

runs for 60 minutes on Linux and prints a line a minute. The exit code is 1 where the resident set
size (RSS) after a round grew by more than 2 % after the first three minutes, which fill caches.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import ncodec

ROOT = Path(__file__).parent.parent
SIZES = ((64, 64), (200, 152), (333, 250), (640, 480), (921, 518))
"""widths and heights of the pictures"""
WARM_UP = 3
"""minutes before growth counts"""
ALLOWED = 1.02
"""largest RSS against that at the end of the warm-up"""


def resident_megabytes() -> float:
    """Resident set size of this process."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


class Rounds:
    """Work in a folder: each round does the same, but for where files are damaged."""

    def __init__(self, folder: Path) -> None:
        self.done = self.refused = 0
        self._chance = random.Random(1)
        with Image.open(ROOT / "docs" / "osprey.png") as image:
            photo = image.convert("RGB")
        self._pictures = [photo.resize(size) for size in SIZES]
        self._pictures.append(self._pictures[1].convert("L"))
        self._pictures[2].putalpha(Image.linear_gradient("L").resize(SIZES[2]))
        self._folder = folder
        pixels = np.asarray(self._pictures[1])
        frames = [np.roll(pixels, 3 * number, axis=1) for number in range(6)]
        ncodec.encode_video(frames, folder / "clip.ncv", gop=3)
        ncodec.decode_video(folder / "clip.ncv", folder / "clip.mkv")

    def run(self) -> None:
        """One round."""
        for number, picture in enumerate(self._pictures):
            data = ncodec.encode(picture, quality=20 + 10 * number, effort=number % 3)
            ncodec.decode(data).load()
            self._decode_damaged(data)
        coded = self._folder / "again.ncv"
        ncodec.encode_video(self._folder / "clip.mkv", coded, gop=3, overwrite=True)
        ncodec.decode_video(coded, self._folder / "again.mkv", overwrite=True)
        self._decode_damaged(coded.read_bytes())
        self.done += 1

    def _decode_damaged(self, data: bytes) -> None:
        """Decode a file with a byte changed, and the front of it."""
        spoilt = bytearray(data)
        spoilt[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        for damaged in (bytes(spoilt), data[: self._chance.randrange(len(data))]):
            try:
                if data[:4] == b"\x9dNCV":
                    ncodec.decode_video(damaged, self._folder / "damaged.mkv", overwrite=True)
                else:
                    ncodec.decode(damaged).load()
            except ncodec.NcodecError:
                self.refused += 1


def main(minutes: int) -> int:
    """Run for some minutes; the exit code."""
    lowest: list[float] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(Path(folder))
        for minute in range(1, minutes + 1):
            sizes = []
            while time.monotonic() < begun + 60 * minute or not sizes:
                rounds.run()
                sizes.append(resident_megabytes())
            lowest.append(min(sizes))
            print(
                f"minute {minute:3}  rounds {rounds.done:5}  refused {rounds.refused:6}  "
                f"RSS {lowest[-1]:.1f} MB, at most {max(sizes):.1f}",
                flush=True,
            )
    growth = max(lowest[WARM_UP - 1 :]) / lowest[WARM_UP - 1]
    print(f"growth after {WARM_UP} minutes: {growth - 1:.1%}")
    return int(growth > ALLOWED)


if __name__ == "__main__":
    given = sys.argv[1:] or ["60"]
    if len(given) > 1 or not given[0].isdecimal() or int(given[0]) <= WARM_UP:
        sys.exit(f"expected a number of minutes above {WARM_UP}, got {' '.join(given)}")
    sys.exit(main(int(given[0])))
