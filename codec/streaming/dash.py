"""DASH manifests (ISO/IEC 23009-1): one period over the segments that HLS lists too."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ncodec.streaming.contents import Contents, Sheets, SoundEntry, VideoEntry
from ncodec.streaming.layout import START
from ncodec.streaming.renditions import CODECS
from ncodec.streaming.text import TextTrack
from ncodec.streaming.written import WrittenTrack

_PROFILES = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019"
_ROLE = "urn:mpeg:dash:role:2011"
_CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_CICP = "urn:mpeg:mpegB:cicp:TransferCharacteristics"
_TILES = "http://dashif.org/guidelines/thumbnail_tile"
_BUFFER_S = 4


def manifest(contents: Contents, *, started: str = "") -> str:
    """Manifest of a stream, or of a live one whose second 0 was at `started` (ISO 8601, UTC)."""
    root = Element(
        "MPD",
        {
            "xmlns": "urn:mpeg:dash:schema:mpd:2011",
            "profiles": _PROFILES,
            "type": "dynamic" if contents.is_live else "static",
            "minBufferTime": f"PT{_BUFFER_S}S",
        },
    )
    if contents.is_live:
        root.set("availabilityStartTime", started)
        root.set("publishTime", datetime.now(UTC).isoformat(timespec="milliseconds"))
        longest = float(contents.longest or _BUFFER_S)
        root.set("minimumUpdatePeriod", f"PT{longest / 2:.3f}S")
        root.set("timeShiftBufferDepth", f"PT{contents.seconds:.3f}S")
        root.set("suggestedPresentationDelay", f"PT{2 * longest:.3f}S")
    else:
        root.set("mediaPresentationDuration", f"PT{contents.seconds:.6f}S")
    period = SubElement(root, "Period", {"id": "1", "start": "PT0S"})
    for codec in CODECS:
        entries = contents.of_codecs([codec])
        if entries:
            _video_set(period, entries, contents.rate, is_live=contents.is_live)
    for entry in sorted(contents.sounds, key=lambda one: (one.sound.number, one.sound.codec)):
        _sound_set(period, entry, is_live=contents.is_live)
    for track in contents.texts:
        _text_set(period, track)
    if contents.sheets is not None:
        _thumbnail_set(period, contents.sheets)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, "unicode") + "\n"


def _video_set(
    period: Element, entries: Sequence[VideoEntry], rate: Fraction, *, is_live: bool
) -> None:
    sizes = [entry.rendition.size for entry in entries]
    found = SubElement(
        period,
        "AdaptationSet",
        {
            "contentType": "video",
            "mimeType": "video/mp4",
            "segmentAlignment": "true",
            "startWithSAP": "1",
            "maxWidth": str(max(size.width for size in sizes)),
            "maxHeight": str(max(size.height for size in sizes)),
            "frameRate": str(rate),
        },
    )
    if entries[0].video_range != "SDR":
        SubElement(
            found,
            "EssentialProperty",
            {"schemeIdUri": _CICP, "value": str(entries[0].transfer)},
        )
    for entry in entries:
        size = entry.rendition.size
        sides = {"width": str(size.width), "height": str(size.height), "sar": "1:1"}
        _representation(found, entry.track, sides, is_live=is_live)


def _sound_set(period: Element, entry: SoundEntry, *, is_live: bool) -> None:
    sound = entry.sound
    found = SubElement(
        period,
        "AdaptationSet",
        {
            "contentType": "audio",
            "mimeType": "audio/mp4",
            "lang": sound.language,
            "segmentAlignment": "true",
            "startWithSAP": "1",
        },
    )
    if sound.title:
        SubElement(found, "Label").text = sound.title
    role = "main" if sound.is_default else "alternate"
    SubElement(found, "Role", {"schemeIdUri": _ROLE, "value": role})
    made = _representation(
        found, entry.track, {"audioSamplingRate": str(entry.track.timescale)}, is_live=is_live
    )
    channels = {"schemeIdUri": _CHANNELS, "value": str(sound.channels)}
    made.insert(0, Element("AudioChannelConfiguration", channels))


def _text_set(period: Element, track: TextTrack) -> None:
    found = SubElement(
        period,
        "AdaptationSet",
        {"contentType": "text", "mimeType": "text/vtt", "lang": track.language},
    )
    if track.title:
        SubElement(found, "Label").text = track.title
    role = "forced-subtitle" if track.is_forced else "subtitle"
    SubElement(found, "Role", {"schemeIdUri": _ROLE, "value": role})
    made = SubElement(found, "Representation", {"id": f"text-{track.number}", "bandwidth": "1000"})
    SubElement(made, "BaseURL").text = f"text/{track.name}"


def _thumbnail_set(period: Element, sheets: Sheets) -> None:
    found = SubElement(period, "AdaptationSet", {"contentType": "image", "mimeType": "image/jpeg"})
    per_sheet = sheets.columns * sheets.rows
    duration = sheets.interval * per_sheet
    made = SubElement(
        found,
        "Representation",
        {
            "id": "thumbnails",
            "bandwidth": str(-(-8 * sheets.size // max(1, round(duration)))),
            "width": str(sheets.width * sheets.columns),
            "height": str(sheets.height * sheets.rows),
        },
    )
    tiles = f"{sheets.columns}x{sheets.rows}"
    SubElement(made, "EssentialProperty", {"schemeIdUri": _TILES, "value": tiles})
    SubElement(
        made,
        "SegmentTemplate",
        {
            "media": "thumbnails/$Number$.jpg",
            "duration": str(duration.numerator),
            "timescale": str(duration.denominator),
            "startNumber": "1",
        },
    )


def _representation(
    parent: Element, track: WrittenTrack, more: dict[str, str], *, is_live: bool
) -> Element:
    # The period of a live stream began with its second 0; that of an ended one begins with its
    # first segment that is left.
    offset = 0 if is_live else track.segments[0].start
    found = SubElement(
        parent,
        "Representation",
        {"id": track.name, "codecs": track.codec, "bandwidth": str(track.bandwidth), **more},
    )
    template = SubElement(
        found,
        "SegmentTemplate",
        {
            "timescale": str(track.timescale),
            "initialization": f"{track.place}/{START}",
            "media": f"{track.place}/$Number%05d$.m4s",
            "startNumber": str(track.first),
        },
    )
    if offset:
        template.set("presentationTimeOffset", str(offset))
    timeline = SubElement(template, "SegmentTimeline")
    for start, duration, repeats in _runs(track):
        entry = {"d": str(duration)}
        if start is not None:
            entry = {"t": str(start), **entry}
        if repeats:
            entry["r"] = str(repeats)
        SubElement(timeline, "S", entry)
    return found


def _runs(track: WrittenTrack) -> Iterator[tuple[int | None, int, int]]:
    """Start, of the first run alone, duration and repeats of segments that last equally long."""
    start: int | None = track.segments[0].start
    for duration, run in groupby(segment.duration for segment in track.segments):
        yield start, duration, len(list(run)) - 1
        start = None
