"""Shards: tar files of items, in the layout of WebDataset."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ncodec.errors import InputError, sentence_of

_DAMAGE = (
    tarfile.InvalidHeaderError,  # type: ignore[attr-defined]
    tarfile.TruncatedHeaderError,  # type: ignore[attr-defined]
    tarfile.EmptyHeaderError,  # type: ignore[attr-defined]
)


def read_shard(shard: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Name of every member of a shard that is a file or a link, and a file in `folder` with its
    content, which goes once the next one is asked for; nothing is there for a link.

    Raises InputError for a shard that cannot be read, or that ends without its mark.
    """
    try:
        with tarfile.open(shard, mode="r|*", tarinfo=_StrictInfo) as archive:
            for member in archive:
                if member.isdir():
                    continue
                path = folder / f"member{PurePosixPath(member.name).suffix}"
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    with path.open("wb") as file:
                        shutil.copyfileobj(content, file)
                try:
                    yield member.name, path
                finally:
                    path.unlink(missing_ok=True)
    except (tarfile.TarError, EOFError, OSError) as error:
        msg = f"the shard cannot be read: {sentence_of(error)}"
        raise InputError(msg) from error


class _StrictInfo(tarfile.TarInfo):
    """Header of a member; one that is damaged or cut is an error, not the end of the shard."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_StrictInfo":
        try:
            return super().fromtarfile(tarfile_)
        except _DAMAGE as error:
            msg = f"{error}, at byte {tarfile_.offset}"
            raise tarfile.ReadError(msg) from error


class ShardWriter:
    """Writer of a shard, whose bytes depend on its members alone."""

    def __init__(self, path: Path) -> None:
        self._archive = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, source: Path, name: str) -> None:
        """Append a file."""
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = source.stat().st_size, 0o644
        with source.open("rb") as file:
            self._archive.addfile(entry, file)

    def close(self) -> None:
        """Write the end of the shard."""
        self._archive.close()
