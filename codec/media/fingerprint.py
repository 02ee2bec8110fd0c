"""Fingerprints of files: whether a file is the one that work has begun on."""

import hashlib
from pathlib import Path

from ncodec.errors import InputError, sentence_of

_PIECES, _PIECE = 64, 1 << 16
"""pieces of a file that are read, and bytes of each"""


def content_digest(path: Path) -> bytes:
    """Digest of a file's size and of 64 pieces of its content; raises InputError for a file that
    cannot be read."""
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            for place in range(_PIECES):
                file.seek(max(0, size - _PIECE) * place // (_PIECES - 1))
                digest.update(file.read(_PIECE))
    except OSError as error:
        msg = f"{path}: cannot be read: {sentence_of(error)}"
        raise InputError(msg) from error
    return digest.digest()
