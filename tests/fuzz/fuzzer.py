"""One target under libFuzzer: `python -m fuzz.fuzzer TARGET [option of libFuzzer…] [corpus…]`."""

import sys
from random import Random

import atheris

# Numba compiles the bytecode of kernels, and does not know what Atheris puts into it.
_KERNELS = ("buckets", "contexts", "filters", "mixing", "picture_contexts", "picture_fit",
            "picture_mixing")  # fmt: skip
COMPILED = ["ncodec.lossless.neural", *(f"ncodec.lossless.{name}" for name in _KERNELS)]
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
