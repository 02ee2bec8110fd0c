"""ONNX Runtime on the CPU: the default backend."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ncodec.arrays import BoolArray, FloatArray, Pixels, Samples
from ncodec.entropy.latents import Symbols
from ncodec.errors import BackendError
from ncodec.inference.model import FRAME, RD_GRADIENT_FILE, Model
from ncodec.inference.protocol import InitialSymbols, RdGradient, exact_cells

LARGE = 3 * 2**21
"""values of a tile (about two megapixels) from which memory is given back after each run"""


def _run_options(*, large: bool) -> onnxruntime.RunOptions:
    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True
    if large:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


class OnnxBackend:
    """The exported graphs; each is loaded when it is first used."""

    def __init__(self, model: Model, *, threads: int | None = None) -> None:
        self.model = model
        self.threads = threads
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def _session(self, graph: str) -> onnxruntime.InferenceSession:
        if graph not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            optimization = onnxruntime.GraphOptimizationLevel
            # The highest level costs more at load than it gains on a picture, or on a large one's
            # tiles.
            frames = self.model.kind == FRAME
            options.graph_optimization_level = (
                optimization.ORT_ENABLE_ALL if frames else optimization.ORT_ENABLE_BASIC
            )
            # Threads that spin between two runs keep a core from what decodes symbols and
            # compensates motion.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            if self.threads is not None:
                options.intra_op_num_threads = self.threads
            # Growing by powers of two would hold twice the memory that a large picture's tiles
            # need.
            provider = ("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})
            self._sessions[graph] = onnxruntime.InferenceSession(
                str(self.model.path(graph)), options, providers=[provider]
            )
        return self._sessions[graph]

    def _run(
        self, graph: str, outputs: list[str], inputs: dict[str, object], *, large: bool
    ) -> list[npt.NDArray[Any]]:
        try:
            made: list[npt.NDArray[Any]] = self._session(graph).run(
                outputs, inputs, _run_options(large=large)
            )
        except Exception as error:  # onnxruntime raises classes of its own extension module
            msg = f"ONNX Runtime could not run {graph} of model {self.model.name}: {error}"
            raise BackendError(msg) from error
        return made

    def analyze(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> Symbols:
        """(H, W, 3) with H and W multiples of 16 → symbols."""
        inputs = {"pixels": pixels, "exact": exact_cells(pixels, exact), **_known(qp, predicted)}
        return Symbols(
            *self._run("encoder.onnx", ["z_hat", "residual"], inputs, large=pixels.size > LARGE)
        )

    def code(
        self,
        pixels: Pixels,
        *,
        qp: int,
        predicted: Pixels | None = None,
        exact: BoolArray | None = None,
    ) -> tuple[Symbols, Samples]:
        """Symbols, and the levels that they give."""
        inputs = {"pixels": pixels, "exact": exact_cells(pixels, exact), **_known(qp, predicted)}
        wanted = ["z_hat", "residual", "levels"]
        z_hat, residual, samples = self._run(
            "encoder.onnx", wanted, inputs, large=pixels.size > LARGE
        )
        return Symbols(z_hat, residual), samples

    def synthesize(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Samples:
        """Symbols of a latent of h × w → (16·h, 16·w, 3)."""
        inputs = {"z_hat": symbols.z_hat, "residual": symbols.residual, **_known(qp, predicted)}
        return self._run("decoder.onnx", ["levels"], inputs, large=symbols.residual.size > LARGE)[0]

    def quantize(
        self, pixels: Pixels, *, qp: int, exact: BoolArray | None = None
    ) -> tuple[InitialSymbols, Samples]:
        """A picture → symbols, what they round, and the levels that they give."""
        wanted = ["z_hat", "residual", "latent", "levels"]
        inputs = {"pixels": pixels, "exact": exact_cells(pixels, exact), **_known(qp, None)}
        z_hat, residual, latent, samples = self._run(
            "encoder.onnx", wanted, inputs, large=pixels.size > LARGE
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
        """Rate–distortion gradient of every latent."""
        wanted = ["settled", "slope", "curvature", "cost"]
        inputs = _gradient_inputs(
            pixels, initial, coded, qp=qp, error_weights=error_weights, requantize=requantize
        )
        return RdGradient(*self._run(RD_GRADIENT_FILE, wanted, inputs, large=pixels.size > LARGE))

    def cost(
        self,
        pixels: Pixels,
        initial: InitialSymbols,
        coded: BoolArray,
        *,
        qp: int,
        error_weights: FloatArray,
    ) -> FloatArray:
        """The cost of the errors alone."""
        inputs = _gradient_inputs(
            pixels, initial, coded, qp=qp, error_weights=error_weights, requantize=False
        )
        return self._run(RD_GRADIENT_FILE, ["cost"], inputs, large=pixels.size > LARGE)[0]


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
