"""Cells of 64×64 pixels that are coded exactly, beside the networks: layers of lossless pixels ↔
bytes.

A layer is a picture of the smallest box around its cells, as a lossless WebP bitstream, by context
mixing or, where all its pixels are alike, as their colour. Its samples may be coarser by a step,
which makes it nearly exact.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, Pixels
from ncodec.container.varint import ByteReader, pack_varint
from ncodec.errors import FormatError
from ncodec.exact.mixed import SIGNATURE, pack_mixed, unpack_mixed
from ncodec.exact.vp8l import USUAL, Search, pack_vp8l, unpack_vp8l
from ncodec.grid import CELL, Place, cells_of

WORTH = 0.98
"""times the size of a lossless WebP bitstream that context mixing may have"""
MAX_BOX = 2**24
"""pixels of the box of a layer; bounds the memory of a reader"""
MAX_LAYERS = 64
"""most layers of a picture; bounds a reader's memory"""
MAX_COVER = 4
"""most area of all layers' boxes, in areas of the picture; bounds a reader's time"""
_BLOCK = 64
"""largest side of a layer in cells, so that no box is too large"""
_COLOUR_BYTES = 3
MAX_STEP = 255
DIFFERENCES = 127
"""added to the step in the byte of a layer of differences"""
MAX_DIFFERENCE_STEP = MAX_STEP - DIFFERENCES


@dataclass(frozen=True, eq=False)
class Layer:
    """Cells with the pixels of one lossless picture."""

    cells: BoolArray
    """(⌈H/64⌉, ⌈W/64⌉) those that it holds"""
    coded: bytes
    """bitstream of the box around them, or three bytes of the one colour of all of them"""
    step: int = 1
    """multiplier of samples, 1 to 255, or of differences, 1 to 128; products beyond 255 are clipped
    """
    is_difference: bool = False
    """whether samples are signed differences from the prediction of a frame; with a step of 1, they
    are modulo 256"""


def box_of(cells: BoolArray, height: int, width: int) -> Place:
    """Rows and columns of pixels of the smallest box around cells, at least one of them."""
    (top, bottom), (left, right) = (
        np.flatnonzero(cells.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0)
    )
    rows = slice(CELL * top, min(CELL * (bottom + 1), height))
    return rows, slice(CELL * left, min(CELL * (right + 1), width))


def by_pixel(cells: BoolArray, height: int, width: int) -> BoolArray:
    """(⌈H/64⌉, ⌈W/64⌉) cells → (H, W) pixels, whether each is in a cell that is set."""
    return cells.repeat(CELL, axis=0).repeat(CELL, axis=1)[:height, :width]


def covered(layers: Sequence[Layer], height: int, width: int) -> BoolArray:
    """(⌈H/64⌉, ⌈W/64⌉) cells that are in one of the layers."""
    cells = np.zeros(cells_of(height, width), dtype=np.bool_)
    for layer in layers:
        cells |= layer.cells
    return cells


def code_layers(
    pixels: Pixels, cells: BoolArray, *, step: int = 1, search: Search = USUAL
) -> list[Layer]:
    """Layers of the given cells of (H, W, 3) uint8, one for each 64 × 64 cells that hold any.

    `cells` is (⌈H/64⌉, ⌈W/64⌉). Samples are divided by `step`, 1 to 255, and rounded; 1 is exact.
    """
    samples = pixels if step == 1 else np.rint(pixels / np.float32(step)).astype(np.uint8)
    return [Layer(part, _code_box(samples, part, search), step) for part in _parts(cells)]


def code_differences(
    differences: npt.NDArray[np.int8], cells: BoolArray, *, step: int, search: Search = USUAL
) -> list[Layer]:
    """Layers of differences from a prediction, (H, W, 3) int8 in units of `step`, 1 to 128.

    `cells`, (⌈H/64⌉, ⌈W/64⌉), are those to code. With a step of 1 differences are modulo 256.
    """
    samples = differences.view(np.uint8)
    return [
        Layer(part, _code_box(samples, part, search), step, is_difference=True)
        for part in _parts(cells)
    ]


def _parts(cells: BoolArray) -> Iterator[BoolArray]:
    """Cells of each layer."""
    for block in _blocks(cells):
        part = np.zeros_like(cells)
        part[block] = cells[block]
        if part.any():
            yield part


def _blocks(cells: BoolArray) -> Iterator[Place]:
    high, wide = cells.shape
    for top in range(0, high, _BLOCK):
        for left in range(0, wide, _BLOCK):
            yield slice(top, top + _BLOCK), slice(left, left + _BLOCK)


def _code_box(samples: Pixels, cells: BoolArray, search: Search) -> bytes:
    height, width, _ = samples.shape
    box = box_of(cells, height, width)
    held, pixels = by_pixel(cells, height, width)[box], samples[box]
    colour = pixels.reshape(-1, 3)[held.argmax()]
    # Channel by channel: numpy takes ten times as long over an axis of three.
    if all(((pixels[:, :, channel] == colour[channel]) | ~held).all() for channel in range(3)):
        return bytes(colour)
    if not held.all():
        pixels = np.where(held[:, :, None], pixels, colour)
    return pack_exact(np.ascontiguousarray(pixels), search=search)


def pack_exact(pixels: Pixels, *, search: Search = USUAL) -> bytes:
    """(H, W, 3) or (H, W) uint8 with sides of at most 16383 → lossless WebP bitstream, or context
    mixing where that is searched and smaller by 2 %: its readers need time and numba."""
    coded = pack_vp8l(pixels, search=search)
    mixed = pack_mixed(pixels) if search.mixing else None
    return coded if mixed is None or len(mixed) > WORTH * len(coded) else mixed


def unpack_exact(coded: bytes, height: int, width: int) -> Pixels:
    """Inverse of `pack_exact`: (height, width, 3); raises FormatError for damage and another size,
    BackendError where context mixing is not installed."""
    if coded[:1] == bytes([SIGNATURE]):
        return unpack_mixed(coded, height, width)
    return unpack_vp8l(coded, height, width)


def paint(pixels: Pixels, layers: Sequence[Layer], *, predicted: Pixels | None = None) -> None:
    """Decode layers into their cells of (H, W, 3) uint8, in place.

    `predicted`, of that shape, is what layers of differences are added to; without it, they are
    painted as if they were samples. Raises FormatError for a damaged bitstream or one of another
    size than its box.
    """
    height, width, _ = pixels.shape
    for layer in layers:
        box = box_of(layer.cells, height, width)
        rows, columns = box
        high, wide = cells_of(rows.stop, columns.stop)
        held = by_pixel(
            layer.cells[rows.start // CELL : high, columns.start // CELL : wide],
            rows.stop - rows.start,
            columns.stop - columns.start,
        )
        shown = _decoded_box(layer, *held.shape)
        if layer.is_difference and predicted is not None:
            shown = add_differences(predicted[box], shown.view(np.int8), step=layer.step)
        elif layer.step > 1:
            shown = np.minimum(shown.astype(np.uint16) * layer.step, 255).astype(np.uint8)
        np.copyto(pixels[box], shown, where=held[:, :, None])


def add_differences(predicted: Pixels, differences: npt.NDArray[np.int8], *, step: int) -> Pixels:
    """A prediction and its differences in steps, (H, W, 3) each → pixels."""
    if step == 1:
        return predicted + differences.view(np.uint8)  # modulo 256
    return np.clip(predicted + np.int16(step) * differences, 0, 255).astype(np.uint8)


def _decoded_box(layer: Layer, height: int, width: int) -> Pixels:
    if len(layer.coded) == _COLOUR_BYTES:
        return np.broadcast_to(np.frombuffer(layer.coded, dtype=np.uint8), (height, width, 3))
    return unpack_exact(layer.coded, height, width)


def pack_layers(layers: Sequence[Layer]) -> bytes:
    """Layers → bytes, in order: step:u8 map_length:varint map coded_length:varint coded."""
    parts = []
    for layer in layers:
        step = layer.step + DIFFERENCES * layer.is_difference
        parts += [bytes([step]), with_length(pack_map(layer.cells)), with_length(layer.coded)]
    return b"".join(parts)


def with_length(data: bytes) -> bytes:
    """Data preceded by its length in bytes as a varint."""
    return pack_varint(len(data)) + data


def pack_map(cells: BoolArray) -> bytes:
    """Bits of cells in raster order, first ones highest, as a zlib stream; nothing where all are
    held."""
    return b"" if cells.all() else zlib.compress(np.packbits(cells).tobytes(), 9)


def unpack_layers(
    payload: bytes,
    height: int,
    width: int,
    *,
    taken: BoolArray | None = None,
    with_differences: bool = False,
) -> tuple[Layer, ...]:
    """Layers of a picture of `height` × `width` pixels from their bytes; no pixel is decoded.

    `taken`, (⌈H/64⌉, ⌈W/64⌉), are cells that no layer may have; `with_differences`, a step byte of
    127 + s is a layer of differences in steps of s. Raises FormatError for truncated data, damaged
    maps, empty or shared cells, a step of 0, more than 64 layers, a box beyond 2²⁴ pixels, and
    boxes beyond four times the picture in all.
    """
    reader = ByteReader(payload)
    taken = np.zeros(cells_of(height, width), dtype=np.bool_) if taken is None else taken.copy()
    layers: list[Layer] = []
    area = 0
    while not reader.at_end:
        step = reader.byte()
        cells = unpack_map(reader.take(reader.varint()), taken.shape)
        is_difference = with_differences and step > DIFFERENCES
        step -= DIFFERENCES * is_difference
        layer = Layer(cells, reader.take(reader.varint()), step, is_difference)
        if not step or not cells.any() or (taken & cells).any():
            msg = (
                "expected layers of cells that share none, in steps of 1 to 255, got others: the "
                "file is damaged"
            )
            raise FormatError(msg)
        if len(layers) == MAX_LAYERS:
            msg = (
                f"expected at most {MAX_LAYERS} layers of exact cells, got more: the file is "
                f"damaged"
            )
            raise FormatError(msg)
        taken |= cells
        rows, columns = box_of(cells, height, width)
        box = (rows.stop - rows.start) * (columns.stop - columns.start)
        area += box
        if box > MAX_BOX or area > MAX_COVER * height * width:
            msg = (
                f"expected layers of at most {MAX_BOX} pixels that cover a picture {MAX_COVER} "
                f"times, got larger ones"
            )
            raise FormatError(msg)
        layers.append(layer)
    return tuple(layers)


def unpack_map(data: bytes, shape: tuple[int, ...]) -> BoolArray:
    """Inverse of `pack_map` for cells of `shape`, (rows, columns); no bytes are all cells.

    Raises FormatError for damage, another number of cells and bits set after the last cell.
    """
    if not data:
        return np.ones(shape, dtype=np.bool_)
    count = shape[0] * shape[1]
    inflater = zlib.decompressobj()
    try:
        bits = inflater.decompress(data, -(-count // 8) + 1)
    except zlib.error as error:
        msg = f"expected a map of exact cells, got what is no zlib stream: {error}"
        raise FormatError(msg) from error
    if len(bits) != -(-count // 8) or not inflater.eof or inflater.unused_data:
        msg = f"expected a map of {count} cells, got another: the file is damaged"
        raise FormatError(msg)
    flags = np.unpackbits(np.frombuffer(bits, dtype=np.uint8))
    if flags[count:].any():
        msg = f"expected zeros after the map of {count} cells, got others: the file is damaged"
        raise FormatError(msg)
    return flags[:count].astype(np.bool_).reshape(shape)
