"""What context mixing knows before the first byte: `codec/lossless/priors.npz`.

Files of format 1 of .ncz need this very file: a new one needs a new version of the format.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ncodec.lossless import memory, mixing

CHANGES = 30
"""most changes that a probability of a history counts as: below, a file moves it sooner"""


def trained_priors(examples: dict[int, bytes]) -> dict[str, npt.NDArray[np.int32]]:
    """Array of each name in `priors.npz` after coding an example of each profile, profile by
    profile."""
    learned = [_learned(examples[profile], profile) for profile in (mixing.TEXT, mixing.BINARY)]
    return {name: np.stack([arrays[name] for arrays in learned]) for name in memory.KNOWN}


def _learned(example: bytes, profile: int) -> dict[str, npt.NDArray[np.int32]]:
    data = np.frombuffer(example, dtype=np.uint8).copy()
    learned = memory.empty_memory(len(data))
    out = np.empty(len(data) + 64, dtype=np.uint8)
    nothing = np.zeros(0, dtype=np.uint8)
    mixing.code_block(nothing, data, out, False, profile, memory.fixed_tables(), learned)
    found = {name: getattr(learned, name) for name in memory.KNOWN}
    return {**found, "changes": np.minimum(found["changes"], CHANGES)}


def write_priors(paths: dict[int, list[Path]], target: Path) -> None:
    """Write the priors that files of each profile, one after the other, leave behind."""
    examples = {
        profile: b"".join(path.read_bytes() for path in files) for profile, files in paths.items()
    }
    np.savez_compressed(target, allow_pickle=False, **trained_priors(examples))
