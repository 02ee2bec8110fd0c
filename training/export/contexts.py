"""Tables by context, fitted to the symbols that a model codes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from ncodec.arrays import RowArray, SignedArray
from ncodec.entropy.contexts import CONTEXTS
from ncodec.entropy.latents import SymbolContext, Symbols, next_context, parts_of
from ncodec.entropy.tables import ROWS, TABLE_TOTAL, Table, Tables

FARTHEST = 60
"""magnitude beyond which symbols are taken for one of that"""
ESCAPE_BITS = 8.0
"""approximate bits of an escape beside its sign"""
PRIOR_SYMBOLS = 200.0
"""weight of the table that a symbol has without contexts"""


@dataclass(frozen=True)
class Coded:
    """A picture or a frame as symbols."""

    symbols: Symbols
    qp: int


Sequences = Sequence[Sequence[Coded]]
"""frames that are predicted from each other, and others"""


def parts_with_past(
    sequences: Sequences, tables: Tables
) -> Iterator[tuple[int, SignedArray, RowArray]]:
    """Kind (`HYPER` or `RESIDUAL`), symbols and tables of all parts of all frames, in decoding
    order.

    Each frame has the symbols of the one before it in its sequence as context; the first has none.
    """
    for sequence in sequences:
        past: SymbolContext | None = None
        for coded in sequence:
            yield from parts_of(coded.symbols, tables, qp=coded.qp, before=past)
            past = next_context(coded.symbols, tables, qp=coded.qp, before=past)


def fitted_adapted(sequences: Sequences, tables: Tables) -> tuple[RowArray, RowArray]:
    """Cheapest table for each table and each of 16 contexts, for ẑ and for r, by what was coded.

    Returns uint8 rows, (64 + tables of `after`, 16) and (64, 16), the form of `Tables.adapted`; row
    0 stays 0. Beside what was coded, 200 symbols that are distributed as each table says are
    counted for it.
    """
    prices = np.stack([_prices(table) for table in tables.bank])
    known = len(prices)
    # In place of tables, the walk over all parts finds which table and context each symbol has.
    keys = cast("RowArray", np.arange(known * CONTEXTS).reshape(known, CONTEXTS))
    keyed = replace(tables, adapted=(keys, keys))
    counts = np.zeros((2, known * CONTEXTS, 2 * FARTHEST + 1))
    for kind, values, found in parts_with_past(sequences, keyed):
        places = np.clip(values, -FARTHEST, FARTHEST) + FARTHEST + counts.shape[2] * found
        counts[kind] += np.bincount(places.reshape(-1), minlength=counts[kind].size).reshape(
            counts[kind].shape
        )
    z_counts, r_counts = counts
    return _best(z_counts, prices), _best(r_counts[: ROWS * CONTEXTS], prices[:ROWS])


def _prices(table: Table) -> npt.NDArray[np.float64]:
    """Bits of each value of -`FARTHEST`…`FARTHEST`."""
    values = np.arange(-FARTHEST, FARTHEST + 1)
    bits = np.log2(TABLE_TOTAL / table.counts)
    inside = np.abs(values) <= table.limit
    return np.where(inside, bits[np.where(inside, values + table.limit, 0)], bits[-1] + ESCAPE_BITS)


def _best(counts: npt.NDArray[np.float64], prices: npt.NDArray[np.float64]) -> RowArray:
    """(tables · contexts, values) counted → (tables, contexts) of the cheapest tables, row 0 for
    itself alone."""
    known = len(prices)
    own = np.exp2(-prices)
    prior = PRIOR_SYMBOLS * (own / own.sum(axis=1, keepdims=True)) @ prices.T  # (own table, table)
    costs = counts @ prices.T + prior.repeat(CONTEXTS, axis=0)
    best: RowArray = (costs[:, 1:].argmin(axis=1) + 1).astype(np.uint8).reshape(known, CONTEXTS)
    best[0] = 0
    return best
