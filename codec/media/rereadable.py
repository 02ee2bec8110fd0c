"""Sources that are read more than once."""

import shutil
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import BinaryIO, Self, cast

from ncodec.errors import InputError
from ncodec.media.streams import STDIO, Bytes, Source, name_of, open_source, path_of


class Rereadable:
    """A source that is opened at its start any number of times; a context manager.

    Paths of regular files are opened anew each time. Pipes, and other streams that cannot seek, are
    first copied to a temporary file. Raises InputError where the source cannot be opened or copied.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stream: BinaryIO | None = None
        self._origin = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        path = path_of(self._source)
        is_file = path is not None and path != STDIO and Path(path).is_file()
        if is_file or isinstance(self._source, Bytes):
            return self
        with ExitStack() as opened:
            stream = opened.enter_context(open_source(self._source))
            if stream.seekable():
                self._stream, self._origin = stream, stream.tell()
                self._stack = opened.pop_all()
            else:
                self._stream = self._copied(stream)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Context manager of the stream at its start; of several that are open at once, all may be
        one stream."""
        if self._stream is None:
            return open_source(self._source)
        self._stream.seek(self._origin)
        return nullcontext(self._stream)

    def _copied(self, stream: BinaryIO) -> BinaryIO:
        """A copy in a temporary file, which ends with the context."""
        try:
            with ExitStack() as opened:
                copy = opened.enter_context(TemporaryFile())
                shutil.copyfileobj(stream, copy, 2**20)
                self._stack = opened.pop_all()
        except OSError as error:
            name = name_of(self._source, otherwise="stream")
            msg = f"{name}: cannot be copied to a temporary file: {error.strerror or error}"
            raise InputError(msg) from error
        return cast("BinaryIO", copy)
