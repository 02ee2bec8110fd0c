"""ONNX Runtime on the CPU: the default backend."""

import ctypes
import os
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

# From 1.29 on it sends reports to its maker, by a thread that begins at the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from ncodec.arrays import BoolArray, FloatArray, Pixels, Samples
from ncodec.entropy.latents import Symbols
from ncodec.errors import BackendError
from ncodec.grid import HYPER_CELL, PATCH
from ncodec.inference.decoders import graph_of
from ncodec.inference.model import RD_GRADIENT_FILE, Model
from ncodec.inference.protocol import InitialSymbols, RdGradient, exact_cells
from ncodec.quality import FULL

_INT8, _INT16, _FLOAT32 = (np.dtype(kind) for kind in ("int8", "int16", "float32"))
_Expected = tuple[np.dtype[Any], tuple[int, ...]]
LARGE = 3 * 2**21
"""values of a tile (about two megapixels) from which memory is given back after each run"""
_FATAL = 4
"""severity from which ONNX Runtime prints to standard error; what is below is raised too"""
_NO_MEMORY = ("bad_alloc", "Failed to allocate memory")
"""parts of ONNX Runtime's messages about a lack of memory"""


def _run_options(*, large: bool) -> onnxruntime.RunOptions:
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    options.only_execute_path_to_fetches = True
    if large:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


class OnnxBackend:
    """The exported graphs; each is loaded when it is first used."""

    def __init__(self, model: Model, *, threads: int | None = None, decoder: str = FULL) -> None:
        self.model = model
        self.decoder = decoder
        self.threads = threads
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        _BACKENDS.add(self)

    def leave_sessions(self) -> None:
        """Forget the loaded graphs without freeing them, in a process that was forked.

        Their threads stayed in the process before, and freeing a session waits for its threads.
        """
        for session in self._sessions.values():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
        self._sessions = {}

    def _session(self, graph: str) -> onnxruntime.InferenceSession:
        if graph not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = _FATAL
            # Threads that spin between two runs keep a core from what decodes symbols and
            # compensates motion.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            if self.threads is not None:
                options.intra_op_num_threads = self.threads
            # A plan of memory is kept beside what the first run took, twice the whole; arrays that
            # are large and soon used are made as late as possible.
            options.enable_mem_pattern = False
            options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
            # Growing by powers of two would hold twice the memory that a large picture's tiles
            # need.
            provider = ("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})
            self._sessions[graph] = onnxruntime.InferenceSession(
                str(self.model.path(graph)), options, providers=[provider]
            )
        return self._sessions[graph]

    def _run(
        self, graph: str, outputs: dict[str, _Expected], inputs: dict[str, object], *, large: bool
    ) -> list[npt.NDArray[Any]]:
        try:
            made: list[npt.NDArray[Any]] = self._session(graph).run(
                list(outputs), inputs, _run_options(large=large)
            )
        except Exception as error:  # onnxruntime raises classes of its own extension module
            task = f"run {graph} of model {self.model.name}"
            msg = f"ONNX Runtime could not {task}: {error}"
            if any(sign in str(error) for sign in _NO_MEMORY):
                msg = f"not enough memory to {task}"
            raise BackendError(msg) from error
        for array, (name, expected) in zip(made, outputs.items(), strict=True):
            if (array.dtype, array.shape) != expected:
                msg = f"expected {name} of type and shape {expected} from {graph} of model "
                msg += f"{self.model.name}, got {(array.dtype, array.shape)}"
                raise BackendError(msg)
        return made

    def _expected(self, height: int, width: int) -> dict[str, _Expected]:
        """Types and shapes of outputs for a latent of height × width."""
        tables = self.model.tables
        cells = -(-height // HYPER_CELL), -(-width // HYPER_CELL)
        latent = (tables.bias.shape[1], height, width)
        return {
            "z_hat": (_INT8, (tables.z_rows.shape[1], *cells)),
            "residual": (_INT16, latent),
            "latent": (_FLOAT32, latent),
            "levels": (_FLOAT32, (PATCH * height, PATCH * width, 3)),
            "settled": (_INT16, latent),
            "slope": (_FLOAT32, latent),
            "curvature": (_FLOAT32, latent[:1]),
            "cost": (_FLOAT32, (height, width)),
        }

    def _run_on_pixels(
        self, graph: str, outputs: tuple[str, ...], inputs: dict[str, object], pixels: Pixels
    ) -> list[npt.NDArray[Any]]:
        height, width, _ = pixels.shape
        known = self._expected(height // PATCH, width // PATCH)
        wanted = {name: known[name] for name in outputs}
        return self._run(graph, wanted, inputs, large=pixels.size > LARGE)

    def analyze(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> Symbols:
        """Symbols of (H, W, 3) uint8 pixels, H and W multiples of 16, at a QP of 0 to 63.

        Models of frames need the prediction, `predicted`, of the shape and type of `pixels`; others
        do not take it. Symbols are 0 in `exact` cells, (⌈H/64⌉, ⌈W/64⌉), None for no such cells.
        Raises BackendError where ONNX Runtime fails.
        """
        inputs = {"pixels": pixels, "exact": exact_cells(pixels, exact), **_known(qp, predicted)}
        return Symbols(*self._run_on_pixels("encoder.onnx", ("z_hat", "residual"), inputs, pixels))

    def code(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> tuple[Symbols, Samples]:
        """Symbols of (H, W, 3) uint8 pixels, H and W multiples of 16, and the samples decoded from
        them.

        Samples are (H, W, 3) float32 in 8-bit levels, not rounded; for models of frames, the frame
        less `predicted`, which these need. `qp` is 0 to 63; symbols are 0 in `exact` cells,
        (⌈H/64⌉, ⌈W/64⌉), None for no such cells. Raises BackendError where ONNX Runtime fails.
        """
        inputs = {"pixels": pixels, "exact": exact_cells(pixels, exact), **_known(qp, predicted)}
        wanted = ("z_hat", "residual", "levels")
        z_hat, residual, samples = self._run_on_pixels("encoder.onnx", wanted, inputs, pixels)
        return Symbols(z_hat, residual), samples

    def synthesize(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Samples:
        """Decode symbols of a latent of h × w at a QP of 0 to 63 to samples, (16·h, 16·w, 3)
        float32.

        They are in 8-bit levels, neither rounded nor clipped; for models of frames, the frame less
        `predicted`, (16·h, 16·w, 3) uint8, which these need. Raises BackendError where ONNX Runtime
        fails.
        """
        inputs = {"z_hat": symbols.z_hat, "residual": symbols.residual, **_known(qp, predicted)}
        _, height, width = symbols.residual.shape
        wanted = {"levels": self._expected(height, width)["levels"]}
        graph = graph_of(self.decoder)
        return self._run(graph, wanted, inputs, large=symbols.residual.size > LARGE)[0]

    def quantize(
        self, pixels: Pixels, *, qp: int, exact: BoolArray | None = None
    ) -> tuple[InitialSymbols, Samples]:
        """Initial symbols of a picture, their latent y, and the samples decoded from them.

        `pixels` are (H, W, 3) uint8 with H and W multiples of 16, samples (H, W, 3) float32 in
        8-bit levels, not rounded. `qp` is 0 to 63; symbols are 0 in `exact` cells, (⌈H/64⌉,
        ⌈W/64⌉), None for no such cells. For models of pictures alone. Raises BackendError where
        ONNX Runtime fails.
        """
        wanted = ("z_hat", "residual", "latent", "levels")
        inputs = {"pixels": pixels, "exact": exact_cells(pixels, exact), **_known(qp, None)}
        z_hat, residual, latent, samples = self._run_on_pixels(
            "encoder.onnx", wanted, inputs, pixels
        )
        return InitialSymbols(Symbols(z_hat, residual), latent), samples

    def rd_gradient(
        self,
        pixels: Pixels,
        initial: InitialSymbols,
        coded: BoolArray,
        *,
        qp: int,
        error_weights: FloatArray,
        requantize: bool,
    ) -> RdGradient:
        """Rate–distortion gradient of a picture at given symbols: derivatives of λ·D, in bits, by
        ŷ.

        `pixels` are (H, W, 3) uint8 with H and W multiples of 16, `initial` has symbols and y, `qp`
        is 0 to 63, `error_weights` a (48, 48) form of `ncodec.image.error_weights`. With
        `requantize`, the second half of r is first rounded anew from y, and 0 where `coded`, (C_y,
        h, w), is false. For models of pictures alone. Raises BackendError where ONNX Runtime fails
        or the model has no gradient graph.
        """
        wanted = ("settled", "slope", "curvature", "cost")
        inputs = _gradient_inputs(
            pixels, initial, coded, qp=qp, error_weights=error_weights, requantize=requantize
        )
        return RdGradient(*self._run_on_pixels(RD_GRADIENT_FILE, wanted, inputs, pixels))

    def cost(
        self,
        pixels: Pixels,
        initial: InitialSymbols,
        coded: BoolArray,
        *,
        qp: int,
        error_weights: FloatArray,
    ) -> FloatArray:
        """λ·D of a picture's errors at given symbols, (h, w) float32, in bits of each 16×16 pixels.

        Arguments are like those of `rd_gradient`; nothing is requantized, so `coded` has no effect.
        Raises BackendError where ONNX Runtime fails or the model has no gradient graph.
        """
        inputs = _gradient_inputs(
            pixels, initial, coded, qp=qp, error_weights=error_weights, requantize=False
        )
        return self._run_on_pixels(RD_GRADIENT_FILE, ("cost",), inputs, pixels)[0]


_BACKENDS: WeakSet[OnnxBackend] = WeakSet()


def _leave_all_sessions() -> None:
    for backend in _BACKENDS:
        backend.leave_sessions()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_sessions)


def _gradient_inputs(
    pixels: Pixels,
    initial: InitialSymbols,
    coded: BoolArray,
    *,
    qp: int,
    error_weights: FloatArray,
    requantize: bool,
) -> dict[str, object]:
    return {
        "pixels": pixels,
        "latent": initial.latent,
        "z_hat": initial.symbols.z_hat,
        "residual": initial.symbols.residual,
        "coded": coded,
        "form": error_weights,
        "reround": np.array([requantize]),
        **_known(qp, None),
    }


def _known(qp: int, predicted: Pixels | None) -> dict[str, object]:
    """Inputs of every graph: the QP, and the prediction where there is one."""
    known: dict[str, object] = {"qp": np.array([qp], dtype=np.float32)}
    return known if predicted is None else known | {"predicted": predicted}
