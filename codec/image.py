"""One picture ↔ one file's bytes: tiles, networks, symbols, chunks."""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from PIL import Image

from ncodec.backends import Backend, Latents, Refiner
from ncodec.bitstream import MAX_SIDE, PATCH, QP_COUNT, Container, Flag, Header, Tag, pack, unpack
from ncodec.effort import check_effort, search_of
from ncodec.entropy import Symbols, estimate_bits, pack_symbols, unpack_symbols, zero_certain
from ncodec.errors import BackendError, FormatError, InputError, ModelError
from ncodec.model import Model
from ncodec.picture import Levels, Picture, Pixels, luma, pixel_limit, psnr

CELL = 64
"""pixels under one hyper-latent, along each side"""
LARGE_PICTURE = 2**25
"""pixels from which tiles are of `LARGE_TILE`, because the picture itself already takes much"""
LARGE_TILE = 1024
MAX_BPP = 1000
"""beyond any file"""
TILE = 1536
"""largest side that networks see at once, without the halo; bounds the memory of a large picture"""
SEARCHED_TILE, SEARCHED_HALO = 768, 128
"""the same for a search by gradients, whose memory is larger, and which need not see all that a pixel depends on"""


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


Watch = Callable[[int, int], None]
"""told how many steps of how many are done"""


def unwatched(done: int, steps: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A file's bytes and how they came about."""

    data: bytes
    qp: int
    symbols: Symbols


@dataclass(frozen=True)
class _Span:
    """A tile along one axis, in pixels: what it is for, and what the networks look at."""

    start: int
    stop: int
    seen_start: int
    seen_stop: int

    def inner(self, unit: int) -> slice:
        """What to keep of a result at one value for `unit` pixels."""
        return slice((self.start - self.seen_start) // unit, -((self.seen_start - self.stop) // unit))

    def outer(self, unit: int) -> slice:
        """Where it goes."""
        return slice(self.start // unit, -(-self.stop // unit))

    def seen(self, unit: int) -> slice:
        """What the networks look at."""
        return slice(self.seen_start // unit, -(-self.seen_stop // unit))


def _spans(length: int, halo: int, tile: int) -> list[_Span]:
    """Tiles of about equal size at multiples of a hyper-latent cell, each with its halo inside 0…length."""
    count = -(-length // tile)
    side = -(-length // (count * CELL)) * CELL
    starts = range(0, length, side)
    return [
        _Span(start, min(start + side, length), max(0, start - halo), min(length, start + side + halo))
        for start in starts
    ]


def _tiles(height: int, width: int, halo: int, *, tile: int | None = None) -> Iterator[tuple[_Span, _Span]]:
    tile = tile or (LARGE_TILE if height * width > LARGE_PICTURE else TILE)
    columns = _spans(width, halo, tile)
    return ((row, column) for row in _spans(height, halo, tile) for column in columns)


def quality_to_qp(quality: float) -> int:
    """Quality 0…100 → qp 0…63."""
    return round(quality / 100 * (QP_COUNT - 1))


def qp_to_quality(qp: int) -> float:
    """The quality whose qp this is, to a tenth."""
    return round(qp / (QP_COUNT - 1) * 100, 1)


def pad_to_patches(tile: Pixels) -> Pixels:
    """Repeat the last row and column up to multiples of 16."""
    bottom, right = -tile.shape[0] % PATCH, -tile.shape[1] % PATCH
    return np.pad(tile, ((0, bottom), (0, right), (0, 0)), mode="edge") if bottom or right else tile


@dataclass(frozen=True)
class ImageCodec:
    """A model on a backend."""

    model: Model
    backend: Backend

    def analyze(self, pixels: Pixels, *, qp: int, predicted: Pixels | None = None) -> Symbols:
        """(H, W, 3) uint8 → the symbols a decoder will see; `predicted` is padded to multiples of 16."""

        def analyzed(row: _Span, column: _Span) -> Symbols:
            known = None if predicted is None else predicted[row.seen(1), column.seen(1)]
            tile = pad_to_patches(pixels[row.seen(1), column.seen(1)])
            return self.backend.analyze(tile, qp=qp, predicted=known)

        return self._assembled(analyzed, pixels.shape[0], pixels.shape[1], qp=qp)

    def refine(self, pixels: Pixels, *, qp: int, effort: int, watch: Watch) -> Symbols:
        """(H, W, 3) uint8 → symbols whose picture is better for its bits than that of those of `analyze`.

        Raises BackendError without PyTorch.
        """
        backend = self.backend
        if not isinstance(backend, Refiner):
            msg = "an effort above 0 needs the torch backend, got another"
            raise BackendError(msg)
        search = search_of(effort, qp=qp)
        padded = pad_to_patches(pixels)
        height, width = padded.shape[:2]
        tables = self.model.tables
        y = np.empty((tables.bias.shape[1], height // PATCH, width // PATCH), dtype=np.float32)
        z = np.empty((tables.z_rows.shape[1], -(-height // CELL), -(-width // CELL)), dtype=np.float32)
        tiles = list(_tiles(height, width, SEARCHED_HALO, tile=SEARCHED_TILE))
        steps = count(1)
        for row, column in tiles:
            found = backend.refine(
                padded[row.seen(1), column.seen(1)],
                qp=qp,
                search=search,
                advance=lambda: watch(next(steps), len(tiles) * search.steps),
            )
            z[:, row.outer(CELL), column.outer(CELL)] = found.z[:, row.inner(CELL), column.inner(CELL)]
            y[:, row.outer(PATCH), column.outer(PATCH)] = found.y[:, row.inner(PATCH), column.inner(PATCH)]

        # Only now is it known what lies beside each tile, which symbols depend on.
        def quantized(row: _Span, column: _Span) -> Symbols:
            seen = Latents(y[:, row.seen(PATCH), column.seen(PATCH)], z[:, row.seen(CELL), column.seen(CELL)])
            return backend.quantize(seen, qp=qp)

        return self._assembled(quantized, height, width, qp=qp)

    def _assembled(self, tile_of: Callable[[_Span, _Span], Symbols], height: int, width: int, *, qp: int) -> Symbols:
        """The symbols of a picture from those of what the networks see around each tile."""
        tables = self.model.tables
        high, wide = -(-height // PATCH), -(-width // PATCH)
        z_hat = np.empty((tables.z_rows.shape[1], -(-height // CELL), -(-width // CELL)), dtype=np.int8)
        residual = np.empty((tables.bias.shape[1], high, wide), dtype=np.int16)
        for row, column in _tiles(PATCH * high, PATCH * wide, self.model.halo):
            tile = tile_of(row, column)
            z_hat[:, row.outer(CELL), column.outer(CELL)] = tile.z_hat[:, row.inner(CELL), column.inner(CELL)]
            residual[:, row.outer(PATCH), column.outer(PATCH)] = tile.residual[:, row.inner(PATCH), column.inner(PATCH)]
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
    ) -> Iterator[tuple[tuple[slice, slice], Levels]]:
        """Each tile's place and levels."""
        high, wide = (PATCH * side for side in symbols.residual.shape[1:])
        for row, column in _tiles(high, wide, self.model.halo):
            z_hat = symbols.z_hat[:, row.seen(CELL), column.seen(CELL)]
            residual = symbols.residual[:, row.seen(PATCH), column.seen(PATCH)]
            known = None if predicted is None else predicted[row.seen(1), column.seen(1)]
            seen = self.backend.synthesize(Symbols(z_hat, residual), qp=qp, predicted=known)
            yield (row.outer(1), column.outer(1)), seen[row.inner(1), column.inner(1)]

    def encode(self, picture: Picture, *, qp: int, effort: int = 0, watch: Watch = unwatched) -> Encoded:
        """Picture → file bytes at one qp; an effort of 1 to 9 searches for better ones with PyTorch.

        `watch` is told how many steps of how many are done.
        """
        check_effort(effort)
        if effort:
            symbols = self.refine(picture.pixels, qp=qp, effort=effort, watch=watch)
        else:
            symbols = self.analyze(picture.pixels, qp=qp)
        payload = pack_symbols(symbols, self.model.tables, qp=qp)
        flags = Flag.GREY if picture.grey else Flag(0)
        header = Header(self.model.id, picture.width, picture.height, qp, flags)
        data = pack(Container(header, payload, _pack_extras(picture)))
        return Encoded(data, qp, symbols)

    def encode_to(self, picture: Picture, target: Target, *, effort: int = 0, watch: Watch = unwatched) -> Encoded:
        """Picture → file bytes that meet a target; raises InputError when no qp is small enough."""
        if max(picture.height, picture.width) > MAX_SIDE:
            msg = f"expected sides of at most {MAX_SIDE} pixels, got {picture.width}×{picture.height}"
            raise InputError(msg)

        def encode(qp: int) -> Encoded:
            return self.encode(picture, qp=qp, effort=effort, watch=watch)

        if target.quality is not None:
            return encode(quality_to_qp(target.quality))
        if target.psnr is not None:
            qp = self._qp_of_psnr(picture, target.psnr)
            return self._search_psnr(picture, target.psnr, qp, encode) if effort else encode(qp)
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
        while len(encoded.data) > limit:
            if encoded.qp == 0:
                msg = f"expected a limit of at least {len(encoded.data)} bytes for this picture, got {limit}"
                raise InputError(msg)
            encoded = encode(encoded.qp - 1)
        # An estimate may be a few bytes too high, and what an effort saves is not in it.
        while qp <= encoded.qp < QP_COUNT - 1:
            larger = encode(encoded.qp + 1)
            if len(larger.data) > limit:
                break
            encoded = larger
        return encoded

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
