"""Frames of half the sides by a network in place of a filter."""

import os
from functools import cache
from importlib.resources import files
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt

from ncodec.arrays import FloatArray
from ncodec.errors import BackendError, InputError

NETWORK = "downscaler/half.onnx"
"""in the folder of weights: luma, float32 (N, 1, H, W) in 8-bit levels, → (N, 1, H/2, W/2)"""
_BITS = {"yuv420p": 8, "yuv420p10le": 10}
_BAND = 128
"""rows of the result that are made at once: memory stays small, and in the cache"""
_SEEN = 5
"""rows of the result beyond a band whose sources the network sees"""
_FATAL = 4
"""severity from which ONNX Runtime prints; what is below is raised too"""


def is_half(width: int, height: int, *, of: tuple[int, int]) -> bool:
    """Whether a size of even sides is exactly half of another one, columns before rows."""
    return (2 * width, 2 * height) == of and width % 2 == height % 2 == 0


class LearnedDownscaler:
    """Halves luma by a network that was trained for players that enlarge by bicubic filters.

    It runs on the thread that calls it; several may share one. Equal frames become equal frames on
    one machine; on another, a sample may differ by a level.
    """

    def halve(self, full: av.VideoFrame, scaled: av.VideoFrame) -> av.VideoFrame:
        """`scaled`, its luma replaced by that of `full` at half the size; chroma stays.

        Both are yuv420p or yuv420p10le, in the same colours and range. The luma is written in place
        where nothing else holds the frame. Raises InputError for frames that `is_half` is not true
        of and for other formats, BackendError where ONNX Runtime fails.
        """
        name = scaled.format.name
        if name not in _BITS or full.format.name != name:
            msg = f"expected two frames of one format of {', '.join(_BITS)}, got "
            msg += f"{full.format.name} and {name}"
            raise InputError(msg)
        if not is_half(scaled.width, scaled.height, of=(full.width, full.height)):
            msg = f"expected a frame of even sides, half of {full.width}×{full.height} pixels, got "
            msg += f"{scaled.width}×{scaled.height}"
            raise InputError(msg)
        unit = 2 ** (_BITS[name] - 8)
        scaled.make_writable()
        source, target = _luma(full), _luma(scaled)
        for top in range(0, scaled.height, _BAND):
            end = min(top + _BAND, scaled.height)
            first = max(0, top - _SEEN)
            seen = source[2 * first : 2 * (end + _SEEN)].astype(np.float32) / unit
            small = _run(seen)[top - first : end - first]
            target[top:end] = np.rint(small * unit).astype(target.dtype)
        return scaled


def _luma(frame: av.VideoFrame) -> npt.NDArray[Any]:
    """Luma of a frame, (H, W), not copied."""
    plane = frame.planes[0]
    kind = np.dtype(np.uint8 if _BITS[frame.format.name] == 8 else "<u2")
    samples: npt.NDArray[Any] = np.frombuffer(cast("Any", plane), kind)
    rows = samples.reshape(-1, plane.line_size // kind.itemsize)
    return rows[: frame.height, : frame.width]


def _run(luma: FloatArray) -> FloatArray:
    """(H, W) → (H/2, W/2), in 0…255."""
    try:
        (small,) = _session().run(["small"], {"luma": luma[None, None]})
    except Exception as error:  # onnxruntime raises classes of its own extension module
        msg = f"ONNX Runtime could not halve a frame: {error}"
        raise BackendError(msg) from error
    halved: FloatArray = small[0, 0]
    return halved


@cache
def _session() -> Any:
    # From 1.29 on it sends reports to its maker, by a thread that begins at the import.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    data = files("ncodec.weights").joinpath(NETWORK).read_bytes()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
