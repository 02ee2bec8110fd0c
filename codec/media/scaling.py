"""Frames as they are stored → upright frames of square pixels, in several sizes at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.filter import Graph
from av.filter.context import FilterContext

from ncodec.container.records import UNKNOWN_COLOUR, Colour
from ncodec.errors import InputError, sentence_of
from ncodec.media.colour import HD_HEIGHT, MATRICES
from ncodec.media.display_matrix import PLAIN, Matrix, is_turned
from ncodec.media.learned_scaling import LearnedDownscaler, is_half

_TURNS: dict[Matrix, tuple[str, ...]] = {
    (0, 1, -1, 0): ("transpose=clock",),
    (0, -1, 1, 0): ("transpose=cclock",),
    (0, 1, 1, 0): ("transpose=cclock_flip",),
    (0, -1, -1, 0): ("transpose=clock_flip",),
    (-1, 0, 0, -1): ("hflip", "vflip"),
    (-1, 0, 0, 1): ("hflip",),
    (1, 0, 0, -1): ("vflip",),
}
"""display matrix → FFmpeg's filters that put frames upright"""
_BT709, _BT601, _RGB, _UNSPECIFIED = 1, 6, 0, 2
_SHARPENED = "unsharp=3:3:0.2:3:3:0"
SCALER = "lanczos+accurate_rnd+full_chroma_int"
"""flags of FFmpeg's scaler"""


@dataclass(frozen=True)
class FrameSize:
    """Sides and bits of frames of square pixels in 4:2:0."""

    width: int
    height: int
    bits: int = 8

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name."""
        return "yuv420p" if self.bits == 8 else "yuv420p10le"


@dataclass(frozen=True)
class Shown:
    """Geometry and colour of stored frames, and the filters for them while they are scaled."""

    matrix: Matrix = PLAIN
    pixel_aspect: Fraction = Fraction(1)
    """width of a stored pixel over its height"""
    colour: Colour = UNKNOWN_COLOUR
    deinterlace: bool = False
    tone_map: bool = False
    """whether colours of HDR become those of BT.709"""
    sharpened: int = 0
    """pixels of a size up to which it is sharpened a little, for players that scale up by bicubic
    filters"""
    learned: bool = False
    """whether a network makes the luma of such a size where it is half of an upright frame"""

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Even columns and rows of an upright frame of square pixels; `width` and `height` are the
        stored ones. The longer side of a pixel decides, so that no detail is lost."""
        aspect = self.pixel_aspect
        across = width * max(aspect, Fraction(1))
        down = height / min(aspect, Fraction(1))
        if is_turned(self.matrix):
            across, down = down, across
        return _even(across), _even(down)


def coded_colour(colour: Colour, *, height: int, tone_map: bool = False) -> Colour:
    """Colour of frames that `FrameScaler` gives: limited range, and BT.709 or BT.601 by the rows of
    stored frames where the file says nothing or has RGB."""
    if tone_map:
        return Colour(_BT709, _BT709, _BT709)
    assumed = _BT709 if height >= HD_HEIGHT else _BT601
    matrix = assumed if colour.matrix in (_RGB, _UNSPECIFIED) else colour.matrix
    return Colour(matrix, colour.primaries, colour.transfer)


class FrameScaler:
    """Scales the frames of a clip to several sizes, by Lanczos filters."""

    def __init__(self, shown: Shown, sizes: Sequence[FrameSize]) -> None:
        self.sizes = tuple(sizes)
        self._shown = shown
        self._graph: Graph | None = None
        self._sinks: list[FilterContext] = []
        self._whole: dict[FrameSize, FilterContext] = {}
        self._form: tuple[object, ...] = ()

    def scale(self, frames: Iterable[av.VideoFrame]) -> Iterator[list[av.VideoFrame]]:
        """Each frame in every size, upright, in the order of `frames`, which may differ in size."""
        for frame in frames:
            yield from self.push(frame)
        yield from self.flush()

    def push(self, frame: av.VideoFrame) -> Iterator[list[av.VideoFrame]]:
        """Frames that a further frame completes, in every size; deinterlaced ones come one frame
        later."""
        form = (frame.width, frame.height, frame.format.name)
        if form != self._form:
            yield from self.flush()
            self._graph, self._form = self._checked(frame), form
        cast("Graph", self._graph).push(frame)
        yield from self._pulled()

    def _checked(self, frame: av.VideoFrame) -> Graph:
        """Graph for frames of this form; raises InputError where they cannot be scaled."""
        try:
            return self._opened(frame)
        except (av.FFmpegError, OSError) as error:
            msg = (
                f"expected frames that FFmpeg scales, got {frame.format.name} of "
                f"{frame.width}×{frame.height} in colour matrix {int(frame.colorspace)}: "
                f"{sentence_of(error)}"
            )
            raise InputError(msg) from error

    def flush(self) -> Iterator[list[av.VideoFrame]]:
        """The frames that are left."""
        if self._graph is None:
            return
        self._graph.push(None)
        yield from self._pulled()
        self._graph, self._form = None, ()

    def _pulled(self) -> Iterator[list[av.VideoFrame]]:
        """Frames that have come through all filters."""
        while True:
            try:
                frames = [cast("av.VideoFrame", sink.pull()) for sink in self._sinks]
                whole = {
                    size: cast("av.VideoFrame", sink.pull()) for size, sink in self._whole.items()
                }
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            for place, size in enumerate(self.sizes):
                full = whole.get(_twice(size)) if self._is_learned(size) else None
                if full is not None:
                    frames[place] = LearnedDownscaler().halve(full, frames[place])
            yield frames

    def _is_learned(self, size: FrameSize) -> bool:
        """Whether the network makes a size, if it is half of upright frames."""
        return self._shown.learned and size.width * size.height <= self._shown.sharpened

    def _opened(self, frame: av.VideoFrame) -> Graph:
        graph = Graph()
        colour = self._shown.colour
        out = coded_colour(colour, height=frame.height, tone_map=self._shown.tone_map)
        source = graph.add("buffer", _buffer_options(frame))
        steps = ["bwdif=mode=send_frame"] if self._shown.deinterlace else []
        steps += _TURNS.get(self._shown.matrix, ())
        last = source
        for step in steps:
            last = _linked(graph, last, step)
        upright = self._shown.size_of(frame.width, frame.height)
        halved = [
            size
            for size in self.sizes
            if self._is_learned(size) and is_half(size.width, size.height, of=upright)
        ]
        whole = list(dict.fromkeys(_twice(size) for size in halved))
        split = _linked(graph, last, f"split=outputs={len(self.sizes) + len(whole)}")
        sinks = []
        for place, size in enumerate([*self.sizes, *whole]):
            options = _scale_options(size, out, stated=colour, is_mapped=self._shown.tone_map)
            scaler = graph.add("scale", options)
            split.link_to(scaler, place, 0)
            shaped = _linked(graph, scaler, f"format=pix_fmts={size.pixel_format}")
            is_small = size.width * size.height <= self._shown.sharpened
            if is_small and place < len(self.sizes) and size not in halved:
                shaped = _linked(graph, shaped, _SHARPENED)
            square = _linked(graph, shaped, "setsar=1")
            sinks.append(_linked(graph, square, "buffersink"))
        self._sinks = sinks[: len(self.sizes)]
        self._whole = dict(zip(whole, sinks[len(self.sizes) :], strict=True))
        graph.configure()
        return graph


def _twice(size: FrameSize) -> FrameSize:
    return FrameSize(2 * size.width, 2 * size.height, size.bits)


def _linked(graph: Graph, before: FilterContext, step: str) -> FilterContext:
    name, _, options = step.partition("=")
    node = graph.add(name, options or None)
    before.link_to(node)
    return node


def _buffer_options(frame: av.VideoFrame) -> str:
    base = frame.time_base or Fraction(1, 25)
    return (
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
        f":time_base={base.numerator}/{base.denominator}:pixel_aspect=1/1"
        f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}"
    )


def _scale_options(size: FrameSize, out: Colour, *, stated: Colour, is_mapped: bool) -> str:
    options = (
        f"w={size.width}:h={size.height}:flags={SCALER}:out_range=limited"
        f":out_color_matrix={MATRICES.get(out.matrix, out.matrix)}"
    )
    if stated.matrix == _UNSPECIFIED:  # else the scaler would guess one and convert from it
        options += f":in_color_matrix={MATRICES.get(out.matrix, out.matrix)}"
    if is_mapped:
        options += ":out_primaries=bt709:out_transfer=bt709:intent=perceptual"
    return options


def _even(side: Fraction) -> int:
    return max(2, round(side / 2) * 2)
