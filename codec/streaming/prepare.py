"""Clips → plans: survey, probes, choice of the ladder."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from ncodec.errors import InputError
from ncodec.media.colour import is_hdr
from ncodec.media.fingerprint import content_digest
from ncodec.media.mezzanine import Mezzanine, Survey
from ncodec.media.scaling import FrameSize, Shown, coded_colour
from ncodec.streaming.audio import describe_sound
from ncodec.streaming.hull import fit_curves, hull_of
from ncodec.streaming.ladder import (
    MOST_RUNGS,
    XPSNR_TARGET,
    Rung,
    choose_rungs,
    fixed_rungs,
    read_ladder,
    rendition_of_rung,
    renditions_of,
    sizes_of,
    top_size,
)
from ncodec.streaming.live import LiveForm
from ncodec.streaming.metrics import VMAF, default_metric
from ncodec.streaming.plan import CodecProbes, StreamPlan
from ncodec.streaming.probing import (
    PROBE_CRFS,
    Samples,
    probe_sizes,
    windows_of,
    write_samples,
)
from ncodec.streaming.renditions import Rendition, VideoForm, timescale_of
from ncodec.streaming.settings import StreamSettings
from ncodec.streaming.spans import spans_of

_SHARPENED = 0.75**2
"""pixels of a rung, as a part of the top one's, up to which it is sharpened"""
_NO_VMAF = (
    "the ladder was chosen by XPSNR: VMAF needs imageio-ffmpeg (pip install 'ncodec[stream]')"
)
Stage = Callable[[str, int, int | None], None]
"""called with the name of the stage, steps done, and their number if it is known"""


def fingerprint_of(path: Path, settings: StreamSettings, *, version: str) -> str:
    """Digest of a source, by its size and pieces of it, of settings, and of versions of ncodec and
    the encoders; how many threads work is left out. Raises InputError for a source that cannot be
    read."""
    digest = hashlib.sha256(content_digest(path))
    stated = settings.ladder if settings.ladder in ("auto", "fixed") else _stated(settings)
    names = [field.name for field in fields(settings) if field.name not in ("ladder", "jobs")]
    values = {name: _plain(getattr(settings, name)) for name in names} | {"ladder": repr(stated)}
    digest.update(repr((values, version, av.library_versions, default_metric())).encode())
    return digest.hexdigest()


def _plain(value: object) -> object:
    """A value of a setting, alike for equal values of several types."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value if value is None or isinstance(value, str | bool) else tuple(map(str, value))  # type: ignore[call-overload]


@dataclass(frozen=True)
class _Clip:
    """A surveyed clip, and the form of its renditions."""

    survey: Survey
    shown: Shown
    form: VideoForm
    mapped_form: VideoForm
    codecs: tuple[str, ...]
    is_hdr: bool

    def top(self, codec: str, settings: StreamSettings) -> FrameSize:
        """Size of the top rung of a codec."""
        bits = 10 if self.survey.bits > 8 and codec != "h264" else 8
        width, height = self.shown.size_of(self.survey.width, self.survey.height)
        return top_size(width, height, most=settings.max_height, bits=bits)

    def is_mapped(self, codec: str) -> bool:
        """Whether renditions of a codec get the colours of BT.709."""
        return self.is_hdr and codec == "h264"


def make_plan(
    open_source: Callable[[], Mezzanine],
    survey: Survey,
    settings: StreamSettings,
    *,
    fingerprint: str,
    jobs: int,
    progress: Stage,
) -> StreamPlan:
    """Plan of a surveyed clip: spans, and renditions chosen as the settings say.

    Raises InputError where no codec can show the clip, and what reading and coding raise.
    """
    with open_source() as reader:
        clip, notices = _describe(reader, survey, settings)
    spans = spans_of(survey.times, survey.end, cuts=survey.cuts, seconds=settings.segment_seconds)
    metric = default_metric()
    target = float(settings.target_vmaf) if metric == VMAF else XPSNR_TARGET
    probed: tuple[CodecProbes, ...] = ()
    renditions: tuple[Rendition, ...]
    if settings.ladder == "auto":
        notices += (_NO_VMAF,) if metric != VMAF else ()
        probed, renditions = _probed(
            clip, open_source, settings, metric=metric, target=target, jobs=jobs, progress=progress
        )
    else:
        renditions = tuple(_from_rungs(clip, settings))
        notices += _shrunk(clip, settings)
    return StreamPlan(
        fingerprint=fingerprint,
        survey=survey,
        shown=clip.shown,
        form=clip.form,
        mapped_form=clip.mapped_form,
        spans=spans,
        renditions=renditions,
        top=clip.top(clip.codecs[-1], settings),
        metric=metric,
        target=target,
        probed=probed,
        notices=notices,
    )


def live_form(
    reader: Mezzanine, first: Survey, settings: StreamSettings
) -> tuple[LiveForm, tuple[str, ...]]:
    """Form of a live clip by its opened file and its first frame, and notices.

    Raises InputError where no codec can show the clip.
    """
    clip, notices = _describe(reader, first, settings)
    if settings.ladder == "auto":
        settings = replace(settings, ladder="fixed")
    renditions = _from_rungs(clip, settings)
    notices += _shrunk(clip, settings)
    is_mapped = clip.is_hdr and all(rendition.codec == "h264" for rendition in renditions)
    if clip.is_hdr and not is_mapped:
        renditions = [rendition for rendition in renditions if rendition.codec != "h264"]
    sounds, lost = describe_sound(reader.sounds, settings.audio_codecs)
    if any(stream.type == "subtitle" for stream in reader.container.streams):
        lost += ("the subtitles of a live clip were left out",)
    found = LiveForm(
        replace(clip.shown, tone_map=is_mapped),
        clip.mapped_form if is_mapped else clip.form,
        tuple(renditions),
        sounds,
        settings.segment_seconds,
        settings.longest_segment,
        settings.window,
    )
    return found, (*notices, *lost)


def _describe(
    reader: Mezzanine, survey: Survey, settings: StreamSettings
) -> tuple[_Clip, tuple[str, ...]]:
    colour, aspect, rate = reader.colour, reader.pixel_aspect, reader.rate
    notices: list[str] = []
    of_hdr = is_hdr(colour)
    codecs = settings.video_codecs
    if of_hdr and not settings.tone_map and "h264" in codecs:
        codecs = tuple(codec for codec in codecs if codec != "h264")
        notices.append(
            "renditions in H.264 were left out: they cannot show HDR; --tone-map "
            "(tone_map=True) maps their colours"
        )
    if not codecs:
        msg = (
            "expected hevc or av1 among the codecs of an HDR clip, or --tone-map (tone_map=True), "
            "got h264 alone"
        )
        raise InputError(msg)
    if survey.bits > 8 and "h264" in codecs:
        notices.append("samples of more than 8 bits were reduced to 8 in H.264")
    if of_hdr and "h264" in codecs:
        notices.append("colours of HDR were mapped to BT.709 in H.264")
    if survey.is_interlaced:
        notices.append("interlaced frames were deinterlaced")
    shown = Shown(survey.matrix, aspect, colour, survey.is_interlaced)
    if settings.downscale != "lanczos":
        shown = replace(
            shown,
            sharpened=_sharpened(shown, survey, settings),
            learned=settings.downscale == "learned",
        )
    usual = survey.rate or rate
    form = VideoForm(
        usual,
        timescale_of(survey.rate),
        coded_colour(colour, height=survey.height),
        survey.mastering if of_hdr else (),
        survey.light if of_hdr else (),
    )
    mapped = coded_colour(colour, height=survey.height, tone_map=True)
    mapped_form = VideoForm(usual, form.timescale, mapped) if of_hdr else form
    clip = _Clip(survey, shown, form, mapped_form, codecs, of_hdr)
    return clip, tuple(notices)


def _sharpened(shown: Shown, survey: Survey, settings: StreamSettings) -> int:
    width, height = shown.size_of(survey.width, survey.height)
    top = top_size(width, height, most=settings.max_height)
    return round(_SHARPENED * top.width * top.height)


def _from_rungs(clip: _Clip, settings: StreamSettings) -> list[Rendition]:
    """Renditions of the fixed ladder, or of one that a person wrote."""
    stated = None if settings.ladder == "fixed" else _stated(settings)[: settings.rungs]
    most = settings.rungs or MOST_RUNGS
    found: list[Rendition] = []
    for codec in clip.codecs:
        top = clip.top(codec, settings)
        rungs = fixed_rungs(top, most=most) if stated is None else stated
        found += [
            rendition_of_rung(codec, rung, top, number=number, speed=settings.speed)
            for number, rung in enumerate(rungs, 1)
        ]
    return [replace(one, grain=settings.grain if one.codec == "av1" else 0) for one in found]


def _shrunk(clip: _Clip, settings: StreamSettings) -> tuple[str, ...]:
    """Notices of rungs that a person wrote and that are larger than the top one may be: they get
    its size."""
    if settings.ladder == "fixed":
        return ()
    top = clip.top(clip.codecs[0], settings)
    side = min(top.width, top.height)
    return tuple(
        f"the rung of {rung.height} pixels was made {side} high, as large as the top one may be"
        for rung in _stated(settings)[: settings.rungs]
        if rung.height > side
    )


def _stated(settings: StreamSettings) -> Sequence[Rung]:
    ladder = settings.ladder
    if not isinstance(ladder, str | os.PathLike):
        return ladder
    path = Path(ladder)
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        msg = f"expected auto, fixed or a ladder in YAML, got {path}, which cannot be read: {error}"
        raise InputError(msg) from error
    return read_ladder(text)


def _probed(
    clip: _Clip,
    open_source: Callable[[], Mezzanine],
    settings: StreamSettings,
    *,
    metric: str,
    target: float,
    jobs: int,
    progress: Stage,
) -> tuple[tuple[CodecProbes, ...], tuple[Rendition, ...]]:
    probes: list[CodecProbes] = []
    renditions: list[list[Rendition]] = []
    sizes = {codec: sizes_of(clip.top(codec, settings)) for codec in clip.codecs}
    total = sum(len(found) * len(PROBE_CRFS[codec]) for codec, found in sizes.items())
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress("probe", done, total)

    progress("probe", 0, total)
    with TemporaryDirectory() as folder:
        for codec in clip.codecs:
            samples = _samples(clip, open_source, codec, settings, Path(folder))
            form = clip.mapped_form if clip.is_mapped(codec) else clip.form
            found = probe_sizes(
                samples, codec, sizes[codec], form,
                speed=settings.speed, metric=metric, jobs=jobs, progress=step,
            )  # fmt: skip
            hull = hull_of(fit_curves(found, metric=metric))
            most = settings.rungs or MOST_RUNGS
            rungs = choose_rungs(hull, target=target, metric=metric, most=most)
            renditions.append(
                renditions_of(codec, rungs, speed=settings.speed, grain=settings.grain)
            )
            probes.append(CodecProbes(codec, tuple(found), tuple(hull), tuple(rungs)))
    return tuple(probes), tuple(chain.from_iterable(renditions))


def _samples(
    clip: _Clip,
    open_source: Callable[[], Mezzanine],
    codec: str,
    settings: StreamSettings,
    folder: Path,
) -> Samples:
    is_mapped = clip.is_mapped(codec)
    return write_samples(
        open_source,
        clip.survey,
        replace(clip.shown, tone_map=is_mapped),
        clip.mapped_form if is_mapped else clip.form,
        size=clip.top(codec, settings),
        path=folder / f"{codec}.mkv",
        windows=windows_of(clip.survey),
    )
