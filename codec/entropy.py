"""Symbols ↔ bits: integer probability tables, integer table choice, and stack ANS over symbols grouped by table.

Nothing in this module is decided by a float: the choice of a table is the product of an int8 matrix with integers
that are already decoded, and the tables are integers too. `FORMAT.md` states the same arithmetic in words.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import constriction
import numpy as np
import numpy.typing as npt

from ncodec.errors import FormatError
from ncodec.repeats import FRESH, Kinds, fill_repeats, find_repeats, pack_kinds, unpack_kinds
from ncodec.varint import ByteReader, pack_varint

Int8Array = npt.NDArray[np.int8]
Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
SignedArray = npt.NDArray[np.signedinteger]
RowArray = npt.NDArray[np.uint8]
IndexArray = npt.NDArray[np.intp]

ROWS = 64
"""rows of the probability bank; row 0 is certain: its symbols are zero and cost nothing"""
SCALE_MIN, SCALE_MAX = 0.11, 256.0
"""standard deviations of the first and the last row, in quantization steps; log-spaced between"""
TABLE_TOTAL = 2**24
SHIFT = 4
"""fraction bits of the table index"""
HYPER_CELL = 4
"""latents per hyper-latent, along each side"""
BAND_CELLS = 1024
"""hyper-latents coded together, at most (but at least one row of them)"""
Z_LIMIT = 127
RESIDUAL_LIMIT = 2**15 - 1


@dataclass(frozen=True)
class Symbols:
    """What a picture is coded as."""

    z_hat: Int8Array
    """(C_z, ⌈h/4⌉, ⌈w/4⌉) hyper-latent"""
    residual: Int16Array
    """(C_y, h, w) rounded difference of the latent and its predicted mean"""


@dataclass(frozen=True, eq=False)
class Table:
    """Probabilities of whole numbers."""

    counts: npt.NDArray[np.uint32]
    """(2T + 2,) counts of -T…T and escape, each ≥ 1, summing to 2²⁴"""

    @property
    def limit(self) -> int:
        """T, the largest magnitude that is coded without an escape."""
        return len(self.counts) // 2 - 1

    @cached_property
    def model(self) -> object:
        """The coder's form, built when first asked for."""
        # `perfect=True` takes whole multiples of 2⁻²⁴ exactly as they are; the default would not.
        return constriction.stream.model.Categorical(self.counts / TABLE_TOTAL, perfect=True)


@dataclass(frozen=True)
class Tables:
    """The integers of a model that the entropy coder needs."""

    counts: tuple[npt.NDArray[np.uint32], ...]
    """row → (2T + 2,) counts of -T…T and escape, each ≥ 1, summing to 2²⁴"""
    weight: Int8Array
    """(16·C_y, C_z), from one hyper-latent to the 4×4 latents under it; row (c·4 + i)·4 + j is channel c at (i, j)"""
    bias: Int32Array
    """(qps, C_y), rounding half included"""
    z_rows: RowArray
    """(qps, C_z) table of each hyper-latent channel"""
    shift: int
    """fraction bits of the index"""
    after: tuple[npt.NDArray[np.uint32], ...] = ()
    """of models of frames, by the magnitude of a hyper-latent of the frame before, from 1: counts of how far beyond it,
    away from zero, that of this frame is; the last are for larger ones too"""
    still: int = 0
    """rows by which the table of a hyper-latent is lower where that of the frame before is 0"""

    def validate(self) -> None:
        """Raise ValueError unless every table is decodable and every index fits float32 exactly."""
        if len(self.counts) != ROWS:
            msg = f"expected {ROWS} tables, got {len(self.counts)}"
            raise ValueError(msg)
        if len(self.after) > Z_LIMIT or not 0 <= self.still < (ROWS if self.after else 1):
            msg = (
                f"expected at most {Z_LIMIT} tables after others and a row of them, got {len(self.after)}, {self.still}"
            )
            raise ValueError(msg)
        for row, counts in enumerate((*self.counts, *self.after)):
            if counts.sum(dtype=np.int64) != TABLE_TOTAL or counts.min() < 1 or len(counts) % 2:
                msg = f"expected an even number of counts ≥ 1 with sum {TABLE_TOTAL}, got otherwise in row {row}"
                raise ValueError(msg)
        channels = self.bias.shape[1]
        if (
            self.weight.shape != (16 * channels, self.z_rows.shape[1])
            or self.z_rows.max() >= ROWS
            or self.shift != SHIFT
        ):
            msg = f"expected W, b and z rows that fit each other and a shift of {SHIFT}, got {self.weight.shape}, "
            msg += f"{self.bias.shape}, {self.z_rows.shape} and {self.shift}"
            raise ValueError(msg)
        # Every partial sum of W·ẑ stays below this, so a float32 matrix product is exact in any order.
        largest = int(np.abs(self.weight.astype(np.int64)).sum(axis=1).max()) * Z_LIMIT
        largest += int(np.abs(self.bias.astype(np.int64)).max())
        if largest >= 2**24:
            msg = f"expected |W·ẑ + b| < 2²⁴, got up to {largest}"
            raise ValueError(msg)

    @cached_property
    def exact_weight(self) -> npt.NDArray[np.float32]:
        """W as float32, whose matrix product is exact within the proven bound and much faster than int32's."""
        return self.weight.astype(np.float32)

    @cached_property
    def bank(self) -> tuple[Table, ...]:
        """The table of each row; those of `after` follow the others."""
        return tuple(map(Table, (*self.counts, *self.after)))

    def hyper_rows(self, shape: tuple[int, ...], before: Int8Array | None, *, qp: int) -> RowArray:
        """Table of each hyper-latent, (C_z, …), given those of the frame before where they are known."""
        rows: RowArray = np.broadcast_to(self.z_rows[qp][:, None, None], shape)
        if before is None or not self.after:
            return rows
        size = np.minimum(_magnitudes(before), len(self.after))
        found = np.where(size > 0, ROWS - 1 + size, np.maximum(rows.astype(np.int16) - self.still, 1))
        return np.where(rows > 0, found, 0).astype(np.uint8)

    def residual_rows(self, z_hat: Int8Array, *, qp: int, height: int, width: int) -> RowArray:
        """Table of each residual: I = clip((W·ẑ + b[qp]) >> shift, 0, 63), (C_y, height, width)."""
        channels, cells_high, cells_wide = z_hat.shape
        flat = z_hat.reshape(channels, -1).astype(np.float32)
        index = (self.exact_weight @ flat).astype(np.int32)  # (16·C_y, cells)
        index += np.repeat(self.bias[qp], HYPER_CELL * HYPER_CELL)[:, None]
        rows: RowArray = np.clip(index >> self.shift, 0, ROWS - 1).astype(np.uint8)
        cells = rows.reshape(-1, HYPER_CELL, HYPER_CELL, cells_high, cells_wide)
        grid: RowArray = cells.transpose(0, 3, 1, 4, 2).reshape(-1, cells_high * HYPER_CELL, cells_wide * HYPER_CELL)
        return grid[:, :height, :width]


Group = tuple[Table, Int32Array]
"""a table and the values that are coded by it, one after the other"""


def _magnitudes(z_hat: Int8Array) -> Int16Array:
    return np.abs(z_hat.astype(np.int16))


def _turned(z_hat: SignedArray, before: Int8Array | None, rows: RowArray) -> SignedArray:
    """Hyper-latents, positive where those of the frame before have their sign, if their table is one of `after`."""
    return z_hat if before is None else np.where((rows >= ROWS) & (before < 0), -z_hat, z_hat)


def _expected(before: Int8Array | None, rows: RowArray) -> SignedArray:
    """What is taken off turned hyper-latents."""
    return np.zeros(1, dtype=np.int16) if before is None else np.where(rows >= ROWS, _magnitudes(before), 0)


def _groups(rows: RowArray) -> Iterator[tuple[int, IndexArray]]:
    """Flat positions of each table in use, tables ascending, positions ascending; row 0 is not coded."""
    flat = rows.reshape(-1)
    coded = np.flatnonzero(flat)
    ordered = coded[np.argsort(flat[coded], kind="stable")]
    sizes = np.bincount(flat[coded], minlength=ROWS)
    start = 0
    for row in np.flatnonzero(sizes).tolist():
        yield row, ordered[start : start + sizes[row]]
        start += sizes[row]


def _bands(shape: tuple[int, ...]) -> list[slice]:
    """Rows of hyper-latents that are coded together, top to bottom; bounds the memory of a large picture."""
    _, high, wide = shape
    step = max(1, BAND_CELLS // wide)
    return [slice(top, min(top + step, high)) for top in range(0, high, step)]


def _latent_rows(band: slice, height: int) -> slice:
    return slice(band.start * HYPER_CELL, min(band.stop * HYPER_CELL, height))


@dataclass(frozen=True)
class _Run:
    """Symbols of one table, in coding order, as table positions, and the escapes among them."""

    table: Table
    positions: Int32Array
    escapes: bytes


def _escape_bytes(values: Int32Array, limit: int) -> bytes:
    return b"".join(pack_varint((abs(v) - limit - 1) << 1 | (v < 0)) for v in values.tolist())


def _run(table: Table, values: Int32Array) -> _Run:
    limit = table.limit
    positions = values + limit
    escaped = np.abs(values) > limit
    if not escaped.any():
        return _Run(table, positions, b"")
    positions[escaped] = 2 * limit + 1
    return _Run(table, positions, _escape_bytes(values[escaped], limit))


def _fresh(rows: RowArray, kinds: Kinds | None, band: slice, *, side: int) -> RowArray:
    """The same tables, but none for what repeats other cells."""
    if kinds is None:
        return rows
    fresh = (kinds[band] == FRESH).repeat(side, axis=0).repeat(side, axis=1)
    left: RowArray = np.where(fresh[: rows.shape[1], : rows.shape[2]], rows, 0)
    return left


def _band_groups(
    symbols: Symbols, tables: Tables, band: slice, kinds: Kinds | None, *, qp: int, before: Int8Array | None
) -> Iterator[Group]:
    """The symbols of one band in decoding order: ẑ, then r."""
    z_hat = symbols.z_hat[:, band]
    residual = symbols.residual[:, _latent_rows(band, symbols.residual.shape[1])]
    known = None if before is None else before[:, band]
    z_rows = tables.hyper_rows(z_hat.shape, known, qp=qp)
    beyond = _turned(z_hat.astype(np.int16), known, z_rows) - _expected(known, z_rows)
    r_rows = tables.residual_rows(z_hat, qp=qp, height=residual.shape[1], width=residual.shape[2])
    for values, rows, side in ((beyond, z_rows, 1), (residual, r_rows, HYPER_CELL)):
        flat = values.reshape(-1)
        for row, positions in _groups(_fresh(rows, kinds, band, side=side)):
            yield tables.bank[row], flat[positions].astype(np.int32)


def zero_certain(symbols: Symbols, tables: Tables, *, qp: int) -> bool:
    """Zero, in place, symbols whose table is the certain one, where a decoder will see zeros; True if any was not."""
    certain = tables.z_rows[qp] == 0
    changed = bool(symbols.z_hat[certain].any())
    symbols.z_hat[certain] = 0
    for band in _bands(symbols.z_hat.shape):
        part = symbols.residual[:, _latent_rows(band, symbols.residual.shape[1])]
        rows = tables.residual_rows(symbols.z_hat[:, band], qp=qp, height=part.shape[1], width=part.shape[2])
        known = rows == 0
        changed = changed or bool(part[known].any())
        part[known] = 0
    return changed


class Packer:
    """Pushes groups of symbols for `Unpacker` to pop: the coder is a stack, what is decoded first is pushed last."""

    def __init__(self, kinds: Kinds | None = None) -> None:
        self._coder = constriction.stream.stack.AnsCoder()
        self._escapes: list[bytes] = []
        self._kinds = b"" if kinds is None else pack_kinds(kinds)

    def push(self, groups: Iterable[Group]) -> None:
        """Push groups that are decoded in this order, before all that were pushed so far."""
        runs = [_run(table, values) for table, values in groups]
        for run in reversed(runs):
            self._coder.encode_reverse(run.positions, run.table.model)
        self._escapes.append(b"".join(run.escapes for run in runs))

    def payload(self) -> bytes:
        """Lengths, escapes, which cells repeat others if any do, then the coder's 32-bit words, the last one cut."""
        escapes = b"".join(reversed(self._escapes))
        words: bytes = self._coder.get_compressed().astype("<u4").tobytes()
        repeats = pack_varint(len(self._kinds)) + self._kinds if self._kinds else b""
        return pack_varint(2 * len(escapes) + bool(repeats)) + escapes + repeats + words.rstrip(b"\0")


def push_symbols(symbols: Symbols, tables: Tables, *, qp: int, before: Int8Array | None = None) -> Packer:
    """Push a picture's symbols; what else belongs to the payload can be pushed after them, and is decoded first.

    `before` is ẑ of the frame before, where it was predicted by the same model.
    """
    kinds = find_repeats(symbols.z_hat, symbols.residual, side=HYPER_CELL) if before is None else None
    pushed = [
        _push_fresh(symbols, tables, option, qp=qp, before=before)
        for option in ((None,) if kinds is None else (None, kinds))
    ]
    return min(pushed, key=lambda packer: len(packer.payload())) if len(pushed) > 1 else pushed[0]


def pack_symbols(symbols: Symbols, tables: Tables, *, qp: int) -> bytes:
    """Code a picture's symbols."""
    return push_symbols(symbols, tables, qp=qp).payload()


def _push_fresh(symbols: Symbols, tables: Tables, kinds: Kinds | None, *, qp: int, before: Int8Array | None) -> Packer:
    packer = Packer(kinds)
    for band in reversed(_bands(symbols.z_hat.shape)):
        packer.push(_band_groups(symbols, tables, band, kinds, qp=qp, before=before))
    return packer


def estimate_bits(symbols: Symbols, tables: Tables, *, qp: int) -> float:
    """Bits of `pack_symbols`, but for its last rounding: -log₂ of tables, and the escapes."""
    kinds = find_repeats(symbols.z_hat, symbols.residual, side=HYPER_CELL)
    bits = _bits_of(symbols, tables, None, qp=qp)
    return bits if kinds is None else min(bits, 8 * len(pack_kinds(kinds)) + _bits_of(symbols, tables, kinds, qp=qp))


def _bits_of(symbols: Symbols, tables: Tables, kinds: Kinds | None, *, qp: int) -> float:
    bands = _bands(symbols.z_hat.shape)
    groups = (group for band in bands for group in _band_groups(symbols, tables, band, kinds, qp=qp, before=None))
    return sum(_bits(_run(*group)) for group in groups)


def _unescape(values: Int32Array, escapes: ByteReader, limit: int) -> None:
    """Replace escape marks (limit + 1) by the values that follow in the escape bytes."""
    for position in np.flatnonzero(values > limit).tolist():
        code = escapes.varint()
        magnitude = (code >> 1) + limit + 1
        if magnitude > RESIDUAL_LIMIT:
            msg = f"expected symbols of at most ±{RESIDUAL_LIMIT}, got ±{magnitude}: the file is damaged"
            raise FormatError(msg)
        values[position] = -magnitude if code & 1 else magnitude


def _bits(run: _Run) -> float:
    costs = np.log2(TABLE_TOTAL / run.table.counts)
    return float(costs[run.positions].sum()) + 8 * len(run.escapes)


class Unpacker:
    """Pops groups of symbols off a coded payload; raises FormatError on damage."""

    def __init__(self, payload: bytes) -> None:
        reader = ByteReader(payload)
        code = reader.varint()
        self.escapes = ByteReader(reader.take(code >> 1))
        self._repeats = reader.take(reader.varint()) if code & 1 else None
        words = reader.rest()
        if words.endswith(b"\0"):
            msg = "expected coded symbols, got bytes that no encoder ends with: the file is damaged"
            raise FormatError(msg)
        whole = np.frombuffer(words + bytes(-len(words) % 4), dtype="<u4")
        self.coder = constriction.stream.stack.AnsCoder(whole.astype(np.uint32))

    def take_kinds(self, high: int, wide: int) -> Kinds | None:
        """Which of high × wide cells repeat others; None where none does."""
        packed, self._repeats = self._repeats, None
        return None if packed is None else unpack_kinds(packed, high, wide)

    def values(self, table: Table, count: int) -> Int32Array:
        """The next symbols, all by one table."""
        found: Int32Array = self.coder.decode(table.model, count) - table.limit
        _unescape(found, self.escapes, table.limit)
        return found

    def fill(self, target: SignedArray, rows: RowArray, tables: Tables) -> None:
        """The next symbols, by the row of each; those of row 0 are zero."""
        flat = np.zeros(target.size, dtype=np.int32)
        for row, positions in _groups(rows):
            flat[positions] = self.values(tables.bank[row], len(positions))
        target[...] = _within(flat, int(np.iinfo(target.dtype).max)).reshape(target.shape)

    def finish(self) -> None:
        """Raise FormatError unless everything was taken."""
        if not self.coder.is_empty() or self.escapes.rest() or self._repeats is not None:
            msg = "expected the coded symbols to end with the picture, got more: the file is damaged"
            raise FormatError(msg)


def _within(values: SignedArray, limit: int) -> SignedArray:
    if np.abs(values).max(initial=0) > limit:
        msg = f"expected symbols of at most ±{limit}: the file is damaged"
        raise FormatError(msg)
    return values


def unpack_symbols(payload: bytes, tables: Tables, *, qp: int, height: int, width: int) -> Symbols:
    """Decode the symbols of a picture with a latent of `height` × `width`; raises FormatError on damage.

    No network runs: this is exact on every machine.
    """
    return pop_symbols(Unpacker(payload), tables, qp=qp, height=height, width=width)


def pop_symbols(
    unpacker: Unpacker, tables: Tables, *, qp: int, height: int, width: int, before: Int8Array | None = None
) -> Symbols:
    """The same of what is left of a payload; `before` is as for `push_symbols`."""
    cells_high, cells_wide = -(-height // HYPER_CELL), -(-width // HYPER_CELL)
    z_hat = np.zeros((tables.z_rows.shape[1], cells_high, cells_wide), dtype=np.int8)
    residual = np.zeros((tables.bias.shape[1], height, width), dtype=np.int16)
    kinds = unpacker.take_kinds(cells_high, cells_wide)
    for band in _bands(z_hat.shape):
        z_band, r_band = z_hat[:, band], residual[:, _latent_rows(band, height)]
        known = None if before is None else before[:, band]
        rows = _fresh(tables.hyper_rows(z_band.shape, known, qp=qp), kinds, band, side=1)
        beyond = np.zeros(z_band.shape, dtype=np.int32)
        unpacker.fill(beyond, rows, tables)
        z_band[...] = _within(_turned(beyond + _expected(known, rows), known, rows), Z_LIMIT)
        cell_rows = range(band.start, band.stop)
        if kinds is not None:
            fill_repeats(z_hat, kinds, cell_rows, side=1)
        rows = tables.residual_rows(z_band, qp=qp, height=r_band.shape[1], width=r_band.shape[2])
        unpacker.fill(r_band, _fresh(rows, kinds, band, side=HYPER_CELL), tables)
        if kinds is not None:
            fill_repeats(residual, kinds, cell_rows, side=HYPER_CELL)
    unpacker.finish()
    return Symbols(z_hat, residual)
