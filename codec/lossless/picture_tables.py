"""Fixed tables of the coder of pictures, and the arrays in which it keeps what it learns.

All tables are the same on every machine: they come from whole numbers, or round values of which
none lies near a half.
"""

from bisect import bisect_right
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ncodec.lossless.logistic import ONE, PEAK, UNITS, logistic

FAR = 3071
"""largest argument of a cumulative distribution, in units of 1/256 of its scale"""
TAPS = 24
"""samples whose weighted sum predicts another"""
WIDE = 32
"""those, the predicted one, and zeros up to a multiple of 8"""
BLOCK = 8
"""samples side by side that share their weights"""
MODELS = 4
"""distributions of a sample: two around its prediction, one around each simple prediction"""
TABLES = 10
"""adaptive tables: one for each context, and one for the values around the sample"""
INPUTS = 16
"""of a network: distributions, tables, a zero and a constant"""
SLOTS = 1024
"""most values of a context"""
SIZES, FAR_SIZES = 24, 12
"""classes of errors beside the sample, three to an octave; of errors farther off"""
MAGNITUDES, NODES, KINDS = 6, 128, 27
"""classes of spreads, places of decisions in each, and kinds of decisions"""
SHAPES = 64
"""which of six samples around are above the prediction"""
CELLS = 33
"""columns of an adaptive map of probabilities"""
MOST_SEEN = 255
"""times at which the rate of an entry of a table stops falling"""
LARGEST_ERROR = 512
"""beyond which errors have the same sign class, in units of 1/8"""
_STEPS = (3, 9, 24, 64)
"""least errors of the sign classes 1 to 4, in units of 1/8"""
_FIRST_WEIGHT, _WEIGHT = 20000, 3500
"""of the distribution around the prediction, and of every other input, in units of 2⁻¹⁶"""
Array = npt.NDArray[Any]


class PictureTables(NamedTuple):
    """Tables that nothing changes."""

    squash: Array
    """(4095,) int32, 2047 plus a logit → probability in units of 2⁻¹⁶"""
    stretch: Array
    """(4096,) int32, probability in units of 2⁻¹² → logit"""
    cumulative: Array
    """(6143,) int32, 3071 plus a distance from the mean, in units of 1/256 of the scale → share
    of a logistic distribution below it, in units of 2⁻²²"""
    fine: Array
    """(2048,) int32, size of errors in units of 1/8 → its class of 0 to 23"""
    signs: Array
    """(1025,) int32, 512 plus an error in units of 1/8 → its sign class of 0 to 8, 4 about zero"""
    rates: Array
    """(256,) int32, times that an entry was changed → its next step, in units of 2⁻¹⁶"""


@cache
def picture_tables() -> PictureTables:
    """Tables; no value that is rounded lies near a half, so any exponential function gives them."""
    distances = np.arange(-FAR, FAR + 1) / UNITS
    cumulative = np.rint((1 << 22) / (1 + np.exp(-distances)))
    # A class begins at the least k with 3·log₂(k / 2) ≥ class − ½, which is k⁶ ≥ 2^(2·class + 5).
    fine = [min(SIZES - 1, max(0, ((k**6).bit_length() - 6) // 2)) for k in range(2048)]
    errors = np.arange(-LARGEST_ERROR, LARGEST_ERROR + 1)
    classes = np.searchsorted(_STEPS, np.abs(errors), side="right")
    rates = [5 * ONE // (5 * count + 8) for count in range(MOST_SEEN + 1)]
    return PictureTables(
        squash=logistic().squash,
        stretch=logistic().stretch,
        cumulative=cumulative.astype(np.int32),
        fine=np.array(fine, dtype=np.int32),
        signs=(np.sign(errors) * classes + len(_STEPS)).astype(np.int32),
        rates=np.array(rates, dtype=np.int32),
    )


class PlaneMemory(NamedTuple):
    """Everything that a model has learned of a plane, and arrays that it works in."""

    stats: Array
    """(blocks of a row, taps, wide) int32, faded sums of products of the samples around others"""
    total: Array
    """(taps, wide) int64, normal equations of a block, of whose row `pivot` holds a copy"""
    pivot: Array
    """(wide,) int32"""
    weights: Array
    """(taps,) int64, of the samples around, in units of 2⁻¹⁶"""
    around: Array
    """(8, wide) int32, the samples around each of a block, less their level, and itself"""
    scaled: Array
    """(8, wide) int32, the same times how much the sample counts"""
    chances: Array
    """(tables, slots · nodes · magnitudes) uint32, probability of a 1 in units of 2⁻²² above 10
    bits that count how often it was changed"""
    places: Array
    """(tables,) int64, entry of each table for a decision"""
    inputs: Array
    """(inputs,) int32, of the networks, for a decision"""
    by_node: Array
    """(nodes · magnitudes, inputs) int32, weights of the first network by decision"""
    by_size: Array
    """(kinds · sizes, inputs) int32, of the second network by kind and errors beside the sample"""
    by_shape: Array
    """(kinds · shapes, inputs) int32, of the third network by kind and shape"""
    final: Array
    """(kinds, 3) int64, weights of the networks by kind, in units of 2⁻¹⁶"""
    refined: Array
    """(kinds · sizes, 33) int32, corrected probability by logit, kind and errors beside"""
    scales: Array
    """(sizes · far sizes,) int64, mean absolute error by sizes of errors, in units of 1/256"""
    spreads: Array
    """(models · sizes,) int64, the same by distribution and its own errors around"""
    means: Array
    """(models,) int64, of the distributions of a sample, in units of 1/64"""
    widths: Array
    """(models,) int64, inverse of their scales, in units of 2⁻²⁰ for scales of 1/256"""
    below: Array
    """(models,) int64, shares below the values that a sample can still have, in units of 2⁻²²"""
    above: Array
    """(models,) int64, shares below the first value beyond them"""
    at_split: Array
    """(models,) int64, shares below the value that a decision is about"""
    misses: Array
    """(models, cells of the plane) int32, absolute errors of distributions, in units of 1/8"""
    nearby: Array
    """(models,) int64, entry of `spreads` of each distribution for a sample"""
    contexts: Array
    """(tables − 1,) int64, of a sample, for all tables but the last"""


def _scales() -> list[int]:
    """64·2^(class/3) of each class, rounded down: the cube root of 2^(18 + class)."""
    roots = range(1 << 14)
    return [
        bisect_right(roots, 1 << (18 + size), key=lambda root: root**3) - 1 for size in range(SIZES)
    ]


def fresh_plane_memory(width: int, size: int) -> PlaneMemory:
    """A model that knows nothing, for a plane of `width` columns and `size` cells, its border
    among them: 32 MB, of which a small plane touches little, 384 bytes a column and 16 a cell."""

    def zeros(*shape: int, dtype: npt.DTypeLike = np.int64) -> Array:
        return np.zeros(shape, dtype=dtype)

    curve = logistic().squash[np.clip((np.arange(CELLS) - 16) * 128 + PEAK, 0, 2 * PEAK)]
    weights = np.full((1, INPUTS), _WEIGHT, dtype=np.int32)
    weights[0, 0] = _FIRST_WEIGHT
    scales = np.array(_scales(), dtype=np.int64)
    return PlaneMemory(
        stats=zeros(-(-width // BLOCK), TAPS, WIDE, dtype=np.int32),
        total=zeros(TAPS, WIDE),
        pivot=zeros(WIDE, dtype=np.int32),
        weights=zeros(TAPS),
        around=zeros(BLOCK, WIDE, dtype=np.int32),
        scaled=zeros(BLOCK, WIDE, dtype=np.int32),
        chances=zeros(TABLES, SLOTS * NODES * MAGNITUDES, dtype=np.uint32),
        places=zeros(TABLES),
        inputs=zeros(INPUTS, dtype=np.int32),
        by_node=np.tile(weights, (NODES * MAGNITUDES, 1)),
        by_size=np.tile(weights, (KINDS * SIZES, 1)),
        by_shape=np.tile(weights, (KINDS * SHAPES, 1)),
        final=np.full((KINDS, 3), ONE // 3, dtype=np.int64),
        refined=np.tile(curve, (KINDS * SIZES, 1)),
        scales=np.repeat(scales, FAR_SIZES),
        spreads=np.tile(scales, MODELS),
        means=zeros(MODELS),
        widths=zeros(MODELS),
        below=zeros(MODELS),
        above=zeros(MODELS),
        at_split=zeros(MODELS),
        misses=zeros(MODELS, size, dtype=np.int32),
        nearby=zeros(MODELS),
        contexts=zeros(TABLES - 1),
    )
