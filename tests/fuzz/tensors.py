"""`.nct` files: the index, and tensors of every form."""

from ncodec.api.tensors import open_tensors

LARGEST = 2**18
"""bytes of a tensor beyond which the size alone may cost time"""


def read_tensors(data: bytes) -> None:
    """Read the index and every tensor that is not large."""
    with open_tensors(data) as file:
        file.reader.tensors()
        for entry in file.reader.index.entries:
            if entry.count <= LARGEST:
                file[entry.name]
