"""Damages files of every kind at random and counts what decoders make of them.

    python tests/damage.py 100000

changes the golden files that many times, each once to four times (`fuzz.changes`), and decodes them
in full. A damaged file is refused with an NcodecError, or, for a clip whose end is damaged, decoded
with that error after its whole frames. The exit code is 1 where one decodes without, raises another
exception, or takes more than 1 s of the processor or 256 MB.
"""

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

from fuzz.changes import changed
from fuzz.rule import hold

import ncodec

GOLDEN = Path(__file__).parent / "golden"


def decode(data: bytes, suffix: str) -> None:
    """Decode a picture, or every frame of a clip; nothing is concealed."""
    if suffix == ".ncz":
        ncodec.unpack(data)
        return
    if suffix == ".nct":
        ncodec.unpack_tensors(data, None)
        return
    if suffix == ".nci":
        ncodec.decode(data, threads=1)
        return
    with ncodec.open_video(data, threads=1) as clip:
        for _ in clip.records():
            pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("changes", type=int)
    wanted = parser.parse_args().changes
    files = sorted(path for path in GOLDEN.rglob("*.nc[ivzt]") if path.stat().st_size)
    chance, found = random.Random(1), Counter[str]()
    for path in files:
        decode(path.read_bytes(), path.suffix)  # loads the graphs, and must succeed
    for number in range(wanted):
        if number % 10_000 == 0:
            print(number, dict(found), flush=True)
        path = files[number % len(files)]
        whole = path.read_bytes()
        data = changed(whole, chance)
        if data == whole:
            found["unchanged"] += 1
            continue
        try:
            accepted = hold(lambda data, path=path: decode(data, path.suffix), data)
        except Exception as error:  # of any kind: that is what is looked for
            print(f"{path.name}, number {number}: {type(error).__name__}: {error}")
            found["broken"] += 1
            continue
        found["accepted" if accepted else "refused"] += 1
        if accepted:
            print(f"{path.name}, number {number}: decoded")
    print(f"{wanted:,} changes of {len(files)} files: {dict(found)}")
    return int(found["accepted"] > 0 or found["broken"] > 0)


if __name__ == "__main__":
    sys.exit(main())
