"""Coded symbols that need not end with their payload.

Nearly every mutation of a payload leaves symbols over, which is refused at its end; who makes a
file on purpose can make any symbols end as they should.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from ncodec.entropy.ans import Unpacker


@contextmanager
def any_ending() -> Iterator[None]:
    """Take payloads as whole whatever is left of them."""
    with patch.object(Unpacker, "finish", lambda _: None):
        yield
