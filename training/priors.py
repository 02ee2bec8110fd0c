"""Training of the state in which context mixing begins: `codec/lossless/priors_*.npz`.

Version 1 of .ncz depends on the shipped arrays. Other arrays need a new version of the format.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ncodec.lossless import contexts, memory, mixing
from ncodec.lossless.memory import Shape

CHANGES = 30
"""most changes that a probability of a history counts as: below, a file moves it sooner"""
_PIECE = 60_000
"""bytes of each binary example"""
Examples = dict[int, bytes]
"""bytes by profile"""


def repository_examples(root: Path) -> Examples:
    """Text: the repository's sources and then its pages. Records: parts of its graphs, tables,
    colour profiles and a picture."""
    sources = sorted((root / "codec").rglob("*.py"))
    pages = [*sorted((root / "docs").rglob("*.md")), *sorted(root.glob("*.md"))]
    graphs = [root / "weights" / "base" / f"{name}.onnx" for name in ("encoder", "decoder")]
    with np.load(root / "weights" / "base" / "tables.npz") as tables:
        numbers = [tables[name].tobytes()[:_PIECE] for name in sorted(tables.files)]
    with Image.open(root / "docs" / "osprey.png") as picture:
        rows = picture.convert("RGB").tobytes()[: 2 * _PIECE]
    profiles = [path.read_bytes() for path in sorted(root.glob("codec/container/icc/*.icc"))]
    return {
        contexts.TEXT: b"".join(path.read_bytes()[:_PIECE] for path in (*sources[::3], *pages)),
        contexts.RECORDS: b"".join(
            [rows, *numbers, *profiles, *(path.read_bytes()[:_PIECE] for path in graphs)]
        ),
    }


def trained_priors(examples: Examples, shape: Shape) -> dict[str, npt.NDArray[np.int32]]:
    """Array of each name in `priors_*.npz` after coding an example of each profile, profile by
    profile."""
    learned = [
        _learned(examples[profile], profile, shape) for profile in (contexts.TEXT, contexts.RECORDS)
    ]
    return {name: np.stack([arrays[name] for arrays in learned]) for name in memory.KNOWN}


def _learned(example: bytes, profile: int, shape: Shape) -> dict[str, npt.NDArray[np.int32]]:
    data = np.frombuffer(example, dtype=np.uint8).copy()
    learned = memory.empty_memory(len(data), shape)
    out = np.empty(len(data) + 64, dtype=np.uint8)
    nothing = np.zeros(0, dtype=np.uint8)
    tables = memory.fixed_tables()
    mixing.kernel_of(shape)(nothing, data, out, False, profile, tables, learned, None)
    found = {name: getattr(learned, name) for name in memory.KNOWN}
    return {**found, "changes": np.minimum(found["changes"], CHANGES)}


def write_priors(examples: Examples, folder: Path) -> None:
    """Write the priors of every shape that the examples leave behind."""
    for shape in (memory.FAST, memory.MAX):
        target = folder / f"priors_{shape.name}.npz"
        np.savez_compressed(target, allow_pickle=False, **trained_priors(examples, shape))
