"""One picture ↔ one file's bytes: tiles, networks, symbols, chunks."""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from PIL import Image

from ncodec.backends import Backend, Draft
from ncodec.bitstream import MAX_SIDE, PATCH, QP_COUNT, Container, Flag, Header, Tag, pack, unpack
from ncodec.distortion import RGB
from ncodec.effort import DEFAULT_EFFORT, check_effort, search_of
from ncodec.entropy import Symbols, estimate_bits, pack_symbols, unpack_symbols, zero_certain
from ncodec.errors import FormatError, InputError, ModelError
from ncodec.model import SLOPES_FILE, Model
from ncodec.picture import Levels, Picture, Pixels, luma, pixel_limit, psnr
from ncodec.refinement import Watch, refine, unwatched
from ncodec.tables import FloatArray
from ncodec.tiles import CELL, LARGE_PICTURE, TILE, Place, Tile, pad_to_patches, tiles

MAX_BPP = 1000
"""beyond any file"""


@dataclass(frozen=True)
class Target:
    """How good or how small a file is to be; exactly one field is set."""

    quality: float | None = None
    """0…100"""
    size: int | None = None
    """largest file, in bytes"""
    bpp: float | None = None
    """largest file, in bits per pixel"""
    psnr: float | None = None
    """least PSNR over RGB, in dB"""

    def __post_init__(self) -> None:
        given = [name for name in ("quality", "size", "bpp", "psnr") if getattr(self, name) is not None]
        if len(given) != 1:
            msg = f"expected one of quality, size, bpp and psnr, got {', '.join(given) or 'none'}"
            raise InputError(msg)
        value = getattr(self, given[0])
        low, high = (0, 100) if self.quality is not None else (0, math.inf)
        if not (low <= value <= high) or not math.isfinite(value):
            msg = f"expected a {given[0]} of {low} to {high}, got {value}"
            raise InputError(msg)


@dataclass(frozen=True, eq=False)
class Encoded:
    """A file's bytes and how they came about."""

    data: bytes
    qp: int
    symbols: Symbols


def quality_to_qp(quality: float) -> int:
    """Quality 0…100 → qp 0…63; raises InputError for another."""
    if not 0 <= quality <= 100:
        msg = f"expected a quality of 0 to 100, got {quality}"
        raise InputError(msg)
    return round(quality / 100 * (QP_COUNT - 1))


def qp_to_quality(qp: int) -> float:
    """The quality whose qp this is, to a tenth."""
    return round(qp / (QP_COUNT - 1) * 100, 1)


@dataclass(frozen=True)
class ImageCodec:
    """A model on a backend."""

    model: Model
    backend: Backend

    def analyze(self, pixels: Pixels, *, qp: int, predicted: Pixels | None = None) -> Symbols:
        """(H, W, 3) uint8 → the symbols a decoder will see; `predicted` is padded to multiples of 16."""

        def analyzed(tile: Tile) -> Symbols:
            known = None if predicted is None else predicted[tile.seen(1)]
            return self.backend.analyze(pad_to_patches(pixels[tile.seen(1)]), qp=qp, predicted=known)

        return self._assembled(analyzed, pixels.shape[0], pixels.shape[1], qp=qp)

    def refine(
        self, pixels: Pixels, *, qp: int, effort: int, form: FloatArray = RGB, watch: Watch = unwatched
    ) -> Symbols:
        """(H, W, 3) uint8 → symbols whose picture is better for its bits than that of those of `analyze`.

        Better in what of errors counts, which a form of `ncodec.distortion` says.
        """
        padded = pad_to_patches(pixels)
        latent = np.empty((self.model.tables.bias.shape[1], *(side // PATCH for side in padded.shape[:2])), np.float32)

        def drafted(tile: Tile) -> Symbols:
            made = self.backend.draft(padded[tile.seen(1)], qp=qp)
            latent[:, *tile.outer(PATCH)] = made.latent[:, *tile.inner(PATCH)]
            return made.symbols

        draft = Draft(self._assembled(drafted, *padded.shape[:2], qp=qp), latent)
        search = search_of(effort, qp=qp)
        return refine(padded, draft, self.model.tables, self.backend, search, qp=qp, form=form, watch=watch)

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

    def _assembled(self, symbols_of: Callable[[Tile], Symbols], height: int, width: int, *, qp: int) -> Symbols:
        """The symbols of a picture from those of what the networks see around each tile."""
        tables = self.model.tables
        high, wide = -(-height // PATCH), -(-width // PATCH)
        z_hat = np.empty((tables.z_rows.shape[1], -(-height // CELL), -(-width // CELL)), dtype=np.int8)
        residual = np.empty((tables.bias.shape[1], high, wide), dtype=np.int16)
        for tile in tiles(PATCH * high, PATCH * wide, self.model.halo):
            seen = symbols_of(tile)
            z_hat[:, *tile.outer(CELL)] = seen.z_hat[:, *tile.inner(CELL)]
            residual[:, *tile.outer(PATCH)] = seen.residual[:, *tile.inner(PATCH)]
        symbols = Symbols(z_hat, residual)
        zero_certain(symbols, tables, qp=qp)
        return symbols

    def code(self, pixels: Pixels, *, qp: int, predicted: Pixels) -> tuple[Symbols, Levels]:
        """A frame, of the shape of `predicted`, → symbols, and what `render` makes of them.

        `zero_certain` is left to the caller: where it changes symbols, their levels change too.
        """
        if max(predicted.shape) <= TILE:
            return self.backend.code(pixels, qp=qp, predicted=predicted)
        symbols = self.analyze(pixels, qp=qp, predicted=predicted)
        return symbols, self.render(symbols, qp=qp, predicted=predicted)

    def synthesize(self, symbols: Symbols, *, qp: int, height: int, width: int) -> Pixels:
        """Symbols → (height, width, 3) uint8."""
        pixels = np.empty((height, width, 3), dtype=np.uint8)
        for place, levels in self._rendered(symbols, qp=qp):
            target = pixels[place]
            seen = np.rint(levels[: target.shape[0], : target.shape[1]])
            target[...] = np.clip(seen, 0, 255, out=seen)
        return pixels

    def render(self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None) -> Levels:
        """Symbols → levels of the whole padded frame, (16·h, 16·w, 3), or what `predicted`, of that shape, lacks."""
        levels = np.empty((*(PATCH * side for side in symbols.residual.shape[1:]), 3), dtype=np.float32)
        for place, tile in self._rendered(symbols, qp=qp, predicted=predicted):
            levels[place] = tile
        return levels

    def _rendered(
        self, symbols: Symbols, *, qp: int, predicted: Pixels | None = None
    ) -> Iterator[tuple[Place, Levels]]:
        """Each tile's place and levels."""
        high, wide = (PATCH * side for side in symbols.residual.shape[1:])
        for tile in tiles(high, wide, self.model.halo):
            seen = Symbols(symbols.z_hat[:, *tile.seen(CELL)], symbols.residual[:, *tile.seen(PATCH)])
            known = None if predicted is None else predicted[tile.seen(1)]
            yield tile.outer(1), self.backend.synthesize(seen, qp=qp, predicted=known)[tile.inner(1)]

    def encode(self, picture: Picture, *, qp: int, effort: int = 0, watch: Watch = unwatched) -> Encoded:
        """Picture → file bytes at a qp of 0 to 63; an effort of 1 to 9 searches longer and longer for better ones.

        `watch` is told how many steps of how many are done. Raises InputError for a qp or an effort that is none,
        ModelError where a model has no effort.
        """
        if not isinstance(qp, Integral) or qp not in range(QP_COUNT):
            msg = f"expected a qp of 0 to {QP_COUNT - 1}, got {qp}"
            raise InputError(msg)
        if self.effort_for(picture, effort):
            symbols = self.refine(picture.pixels, qp=qp, effort=effort, watch=watch)
        else:
            symbols = self.analyze(picture.pixels, qp=qp)
        payload = pack_symbols(symbols, self.model.tables, qp=qp)
        flags = Flag.GREY if picture.grey else Flag(0)
        header = Header(self.model.id, picture.width, picture.height, qp, flags)
        data = pack(Container(header, payload, _pack_extras(picture)))
        return Encoded(data, qp, symbols)

    def encode_to(
        self, picture: Picture, target: Target, *, effort: int | None = None, watch: Watch = unwatched
    ) -> Encoded:
        """Picture → file bytes that meet a target, with some effort where `effort_for` finds none to be asked for.

        Raises InputError when no qp is small enough.
        """
        looking = self.effort_for(picture, effort)
        if max(picture.height, picture.width) > MAX_SIDE:
            msg = f"expected sides of at most {MAX_SIDE} pixels, got {picture.width}×{picture.height}"
            raise InputError(msg)

        def encode(qp: int) -> Encoded:
            return self.encode(picture, qp=qp, effort=looking, watch=watch)

        if target.quality is not None:
            return encode(quality_to_qp(target.quality))
        if target.psnr is not None:
            qp = self._qp_of_psnr(picture, target.psnr)
            return self._search_psnr(picture, target.psnr, qp, encode) if looking else encode(qp)
        pixels = picture.height * picture.width
        limit = target.size if target.size is not None else int(min(target.bpp or 0, MAX_BPP) * pixels / 8)
        return self._encode_to_size(picture, limit, encode)

    def _encode_to_size(self, picture: Picture, limit: int, encode: Callable[[int], Encoded]) -> Encoded:
        """The largest qp whose file fits, judged by the estimated rate; the file itself decides the last step."""
        fixed = len(pack(Container(Header(0, picture.width, picture.height, 0), b"", _pack_extras(picture)))) + 12

        def fits(qp: int) -> bool:
            symbols = self.analyze(picture.pixels, qp=qp)
            return fixed + estimate_bits(symbols, self.model.tables, qp=qp) / 8 <= limit

        qp = max(_last(fits), 0)
        encoded = encode(qp)
        while len(encoded.data) > limit and encoded.qp > 0:
            encoded = encode(encoded.qp - 1)
        if len(encoded.data) > limit:
            return self._smallest(picture, encoded, limit)
        # An estimate may be a few bytes too high, and what an effort saves is not in it.
        while qp <= encoded.qp < QP_COUNT - 1:
            larger = encode(encoded.qp + 1)
            if len(larger.data) > limit:
                break
            encoded = larger
        return encoded

    def _smallest(self, picture: Picture, searched: Encoded, limit: int) -> Encoded:
        """What fits where an effort made a file larger; raises InputError where nothing does."""
        plain = self.encode(picture, qp=0)
        least = min(len(plain.data), len(searched.data))
        if least > limit:
            msg = f"expected a limit of at least {least} bytes for this picture, got {limit}"
            raise InputError(msg)
        return plain

    def _qp_of_psnr(self, picture: Picture, least: float) -> int:
        """The smallest qp whose picture is good enough without effort."""

        def reached(qp: int) -> float:
            return self._psnr(picture, self.analyze(picture.pixels, qp=qp), qp=qp)

        qp = _last(lambda qp: reached(qp) < least) + 1
        if qp == QP_COUNT:
            msg = f"expected a PSNR of at most {reached(QP_COUNT - 1):.2f} dB for this picture, got {least:g}"
            raise InputError(msg)
        return qp

    def _search_psnr(self, picture: Picture, least: float, qp: int, encode: Callable[[int], Encoded]) -> Encoded:
        """The smallest qp near this one whose picture is good enough: an effort trades rate and quality as it likes.

        At the highest qp, one without effort may be the only one.
        """

        def is_enough(encoded: Encoded) -> bool:
            return self._psnr(picture, encoded.symbols, qp=encoded.qp) >= least

        encoded = encode(qp)
        while not is_enough(encoded) and encoded.qp < QP_COUNT - 1:
            encoded = encode(encoded.qp + 1)
        if not is_enough(encoded):
            return self.encode(picture, qp=qp)
        while 0 < encoded.qp <= qp and is_enough(smaller := encode(encoded.qp - 1)):
            encoded = smaller
        return encoded

    def _psnr(self, picture: Picture, symbols: Symbols, *, qp: int) -> float:
        pixels = self.synthesize(symbols, qp=qp, height=picture.height, width=picture.width)
        return psnr(picture.pixels, _as_delivered(pixels, grey=picture.grey))

    def decode(self, data: bytes) -> Picture:
        """File bytes → picture."""
        return self.decode_container(unpack(data))

    def decode_container(self, container: Container) -> Picture:
        """A file taken apart → picture; raises FormatError for damage, ModelError for another model's file."""
        header, extras = container.header, container.extras
        if header.model_id != self.model.id:
            msg = f"expected a file of model {self.model.id:08x}, got one of {header.model_id:08x}"
            raise ModelError(msg)
        symbols = read_symbols(container, self.model)
        alpha = read_alpha(container)
        pixels = self.synthesize(symbols, qp=header.qp, height=header.height, width=header.width)
        del symbols  # 200 MB of a 100-megapixel picture
        grey = bool(header.flags & Flag.GREY)
        pixels = _as_delivered(pixels, grey=grey)
        return Picture(pixels, grey, alpha, extras.get(Tag.ICC), extras.get(Tag.EXIF), extras.get(Tag.XMP))


def _as_delivered(pixels: Pixels, *, grey: bool) -> Pixels:
    """What a reader sees of decoded pixels: three equal channels for a grey picture."""
    return np.repeat(luma(pixels)[:, :, None], 3, axis=2) if grey else pixels


def read_symbols(container: Container, model: Model) -> Symbols:
    """The symbols of a file, without running a network; raises FormatError where they are not whole."""
    header = container.header
    high, wide = header.latent_size
    return unpack_symbols(container.symbols, model.tables, qp=header.qp, height=high, width=wide)


def _last(holds: Callable[[int], bool]) -> int:
    """The largest qp for which a property holds that holds up to some qp and not beyond, or -1."""
    low, high = -1, QP_COUNT
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _pack_extras(picture: Picture) -> dict[Tag, bytes]:
    metadata = {Tag.ICC: picture.icc, Tag.EXIF: picture.exif, Tag.XMP: picture.xmp}
    extras = {tag: value for tag, value in metadata.items() if value}
    if picture.alpha is not None:
        stream = io.BytesIO()
        Image.fromarray(picture.alpha).save(stream, "PNG", optimize=True)
        extras[Tag.ALPHA] = stream.getvalue()
    return extras


def read_alpha(container: Container) -> Pixels | None:
    """The alpha plane of a file, (H, W), if it has one; raises FormatError where it cannot be read."""
    header = container.header
    if Tag.ALPHA not in container.extras:
        return None
    try:
        # The format's own limit holds: the size is compared before a pixel is decoded.
        stream = io.BytesIO(container.extras[Tag.ALPHA])
        with pixel_limit(None), Image.open(stream, formats=["PNG"]) as plane:
            if plane.size != (header.width, header.height) or plane.mode != "L":
                msg = f"expected an alpha plane of {header.width}×{header.height}, got {plane.size} {plane.mode}"
                raise FormatError(msg)
            return np.asarray(plane)
    except FormatError:
        raise
    except Exception as error:  # whatever a PNG reader throws at damaged data
        msg = f"expected an alpha plane that is a whole PNG, got one that cannot be read ({type(error).__name__})"
        raise FormatError(msg) from error
