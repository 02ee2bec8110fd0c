"""A trained model as the runtime sees it: identity, files, integer tables, facts."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ncodec.entropy.tables import Tables
from ncodec.errors import ModelError
from ncodec.inference.archive import read_arrays

WEIGHTS_FILE = "image.safetensors"
TABLES_FILE = "tables.npz"
LARGEST_TABLES = 2**22
"""bytes of the file of the tables"""
_LARGEST_ARRAYS = 2**25
_TABLE_TYPES = {
    "counts": "<u4",
    "sizes": "<i8",
    "weight": "<i1",
    "bias": "<i4",
    "z_rows": "<u1",
    "shift": "<i8",
    "after": "<u4",
    "still": "<i8",
    "z_adapted": "<u1",
    "r_adapted": "<u1",
}
RD_GRADIENT_FILE = "slopes.onnx"
"""graph of RDOQ's gradient; only models of pictures for least squared error have one"""
PICTURE, FRAME = "picture", "frame"
"""kinds of models: of pictures, and of frames that are predicted from the one before"""


@dataclass(frozen=True, eq=False)
class Model:
    """A model whose files were found and match their hashes."""

    id: int
    """id that files name the model by"""
    name: str
    folder: Path
    architecture: dict[str, Any]
    """fields of `ncodec.networks.config.ImageConfig`"""
    halo: int
    """pixels around a tile that its symbols depend on, a multiple of 64"""
    decode_halo: int
    """pixels around a tile that its pixels depend on, given the symbols; a multiple of 64"""
    facts: dict[str, object]
    """kMAC/px, training facts and measured rate–distortion, for people"""
    kind: str = PICTURE
    floors: tuple[tuple[int, float], ...] = ()
    """(qp, dB) between which lies the PSNR that pictures have at least at each qp; none where
    nothing is promised"""

    decoders: tuple[str, ...] = ()
    """names of decoders beside the model's own"""

    def floor(self, qp: int) -> float:
        """The PSNR in dB that pictures have at least at a qp."""
        if not self.floors:
            return 0.0
        qps, decibels = zip(*self.floors, strict=True)
        return float(np.interp(qp, qps, decibels))

    def path(self, file: str) -> Path:
        """Where a file of this model lies."""
        return self.folder / file

    @cached_property
    def tables(self) -> Tables:
        """Integer tables of the entropy coder, read from tables.npz once.

        Raises ModelError where the file is missing or its tables are not valid.
        """
        try:
            return read_tables(self.path(TABLES_FILE))
        except (OSError, ValueError) as error:
            msg = f"the tables of model {self.name} cannot be used: {error}"
            raise ModelError(msg) from error


def read_tables(path: Path) -> Tables:
    """Integer tables of a `tables.npz`; raises ValueError for anything else, and OSError."""
    stored = read_arrays(path, _TABLE_TYPES, largest=_LARGEST_ARRAYS)
    try:
        tables = Tables(
            counts=tuple(np.split(stored["counts"], np.cumsum(stored["sizes"])[:-1])),
            weight=stored["weight"],
            bias=stored["bias"],
            z_rows=stored["z_rows"],
            shift=int(stored["shift"]),
            after=tuple(np.atleast_2d(stored["after"])) if "after" in stored else (),
            still=int(stored["still"]) if "still" in stored else 0,
            adapted=(stored["z_adapted"], stored["r_adapted"]) if "z_adapted" in stored else None,
        )
        if any(counts.ndim != 1 for counts in (*tables.counts, *tables.after)):
            msg = "expected tables of one axis, got more"
            raise ValueError(msg)
        tables.validate()
    except (KeyError, IndexError, TypeError) as error:
        msg = f"expected tables that fit each other, got others: {error}"
        raise ValueError(msg) from error
    return tables
