"""One target under libFuzzer: `python -m fuzz.fuzzer TARGET [option of libFuzzer…] [corpus…]`."""

import sys
from pathlib import Path
from random import Random

import atheris

# Numba compiles the bytecode of kernels, and does not know what Atheris puts into it.
_FOLDER = Path(__file__).parent.parent.parent / "codec" / "lossless"
COMPILED = [
    ".".join(("ncodec.lossless", *path.relative_to(_FOLDER).with_suffix("").parts))
    for path in sorted(_FOLDER.rglob("*.py"))
    if "ncodec.lossless.kernels" in path.read_text("utf-8")
]
"""modules that numba compiles, which stay as they are"""

with atheris.instrument_imports(include=["ncodec"], exclude=COMPILED):
    from fuzz.containers import mutated, sealed
    from fuzz.rule import hold
    from fuzz.targets import TARGETS

GROWTH = 64
"""bytes that libFuzzer may add to a part at a time"""


def main() -> None:
    """Fuzz the target that the first argument names."""
    target = TARGETS[sys.argv.pop(1)]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        def change(part: bytes) -> bytes:
            return bytes(atheris.Mutate(part, len(part) + GROWTH))

        return mutated(bytes(data), Random(seed), change)[:most]

    def run(data: bytes) -> None:
        hold(target, sealed(data))

    atheris.Setup(sys.argv, run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
