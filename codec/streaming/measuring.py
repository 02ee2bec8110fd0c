"""Renditions as they were written → their quality, on some of their segments."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from math import ceil
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from ncodec.media.mezzanine import Mezzanine
from ncodec.streaming.layout import START, segment_name, video_folder
from ncodec.streaming.metrics import Quality, measure
from ncodec.streaming.plan import StreamPlan
from ncodec.streaming.probing import write_samples
from ncodec.streaming.renditions import Rendition
from ncodec.streaming.spans import Span

_MOST_S = 20
"""seconds of segments that are measured"""


def measure_renditions(
    plan: StreamPlan,
    open_source: Callable[[], Mezzanine],
    folder: Path,
    *,
    jobs: int,
    progress: Callable[[int, int], None],
) -> dict[str, Quality]:
    """Quality of each rendition, by name: the mean over up to 20 seconds of segments at even
    distances, all of their frames, scaled up to the top rung's size, against the clip.

    `progress` is called with the measurements done and their number.
    """
    spans = _spans(plan)
    work = [(rendition, span) for rendition in plan.renditions for span in spans]
    done = 0
    with TemporaryDirectory() as name:
        place = Path(name)
        references: dict[tuple[bool, int], Path] = {}
        for is_mapped in {plan.is_mapped(rendition) for rendition in plan.renditions}:
            for span in spans:
                path = place / f"{int(is_mapped)}-{span.number}.mkv"
                references[is_mapped, span.number] = path
                write_samples(
                    open_source,
                    plan.survey,
                    replace(plan.shown, tone_map=is_mapped),
                    plan.mapped_form if is_mapped else plan.form,
                    size=plan.top,
                    path=path,
                    windows=[span],
                )

        def work_on(pair: tuple[Rendition, Span]) -> Quality:
            nonlocal done
            rendition, span = pair
            reference = references[plan.is_mapped(rendition), span.number]
            coded = place / f"{rendition.name}-{span.number}.mp4"
            own = video_folder(folder, rendition.name)
            start = (own / START).read_bytes()
            coded.write_bytes(start + (own / segment_name(span.number)).read_bytes())
            found = measure(coded, reference, plan.top, metric=plan.metric, is_full=True)
            coded.unlink()
            done += 1
            progress(done, len(work))
            return found

        with ThreadPoolExecutor(jobs) as pool:
            found = list(pool.map(work_on, work))
    weights = [span.frames for span in spans]
    return {
        rendition.name: _mean(found[number * len(spans) :][: len(spans)], weights)
        for number, rendition in enumerate(plan.renditions)
    }


def _spans(plan: StreamPlan) -> list[Span]:
    """Spans at even distances."""
    mean = float(plan.survey.end) / len(plan.spans)
    count = max(1, min(len(plan.spans), ceil(_MOST_S / mean)))
    return [plan.spans[place * len(plan.spans) // count] for place in range(count)]


def _mean(found: list[Quality], weights: list[int]) -> Quality:
    values: dict[str, float | None] = {}
    for field in fields(Quality):
        own = [getattr(quality, field.name) for quality in found]
        is_there = all(value is not None for value in own)
        values[field.name] = fmean(own, weights=weights) if is_there else None
    return Quality(**values)
