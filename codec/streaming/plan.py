"""Plans: everything that the jobs of a ladder have to know."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ncodec.media.colour import is_hdr
from ncodec.media.mezzanine import Survey
from ncodec.media.scaling import FrameSize, Shown
from ncodec.streaming.hull import Point, Probe
from ncodec.streaming.renditions import Rendition, VideoForm
from ncodec.streaming.spans import Span


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
