"""Plans: everything that the jobs of a ladder have to know, and its file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from functools import cached_property
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ncodec.errors import FormatError
from ncodec.media.colour import is_hdr
from ncodec.media.mezzanine import Survey
from ncodec.media.scaling import FrameSize, Shown
from ncodec.streaming.hull import Point, Probe
from ncodec.streaming.renditions import Rendition, VideoForm
from ncodec.streaming.spans import Span

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class CodecProbes:
    """Probes of a codec, their hull, and its points that became rungs."""

    codec: str
    probes: tuple[Probe, ...]
    hull: tuple[Point, ...]
    rungs: tuple[Point, ...]


@dataclass(frozen=True)
class Job:
    """A piece of work that needs no other: one span in some renditions."""

    span: int
    """number of the span, from 1"""
    renditions: tuple[str, ...]
    """names"""


@dataclass(frozen=True)
class StreamPlan:
    """A ladder of a clip before it is coded."""

    fingerprint: str
    """digest of source, settings and encoders: equal plans make equal files"""
    survey: Survey
    shown: Shown
    form: VideoForm
    mapped_form: VideoForm
    """form of renditions whose colours are mapped to BT.709"""
    spans: tuple[Span, ...]
    renditions: tuple[Rendition, ...]
    top: FrameSize
    metric: str
    target: float
    """quality of the top rung by `metric`"""
    probed: tuple[CodecProbes, ...] = ()
    notices: tuple[str, ...] = ()
    damage: str | None = None
    """where and how the clip is damaged or ends too soon"""

    @property
    def jobs(self) -> Iterator[Job]:
        """Jobs in the order of time, which may run in any order and anywhere."""
        names = tuple(rendition.name for rendition in self.renditions)
        return (Job(span.number, names) for span in self.spans)

    @cached_property
    def times(self) -> tuple[int, ...]:
        """Presentation time of each frame, in units of the form's timescale."""
        found: list[int] = []
        for time in self.survey.times:
            least = found[-1] + 1 if found else 0
            found.append(max(least, round(time * self.form.timescale)))
        return tuple(found)

    @property
    def end(self) -> int:
        """End of the last frame, in units of the form's timescale."""
        return max(self.times[-1] + 1, round(self.survey.end * self.form.timescale))

    def span_end(self, span: Span) -> int:
        """End of a span, in units of the form's timescale."""
        if span.last >= len(self.survey.times):
            return self.end
        return self.times[span.last]

    @property
    def picture_shown(self) -> Shown:
        """Geometry and colour of pictures of the clip, which have the colours of SDR."""
        return replace(self.shown, tone_map=is_hdr(self.form.colour), sharpened=0)

    def is_mapped(self, rendition: Rendition) -> bool:
        """Whether the colours of a rendition are mapped to BT.709."""
        return self.form != self.mapped_form and rendition.codec == "h264"

    def form_of(self, rendition: Rendition) -> VideoForm:
        """Form of a rendition."""
        return self.mapped_form if self.is_mapped(rendition) else self.form


def plan_to_json(plan: StreamPlan) -> str:
    """A plan as JSON."""
    return json.dumps(_plain(plan))


def plan_from_json(text: str) -> StreamPlan:
    """A plan of `plan_to_json`; raises FormatError for other text."""
    try:
        return cast("StreamPlan", _typed(json.loads(text), StreamPlan))
    except (ValueError, TypeError, KeyError, ZeroDivisionError) as error:
        msg = f"expected a plan of ncodec stream, got a file that cannot be read: {error}"
        raise FormatError(msg) from error


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return str(value)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return value


def _typed(value: object, kind: Any) -> Any:
    """JSON of `_plain` as a value of the annotation `kind`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        own = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _typed(value, own)
    if origin is tuple:
        entries = cast("list[object]", value)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_typed(entry, arguments[0]) for entry in entries)
        return tuple(_typed(entry, own) for entry, own in zip(entries, arguments, strict=True))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        found = cast("Mapping[str, object]", value)
        return cast("Any", kind)(
            **{field.name: _typed(found[field.name], hints[field.name]) for field in fields(kind)}
        )
    return Fraction(cast("str", value)) if kind is Fraction else kind(value)
