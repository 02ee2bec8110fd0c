"""Symbols ↔ bits: stack ANS over symbols grouped by table. `FORMAT.md` states the same arithmetic
in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ncodec.arrays import BoolArray, FloatArray, Int8Array, Int16Array, RowArray, SignedArray
from ncodec.entropy.ans import Group, Packer, Unpacker, bits_of_run, code_run, groups_by_row, within
from ncodec.entropy.contexts import PARTS, Activity, measure
from ncodec.entropy.copies import (
    CODED,
    CopyMap,
    fill_copies,
    find_copies,
    pack_copy_map,
    with_exact,
)
from ncodec.entropy.tables import ROWS, Z_LIMIT, Tables, magnitudes
from ncodec.grid import HYPER_CELL

HYPER, RESIDUAL = 0, 1
"""kinds of symbols, of which each has its activity"""
BAND_CELLS = 1024
"""hyper-latents coded together, at most (but at least one row of them)"""


@dataclass(frozen=True)
class Symbols:
    """Quantized latents of a picture or frame."""

    z_hat: Int8Array
    """(C_z, ⌈h/4⌉, ⌈w/4⌉) hyper-latent"""
    residual: Int16Array
    """(C_y, h, w) rounded difference of the latent and its predicted mean"""
    exact: BoolArray | None = None
    """(⌈h/4⌉, ⌈w/4⌉) cells whose pixels are coded otherwise, where they are known: their values are
    0, and not coded"""


@dataclass(frozen=True, eq=False)
class SymbolContext:
    """Context that the symbols of a predicted frame leave for the next frame."""

    z_hat: Int8Array
    """(C_z, ⌈h/4⌉, ⌈w/4⌉)"""
    activity: tuple[Activity, Activity]
    """activity of ẑ and of r, each with half of the frame before"""

    def band(self, band: slice, height: int) -> "SymbolContext":
        """Context of rows `band` of ẑ and the rows of r under them.

        `height` is the number of rows of r in the frame, which bounds those of a partial last cell.
        """
        z_activity, r_activity = self.activity
        return SymbolContext(
            self.z_hat[:, band],
            (z_activity.rows(band), r_activity.rows(_latent_rows(band, height))),
        )


def _turned(z_hat: SignedArray, before: Int8Array | None, rows: RowArray) -> SignedArray:
    """ẑ with the sign of ẑ in the frame before, where its table is one of `after`."""
    return z_hat if before is None else np.where((rows >= ROWS) & (before < 0), -z_hat, z_hat)


def _expected(before: Int8Array | None, rows: RowArray) -> SignedArray:
    """Expectation that is subtracted from turned ẑ."""
    return (
        np.zeros(1, dtype=np.int16)
        if before is None
        else np.where(rows >= ROWS, magnitudes(before), 0)
    )


def _bands(shape: tuple[int, ...]) -> list[slice]:
    """Rows of hyper-latents that are coded together, top to bottom; bounds the memory of a large
    picture."""
    _, high, wide = shape
    step = max(1, BAND_CELLS // wide)
    return [slice(top, min(top + step, high)) for top in range(0, high, step)]


def _latent_rows(band: slice, height: int) -> slice:
    return slice(band.start * HYPER_CELL, min(band.stop * HYPER_CELL, height))


def _coded_rows(rows: RowArray, copy_map: CopyMap | None, band: slice, *, side: int) -> RowArray:
    """Tables of the symbols that are coded: row 0, certain, in copied cells."""
    if copy_map is None:
        return rows
    fresh = (copy_map[band] == CODED).repeat(side, axis=0).repeat(side, axis=1)
    left: RowArray = np.where(fresh[: rows.shape[1], : rows.shape[2]], rows, 0)
    return left


def _parts(
    values: SignedArray, rows: RowArray, tables: Tables, context: SymbolContext | None, *, kind: int
) -> Iterator[tuple[SignedArray, RowArray]]:
    """Parts of the symbols and their tables in coding order; a decoder fills each part before it
    takes the next."""
    if tables.adapted is None:
        yield values, rows
        return
    seen = Activity.none(*rows.shape[1:]) if context is None else context.activity[kind].halved()
    for first in range(PARTS):
        part = slice(first, None, PARTS)
        yield values[part], tables.adapted[kind][rows[part], seen.contexts()]
        seen += measure(values[part], rows[part], tables.expected)


def _band_parts(
    symbols: Symbols,
    tables: Tables,
    band: slice,
    copy_map: CopyMap | None,
    *,
    qp: int,
    before: SymbolContext | None,
) -> Iterator[tuple[int, SignedArray, RowArray]]:
    """Parts of a band in decoding order, ẑ, then r: which of them, symbols and tables."""
    context = None if before is None else before.band(band, symbols.residual.shape[1])
    coded = _BandRows(symbols, tables, band, qp=qp, context=context)
    for kind, values, rows, side in (
        (HYPER, coded.beyond, coded.z_rows, 1),
        (RESIDUAL, coded.residual, coded.r_rows, HYPER_CELL),
    ):
        for part, part_rows in _parts(
            values, _coded_rows(rows, copy_map, band, side=side), tables, context, kind=kind
        ):
            yield kind, part, part_rows


def _band_groups(
    parts: Iterator[tuple[int, SignedArray, RowArray]], tables: Tables
) -> Iterator[Group]:
    """The symbols of a band in decoding order."""
    for _, values, rows in parts:
        flat = values.reshape(-1)
        for row, positions in groups_by_row(rows):
            yield tables.bank[row], flat[positions].astype(np.int32)


def parts_of(
    symbols: Symbols, tables: Tables, *, qp: int, before: SymbolContext | None
) -> Iterator[tuple[int, SignedArray, RowArray]]:
    """Yield the parts of a picture's symbols in decoding order, with no cell copied or exact.

    Each is its kind (HYPER or RESIDUAL), its symbols and their tables, (C, h, w) each, ẑ as it is
    coded after the frame before. `before` is the context of the frame before, None for an intra
    frame or where that was not predicted; `qp` selects the tables.
    """
    for band in _bands(symbols.z_hat.shape):
        yield from _band_parts(symbols, tables, band, None, qp=qp, before=before)


class _BandRows:
    """The symbols of a band as they are coded, and the tables that they have before activity
    changes them."""

    def __init__(
        self,
        symbols: Symbols,
        tables: Tables,
        band: slice,
        *,
        qp: int,
        context: SymbolContext | None,
    ) -> None:
        z_hat = symbols.z_hat[:, band]
        known = None if context is None else context.z_hat
        self.residual = symbols.residual[:, _latent_rows(band, symbols.residual.shape[1])]
        self.z_rows = tables.hyper_rows(z_hat.shape, known, qp=qp)
        self.beyond = _turned(z_hat.astype(np.int16), known, self.z_rows) - _expected(
            known, self.z_rows
        )
        _, height, width = self.residual.shape
        self.r_rows = tables.residual_rows(z_hat, qp=qp, height=height, width=width)


def next_context(
    symbols: Symbols, tables: Tables, *, qp: int, before: SymbolContext | None
) -> SymbolContext:
    """Context that a predicted frame leaves for the next frame.

    `before` is the context that the frame was coded with, None where the frame before was not
    predicted; its activity counts half. `qp` is the frame's.
    """
    z_seen, r_seen = [], []
    for band in _bands(symbols.z_hat.shape):
        context = None if before is None else before.band(band, symbols.residual.shape[1])
        coded = _BandRows(symbols, tables, band, qp=qp, context=context)
        z_seen.append(measure(coded.beyond, coded.z_rows, tables.expected))
        r_seen.append(measure(coded.residual, coded.r_rows, tables.expected))
    z_activity, r_activity = Activity.stacked(z_seen), Activity.stacked(r_seen)
    if before is not None:
        z_before, r_before = before.activity
        z_activity, r_activity = z_activity + z_before.halved(), r_activity + r_before.halved()
    return SymbolContext(symbols.z_hat, (z_activity, r_activity))


def zero_certain(symbols: Symbols, tables: Tables, *, qp: int) -> bool:
    """Zero, in place, symbols whose table is the certain one, where a decoder will see zeros; True
    if any was not."""
    certain = tables.z_rows[qp] == 0
    changed = bool(symbols.z_hat[certain].any())
    symbols.z_hat[certain] = 0
    for band in _bands(symbols.z_hat.shape):
        part = symbols.residual[:, _latent_rows(band, symbols.residual.shape[1])]
        rows = tables.residual_rows(
            symbols.z_hat[:, band], qp=qp, height=part.shape[1], width=part.shape[2]
        )
        known = rows == 0
        changed = changed or bool(part[known].any())
        part[known] = 0
    return changed


def push_symbols(
    symbols: Symbols,
    tables: Tables,
    *,
    qp: int,
    before: SymbolContext | None = None,
    last: Sequence[Group] = (),
) -> Packer:
    """New packer with the symbols of a picture or frame and the groups `last` decoded after them.

    Groups decoded before them can be pushed onto it. `before` is the context of the frame before,
    where that was predicted; only without it a copy map is tried, and kept where it is shorter.
    Exact cells are not coded; `qp`, 0 to 63, selects the tables.
    """
    pushed = [
        _push(symbols, tables, option, qp=qp, before=before, last=last)
        for option in _options(symbols, repeating=before is None)
    ]
    return min(pushed, key=lambda packer: len(packer.payload())) if len(pushed) > 1 else pushed[0]


def _options(symbols: Symbols, *, repeating: bool) -> list[CopyMap | None]:
    """Candidate copy maps of a picture: none, and the one found where some cells are copies."""
    copy_map = find_copies(symbols.z_hat, symbols.residual, side=HYPER_CELL) if repeating else None
    plain = with_exact(None, symbols.exact)
    return [plain] if copy_map is None else [plain, with_exact(copy_map, symbols.exact)]


def pack_symbols(symbols: Symbols, tables: Tables, *, qp: int) -> bytes:
    """Entropy-code the symbols of a picture, or of an intra frame, into one payload.

    `qp` selects the tables. Cells that repeat a neighbour go into a copy map where that is shorter;
    symbols of the certain table and of exact cells take no bits. The payload holds neither shapes
    nor QP: `pop_symbols` must be told both.
    """
    return push_symbols(symbols, tables, qp=qp).payload()


def _push(
    symbols: Symbols,
    tables: Tables,
    copy_map: CopyMap | None,
    *,
    qp: int,
    before: SymbolContext | None,
    last: Sequence[Group],
) -> Packer:
    packer = Packer(copy_map)
    packer.push(last)
    for band in reversed(_bands(symbols.z_hat.shape)):
        packer.push(
            _band_groups(_band_parts(symbols, tables, band, copy_map, qp=qp, before=before), tables)
        )
    return packer


def estimate_bits(symbols: Symbols, tables: Tables, *, qp: int) -> float:
    """Bits of `pack_symbols`, but for its last rounding: -log₂ of tables, and the escapes."""
    return min(
        _bits_of(symbols, tables, copy_map, qp=qp) for copy_map in _options(symbols, repeating=True)
    )


def _bits_of(symbols: Symbols, tables: Tables, copy_map: CopyMap | None, *, qp: int) -> float:
    bands = _bands(symbols.z_hat.shape)
    parts = (
        part
        for band in bands
        for part in _band_parts(symbols, tables, band, copy_map, qp=qp, before=None)
    )
    of_kinds = 0 if copy_map is None else 8 * len(pack_copy_map(copy_map))
    return of_kinds + sum(bits_of_run(code_run(*group)) for group in _band_groups(parts, tables))


def bits_by_cell(symbols: Symbols, tables: Tables, *, qp: int) -> FloatArray:
    """(⌈h/4⌉, ⌈w/4⌉) float32 bits of a picture's ẑ and r in each cell, by tables and escapes.

    No cell counts as copied or exact, and activity changes no table. `qp`, 0 to 63, selects the
    tables.
    """
    bits = np.zeros(symbols.z_hat.shape[1:], dtype=np.float32)
    for band in _bands(symbols.z_hat.shape):
        coded = _BandRows(symbols, tables, band, qp=qp, context=None)
        bits[band] = tables.prices.of(coded.z_rows, coded.beyond).sum(axis=0)
        by_place = tables.prices.of(coded.r_rows, coded.residual).sum(axis=0)
        for axis in (0, 1):
            by_place = np.add.reduceat(
                by_place, np.arange(0, by_place.shape[axis], HYPER_CELL), axis=axis
            )
        bits[band] += by_place
    return bits


def unpack_symbols(
    payload: bytes,
    tables: Tables,
    *,
    qp: int,
    height: int,
    width: int,
    exact: BoolArray | None = None,
) -> Symbols:
    """Decode the symbols of a picture with a latent of `height` × `width`; raises FormatError on
    damage.

    Cells that are `exact` have none. No network runs: symbols are the same on every machine.
    """
    unpacker = Unpacker(payload)
    symbols = pop_symbols(unpacker, tables, qp=qp, height=height, width=width, exact=exact)
    unpacker.finish()
    return symbols


def pop_symbols(
    unpacker: Unpacker,
    tables: Tables,
    *,
    qp: int,
    height: int,
    width: int,
    before: SymbolContext | None = None,
    exact: BoolArray | None = None,
) -> Symbols:
    """Decode the next symbols of a picture or frame, with a latent of `height` × `width` (h, w).

    `before` and `qp` are as in `push_symbols`; cells of `exact`, (⌈h/4⌉, ⌈w/4⌉), have no symbols,
    and theirs are 0. Raises FormatError for damage; what follows is not touched.
    """
    cells_high, cells_wide = -(-height // HYPER_CELL), -(-width // HYPER_CELL)
    z_hat = np.zeros((tables.z_rows.shape[1], cells_high, cells_wide), dtype=np.int8)
    residual = np.zeros((tables.bias.shape[1], height, width), dtype=np.int16)
    copy_map = with_exact(unpacker.take_copy_map(cells_high, cells_wide), exact)
    for band in _bands(z_hat.shape):
        z_band, r_band = z_hat[:, band], residual[:, _latent_rows(band, height)]
        context = None if before is None else before.band(band, height)
        known = None if context is None else context.z_hat
        rows = _coded_rows(tables.hyper_rows(z_band.shape, known, qp=qp), copy_map, band, side=1)
        beyond = np.zeros(z_band.shape, dtype=np.int32)
        for values, part_rows in _parts(beyond, rows, tables, context, kind=HYPER):
            unpacker.fill(values, part_rows, tables)
        z_band[...] = within(_turned(beyond + _expected(known, rows), known, rows), Z_LIMIT)
        cell_rows = range(band.start, band.stop)
        if copy_map is not None:
            fill_copies(z_hat, copy_map, cell_rows, side=1)
        rows = tables.residual_rows(z_band, qp=qp, height=r_band.shape[1], width=r_band.shape[2])
        rows = _coded_rows(rows, copy_map, band, side=HYPER_CELL)
        for values, part_rows in _parts(r_band, rows, tables, context, kind=RESIDUAL):
            unpacker.fill(values, part_rows, tables)
        if copy_map is not None:
            fill_copies(residual, copy_map, cell_rows, side=HYPER_CELL)
    return Symbols(z_hat, residual, exact)
