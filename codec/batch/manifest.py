"""The manifest of a batch: a row for each item, in Parquet."""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ncodec.batch.store import Store
from ncodec.errors import OutputError
from ncodec.optional import require_modules

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.parquet"
WORK = "_ncodec"
"""folder of a batch's own files while it works"""
DONE, DAMAGED, FAILED = "done", "damaged", "failed"
"""states of an item: coded; coded as far as its damaged source could be read; not coded"""
_VERSION = 1
_TASK, _VERSION_KEY = b"ncodec.task", b"ncodec.version"


@dataclass(frozen=True, slots=True)
class Row:
    """Result of an item."""

    item: str
    """name, relative to the library; that of a member follows its shard's"""
    source: str
    """path or URL"""
    tag: str
    """another text once the source changes"""
    state: str
    output: str | None = None
    """name, relative to the target; that of a member follows its shard's"""
    shard: str | None = None
    """name of the shard that the output is in"""
    shard_items: int | None = None
    """number of items of that shard"""
    source_bytes: int | None = None
    bytes: int | None = None
    """of the output"""
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    """of a clip"""
    bpp: float | None = None
    """bits a pixel of the output; of a clip, those of its frames"""
    psnr: float | None = None
    """over RGB, in dB, where it was measured and some pixel differs"""
    model: str | None = None
    seconds: float = 0.0
    """of work, with reading and writing"""
    tries: int = 1
    verified: bool = False
    """whether the output was decoded again"""
    notices: tuple[str, ...] = ()
    error: str | None = None


class Manifest:
    """Rows of a batch, which outlive its process: new ones in files of their own, and all of them
    in one once the batch has ended."""

    def __init__(self, store: Store, task: Mapping[str, Any]) -> None:
        require_modules("pyarrow", extra="batch")
        self._store, self._task = store, dict(task)
        self._parts = 0
        self.rows: dict[str, Row] = {}
        """by item"""

    def load(self, *, overwrite: bool) -> None:
        """Read the rows that an earlier run left, or remove them if `overwrite`.

        Raises OutputError for a manifest of another task, of a newer version, or that cannot be
        read.
        """
        if overwrite:
            self.finish()
            return
        parts = self._store.names(WORK)
        self._parts = len(parts) and max(_number(name) for name in parts)
        for name in [MANIFEST, *parts]:
            data = self._store.read(name) if name == MANIFEST or _number(name) else None
            if data is None:
                continue
            rows, task = self._unpacked(data, name)
            if task == self._task:
                self.rows |= rows
            else:
                msg = (
                    f"{self._store.place}: holds a batch of other options, "
                    f"{_difference(task, self._task)}: name another folder, or -f "
                    f"(overwrite=True) to code everything anew"
                )
                raise OutputError(msg)

    def append(self, rows: Iterable[Row]) -> None:
        """Keep further rows; raises OutputError where they cannot be written."""
        added = list(rows)
        if not added:
            return
        self._parts += 1
        self._store.write(f"{WORK}/rows-{self._parts:08d}.parquet", self._packed(added))
        self.rows |= {row.item: row for row in added}

    def finish(self) -> None:
        """Write all rows, sorted by item, into the manifest, and remove the files of new rows;
        raises OutputError."""
        rows = [self.rows[name] for name in sorted(self.rows)]
        self._store.write(MANIFEST, self._packed(rows))
        for name in self._store.names(WORK):
            if _number(name):
                self._store.remove(name)

    def _packed(self, rows: list[Row]) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [
            pa.array([_plain(getattr(row, field.name)) for row in rows], type=field.type)
            for field in _schema()
        ]
        schema = _schema().with_metadata(
            {_TASK: json.dumps(self._task, sort_keys=True), _VERSION_KEY: str(_VERSION)}
        )
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), sink, compression="zstd")
        return sink.getvalue()

    def _unpacked(self, data: bytes, name: str) -> tuple[dict[str, Row], dict[str, Any]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        place = self._store.at(name)
        try:
            table = pq.read_table(io.BytesIO(data))
            stated = table.schema.metadata or {}
            version = int(stated[_VERSION_KEY])
            task = json.loads(stated[_TASK])
        except (pa.ArrowException, OSError, LookupError, ValueError) as error:
            msg = (
                f"{place}: expected a manifest of ncodec batch, which cannot be read; -f "
                f"(overwrite=True) codes everything anew: {error}"
            )
            raise OutputError(msg) from error
        if version > _VERSION:
            msg = (
                f"{place}: is of a newer version, {version}, with which a newer ncodec goes on; -f "
                f"(overwrite=True) codes everything anew"
            )
            raise OutputError(msg)
        found = {}
        for values in table.to_pylist():
            values["notices"] = tuple(values["notices"] or ())
            found[values["item"]] = Row(**values)
        return found, task


def _schema() -> "pa.Schema":
    import pyarrow as pa

    kinds = {
        "source_bytes": pa.int64(), "bytes": pa.int64(), "width": pa.int32(),
        "height": pa.int32(), "frames": pa.int64(), "bpp": pa.float64(), "psnr": pa.float64(),
        "seconds": pa.float64(), "shard_items": pa.int64(), "tries": pa.int32(),
        "verified": pa.bool_(),
        "notices": pa.list_(pa.string()),
    }  # fmt: skip
    return pa.schema([(field.name, kinds.get(field.name, pa.string())) for field in fields(Row)])


def _plain(value: object) -> object:
    """A value as Parquet has it, with bytes of names that are no text escaped."""
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _number(name: str) -> int:
    """Number of a file of rows, 0 for another file."""
    stem = name.rpartition("/")[2]
    is_rows = stem.startswith("rows-") and stem.endswith(".parquet")
    digits = stem.removeprefix("rows-").removesuffix(".parquet")
    return int(digits) if is_rows and digits.isdigit() else 0


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first option that differs, in words."""
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            return f"{key} {before.get(key)} where {now.get(key)} is asked for"
    return "which are the same"
