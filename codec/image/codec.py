"""One picture ↔ one file's bytes: tiles, networks, symbols, chunks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral

import numpy as np

from ncodec.arrays import BoolArray, FloatArray, Levels, Pixels
from ncodec.container.nci import NO_MODEL, Container, Flag, Header, pack, unpack
from ncodec.entropy.latents import Symbols, pack_symbols, zero_certain
from ncodec.errors import InputError, ModelError
from ncodec.exact.goal import Goal
from ncodec.exact.layers import by_pixel, covered, paint
from ncodec.exact.vp8l import THOROUGH, USUAL
from ncodec.grid import CELL, PATCH, Place
from ncodec.hidden import with_hidden_filled
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
from ncodec.image.plan import Plan, Planner, ShownDraft
from ncodec.image.rdoq import Progress, no_progress, refine
from ncodec.image.tiles import LARGE_PICTURE, Tile, largest_tile, pad_to_patches, tiles
from ncodec.inference.model import SLOPES_FILE, Model
from ncodec.inference.protocol import Backend
from ncodec.picture import Picture, to_pixels
from ncodec.quality import DEFAULT_EFFORT, MAX_EFFORT, QP_COUNT, check_effort


@dataclass(frozen=True)
class ImageCodec:
    """A model on a backend."""

    model: Model
    backend: Backend

    def analyze(
        self, pixels: Pixels, *, qp: int, predicted: Pixels | None = None, exact: BoolArray | None = None
    ) -> Symbols:
        """(H, W, 3) uint8 → the symbols a decoder will see; `predicted` is padded to multiples of 16.

        Those of cells that are `exact` are 0.
        """

        def analyzed(tile: Tile) -> Symbols:
            known = None if predicted is None else predicted[tile.seen(1)]
            cells = None if exact is None else exact[tile.seen(CELL)]
            return self.backend.analyze(pad_to_patches(pixels[tile.seen(1)]), qp=qp, predicted=known, exact=cells)

        return self._assembled(analyzed, pixels.shape[0], pixels.shape[1], qp=qp, exact=exact)

    def draft(
        self,
        pixels: Pixels,
        *,
        qp: int,
        exact: BoolArray | None = None,
        whole: bool = False,
        with_latent: bool = True,
    ) -> ShownDraft:
        """(H, W, 3) uint8 → symbols, 0 in cells that are `exact`, the picture that they give, and what they round.

        With `whole`, the latent is of whole cells: the picture is extended to multiples of 64.
        """
        padded = pad_to_patches(pixels, unit=CELL if whole else PATCH)
        high, wide = (side // PATCH if with_latent else 0 for side in padded.shape[:2])
        latent = np.zeros((self.model.tables.bias.shape[1], high, wide), np.float32)
        shown = padded.copy()

        def drafted(tile: Tile) -> Symbols:
            seen, cells = padded[tile.seen(1)], None if exact is None else exact[tile.seen(CELL)]
            if with_latent:
                made, levels = self.backend.draft(seen, qp=qp, exact=cells)
                symbols = made.symbols
                latent[:, *tile.outer(PATCH)] = made.latent[:, *tile.inner(PATCH)]
            else:
                symbols, levels = self.backend.code(seen, qp=qp, exact=cells)
            shown[tile.outer(1)] = to_pixels(levels[tile.inner(1)])
            return symbols

        symbols = self._assembled(drafted, *padded.shape[:2], qp=qp, exact=exact)
        return ShownDraft(symbols, latent, shown[: pixels.shape[0], : pixels.shape[1]])

    def refine(
        self,
        pixels: Pixels,
        draft: ShownDraft | None = None,
        *,
        qp: int,
        effort: int,
        form: FloatArray = RGB,
        progress: Progress = no_progress,
    ) -> Symbols:
        """(H, W, 3) uint8, and its draft where one was made → symbols with less λ·D + R than those of the draft.

        What of errors counts is a form of `ncodec.image.error_weights`; errors in exact cells do not.
        """
        draft = draft or self.draft(pixels, qp=qp)
        if draft.symbols.exact is not None:
            held = by_pixel(draft.symbols.exact, *pixels.shape[:2])
            pixels = np.where(held[:, :, None], draft.pixels, pixels)
        search = search_of(effort, qp=qp)
        high, wide = (PATCH * side for side in draft.symbols.residual.shape[1:])
        padded = np.pad(pixels, ((0, high - pixels.shape[0]), (0, wide - pixels.shape[1]), (0, 0)), mode="edge")
        return refine(padded, draft, self.model.tables, self.backend, search, qp=qp, form=form, progress=progress)

    @property
    def searchable(self) -> bool:
        """Whether `refine` can be."""
        return self.model.path(SLOPES_FILE).exists()

    def usual_effort(self, height: int, width: int, effort: int) -> int:
        """An effort that nobody asked for: none without slopes, or where it would take much memory."""
        return effort if self.searchable and height * width <= LARGE_PICTURE else 0

    def effort_for(self, picture: Picture, effort: int | None) -> int:
        """The effort that is asked for, or what a picture gets otherwise: none where it would take much memory.

        Raises InputError for what is none, ModelError for a model without slopes.
        """
        if effort is None:
            return self.usual_effort(picture.height, picture.width, DEFAULT_EFFORT)
        check_effort(effort)
        if effort and not self.searchable:
            msg = f"model {self.model.name} has no {SLOPES_FILE}, because it is not for PSNR or was exported by an "
            msg += f"earlier version: expected an effort of 0, got {effort}"
            raise ModelError(msg)
        return effort

    def _assembled(
        self, symbols_of: Callable[[Tile], Symbols], height: int, width: int, *, qp: int, exact: BoolArray | None
    ) -> Symbols:
        """The symbols of a picture from those of what the networks see around each tile; 0 where cells are exact."""
        tables = self.model.tables
        high, wide = -(-height // PATCH), -(-width // PATCH)
        z_hat = np.zeros((tables.z_rows.shape[1], -(-height // CELL), -(-width // CELL)), dtype=np.int8)
        residual = np.zeros((tables.bias.shape[1], high, wide), dtype=np.int16)
        for tile in tiles(PATCH * high, PATCH * wide, self.model.halo, needed=_others(exact)):
            seen = symbols_of(tile)
            z_hat[:, *tile.outer(CELL)] = seen.z_hat[:, *tile.inner(CELL)]
            residual[:, *tile.outer(PATCH)] = seen.residual[:, *tile.inner(PATCH)]
        symbols = Symbols(z_hat, residual, exact)
        zero_certain(symbols, tables, qp=qp)
        return symbols

    def code(
        self, pixels: Pixels, *, qp: int, predicted: Pixels, exact: BoolArray | None = None
    ) -> tuple[Symbols, Levels]:
        """A frame, of the shape of `predicted`, → symbols, 0 in `exact` cells, and what `render` makes of them.

        `zero_certain` is left to the caller: where it changes symbols, their levels change too.
        """
        if max(predicted.shape[:2]) <= largest_tile(*predicted.shape[:2]):
            symbols, levels = self.backend.code(pixels, qp=qp, predicted=predicted, exact=exact)
            return replace(symbols, exact=exact), levels
        symbols = self.analyze(pixels, qp=qp, predicted=predicted, exact=exact)
        return symbols, self.render(symbols, qp=qp, predicted=predicted)

    def nothing(self, predicted: Pixels, *, exact: BoolArray) -> tuple[Symbols, Levels]:
        """What `code` makes of a frame whose cells are all `exact`."""
        high, wide = (side // PATCH for side in predicted.shape[:2])
        z_hat = np.zeros((self.model.tables.z_rows.shape[1], *exact.shape), dtype=np.int8)
        residual = np.zeros((self.model.tables.bias.shape[1], high, wide), dtype=np.int16)
        return Symbols(z_hat, residual, exact), np.zeros(predicted.shape, dtype=np.float32)

    def synthesize(self, symbols: Symbols, *, qp: int, height: int, width: int) -> Pixels:
        """Symbols → (height, width, 3) uint8."""
        pixels = np.empty((height, width, 3), dtype=np.uint8)
        for place, levels in self._rendered(symbols, qp=qp):
            target = pixels[place]
            target[...] = to_pixels(levels[: target.shape[0], : target.shape[1]])
        return pixels

    def render(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Levels:
        """Symbols → levels of the whole padded frame, (16·h, 16·w, 3), or what `predicted`, of that shape, lacks."""
        levels = np.zeros((*(PATCH * side for side in symbols.residual.shape[1:]), 3), dtype=np.float32)
        for place, tile in self._rendered(symbols, qp=qp, predicted=predicted):
            levels[place] = tile
        return levels

    def _rendered(
        self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None
    ) -> Iterator[tuple[Place, Levels]]:
        """Each tile's place and levels, of the smallest box around all cells that are not exact."""
        high, wide = (PATCH * side for side in symbols.residual.shape[1:])
        for tile in tiles(high, wide, self.model.halo, needed=_others(symbols.exact)):
            seen = Symbols(symbols.z_hat[:, *tile.seen(CELL)], symbols.residual[:, *tile.seen(PATCH)])
            known = None if predicted is None else predicted[tile.seen(1)]
            yield tile.outer(1), self.backend.synthesize(seen, qp=qp, predicted=known)[tile.inner(1)]

    def encode(self, picture: Picture, *, qp: int, effort: int = 0, progress: Progress = no_progress) -> Encoded:
        """Picture → file bytes at a qp of 0 to 63; an effort of 1 to 9 searches longer and longer for better ones.

        Cells that the network codes worse than a lossless coder, by true cost, are coded exactly or nearly so.
        `progress` is called with the steps done and their number. Raises InputError for a qp or an effort out of range,
        ModelError for an effort where the model has no gradients.
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
            return encode_layers(picture, plan.layers, qp=qp, lossless=is_lossless(source, plan.layers))
        symbols, qp = plan.draft.symbols, plan.qp
        if effort:
            symbols = self.refine(picture.pixels, plan.draft, qp=qp, effort=effort, progress=progress)
        payload = pack_symbols(symbols, self.model.tables, qp=qp)
        header = Header(self.model.id, picture.width, picture.height, qp, flags_of(picture))
        if header.latent_size != symbols.residual.shape[1:]:
            header = replace(header, flags=header.flags | Flag.WHOLE)
        data = pack(Container(header, payload, pack_extras(picture, plan.layers)))
        return Encoded(data, qp, symbols, float(cells.mean()))

    def goal(self, qp: int, *, effort: int = 0) -> Goal:
        """What pictures are to cost and to be at a qp."""
        return replace(self.price(qp), floor=self.model.floor(qp), search=THOROUGH if effort == MAX_EFFORT else USUAL)

    def price(self, qp: int) -> Goal:
        """What frames are to cost at a qp, however good they are."""
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
        """Which cells are exact and what the network makes of the others, given the goal of each qp.

        The latent is of whole cells where that is better, if the picture `can_extend` beyond its edges.
        """

        def drafted(pixels: Pixels, *, qp: int, exact: BoolArray | None, whole: bool) -> ShownDraft:
            return self.draft(pixels, qp=qp, exact=exact, whole=whole, with_latent=with_latent)

        return Planner(picture, goals, self.model.tables, drafted).plan(qp, can_extend=can_extend)

    def decode(self, data: bytes) -> Picture:
        """File bytes → picture."""
        return self.decode_container(unpack(data))

    def decode_container(self, container: Container) -> Picture:
        """A file taken apart → picture; raises FormatError for damage, ModelError for another model's file."""
        header = container.header
        if header.model_id == NO_MODEL:
            return decode_exact(container)
        if header.model_id != self.model.id:
            msg = f"expected a file of model {self.model.id:08x}, got one of {header.model_id:08x}"
            raise ModelError(msg)
        symbols, layers = read_symbols(container, self.model), read_layers(container)
        pixels = self.synthesize(symbols, qp=header.qp, height=header.height, width=header.width)
        del symbols  # 200 MB of a 100-megapixel picture
        paint(pixels, layers)
        return picture_of(container, pixels)


def _others(exact: BoolArray | None) -> BoolArray | None:
    """Cells beside those that are exact, if any are."""
    return None if exact is None else ~exact


def lagrangian(model: Model, *, qp: int) -> float:
    """λ, bits that a unit of squared error (mean of the channels) is worth at a qp, as the model was trained."""
    ranges = model.architecture.get("codec", model.architecture)
    least, most = float(ranges["lambda_min"]), float(ranges["lambda_max"])
    return float(least * (most / least) ** (qp / (QP_COUNT - 1)))
