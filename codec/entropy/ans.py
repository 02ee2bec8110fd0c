"""Groups of symbols ↔ payload of an asymmetric numeral system coder (Duda 2013)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Int32Array, RowArray, SignedArray
from ncodec.container.varint import ByteReader, pack_varint
from ncodec.entropy.coder import open_coder
from ncodec.entropy.copies import CopyMap, pack_copy_map, unpack_copy_map
from ncodec.entropy.tables import RESIDUAL_LIMIT, ROWS, TABLE_TOTAL, Table, Tables
from ncodec.errors import FormatError

IndexArray = npt.NDArray[np.intp]
Group = tuple[Table, Int32Array]
"""a table and the values that are coded by it, one after the other"""


def groups_by_row(rows: RowArray) -> Iterator[tuple[int, IndexArray]]:
    """Yield (row, flat positions of its symbols in `rows`), both ascending; row 0 is left out.

    `rows` has any shape; it holds the table of each symbol, 0 to 255.
    """
    flat = rows.reshape(-1)
    coded = np.flatnonzero(flat)
    ordered = coded[np.argsort(flat[coded], kind="stable")]
    sizes = np.bincount(flat[coded], minlength=ROWS)
    start = 0
    for row in np.flatnonzero(sizes).tolist():
        yield row, ordered[start : start + sizes[row]]
        start += sizes[row]


@dataclass(frozen=True)
class Run:
    """Symbols of one table, in coding order, as table positions, and the escapes among them."""

    table: Table
    positions: Int32Array
    escapes: bytes


def _escape_bytes(values: Int32Array, limit: int) -> bytes:
    return b"".join(pack_varint((abs(v) - limit - 1) << 1 | (v < 0)) for v in values.tolist())


def code_run(table: Table, values: Int32Array) -> Run:
    """Values, (n,), → their positions in a table, those beyond its limit as escapes."""
    limit = table.limit
    positions = values + limit
    escaped = np.abs(values) > limit
    if not escaped.any():
        return Run(table, positions, b"")
    positions[escaped] = 2 * limit + 1
    return Run(table, positions, _escape_bytes(values[escaped], limit))


class Packer:
    """Pushes groups of symbols in reverse order of decoding, because the coder is a stack."""

    def __init__(self, copy_map: CopyMap | None = None) -> None:
        self._coder = open_coder()
        self._escapes: list[bytes] = []
        self._copy_map = b"" if copy_map is None else pack_copy_map(copy_map)

    def push(self, groups: Iterable[Group]) -> None:
        """Push groups, given in the order of decoding, to be decoded before all pushed so far."""
        runs = [code_run(table, values) for table, values in groups]
        for run in reversed(runs):
            self._coder.encode_reverse(run.positions, run.table.model)
        self._escapes.append(b"".join(run.escapes for run in runs))

    def payload(self) -> bytes:
        """Lengths, escapes, copy map if any, then the coder's 32-bit words, the last one cut."""
        escapes = b"".join(reversed(self._escapes))
        words = self._coder.get_compressed().astype("<u4").tobytes()
        repeats = pack_varint(len(self._copy_map)) + self._copy_map if self._copy_map else b""
        return (
            pack_varint(2 * len(escapes) + bool(repeats)) + escapes + repeats + words.rstrip(b"\0")
        )


def _unescape(values: Int32Array, escapes: ByteReader, limit: int) -> None:
    """Replace escape marks (limit + 1) by the values that follow in the escape bytes."""
    for position in np.flatnonzero(values > limit).tolist():
        code = escapes.varint()
        magnitude = (code >> 1) + limit + 1
        if magnitude > RESIDUAL_LIMIT:
            msg = (
                f"expected symbols of at most ±{RESIDUAL_LIMIT}, got ±{magnitude}: the file is "
                f"damaged"
            )
            raise FormatError(msg)
        values[position] = -magnitude if code & 1 else magnitude


def bits_of_run(run: Run) -> float:
    """Bits of a run by its table's probabilities, escapes included."""
    costs = np.log2(TABLE_TOTAL / run.table.counts)
    return float(costs[run.positions].sum()) + 8 * len(run.escapes)


class Unpacker:
    """Pops groups of symbols off a coded payload; raises FormatError on damage."""

    def __init__(self, payload: bytes) -> None:
        reader = ByteReader(payload)
        code = reader.varint()
        self.escapes = ByteReader(reader.take(code >> 1))
        self._packed_copies = reader.take(reader.varint()) if code & 1 else None
        words = reader.rest()
        if words.endswith(b"\0"):
            msg = "expected coded symbols, got bytes that no encoder ends with: the file is damaged"
            raise FormatError(msg)
        whole = np.frombuffer(words + bytes(-len(words) % 4), dtype="<u4")
        self.coder = open_coder(whole.astype(np.uint32))

    def take_copy_map(self, high: int, wide: int) -> CopyMap | None:
        """The copy map of high × wide cells, None where the payload holds none."""
        packed, self._packed_copies = self._packed_copies, None
        return None if packed is None else unpack_copy_map(packed, high, wide)

    def values(self, table: Table, count: int) -> Int32Array:
        """The next `count` symbols, (count,) int32, all by one table.

        Raises FormatError for missing escapes and symbols beyond ±32767.
        """
        found = self.coder.decode(table.model, count) - table.limit
        _unescape(found, self.escapes, table.limit)
        return found

    def fill(self, target: SignedArray, rows: RowArray, tables: Tables) -> None:
        """Decode the next symbols into `target` in place, grouped by their rows of `tables.bank`.

        `rows` has the shape of `target`; symbols of row 0 are 0 and not coded. Raises FormatError
        for missing escapes and values beyond the type of `target`.
        """
        flat = np.zeros(target.size, dtype=np.int32)
        for row, positions in groups_by_row(rows):
            flat[positions] = self.values(tables.bank[row], len(positions))
        target[...] = within(flat, int(np.iinfo(target.dtype).max)).reshape(target.shape)

    def finish(self) -> None:
        """Raise FormatError unless everything was taken."""
        if not self.coder.is_empty() or self.escapes.rest() or self._packed_copies is not None:
            msg = (
                "expected the coded symbols to end with the picture, got more: the file is damaged"
            )
            raise FormatError(msg)


def within(values: SignedArray, limit: int) -> SignedArray:
    """The values; raises FormatError for any beyond ±limit."""
    if np.abs(values).max(initial=0) > limit:
        msg = f"expected symbols of at most ±{limit}: the file is damaged"
        raise FormatError(msg)
    return values
