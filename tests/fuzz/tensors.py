"""`.nct` files, their index and tensors of every form; and the files that they are made of."""

import numpy as np

from ncodec.api.tensors import open_tensors
from ncodec.container.nct import MAGIC
from ncodec.tensors.sources import tensors_of

LARGEST = 2**18
"""bytes of a tensor beyond which the size alone may cost time"""


def read_tensors(data: bytes) -> None:
    """Read the index and every tensor that is not large, or the tensors of another file."""
    if not data.startswith(MAGIC):
        for tensor in tensors_of(np.frombuffer(data, np.uint8)).members:
            if tensor.size <= LARGEST:
                tensor.load()
        return
    with open_tensors(data) as file:
        file.reader.tensors()
        for entry in file.reader.index.entries:
            if entry.count <= LARGEST:
                file[entry.name]
