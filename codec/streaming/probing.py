"""Samples of a clip, and probes: what encoders make of them in several sizes."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil
from pathlib import Path

import av

from ncodec.media.mezzanine import Survey
from ncodec.media.scaling import FrameScaler, FrameSize, Shown
from ncodec.streaming.encoders import SegmentEncoder
from ncodec.streaming.hull import Probe
from ncodec.streaming.metrics import Quality, measure
from ncodec.streaming.renditions import Rendition, VideoForm
from ncodec.streaming.segments import pack_segment
from ncodec.streaming.source_frames import OpenSource, frames_from
from ncodec.streaming.spans import Span

PROBE_CRFS = {"h264": (21.0, 27.0, 36.0), "hevc": (19.0, 27.0, 40.0), "av1": (23.0, 41.0, 59.0)}
"""codec → CRFs of its probes"""
_SHARE = 0.02
"""of a clip's frames that are probed"""
_WINDOW_S = 1
_LEAST_S, _MOST_S = 3, 20
"""seconds of all samples"""


@dataclass(frozen=True)
class Samples:
    """Frames of a clip to probe, in a file without loss."""

    path: Path
    size: FrameSize
    seconds: float
    times: tuple[int, ...]
    """of frames, in units of the form's timescale"""
    end: int
    sharpened: int
    """pixels of a size up to which it is sharpened, as `Shown` has it"""
    is_learned: bool
    """whether a network makes halves of them, as it makes halves of the clip"""
    keys: tuple[int, ...]
    """frames that begin a sample"""


def windows_of(survey: Survey) -> list[Span]:
    """Spans of frames to probe: the whole clip if it is short, else seconds at even distances."""
    total = min(_MOST_S, max(_LEAST_S, _SHARE * float(survey.end)))
    count = ceil(total / _WINDOW_S)
    if float(survey.end) <= count * _WINDOW_S * 1.25:
        return [Span(1, 0, len(survey.times))]
    length = max(1, round(_WINDOW_S * len(survey.times) / survey.end))
    room = len(survey.times) - length
    return [Span(place + 1, round((place + 0.5) * room / count), length) for place in range(count)]


def write_samples(
    open_source: OpenSource,
    survey: Survey,
    shown: Shown,
    form: VideoForm,
    *,
    size: FrameSize,
    path: Path,
    windows: Sequence[Span],
) -> Samples:
    """Samples of a clip in some spans, upright and of `size`, in the file `path`."""
    ticks = round(form.timescale / form.rate)
    count = sum(window.frames for window in windows)
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(
            "libx264", rate=form.rate, options={"preset": "ultrafast", "qp": "0"}
        )
        stream.width, stream.height = size.width, size.height
        stream.pix_fmt = size.pixel_format
        stream.codec_context.gop_size = 1
        number = 0
        for window in windows:
            scaler = FrameScaler(replace(shown, sharpened=0), [size])
            with closing(frames_from(open_source, survey, window.first)) as frames:
                for (frame,) in scaler.scale(islice(frames, window.frames)):
                    frame.pts, frame.time_base = number, 1 / form.rate
                    container.mux(stream.encode(frame))
                    number += 1
        container.mux(stream.encode(None))
    starts = [sum(window.frames for window in windows[:place]) for place in range(len(windows))]
    times = tuple(ticks * place for place in range(count))
    whole = shown.size_of(survey.width, survey.height)
    return Samples(
        path,
        size,
        float(count / form.rate),
        times,
        ticks * count,
        shown.sharpened,
        shown.learned and (size.width, size.height) == whole,
        tuple(starts),
    )


def probe(
    samples: Samples, rendition: Rendition, form: VideoForm, *, metric: str, is_full: bool = False
) -> tuple[Probe, Quality]:
    """Rate and quality of a rendition on samples; the coded samples lie beside them meanwhile."""
    with av.open(str(samples.path)) as container:
        shown = Shown(colour=form.colour, sharpened=samples.sharpened, learned=samples.is_learned)
        scaler = FrameScaler(shown, [rendition.size])
        encoder = SegmentEncoder(rendition, form)
        frames = scaler.scale(container.decode(video=0))
        for number, ((frame,), time) in enumerate(zip(frames, samples.times, strict=True)):
            encoder.push(frame, time=time, is_key=number in samples.keys)
    track = encoder.finish()
    coded = samples.path.with_name(f"{rendition.name}-{rendition.crf:g}-{rendition.speed}.mp4")
    coded.write_bytes(track.start + pack_segment(track.samples, end=samples.end, number=1))
    quality = measure(coded, samples.path, samples.size, metric=metric, is_full=is_full)
    coded.unlink()
    bits = 8 * sum(len(sample.data) for sample in track.samples)
    found = Probe(rendition.size, rendition.crf or 0, bits / samples.seconds, quality.by(metric))
    return found, quality


def probe_sizes(
    samples: Samples,
    codec: str,
    sizes: Iterable[FrameSize],
    form: VideoForm,
    *,
    speed: str,
    metric: str,
    jobs: int,
    progress: Callable[[], None],
) -> list[Probe]:
    """Probes of a codec, one for each size and CRF of `PROBE_CRFS`, ordered by size.

    `speed` is that of the renditions: at a faster one other sizes win. `progress` is called after
    each, by the threads that work. Raises InputError where samples cannot be scaled, and
    OutputError where an encoder fails.
    """
    settings = [
        Rendition(codec, size, speed=speed, crf=crf) for size in sizes for crf in PROBE_CRFS[codec]
    ]

    def work(rendition: Rendition) -> Probe:
        found, _ = probe(samples, rendition, form, metric=metric)
        progress()
        return found

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(work, settings))
