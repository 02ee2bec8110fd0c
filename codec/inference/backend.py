"""Choice of the library that runs the networks."""

from importlib.util import find_spec

from ncodec.errors import BackendError
from ncodec.inference.model import Model
from ncodec.inference.protocol import Backend
from ncodec.quality import FULL

BACKENDS = ("onnx", "torch")
MAX_THREADS = 256


def check_backend(name: str) -> None:
    """Raise BackendError unless there is such a backend."""
    if name not in BACKENDS:
        msg = f"expected a backend among {', '.join(BACKENDS)}, got {name!r}"
        raise BackendError(msg)


def check_threads(threads: int | None) -> None:
    """Raise BackendError unless `threads` is None, the library's choice, or 1 to 256."""
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        msg = f"expected 1 to {MAX_THREADS} threads, got {threads}"
        raise BackendError(msg)


def open_backend(
    model: Model,
    name: str = "onnx",
    *,
    threads: int | None = None,
    precision: str = "float32",
    device: str | None = None,
    decoder: str = FULL,
) -> Backend:
    """Open a model in the named backend, "onnx" or "torch", with one of its decoders.

    `threads` is the number of CPU threads, 1 to 256, None for the library's choice. `precision`,
    "float32" or "bfloat16", and `device`, PyTorch's name of one, None for a GPU if there is one,
    else the CPU, are for torch alone. `decoder` is "full" or another one that the model has, which
    is not checked. Raises BackendError for another name or value, for precision
    or device given to onnx, for a device that is not there, and where PyTorch or safetensors is not
    installed. onnx loads each graph when it first runs.
    """
    check_backend(name)
    check_threads(threads)
    if name == "onnx":
        if precision != "float32" or device is not None:
            msg = (
                f"the onnx backend runs in float32 on the CPU, got precision {precision} and "
                f"device {device}"
            )
            raise BackendError(msg)
        from ncodec.inference.onnx import OnnxBackend

        return OnnxBackend(model, threads=threads, decoder=decoder)
    if find_spec("torch") is None or find_spec("safetensors") is None:
        msg = "the torch backend needs PyTorch and safetensors: pip install 'ncodec[torch]'"
        raise BackendError(msg)
    from ncodec.inference.torch import TorchBackend

    return TorchBackend(model, threads=threads, precision=precision, device=device, decoder=decoder)
