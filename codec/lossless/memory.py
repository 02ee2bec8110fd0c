"""Tables of context mixing, and the arrays in which it keeps what it learns."""

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ncodec.lossless.histories import histories
from ncodec.lossless.logistic import ONE, PEAK, logistic

CONTEXTS = 8
INPUTS = 16
"""of a network: contexts, two of the match, order 1, a constant, and zeros"""
MATCH_BITS = 20
LONG_BITS = 14
LARGEST_TABLE_BITS = 20
"""logarithm of the buckets of a context, of 16 bytes"""
KNOWN = (
    "chances", "changes", "match_chances", "by_bits", "by_match", "by_last", "final", "short_map",
)  # fmt: skip
"""arrays of a memory that do not begin empty"""
Array = npt.NDArray[Any]
_FIRST_WEIGHT = 10000
"""of every input of the three networks, in units of 2⁻¹⁶"""


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
    """(contexts, 16 · buckets) uint8: a check byte and 15 histories of the bits of a nibble"""
    chances: Array
    """(contexts, 256) int32, probability of a 1 after each history, in units of 2⁻²⁴"""
    changes: Array
    """(contexts, 256) int32, how often each was changed"""
    order_one: Array
    """(65536,) int32, probability of a 1 by the last byte and the bits so far"""
    places: Array
    """(2²⁰,) int32, where the last bytes, hashed, were followed by something"""
    match_chances: Array
    """(128,) int32, probability of a 1 by length of the match and expected bit"""
    by_bits: Array
    """(256, inputs) int32, weights by the bits of the byte so far"""
    by_match: Array
    """(320, inputs) int32, weights by match, known contexts and place in the byte"""
    by_last: Array
    """(256, inputs) int32, weights by the last byte"""
    final: Array
    """(256, 3) int32, weights of the three networks by the bits so far"""
    short_map: Array
    """(1024, 33) int32, corrected probability by logit, bits so far and match"""
    long_map: Array
    """(2¹⁴, 33) uint16, by logit, bits so far and the last two bytes; more rows leave the cache"""
    inputs: Array
    """(inputs,) int32, of the networks, for the next bit"""
    hashes: Array
    """(contexts,) int64, of the contexts of a byte"""
    found: Array
    """(contexts,) int64, where the bucket of each context begins"""
    record: Array
    """(259,) int64: the last place of each byte value; at 256 the length of records, at 257 the
    distance that may become it, at 258 how often that was seen in a row"""


def fixed_tables() -> Fixed:
    """Tables of logits and histories."""
    numbers, states = logistic(), histories()
    return Fixed(numbers.squash, numbers.stretch, numbers.rates, states.following, states.seen)


def table_bits(size: int) -> int:
    """Logarithm of the buckets of a context for a block of `size` bytes, 12 to 20."""
    return max(12, min(LARGEST_TABLE_BITS, size.bit_length()))


@cache
def _priors() -> dict[str, Array]:
    """Arrays of `KNOWN` by profile, as `ncodec.training.priors` wrote them."""
    with (files("ncodec.lossless") / "priors.npz").open("rb") as stream, np.load(stream) as known:
        return {name: known[name] for name in KNOWN}


def fresh_memory(size: int, profile: int) -> Memory:
    """A model that knows what files of a profile have in common, for a block of `size` bytes: up
    to 128 MB of slots, and 6 MB."""
    known = {name: array[profile].astype(np.int32) for name, array in _priors().items()}
    return empty_memory(size)._replace(**known)


def empty_memory(size: int) -> Memory:
    """A model that knows nothing, for a block of `size` bytes."""
    curve = logistic().squash[np.clip((np.arange(33) - 16) * 128 + PEAK, 0, 2 * PEAK)]
    lengths = np.arange(64)
    doubt = (ONE // 2) // (lengths + 2)
    return Memory(
        slots=np.zeros((CONTEXTS, 16 << table_bits(size)), dtype=np.uint8),
        chances=np.tile(histories().ones, (CONTEXTS, 1)),
        changes=np.zeros((CONTEXTS, 256), dtype=np.int32),
        order_one=np.full(1 << 16, ONE // 2, dtype=np.int32),
        places=np.zeros(1 << MATCH_BITS, dtype=np.int32),
        match_chances=np.stack([doubt, ONE - 1 - doubt], axis=1).ravel().astype(np.int32),
        by_bits=np.full((256, INPUTS), _FIRST_WEIGHT, dtype=np.int32),
        by_match=np.full((320, INPUTS), _FIRST_WEIGHT, dtype=np.int32),
        by_last=np.full((256, INPUTS), _FIRST_WEIGHT, dtype=np.int32),
        final=np.full((256, 3), ONE // 3, dtype=np.int32),
        short_map=np.tile(curve, (1024, 1)),
        long_map=np.tile(curve, (1 << LONG_BITS, 1)).astype(np.uint16),
        inputs=np.zeros(INPUTS, dtype=np.int32),
        hashes=np.zeros(CONTEXTS, dtype=np.int64),
        found=np.zeros(CONTEXTS, dtype=np.int64),
        record=np.concatenate([np.zeros(256, np.int64), np.array([1, 0, 0], np.int64)]),
    )
