"""One picture ↔ one file's bytes: tiles, networks, symbols, chunks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral

import numpy as np

from ncodec.arrays import BoolArray, FloatArray, Pixels
from ncodec.container.nci import NO_MODEL, Container, Flag, Header, pack, unpack
from ncodec.entropy.latents import Symbols, pack_symbols
from ncodec.errors import InputError, ModelError
from ncodec.exact.goal import Goal
from ncodec.exact.layers import by_pixel, covered, paint
from ncodec.exact.vp8l import THOROUGH, USUAL
from ncodec.grid import PATCH
from ncodec.hidden import with_hidden_filled
from ncodec.image.depth import is_deep
from ncodec.image.effort import search_of
from ncodec.image.error_weights import RGB
from ncodec.image.file import (
    Encoded,
    decode_exact,
    encode_layers,
    flags_of,
    is_lossless,
    pack_extras,
    picture_of,
    plain_layers,
    read_layers,
    read_symbols,
)
from ncodec.image.plan import Plan, Planner, RenderedSymbols
from ncodec.image.rdoq import Progress, no_progress, refine
from ncodec.image.tiled_networks import TiledNetworks
from ncodec.image.tiles import LARGE_PICTURE
from ncodec.inference.model import RD_GRADIENT_FILE, Model
from ncodec.picture import Picture, to_pixels
from ncodec.quality import DEFAULT_EFFORT, MAX_EFFORT, QP_COUNT, check_effort


@dataclass(frozen=True)
class ImageCodec(TiledNetworks):
    """Codes pictures with a model on a backend."""

    def refine(
        self,
        pixels: Pixels,
        initial: RenderedSymbols | None = None,
        *,
        qp: int,
        effort: int,
        error_weights: FloatArray = RGB,
        progress: Progress = no_progress,
    ) -> Symbols:
        """RDOQ of a picture, (H, W, 3) uint8 → symbols of lower λ·D + R than the initial ones.

        `initial` is made by `quantize` where it is None; `qp` is 0 to 63, `effort` 1 to 9, neither
        checked. `error_weights` is a (48, 48) form of `ncodec.image.error_weights`; errors in exact
        cells do not count. `progress` is called after each tile of each pass with the tiles done
        and their number in all passes. Raises BackendError where ONNX Runtime fails or has no
        gradient graph.
        """
        initial = initial or self.quantize(pixels, qp=qp)
        if initial.symbols.exact is not None:
            held = by_pixel(initial.symbols.exact, *pixels.shape[:2])
            pixels = np.where(held[:, :, None], initial.pixels, pixels)
        search = search_of(effort, qp=qp)
        high, wide = (PATCH * side for side in initial.symbols.residual.shape[1:])
        padded = np.pad(
            pixels, ((0, high - pixels.shape[0]), (0, wide - pixels.shape[1]), (0, 0)), mode="edge"
        )
        return refine(
            padded,
            initial,
            self.model.tables,
            self.backend,
            search,
            qp=qp,
            error_weights=error_weights,
            progress=progress,
        )

    @property
    def searchable(self) -> bool:
        """Whether the model's folder has the gradient graph, slopes.onnx, which `refine` needs."""
        return self.model.path(RD_GRADIENT_FILE).exists()

    def usual_effort(self, height: int, width: int, effort: int) -> int:
        """Effort of a picture of `height` × `width` pixels by default: `effort`, or 0 where the
        model has no gradient graph (slopes.onnx) or the picture is above 2²⁵ pixels."""
        return effort if self.searchable and height * width <= LARGE_PICTURE else 0

    def effort_for(self, picture: Picture, effort: int | None) -> int:
        """Effort of a picture: `effort` if given, else 2, or 0 without a gradient graph or above
        2²⁵ pixels.

        Raises InputError unless the given effort is an integer of 0 to 9, ModelError where it is
        above 0 and the model has no gradient graph.
        """
        if effort is None:
            return self.usual_effort(picture.height, picture.width, DEFAULT_EFFORT)
        check_effort(effort)
        if effort and not self.searchable:
            msg = (
                f"model {self.model.name} has no {RD_GRADIENT_FILE}, because it is not for PSNR or "
                f"was exported by an "
            )
            msg += f"earlier version: expected an effort of 0, got {effort}"
            raise ModelError(msg)
        return effort

    def encode(
        self, picture: Picture, *, qp: int, effort: int = 0, progress: Progress = no_progress
    ) -> Encoded:
        """Encode a picture at a QP of 0 to 63; an effort of 1 to 9 adds passes of RDOQ, 0 none.

        Cells that a lossless coder codes at less λ·D + R than the network become exact cells. The
        result's QP may be above `qp`, for the model's floor; up to 4096 pixels it may be any.
        `progress` is called in RDOQ alone, with the tiles done and their number in all passes.
        Sides must be at most 16384, unchecked. Raises InputError for a QP or effort out of range
        and for ICC, Exif or XMP beyond 64 MiB, ModelError for an effort above 0 without a gradient
        graph, BackendError where ONNX Runtime fails.
        """
        if not isinstance(qp, Integral) or qp not in range(QP_COUNT):
            msg = f"expected a qp of 0 to {QP_COUNT - 1}, got {qp}"
            raise InputError(msg)
        effort = self.effort_for(picture, effort)
        source, picture = picture, with_hidden_filled(picture)
        if (layers := plain_layers(picture.pixels)) is not None:
            return encode_layers(picture, layers, qp=qp, lossless=is_lossless(source, layers))
        plan = self.plan(picture, partial(self.goal, effort=effort), qp=qp, with_latent=effort > 0)
        cells = covered(plan.layers, picture.height, picture.width)
        if cells.all():
            return encode_layers(
                picture, plan.layers, qp=qp, lossless=is_lossless(source, plan.layers)
            )
        symbols, qp = plan.initial.symbols, plan.qp
        if effort:
            symbols = self.refine(
                picture.pixels, plan.initial, qp=qp, effort=effort, progress=progress
            )
        payload = pack_symbols(symbols, self.model.tables, qp=qp)
        header = Header(self.model.id, picture.width, picture.height, qp, flags_of(picture))
        if header.latent_size != symbols.residual.shape[1:]:
            header = replace(header, flags=header.flags | Flag.WHOLE)
        data = pack(Container(header, payload, pack_extras(picture, plan.layers)))
        return Encoded(data, qp, symbols, float(cells.mean()))

    def goal(self, qp: int, *, effort: int = 0) -> Goal:
        """Goal of a picture at a QP: λ, floor and search of the lossless coder."""
        return replace(
            self.price(qp),
            floor=self.model.floor(qp),
            search=THOROUGH if effort == MAX_EFFORT else USUAL,
        )

    def price(self, qp: int) -> Goal:
        """Goal of a frame at a QP: λ without a floor."""
        return Goal(lagrangian(self.model, qp=qp))

    def plan(
        self,
        picture: Picture,
        goals: Callable[[int], Goal],
        *,
        qp: int,
        with_latent: bool,
        can_extend: bool = True,
    ) -> Plan:
        """Choose exact cells, QP and initial symbols of a picture for a requested QP, 0 to 63.

        `goals` gives the goal of each QP. `with_latent` keeps y, which `refine` needs. `can_extend`
        allows a latent of whole cells, for the picture extended to multiples of 64, where λ·D + R
        is less. Raises BackendError where ONNX Runtime fails.
        """

        def quantized(
            pixels: Pixels, *, qp: int, exact: BoolArray | None, whole: bool
        ) -> RenderedSymbols:
            return self.quantize(pixels, qp=qp, exact=exact, whole=whole, with_latent=with_latent)

        return Planner(picture, goals, self.model.tables, quantized).plan(qp, can_extend=can_extend)

    def decode(self, data: bytes) -> Picture:
        """Decode a file's bytes to a picture.

        Raises FormatError for damage, ModelError for a file of another model, BackendError where
        ONNX Runtime fails.
        """
        return self.decode_container(unpack(data))

    def decode_container(self, container: Container) -> Picture:
        """A file taken apart → picture; raises FormatError for damage, ModelError for another
        model's file."""
        header = container.header
        if header.model_id == NO_MODEL:
            return decode_exact(container)
        if header.model_id != self.model.id:
            msg = f"expected a file of model {self.model.id:08x}, got one of {header.model_id:08x}"
            raise ModelError(msg)
        symbols, layers = read_symbols(container, self.model), read_layers(container)
        height, width = header.height, header.width
        if is_deep(container):
            samples = self.render(symbols, qp=header.qp)[:height, :width]
            pixels = to_pixels(samples)
        else:
            samples = None
            pixels = self.synthesize(symbols, qp=header.qp, height=height, width=width)
        del symbols  # 200 MB of a 100-megapixel picture
        paint(pixels, layers)
        return picture_of(container, pixels, layers, samples=samples)


def lagrangian(model: Model, *, qp: int) -> float:
    """λ of a model at a QP of 0 to 63: bits that a unit of squared error of one pixel is worth.

    The error is the mean of the squares of three channels, in 8-bit levels. λ grows geometrically
    from the architecture's `lambda_min` at QP 0 to its `lambda_max` at 63.
    """
    ranges = model.architecture.get("codec", model.architecture)
    least, most = float(ranges["lambda_min"]), float(ranges["lambda_max"])
    return float(least * (most / least) ** (qp / (QP_COUNT - 1)))
