"""Types of arrays, by element type or by content."""

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
Int8Array = npt.NDArray[np.int8]
Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
SignedArray = npt.NDArray[np.signedinteger]

Pixels = npt.NDArray[np.uint8]
"""8-bit samples, (H, W, 3) RGB unless another shape is given"""
DeepPixels = npt.NDArray[np.uint16]
"""16-bit samples, (H, W, 3) RGB unless another shape is given"""
Samples = npt.NDArray[np.float32]
"""samples before rounding and clipping to 8 bits"""
RowArray = npt.NDArray[np.uint8]
"""rows of the bank of probability tables"""
Vectors = npt.NDArray[np.int16]
"""motion vectors in quarter pixels"""
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
