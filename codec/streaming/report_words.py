"""Words of a stream's report: numbers with their units, and what was chosen in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from ncodec.streaming.metrics import XPSNR

Record = Mapping[str, Any]

MEASURES = {
    "vmaf": ("VMAF", 1),
    "neg": ("VMAF NEG", 1),
    "psnr": ("PSNR, dB", 2),
    "ms_ssim": ("MS-SSIM", 4),
    "xpsnr": ("XPSNR, dB", 2),
}
"""key of a measured figure → its heading and decimals"""
NONE = "–"
"""in place of what is not there"""
_GAP = "\N{NO-BREAK SPACE}"
"""between a number and its unit"""
_CODECS = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1"}


def codec_name(kind: str) -> str:
    """Name of a codec as people write it."""
    return _CODECS.get(kind, kind)


def number_text(value: float) -> str:
    """A number with at most three decimals."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def rate_text(rate: float) -> str:
    """Bits a second, such as 862 kbit/s or 1.86 Mbit/s."""
    if rate >= 999_500:
        return f"{rate / 1e6:.{2 if rate < 9_995_000 else 1}f}{_GAP}Mbit/s"
    return f"{rate / 1e3:.{0 if rate >= 9_950 else 1}f}{_GAP}kbit/s"


def kbits_text(rate: float) -> str:
    """Bits a second as kbit/s without the unit, for tables."""
    return f"{rate / 1e3:,.{0 if rate >= 99_950 else 1}f}"


def decimals_text(value: float | None, decimals: int) -> str:
    """A number for tables, which may not be there."""
    return NONE if value is None else f"{value:.{decimals}f}"


def size_text(size: float) -> str:
    """Bytes, such as 914 kB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            value = size / scale
            return f"{value:.{max(0, 3 - len(str(int(value))))}f}{_GAP}{unit}"
    return f"{size:.0f}{_GAP}bytes"


def seconds_text(seconds: float) -> str:
    """A duration, such as 2.58 s, 4:05 min or 1:34:09 h."""
    if seconds < 60:
        return f"{number_text(round(seconds, 2))}{_GAP}s"
    return f"{clock(seconds)}{_GAP}{'h' if round(seconds) >= 3600 else 'min'}"


def clock(seconds: float) -> str:
    """A time as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def quality_text(metric: str, value: float) -> str:
    """A quality with its metric, such as VMAF 93.2 or XPSNR 38.2 dB."""
    return f"{metric}{_GAP}{value:.1f}{f'{_GAP}dB' if metric == XPSNR else ''}"


def metric_unit(metric: str) -> str:
    """A metric with its unit, as headings have it."""
    return f"{metric}, dB" if metric == XPSNR else metric


def percent_text(part: float) -> str:
    """A part of bits that is saved, such as −23 %; more bits have a plus."""
    value = round(100 * part)
    return f"{'−' if value > 0 else '+' if value < 0 else '±'}{abs(value)}{_GAP}%"


def signed(value: float) -> str:
    """A difference with its sign and a decimal."""
    found = round(value, 1)
    return f"{'−' if found < 0 else '+' if found > 0 else '±'}{abs(found):.1f}"


def count_text(count: int, noun: str) -> str:
    """A number of things, such as 1 shot or 2 shots."""
    return f"{count:,}{_GAP}{noun}{'' if count == 1 else 's'}"


def joined(parts: Sequence[str]) -> str:
    """Parts as a list in a sentence."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def summary(
    ladders: Mapping[str, Sequence[Record]],
    *,
    reached: Mapping[str, float],
    metric: str | None,
    target: float | None,
    savings: Mapping[str, float],
    is_live: bool,
) -> str:
    """Sentence on the choice and its reasons; all mappings go by codecs, `ladders` to renditions
    from the top down, and `target` is None where none was sought."""
    clauses = [
        "coded live" if is_live else "",
        _reach(reached, metric, target) if metric and reached else "",
        joined([_rungs(kind, ladder) for kind, ladder in ladders.items()]),
        _saved(savings),
        "sizes and rates are those of a given ladder, without probes"
        if target is None and not is_live
        else "",
    ]
    text = "; ".join(clause for clause in clauses if clause)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _reach(reached: Mapping[str, float], metric: str, target: float | None) -> str:
    wanted = "" if target is None else f", wanted {target:g}"
    if len(reached) == 1:
        (value,) = reached.values()
        return f"the top rung reaches {quality_text(metric, value)}{wanted}"
    each = [f"{value:.1f} ({codec_name(kind)})" for kind, value in reached.items()]
    return f"the top rungs reach {metric} {joined(each)}{wanted}"


def _rungs(kind: str, ladder: Sequence[Record]) -> str:
    rates = [rate_text(one["average_bandwidth"]) for one in (ladder[0], ladder[-1])]
    if len(ladder) == 1:
        return f"{count_text(1, 'rung')} of {codec_name(kind)} at {rates[0]}"
    return f"{count_text(len(ladder), 'rung')} of {codec_name(kind)} from {rates[0]} to {rates[1]}"


def _saved(savings: Mapping[str, float]) -> str:
    if not savings:
        return ""
    parts = {kind: f"{round(100 * part) or 0}{_GAP}%" for kind, part in savings.items()}
    if len(parts) == 1:
        each, noun = next(iter(parts.values())), "hull needs"
    else:
        each = joined([f"{part} ({codec_name(kind)})" for kind, part in parts.items()])
        noun = "hulls need"
    return f"the {noun} {each} fewer bits than the fixed ladder at equal quality"
