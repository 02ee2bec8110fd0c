"""Tables of context mixing, and the arrays in which it keeps what it learns."""

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ncodec.lossless.histories import histories
from ncodec.lossless.logistic import ONE, PEAK, logistic

FEW = 8
"""contexts of `fast`"""
TAPS = 32
"""samples before a sample from which a linear predictor foretells it"""
MATCH_BITS = 20
LONG_BITS = 14
KNOWN = ("chances", "changes", "match_chances", "weights", "final", "short_map")
"""arrays of a memory that do not begin empty"""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Shape:
    """Size of a model."""

    name: str
    contexts: int
    networks: int
    """that mix what the contexts foretell"""
    table_bits: tuple[int, ...]
    """logarithm of the most buckets of each context, of 16 bytes"""
    is_recurrent: bool = False
    """whether an LSTM foretells bytes, too"""


FAST = Shape("fast", FEW, 3, (20, 18, 19, 20, 20, 20, 20, 20))
MAX = Shape("max", 2 * FEW, 5, (20, 18, 19, 21, 21, 20, 20, 21, 20, 21, 19, 20, 20, 20, 20, 20))
CMIX = replace(MAX, name="cmix", is_recurrent=True)


def inputs_for(contexts: int) -> int:
    """Inputs of a network: contexts, two of the match, order 1, a constant, and zeros up to a
    multiple of 8."""
    return contexts + 8


def rows_of(contexts: int) -> tuple[int, ...]:
    """Ends of the weight rows of the first network to the fifth; each begins where one ends.

    A row is chosen, in this order, by the bits of the byte so far; by length of the match, number
    of contexts with a history, and place of the bit; by the last byte (in sound, by place of the
    byte, mean error and high bits of the last byte); by the byte before; by kinds of last bytes.
    """
    by_last = 256 + 4 * (contexts + 1) * 8
    return 256, by_last, by_last + 256, by_last + 512, by_last + 768


class Fixed(NamedTuple):
    """Tables that nothing changes."""

    squash: Array
    stretch: Array
    rates: Array
    following: Array
    seen: Array


class Memory(NamedTuple):
    """Everything that a model has learned of a block, and arrays that it works in."""

    slots: Array
    """(16 · all buckets,) uint8: a check byte and 15 histories of the bits of a nibble"""
    chances: Array
    """(contexts, 2048) int32, probability of a 1 by place in the byte and history, in units of
    2⁻²⁴"""
    changes: Array
    """(contexts, 2048) int32, how often each was changed"""
    order_one: Array
    """(65536,) int32, probability of a 1 by the last byte and the bits so far"""
    places: Array
    """(2²⁰,) int32, where the last bytes, hashed, were followed by something"""
    match_chances: Array
    """(128,) int32, probability of a 1 by length of the match and expected bit"""
    weights: Array
    """(rows, inputs) int32, of all networks, `rows_of` tells whose"""
    final: Array
    """(256, networks) int32, weights of the networks by the bits so far"""
    short_map: Array
    """(1024, 33) int32, corrected probability by logit, bits so far and match"""
    long_map: Array
    """(2¹⁴, 33) uint16, by logit, bits so far and the last two bytes; more rows leave the cache"""
    inputs: Array
    """(inputs,) int32, of the networks, for the next bit"""
    starts: Array
    """(contexts,) int64, where the buckets of each context begin"""
    masks: Array
    """(contexts,) int64, one less than the buckets of each context"""
    hashes: Array
    """(contexts,) int64, of the contexts of a byte"""
    keys: Array
    """(contexts,) int64, first place to look for the bucket of each context for a nibble"""
    checks: Array
    """(contexts,) int64, check byte of that bucket"""
    found: Array
    """(contexts,) int64, where the bucket of each context begins"""
    chosen: Array
    """(networks,) int64, row of each network's weights for a bit"""
    made: Array
    """(networks,) int64, logit that each network gives"""
    facts: Array
    """(272,) int64: the last place of each byte value, and what `ncodec.lossless.contexts` names"""
    words: Array
    """(5,) int64, hashes of the word so far and of the two before it, kinds of the last bytes, and
    the last two bytes outside words"""
    followers: Array
    """(65792,) int64, the last three bytes after each byte, then the last two after each pair"""
    taps: Array
    """(4, taps) int64, weights of two linear predictors for each of two channels, times 2¹⁶"""
    signal: Array
    """(4, taps) int64, most recent first: what the first predictor missed in each channel, changes
    of samples and samples of all channels"""


def fixed_tables() -> Fixed:
    """Tables of logits and histories."""
    numbers, states = logistic(), histories()
    return Fixed(numbers.squash, numbers.stretch, numbers.rates, states.following, states.seen)


def buckets_of(shape: Shape, size: int) -> list[int]:
    """Buckets of each context for a block of `size` bytes.

    Each is a power of two: the least above `size`, but at least 2¹² and at most 2^table_bits.
    """
    wanted = max(12, size.bit_length())
    return [1 << min(bits, wanted) for bits in shape.table_bits]


def _slots(buckets: list[int]) -> Array:
    """Empty buckets, four of which fill a line of the cache."""
    room = np.zeros(16 * sum(buckets) + 63, dtype=np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + 16 * sum(buckets)]


@cache
def _priors(shape: Shape) -> dict[str, Array]:
    """Arrays of `KNOWN` by profile, as `ncodec.training.priors` wrote them."""
    name = f"priors_{MAX.name if shape.is_recurrent else shape.name}.npz"
    with (files("ncodec.lossless") / name).open("rb") as stream, np.load(stream) as known:
        return {name: known[name] for name in KNOWN}


def fresh_memory(size: int, profile: int, shape: Shape = FAST) -> Memory:
    """A model that knows what files of a profile have in common, for a block of `size` bytes: up
    to 32 MB of slots for each context, and 8 MB."""
    known = {
        name: array[min(profile, 1)].astype(np.int32) for name, array in _priors(shape).items()
    }
    return empty_memory(size, shape)._replace(**known)


def empty_memory(size: int, shape: Shape) -> Memory:
    """A model that knows nothing, for a block of `size` bytes."""
    contexts, networks = shape.contexts, shape.networks
    curve = logistic().squash[np.clip((np.arange(33) - 16) * 128 + PEAK, 0, 2 * PEAK)]
    buckets = buckets_of(shape, size)
    lengths = np.arange(64)
    doubt = (ONE // 2) // (lengths + 2)
    rows = rows_of(contexts)[networks - 1]
    facts = np.zeros(272, dtype=np.int64)
    facts[256] = 1
    return Memory(
        slots=_slots(buckets),
        chances=np.tile(histories().ones, (contexts, 8)),
        changes=np.zeros((contexts, 2048), dtype=np.int32),
        order_one=np.full(1 << 16, ONE // 2, dtype=np.int32),
        places=np.zeros(1 << MATCH_BITS, dtype=np.int32),
        match_chances=np.stack([doubt, ONE - 1 - doubt], axis=1).ravel().astype(np.int32),
        weights=np.full((rows, inputs_for(contexts)), 80000 // contexts, dtype=np.int32),
        final=np.full((256, networks), ONE // networks, dtype=np.int32),
        short_map=np.tile(curve, (1024, 1)),
        long_map=np.tile(curve, (1 << LONG_BITS, 1)).astype(np.uint16),
        inputs=np.zeros(inputs_for(contexts), dtype=np.int32),
        starts=16 * np.cumsum([0, *buckets[:-1]], dtype=np.int64),
        masks=np.array(buckets, dtype=np.int64) - 1,
        hashes=np.zeros(contexts, dtype=np.int64),
        checks=np.zeros(contexts, dtype=np.int64),
        keys=np.zeros(contexts, dtype=np.int64),
        found=np.zeros(contexts, dtype=np.int64),
        chosen=np.zeros(networks, dtype=np.int64),
        made=np.zeros(networks, dtype=np.int64),
        facts=facts,
        words=np.zeros(5, dtype=np.int64),
        followers=np.zeros(256 + 65536, dtype=np.int64),
        taps=np.zeros((4, TAPS), dtype=np.int64),
        signal=np.zeros((4, TAPS), dtype=np.int64),
    )
