"""Buckets of bit histories: where a context keeps what it saw of a nibble.

A context is hashed twice a byte, and a bucket of 16 bytes looked for in a line of the cache. The
line is fetched as soon as the hash is known, while the networks still learn.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils
from numba.extending import intrinsic

from ncodec.lossless.kernels import inlined

_ODD = -7046029254386353131
_ODD_TOO = -4658895280553007687


@intrinsic
def _prefetch(typing, table, place):
    """Have the cache line of a place of a table of bytes fetched, which changes nothing."""

    def build(context, builder, signature, arguments):
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        place = cgutils.get_item_pointer(context, builder, kind, array, arguments[1:])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        fetch = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        call = builder.module.declare_intrinsic("llvm.prefetch", [byte], fetch)
        hints = [ir.Constant(word, hint) for hint in (1, 3, 1)]
        builder.call(call, [builder.bitcast(place, byte), *hints])
        return context.get_dummy_value()

    return numba.types.void(table, place), build


@inlined
def scatter(contexts, slots, starts, masks, hashes, keys, checks):
    """Hash the contexts of a byte, and have the buckets of its first nibble fetched."""
    for i in range(contexts):
        h = (hashes[i] + i) * _ODD
        h ^= (h >> 29) & 0x7FFFFFFFF
        h *= _ODD_TOO
        hashes[i] = h
        keys[i] = starts[i] + ((h >> 24) & masks[i]) * 16
        checks[i] = (h >> 16) & 0xFF
        _prefetch(slots, keys[i])


@inlined
def scatter_again(contexts, slots, starts, masks, hashes, keys, checks, bits):
    """Hash the contexts of a byte's second nibble, and have its buckets fetched."""
    for i in range(contexts):
        h = hashes[i] + bits * 0x3C6EF372FE94F82B
        h ^= (h >> 31) & 0x1FFFFFFFF
        h *= _ODD_TOO
        keys[i] = starts[i] + ((h >> 24) & masks[i]) * 16
        checks[i] = (h >> 16) & 0xFF
        _prefetch(slots, keys[i])


@inlined
def find_buckets(contexts, slots, keys, checks, found, seen):
    """Find the bucket of every context for a nibble, or take the one of least experience."""
    for i in range(contexts):
        first, check = keys[i], checks[i]
        second, third = first ^ 16, first ^ 32
        if slots[first] != check:
            if slots[second] == check:
                first = second
            elif slots[third] == check:
                first = third
            else:
                if seen[slots[second + 1]] < seen[slots[first + 1]]:
                    first = second
                if seen[slots[third + 1]] < seen[slots[first + 1]]:
                    first = third
                slots[first] = check
                for k in range(1, 16):
                    slots[first + k] = 0
        found[i] = first
