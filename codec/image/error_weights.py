"""Error weights of RDOQ: quadratic forms of the errors in a cell of 4×4 pixels.

A form is (48, 48) float32, a symmetric matrix over channel, row and column: errors e of a cell cost
eᵀ·form·e.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ncodec.arrays import FloatArray

YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""rows of Y, Cb and Cr of ITU-R BT.601 from RGB, all of full range"""

_ROWS, _COLUMNS = np.divmod(np.arange(16), 4)
_SQUARES = _ROWS // 2 * 2 + _COLUMNS // 2
_EACH = (np.arange(16)[:, None] == np.arange(16)).astype(np.float64)
"""every pixel of a cell by itself"""
_MEANS = (_SQUARES[:, None] == _SQUARES) / 4
"""the mean of the 2×2 pixels around each"""


def _form(*parts: tuple[Sequence[float], npt.NDArray[np.float64]]) -> FloatArray:
    """The sum of the squares of planes, each so much of R, G and B, of which a projection (16, 16)
    is seen."""
    planes = (np.kron(np.outer(weights, weights), seen) for weights, seen in parts)
    form: FloatArray = sum(planes, start=np.zeros((48, 48))).astype(np.float32)
    return form


RGB: FloatArray = np.eye(48, dtype=np.float32) / np.float32(3)
"""the mean square of R, G and B"""
SUBSAMPLED: FloatArray = _form((YCBCR[0], _EACH), (YCBCR[1], _MEANS), (YCBCR[2], _MEANS))
"""the sum of the mean squares of Y, Cb and Cr in 4:2:0: frames are trained and measured so, because
their sources have no more of colour"""
