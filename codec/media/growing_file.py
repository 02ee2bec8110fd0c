"""Files that another program still writes: read as they grow."""

import time
from pathlib import Path

_POLL_S = 0.1


class GrowingFile:
    """Reader of a file that waits at its end for more.

    The file has ended once it has not grown for `patience` seconds. Raises OSError where it cannot
    be opened.
    """

    def __init__(self, path: Path, *, patience: float) -> None:
        self.name = str(path)
        self._file = path.open("rb")
        self._patience = patience
        self._has_ended = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, at least one before the end."""
        until = time.monotonic() + self._patience
        while not self._has_ended:
            data = self._file.read(size)
            if data:
                return data
            self._has_ended = time.monotonic() >= until
            time.sleep(_POLL_S)
        return b""
